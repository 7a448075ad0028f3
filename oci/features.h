/* The features document of the runtime-spec (features-linux.md). */
#ifndef WHERRY_OCI_FEATURES_H
#define WHERRY_OCI_FEATURES_H

#include "base/buf.h"

/* Appends the document as JSON, indented by INDENT spaces a level (0: on one line). */
void features_write(struct buf *out, unsigned indent);

#endif
