/* See log.h. The form is containerd's own, logrus text, so that its log stays readable by the same tools. */
#include "shim/log.h"
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

static enum log_level least = LOG_INFO;

void log_set_level(enum log_level level)
{
    least = level;
}

/* Copies TEXT into OUT (SIZE bytes), quoted; what does not fit is cut. */
static size_t quote(char *out, size_t size, const char *text)
{
    size_t at = 0;

    out[at++] = '"';
    for (; *text != 0 && at + 4 < size; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '\n') {
            out[at++] = '\\';
            out[at++] = 'n';
        } else {
            if (c == '"' || c == '\\')
                out[at++] = '\\';
            out[at++] = c < 0x20 ? ' ' : (char)c;
        }
    }
    out[at++] = '"';
    out[at] = 0;
    return at;
}

void log_line(enum log_level level, const char *id, const char *format, ...)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    char text[1400], quoted[1600], line[2048], when[40];
    struct timespec now;
    struct tm utc;
    va_list ap;
    int len;
    ssize_t ignored;

    if (level < least)
        return;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    quote(quoted, sizeof quoted, text);
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &utc);
    len = snprintf(line, sizeof line, "time=\"%s.%09ldZ\" level=%s msg=%s%s%.128s runtime=wherry\n", when, now.tv_nsec,
                   names[level], quoted, id != NULL ? " id=" : "", id != NULL ? id : "");
    ignored = write(2, line, (size_t)len < sizeof line ? (size_t)len : sizeof line - 1);
    (void)ignored;
}
