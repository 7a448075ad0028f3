/* Assertions of the suite that a later part of the language has overtaken. */
#ifndef WHERRY_TESTS_SPEC_OVERTAKEN_H
#define WHERRY_TESTS_SPEC_OVERTAKEN_H

#include <stdbool.h>
#include <string.h>

/* The threads proposal's folder is still written on WebAssembly 1.0: what later versions allow, it wants refused. */
static inline bool is_overtaken(const char *path, const char *text)
{
    return strstr(path, "/proposals/threads/") != NULL && text != NULL &&
           (strcmp(text, "multiple memories") == 0 || strcmp(text, "multiple tables") == 0);
}

#endif
