/* See log.h. */
#include "oci/log.h"
#include "base/fd.h"
#include "oci/json_write.h"
#include <time.h>

int log_open(struct log *log, const char *path, const char *format, struct err *e)
{
    log->fd = -1;
    log->json = strcmp(format, "json") == 0;
    if (!log->json && strcmp(format, "text") != 0)
        return err_set(e, EINVAL, "unknown log-format \"%s\": it is text or json", format);
    if (path == NULL || path[0] == 0)
        return 0;
    if (strncmp(path, "file:", 5) == 0)
        path += 5;
    else if (strncmp(path, "journald:", 9) == 0 || strncmp(path, "syslog:", 7) == 0)
        return err_set(e, ENOTSUP, "--log=%s: logging to journald and syslog is not supported yet", path);
    log->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    return log->fd < 0 ? err_sys(e, "cannot open the log file '%s'", path) : 0;
}

static void put_json(struct buf *out, const char *level, const char *time, const char *text)
{
    struct json_writer w = {.out = out};

    json_open(&w, '{');
    json_key(&w, "level");
    json_put_string(&w, level);
    json_key(&w, "msg");
    json_put_string(&w, text);
    json_key(&w, "time");
    json_put_string(&w, time);
    json_close(&w, '}');
    buf_put_u8(out, '\n');
}

static void put_text(struct buf *out, const char *level, const char *time, const char *text)
{
    struct json_writer w = {.out = out};

    buf_printf(out, "time=\"%s\" level=%s msg=", time, level);
    json_put_string(&w, text);
    buf_put_u8(out, '\n');
}

void log_write(const struct log *log, enum log_level level, const char *format, ...)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    struct buf line = {0};
    char text[2048], time_text[32];
    struct tm tm;
    time_t now = time(NULL);
    va_list ap;

    if (level < log->level)
        return;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    gmtime_r(&now, &tm);
    strftime(time_text, sizeof time_text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    (log->json && log->fd >= 0 ? put_json : put_text)(&line, names[level], time_text, text);
    (void)!fd_write_all(log->fd >= 0 ? log->fd : 2, line.data, line.len); /* a full disk must not fail the command */
    buf_done(&line);
}
