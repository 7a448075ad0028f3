/* `system unit start|set|stop`: the half of the systemd cgroup driver that speaks D-Bus; see systemd.h for the request on
 * standard input and the answer on standard output.
 *
 * The manager is spoken to over its private socket where that is ours to use, else over the bus: no bus daemon is needed.
 * Root in the initial user namespace speaks to the system's manager, everybody else to the user's own. */
#include "oci/main_system.h"
#include "base/buf.h"
#include "base/fd.h"
#include <limits.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>

#define MANAGER "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"

enum { REQUEST_BYTES_MAX = 1 << 20, JOB_TIMEOUT_S = 30, WORDS_MAX = 256 };

_Noreturn __attribute__((format(printf, 1, 2))) static void give_up(const char *format, ...)
{
    va_list ap;

    dprintf(1, "error ");
    va_start(ap, format);
    vdprintf(1, format, ap);
    va_end(ap);
    exit(1);
}

static const char *reason(int ret, const sd_bus_error *error)
{
    return error->message != NULL ? error->message : strerror(-ret);
}

static char *read_request(void)
{
    static struct buf text;
    char byte;
    ssize_t n;

    do {
        n = read(0, &byte, 1);
        if (n == 1)
            buf_put_u8(&text, (uint8_t)byte);
    } while ((n == 1 && byte != 0 && text.len < REQUEST_BYTES_MAX) || (n < 0 && errno == EINTR));
    if (n != 1 || byte != 0 || strncmp((char *)text.data, "unit ", 5) != 0)
        give_up("damaged request");
    return (char *)text.data + 5;
}

/* --- the bus ------------------------------------------------------------------------------------------------------- */

static bool is_host_root(void)
{
    char text[64] = "";
    cleanup_fd int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);

    return geteuid() == 0 && fd >= 0 && read(fd, text, sizeof text - 1) > 0 && strstr(text, "4294967295") != NULL;
}

static sd_bus *open_private(const char *directory)
{
    char address[PATH_MAX];
    sd_bus *bus = NULL;

    snprintf(address, sizeof address, "unix:path=%s/systemd/private", directory);
    if (sd_bus_new(&bus) < 0 || sd_bus_set_address(bus, address) < 0 || sd_bus_start(bus) < 0)
        bus = sd_bus_unref(bus);
    return bus;
}

static sd_bus *open_bus(void)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    sd_bus *bus = is_host_root() ? open_private("/run") : NULL;
    int ret = -ENOENT;

    if (bus == NULL && is_host_root())
        ret = sd_bus_open_system(&bus);
    if (bus == NULL && runtime != NULL && runtime[0] == '/')
        bus = open_private(runtime);
    if (bus == NULL)
        ret = sd_bus_open_user(&bus);
    if (bus == NULL)
        give_up("no manager can be reached (%s): is systemd running? Without it use the cgroupfs driver",
                strerror(-ret));
    sd_bus_call_method(bus, MANAGER, "Subscribe", NULL, NULL, NULL); /* on the private socket signals come unasked */
    return bus;
}

/* --- properties ---------------------------------------------------------------------------------------------------- */

static int append_words(sd_bus_message *m, char *value)
{
    char *words[WORDS_MAX + 1];
    unsigned count = 0;

    for (char *word; *value != 0 && count < WORDS_MAX && (word = strsep(&value, "\x1f")) != NULL;) {
        words[count++] = word;
        if (value == NULL)
            break;
    }
    words[count] = NULL;
    return sd_bus_message_append_strv(m, words);
}

static int append_bytes(sd_bus_message *m, const char *hexadecimal)
{
    uint8_t bytes[1024];
    size_t count = 0;
    unsigned byte;

    for (; count < sizeof bytes && sscanf(hexadecimal + 2 * count, "%2x", &byte) == 1; count++)
        bytes[count] = (uint8_t)byte;
    return sd_bus_message_append_array(m, 'y', bytes, count);
}

static int append_value(sd_bus_message *m, const char *type, char *value)
{
    if (strcmp(type, "as") == 0)
        return append_words(m, value);
    if (strcmp(type, "ay") == 0)
        return append_bytes(m, value);
    switch (type[0]) {
    case 's': return sd_bus_message_append(m, "s", value);
    case 'b': return sd_bus_message_append(m, "b", strcmp(value, "true") == 0);
    case 't': return sd_bus_message_append(m, "t", (uint64_t)strtoull(value, NULL, 10));
    case 'x': return sd_bus_message_append(m, "x", (int64_t)strtoll(value, NULL, 10));
    case 'u': return sd_bus_message_append(m, "u", (uint32_t)strtoul(value, NULL, 10));
    case 'i': return sd_bus_message_append(m, "i", (int32_t)strtol(value, NULL, 10));
    default: return -EINVAL;
    }
}

static void append_property(sd_bus_message *m, char *line)
{
    char *type = line, *name = strchr(type, ' '), *value = name != NULL ? strchr(name + 1, ' ') : NULL;
    int ret;

    if (value == NULL)
        give_up("damaged request");
    *name++ = 0;
    *value++ = 0;
    ret = sd_bus_message_open_container(m, 'r', "sv");
    if (ret >= 0)
        ret = sd_bus_message_append(m, "s", name);
    if (ret >= 0)
        ret = sd_bus_message_open_container(m, 'v', type);
    if (ret >= 0)
        ret = append_value(m, type, value);
    if (ret >= 0)
        ret = sd_bus_message_close_container(m);
    if (ret >= 0)
        ret = sd_bus_message_close_container(m);
    if (ret < 0)
        give_up("cannot pass the property %s: %s", name, strerror(-ret));
}

/* The lines of TEXT, which begin "property ", as an array; with OWN_PID we are in it. */
static void append_properties(sd_bus_message *m, char *text, bool own_pid)
{
    int ret = sd_bus_message_open_container(m, 'a', "(sv)");

    for (char *line; ret >= 0 && (line = strsep(&text, "\n")) != NULL;)
        if (strncmp(line, "property ", 9) == 0)
            append_property(m, line + 9);
    if (ret >= 0 && own_pid)
        ret = sd_bus_message_append(m, "(sv)", "PIDs", "au", 1, (uint32_t)getpid());
    if (ret >= 0)
        ret = sd_bus_message_close_container(m);
    if (ret < 0)
        give_up("cannot make the request to systemd: %s", strerror(-ret));
}

/* --- jobs ---------------------------------------------------------------------------------------------------------- */

struct job {
    char path[256], result[32];
};

/* JobRemoved: id, job, unit, result. It can come before we know our job's name, never before the call's answer is read. */
static int on_removed(sd_bus_message *m, void *data, sd_bus_error *error)
{
    const char *path, *unit, *result;
    struct job *job = data;

    if (sd_bus_message_read(m, "uoss", NULL, &path, &unit, &result) >= 0 && strcmp(path, job->path) == 0)
        snprintf(job->result, sizeof job->result, "%s", result);
    return 0;
}

static void watch_jobs(sd_bus *bus, struct job *job)
{
    int ret = sd_bus_match_signal(bus, NULL, NULL, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
                                  "JobRemoved", on_removed, job);
    if (ret < 0)
        give_up("cannot watch systemd's jobs: %s", strerror(-ret));
}

static void await_job(sd_bus *bus, struct job *job, sd_bus_message *reply)
{
    time_t end = time(NULL) + JOB_TIMEOUT_S;
    const char *path;
    int ret = sd_bus_message_read(reply, "o", &path);

    if (ret < 0)
        give_up("systemd's answer makes no sense");
    snprintf(job->path, sizeof job->path, "%s", path);
    while (job->result[0] == 0) {
        ret = sd_bus_process(bus, NULL);
        if (ret == 0)
            ret = sd_bus_wait(bus, 1000000);
        if (ret < 0 && ret != -EINTR)
            give_up("the connection to systemd broke: %s", strerror(-ret));
        if (time(NULL) > end)
            give_up("the job is not done after %d s", JOB_TIMEOUT_S);
    }
}

/* --- verbs --------------------------------------------------------------------------------------------------------- */

static sd_bus_message *new_call(sd_bus *bus, const char *method)
{
    sd_bus_message *m = NULL;
    int ret = sd_bus_message_new_method_call(bus, &m, MANAGER, method);

    if (ret < 0)
        give_up("cannot call systemd: %s", strerror(-ret));
    return m;
}

static void answer_place(void)
{
    cleanup_fd int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
    struct buf text = {0};

    buf_put_str(&text, "ok\n");
    if (fd < 0 || fd_read_to_end(fd, &text, REQUEST_BYTES_MAX) < 0)
        give_up("cannot read /proc/self/cgroup: %s", strerror(errno));
    buf_put_u8(&text, 0);
    fd_write_all(1, text.data, text.len);
    buf_done(&text);
}

static void start_unit(sd_bus *bus, const char *unit, char *properties)
{
    struct job job = {0};
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message *m = new_call(bus, "StartTransientUnit"), *reply = NULL;
    char byte;
    int ret;

    watch_jobs(bus, &job);
    ret = sd_bus_message_append(m, "ss", unit, "fail");
    append_properties(m, properties, true);
    if (ret >= 0)
        ret = sd_bus_message_append(m, "a(sa(sv))", 0);
    if (ret >= 0)
        ret = sd_bus_call(bus, m, 0, &error, &reply);
    if (ret < 0)
        give_up("cannot start the unit %s: %s", unit, reason(ret, &error));
    await_job(bus, &job, reply);
    if (strcmp(job.result, "done") != 0)
        give_up("the unit %s did not start: %s", unit, job.result);
    answer_place();
    while (read(0, &byte, 1) < 0 && errno == EINTR) /* until we are let go */
        ;
}

static void set_unit(sd_bus *bus, const char *unit, char *properties)
{
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message *m = new_call(bus, "SetUnitProperties");
    int ret = sd_bus_message_append(m, "sb", unit, true);

    append_properties(m, properties, false);
    if (ret >= 0)
        ret = sd_bus_call(bus, m, 0, &error, NULL);
    if (ret < 0)
        give_up("cannot set the properties of %s: %s", unit, reason(ret, &error));
    fd_write_all(1, "ok", 3);
}

static void stop_unit(sd_bus *bus, const char *unit)
{
    struct job job = {0};
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message *reply = NULL;
    int ret;

    watch_jobs(bus, &job);
    ret = sd_bus_call_method(bus, MANAGER, "StopUnit", &error, &reply, "ss", unit, "replace");
    if (ret < 0 && !sd_bus_error_has_name(&error, "org.freedesktop.systemd1.NoSuchUnit"))
        give_up("cannot stop the unit %s: %s", unit, reason(ret, &error));
    if (ret >= 0)
        await_job(bus, &job, reply);
    fd_write_all(1, "ok", 3);
}

int unit_main(const char *verb)
{
    char *unit = read_request(), *properties = strchr(unit, '\n');
    sd_bus *bus;

    if (properties == NULL)
        give_up("damaged request");
    *properties++ = 0;
    bus = open_bus();
    if (strcmp(verb, "start") == 0)
        start_unit(bus, unit, properties);
    else if (strcmp(verb, "set") == 0)
        set_unit(bus, unit, properties);
    else if (strcmp(verb, "stop") == 0)
        stop_unit(bus, unit);
    else
        give_up("no such request: %s", verb);
    sd_bus_flush_close_unref(bus);
    return 0;
}
