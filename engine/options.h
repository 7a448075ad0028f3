/* The engine's options as text: one form for the cache's key and the compile worker's command line, so that an option
 * that is added cannot be missing from either. */
#ifndef WHERRY_ENGINE_OPTIONS_H
#define WHERRY_ENGINE_OPTIONS_H

#include "wherry/engine.h"

enum { ENGINE_OPTIONS_TEXT_BYTES = 64 };

/* OPTIONS are resolved ones. */
void engine_options_print(const struct engine_options *options, char text[ENGINE_OPTIONS_TEXT_BYTES]);
bool engine_options_parse(const char *text, struct engine_options *options);

#endif
