/* Names in the binary format, and the name section. */
#ifndef WHERRY_ENGINE_NAME_H
#define WHERRY_ENGINE_NAME_H

#include "base/rd.h"
#include "engine/module.h"

/* Reads a length and that many bytes of UTF-8. Returns false with a fault in R if they are not that. */
bool name_read(struct rd *r, struct name *out);

/* Fills m->func_names from the first custom section called "name", if there is one. As the specification demands, a
 * malformed one is no error: what could be read before the fault is kept. */
void name_section_read(struct module *m);

#endif
