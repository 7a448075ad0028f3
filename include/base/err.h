/* Errors that say what was being done.
 *
 * A function that can fail returns 0 or a negative errno and fills a struct err. The struct has a fixed size and needs
 * no allocation, so it works between clone and exec and travels through a pipe as it is. The text is one sentence:
 * what, where, why, what to do. Callers that know more put it in front with err_prefix. */
#ifndef WHERRY_BASE_ERR_H
#define WHERRY_BASE_ERR_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct err {
    int code; /* positive errno; 0: no error recorded */
    char text[1020];
};

/* Records CODE (a positive errno) and the formatted text; returns -CODE. E may be NULL. */
__attribute__((format(printf, 3, 4))) static inline int err_set(struct err *e, int code, const char *format, ...)
{
    if (e != NULL) {
        va_list ap;
        e->code = code;
        va_start(ap, format);
        vsnprintf(e->text, sizeof e->text, format, ap);
        va_end(ap);
    }
    return -code;
}

/* Records the current errno with ": <its text>" behind the formatted text; returns -errno. */
__attribute__((format(printf, 2, 3))) static inline int err_sys(struct err *e, const char *format, ...)
{
    int code = errno != 0 ? errno : EIO;
    if (e != NULL) {
        va_list ap;
        size_t used;
        e->code = code;
        va_start(ap, format);
        vsnprintf(e->text, sizeof e->text, format, ap);
        va_end(ap);
        used = strlen(e->text);
        snprintf(e->text + used, sizeof e->text - used, ": %s", strerror(code));
    }
    return -code;
}

/* Puts "<formatted text>: " in front of an error already recorded; returns -e->code. */
__attribute__((format(printf, 2, 3))) static inline int err_prefix(struct err *e, const char *format, ...)
{
    char old[sizeof e->text];
    va_list ap;
    size_t used;

    memcpy(old, e->text, sizeof old);
    va_start(ap, format);
    vsnprintf(e->text, sizeof e->text, format, ap);
    va_end(ap);
    used = strlen(e->text);
    snprintf(e->text + used, sizeof e->text - used, ": %.*s", (int)(sizeof e->text - used - 3), old);
    return -e->code;
}

/* clang's analyzer does not look into variadic functions: without this it follows paths where an error is success. */
#ifdef __clang_analyzer__
#define err_set(...)    (err_set(__VA_ARGS__), -1)
#define err_sys(...)    (err_sys(__VA_ARGS__), -1)
#define err_prefix(...) (err_prefix(__VA_ARGS__), -1)
#endif

#endif
