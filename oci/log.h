/* The log of the commands: --log FILE in runc's two formats. What managers show their users is the last line of level error. */
#ifndef WHERRY_OCI_LOG_H
#define WHERRY_OCI_LOG_H

#include "base/err.h"
#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

struct log {
    int fd; /* -1: standard error, as text */
    bool json;
    enum log_level level; /* lines below it are left out */
};

/* Opens PATH for appending (NULL: none, FORMAT "text" or "json"). Returns 0 or a negative errno. */
int log_open(struct log *log, const char *path, const char *format, struct err *e);

__attribute__((format(printf, 3, 4))) void log_write(const struct log *log, enum log_level level, const char *format,
                                                     ...);

#endif
