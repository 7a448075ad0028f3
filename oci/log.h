/* The log of the commands: --log FILE in runc's two formats, --log journald:NAME and syslog:NAME as crun has them. What managers show their users is the last line of level error. */
#ifndef WHERRY_OCI_LOG_H
#define WHERRY_OCI_LOG_H

#include "base/err.h"
#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

enum log_target { LOG_TO_FILE, LOG_TO_JOURNALD, LOG_TO_SYSLOG };

struct log {
    int fd; /* -1: standard error, as text */
    enum log_target target;
    const char *identifier; /* under which journald or syslog shows the lines; borrowed */
    bool json;
    enum log_level level; /* lines below it are left out */
};

/* Opens PATH ("file:PATH" too) for appending, or connects to the other two (NULL: none; FORMAT "text" or "json" is for files). Returns 0 or a negative errno. */
int log_open(struct log *log, const char *path, const char *format, struct err *e);

__attribute__((format(printf, 3, 4))) void log_write(const struct log *log, enum log_level level, const char *format,
                                                     ...);

#endif
