/* The parts of the `system` helper; each is one of its commands. */
#ifndef WHERRY_OCI_MAIN_SYSTEM_H
#define WHERRY_OCI_MAIN_SYSTEM_H

/* `system unit VERB`. Returns the exit status. */
int unit_main(const char *verb);

#endif
