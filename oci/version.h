/* What this runtime calls itself and what it implements. */
#ifndef WHERRY_OCI_VERSION_H
#define WHERRY_OCI_VERSION_H

#define WHERRY_VERSION      "0.1.0"
#define WHERRY_SPEC_VERSION "1.3.0" /* of the OCI runtime-spec */

extern const char wherry_commit[]; /* from git, at the build; "": not known */

#endif
