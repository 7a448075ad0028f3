/* See log.h. */
#include "oci/log.h"
#include "base/fd.h"
#include "oci/json_write.h"
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

/* Both take a datagram a line. */
static int connect_daemon(struct log *log, enum log_target target, const char *identifier, const char *path,
                          struct err *e)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    cleanup_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        return err_sys(e, "--log=%s: cannot connect to %s", target == LOG_TO_SYSLOG ? "syslog" : "journald", path);
    log->fd = fd_take(&fd);
    log->target = target;
    log->identifier = identifier[0] != 0 ? identifier : "wherry";
    return 0;
}

int log_open(struct log *log, const char *path, const char *format, struct err *e)
{
    log->fd = -1;
    log->target = LOG_TO_FILE;
    log->json = strcmp(format, "json") == 0;
    if (!log->json && strcmp(format, "text") != 0)
        return err_set(e, EINVAL, "unknown log-format \"%s\": it is text or json", format);
    if (path == NULL || path[0] == 0)
        return 0;
    if (strncmp(path, "journald:", 9) == 0)
        return connect_daemon(log, LOG_TO_JOURNALD, path + 9, "/run/systemd/journal/socket", e);
    if (strncmp(path, "syslog:", 7) == 0)
        return connect_daemon(log, LOG_TO_SYSLOG, path + 7, "/dev/log", e);
    if (strncmp(path, "file:", 5) == 0)
        path += 5;
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

/* journald's native protocol and syslog's (RFC 3164): what a line may not contain in either is its end. */
static void send_line(const struct log *log, enum log_level level, char *text)
{
    static const int severities[] = {7, 6, 4, 3};
    enum { FACILITY_DAEMON = 3 };
    struct buf line = {0};

    for (char *p = text; *p != 0; p++)
        *p = *p == '\n' ? ' ' : *p;
    if (log->target == LOG_TO_JOURNALD)
        buf_printf(&line, "PRIORITY=%d\nSYSLOG_IDENTIFIER=%s\nMESSAGE=%s\n", severities[level], log->identifier, text);
    else
        buf_printf(&line, "<%d>%s[%d]: %s", FACILITY_DAEMON * 8 + severities[level], log->identifier, (int)getpid(),
                   text);
    (void)!send(log->fd, line.data, line.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    buf_done(&line);
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
    if (log->fd >= 0 && log->target != LOG_TO_FILE) {
        send_line(log, level, text);
        return;
    }
    gmtime_r(&now, &tm);
    strftime(time_text, sizeof time_text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    (log->json && log->fd >= 0 ? put_json : put_text)(&line, names[level], time_text, text);
    (void)!fd_write_all(log->fd >= 0 ? log->fd : 2, line.data, line.len); /* a full disk must not fail the command */
    buf_done(&line);
}
