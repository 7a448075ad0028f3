/* wherry events: figures of a container as JSON lines, once or every interval, and a line for each out-of-memory kill. */
#include "base/fd.h"
#include "oci/cmd.h"
#include "oci/control.h"
#include "oci/json_write.h"
#include <time.h>

enum { OOM_LOOK_MS = 500 };

static void put(struct json_writer *w, const char *key, uint64_t value)
{
    json_key(w, key);
    json_put_int(w, value > INT64_MAX ? INT64_MAX : (int64_t)value); /* "no limit" is more than JSON readers hold */
}

static void open_key(struct json_writer *w, const char *key)
{
    json_key(w, key);
    json_open(w, '{');
}

static void put_cpu(struct json_writer *w, const struct cgroup_stats *s)
{
    open_key(w, "cpu");
    open_key(w, "usage");
    put(w, "total", s->cpu_total_ns);
    put(w, "kernel", s->cpu_system_ns);
    put(w, "user", s->cpu_user_ns);
    json_close(w, '}');
    open_key(w, "throttling");
    put(w, "periods", s->cpu_periods);
    put(w, "throttledPeriods", s->cpu_throttled_periods);
    put(w, "throttledTime", s->cpu_throttled_ns);
    json_close(w, '}');
    json_close(w, '}');
}

static void put_memory(struct json_writer *w, const struct cgroup_stats *s)
{
    open_key(w, "memory");
    put(w, "cache", s->memory_cache);
    open_key(w, "usage");
    put(w, "limit", s->memory_limit);
    put(w, "usage", s->memory_usage);
    put(w, "max", s->memory_max_usage);
    put(w, "failcnt", s->memory_failures);
    json_close(w, '}');
    open_key(w, "swap");
    put(w, "limit", s->swap_limit);
    put(w, "usage", s->swap_usage);
    json_close(w, '}');
    open_key(w, "raw");
    put(w, "rss", s->memory_rss);
    put(w, "inactive_file", s->memory_inactive_file);
    json_close(w, '}');
    json_close(w, '}');
}

static void print_event(const char *type, const char *id, const struct cgroup_stats *s)
{
    struct buf text = {0};
    struct json_writer w = {.out = &text};

    json_open(&w, '{');
    json_key(&w, "type");
    json_put_string(&w, type);
    json_key(&w, "id");
    json_put_string(&w, id);
    if (s != NULL) {
        open_key(&w, "data");
        put_cpu(&w, s);
        put_memory(&w, s);
        open_key(&w, "pids");
        put(&w, "current", s->pids_current);
        if (s->pids_limit != UINT64_MAX)
            put(&w, "limit", s->pids_limit);
        json_close(&w, '}');
        json_close(&w, '}');
    }
    json_close(&w, '}');
    buf_put_u8(&text, '\n');
    (void)!fd_write_all(1, text.data, text.len); /* nobody reads any more: SIGPIPE ends us */
    buf_done(&text);
}

/* "5s", "500ms", "1m", or seconds. Returns milliseconds, 0 for anything else. */
static long read_interval_ms(const char *text)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || value <= 0 || value > 1e6)
        return 0;
    if (strcmp(end, "ms") == 0)
        return (long)value;
    return *end == 0 || strcmp(end, "s") == 0 ? (long)(value * 1000)
           : strcmp(end, "m") == 0            ? (long)(value * 60000)
                                              : 0;
}

static void sleep_ms(long ms)
{
    const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* Until the container stops. */
static int follow(struct cmd *cmd, const char *id, long interval_ms)
{
    struct cgroup_stats s;
    uint64_t oom_kills = 0;
    bool first = true;

    for (long waited_ms = interval_ms;; waited_ms += OOM_LOOK_MS) {
        int ret = control_stats(cmd->root, id, &s, &cmd->err);
        if (ret < 0)
            return (ret == -ESRCH || ret == -ENOENT) && !first ? 0 : cmd_fail(cmd, 1);
        if (!first && s.memory_oom_kills > oom_kills)
            print_event("oom", id, NULL);
        oom_kills = s.memory_oom_kills;
        first = false;
        if (waited_ms >= interval_ms) {
            print_event("stats", id, &s);
            waited_ms = 0;
        }
        sleep_ms(OOM_LOOK_MS);
    }
}

int cmd_events(struct cmd *cmd, int argc, char **argv)
{
    bool once = false;
    const char *interval = "5s";
    const struct option_spec specs[] = {{"stats", 0, OPTION_FLAG, &once, "print the figures once"},
                                        {"interval", 0, OPTION_TEXT, &interval, "time between two prints (5s)"},
                                        {0}};
    struct cgroup_stats s;
    long interval_ms;
    int status;

    if (cmd_options(cmd, argc, argv, specs, "events [--stats] [--interval TIME] ID", 1, 1, &status) < 0)
        return status;
    interval_ms = read_interval_ms(interval);
    if (interval_ms == 0) {
        err_set(&cmd->err, EINVAL, "invalid value for interval: '%s' is no duration such as 5s", interval);
        return cmd_fail(cmd, 1);
    }
    if (!once)
        return follow(cmd, argv[1], interval_ms);
    if (control_stats(cmd->root, argv[1], &s, &cmd->err) < 0)
        return cmd_fail(cmd, 1);
    print_event("stats", argv[1], &s);
    return 0;
}
