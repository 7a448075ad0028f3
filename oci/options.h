/* Command lines as runc's and crun's callers write them: `--flag value` and `--flag=value`, one dash or two before a long
 * name, options before or after the words (container ID, signal ...). */
#ifndef WHERRY_OCI_OPTIONS_H
#define WHERRY_OCI_OPTIONS_H

#include "base/err.h"
#include <stdbool.h>

enum option_kind {
    OPTION_FLAG,         /* bool: set; also "=true", "=false" */
    OPTION_TEXT,         /* const char * */
    OPTION_TEXTS,        /* struct option_texts: may be given again and again */
    OPTION_NUMBER,       /* unsigned */
    OPTION_IGNORED_FLAG, /* accepted for a caller's sake, without effect here */
    OPTION_IGNORED_TEXT,
    OPTION_REFUSED, /* flag or text that is not there yet: an error with its name */
};

enum { OPTION_TEXTS_MAX = 1024 };

struct option_texts {
    const char *data[OPTION_TEXTS_MAX];
    unsigned count;
};

struct option_spec {
    const char *name; /* without dashes; "bundle" */
    char letter;      /* 'b', or 0 */
    enum option_kind kind;
    void *value;
    const char *help; /* NULL: not listed */
};

/* Reads options out of ARGV[1..] up to the first word if STOP_AT_WORD, else all of them; "--" ends options. The words are
 * moved to the front, from ARGV[1]; returns their number (with STOP_AT_WORD: the first and all behind it), or -EINVAL,
 * -ENOTSUP with *E. SPECS ends with a NULL name. */
int options_read(int argc, char **argv, const struct option_spec *specs, bool stop_at_word, struct err *e);

/* Prints one line per listed option. */
void options_help(const struct option_spec *specs);

#endif
