/* See systemd.h. */
#include "oci/systemd.h"
#include "base/fd.h"
#include "oci/cgroup_backend.h"
#include "oci/rootless.h"
#include "oci/sched.h"
#include "oci/sys.h"
#include "wherry/worker.h"
#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define ANNOTATION "org.systemd.property."

enum { ANSWER_BYTES_MAX = 64 << 10 };

/* --- names --------------------------------------------------------------------------------------------------------- */

static bool is_unit_word(const char *text)
{
    return text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@")] == 0;
}

bool systemd_names_scope(const char *cgroups_path)
{
    const char *first = cgroups_path != NULL ? strchr(cgroups_path, ':') : NULL;
    static const char suffix[] = ".slice";
    size_t len = first != NULL ? (size_t)(first - cgroups_path) : 0;

    return len >= sizeof suffix && memcmp(first - (sizeof suffix - 1), suffix, sizeof suffix - 1) == 0 &&
           strchr(cgroups_path, '/') == NULL && strchr(first + 1, ':') != NULL;
}

int systemd_unit_read(const char *cgroups_path, const char *id, struct arena *arena, struct systemd_unit *out,
                      struct err *e)
{
    const char *slice = rootless() ? "user.slice" : "system.slice", *prefix = "wherry", *name = id;

    if (cgroups_path != NULL && cgroups_path[0] != 0) {
        const char *first = strchr(cgroups_path, ':'), *second = first != NULL ? strchr(first + 1, ':') : NULL;
        if (second == NULL || strchr(second + 1, ':') != NULL || second[1] == 0)
            return err_set(e, EINVAL,
                           "linux.cgroupsPath: the systemd driver takes it as \"slice:prefix:name\", not '%s'",
                           cgroups_path);
        if (first != cgroups_path)
            slice = arena_strndup(arena, cgroups_path, (size_t)(first - cgroups_path));
        prefix = arena_strndup(arena, first + 1, (size_t)(second - first - 1));
        name = second + 1;
    }
    size_t len = strlen(slice);
    if (len <= 6 || strcmp(slice + len - 6, ".slice") != 0 || !is_unit_word(slice))
        return err_set(e, EINVAL, "linux.cgroupsPath: '%s' is not the name of a slice", slice);
    if (!is_unit_word(prefix) || !is_unit_word(name))
        return err_set(e, EINVAL, "linux.cgroupsPath: '%s' and '%s' do not make the name of a unit", prefix, name);
    out->slice = slice;
    out->name = arena_printf(arena, "%s%s%s.scope", prefix, prefix[0] != 0 ? "-" : "", name);
    return 0;
}

/* --- properties ---------------------------------------------------------------------------------------------------- */

static void put_number(struct buf *out, const char *name, uint64_t value)
{
    buf_printf(out, "property t %s %" PRIu64 "\n", name, value);
}

/* Limits where -1 is none: systemd's infinity is the largest number. */
static void put_limit(struct buf *out, const char *name, const struct optional_i64 *value)
{
    if (value->set && value->value != 0)
        put_number(out, name, value->value < 0 ? UINT64_MAX : (uint64_t)value->value);
}

/* systemd counts in CPU time per second of wall time, and rounds to hundredths: up, so that it never takes from the limit. */
static void put_quota(const struct config_cpu *cpu, bool unified, struct buf *out)
{
    uint64_t period = cpu->period.set && cpu->period.value != 0 ? cpu->period.value : 100000, quota;

    if (!cpu->quota.set || cpu->quota.value == 0)
        return;
    if (cpu->quota.value < 0) {
        put_number(out, "CPUQuotaPerSecUSec", UINT64_MAX);
        return;
    }
    if (unified)
        put_number(out, "CPUQuotaPeriodUSec", period);
    quota = (uint64_t)cpu->quota.value * 1000000 / period;
    put_number(out, "CPUQuotaPerSecUSec", (quota + 9999) / 10000 * 10000);
}

/* A set of CPUs or memory nodes as a bit mask, least significant byte first. */
static void put_set(const char *name, const char *list, struct buf *out)
{
    cpu_set_t set;
    size_t len = 0;
    uint8_t bytes[CPU_SETSIZE / 8] = {0};

    if (list == NULL || list[0] == 0 || sched_read_cpus(list, &set, NULL) < 0)
        return; /* the file of the cgroup says what is wrong with it */
    for (size_t i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &set)) {
            bytes[i / 8] |= (uint8_t)(1 << i % 8);
            len = i / 8 + 1;
        }
    buf_printf(out, "property ay %s ", name);
    for (size_t i = 0; i < len; i++)
        buf_printf(out, "%02x", bytes[i]);
    buf_put_u8(out, '\n');
}

static void put_v2(const struct config_resources *r, struct buf *out)
{
    const struct config_memory *m = &r->memory;

    put_limit(out, "MemoryMax", &m->limit);
    put_limit(out, "MemoryLow", &m->reservation);
    if (m->swap.set && m->swap.value < 0)
        put_number(out, "MemorySwapMax", UINT64_MAX);
    else if (m->swap.set && m->swap.value > 0 && m->limit.set && m->limit.value > 0 && m->swap.value >= m->limit.value)
        put_number(out, "MemorySwapMax", (uint64_t)(m->swap.value - m->limit.value));
    if (r->cpu.shares.set && r->cpu.shares.value != 0)
        put_number(out, "CPUWeight", cgroup_v2_cpu_weight(r->cpu.shares.value));
    put_set("AllowedCPUs", r->cpu.cpus, out);
    put_set("AllowedMemoryNodes", r->cpu.mems, out);
}

static void put_v1(const struct config_resources *r, struct buf *out)
{
    put_limit(out, "MemoryLimit", &r->memory.limit);
    if (r->cpu.shares.set && r->cpu.shares.value != 0)
        put_number(out, "CPUShares", r->cpu.shares.value);
    if (r->block_io.weight.set && r->block_io.weight.value != 0)
        put_number(out, "BlockIOWeight", r->block_io.weight.value);
}

void systemd_put_resources(const struct config_resources *r, bool unified, struct buf *out)
{
    if (unified)
        put_v2(r, out);
    else
        put_v1(r, out);
    put_quota(&r->cpu, unified, out);
    if (r->pids_limit.set)
        put_number(out, "TasksMax", r->pids_limit.value < 0 ? UINT64_MAX : (uint64_t)r->pids_limit.value);
}

/* --- annotations --------------------------------------------------------------------------------------------------- */

/* 'text' or "text"; the end behind it, or NULL. */
static const char *put_quoted(const char *p, struct buf *out)
{
    char quote = *p++;

    while (*p != 0 && *p != quote && *p != '\n') {
        if (*p == '\\' && p[1] != 0)
            p++;
        buf_put_u8(out, (uint8_t)*p++);
    }
    return *p == quote ? p + 1 : NULL;
}

/* ['a', 'b'] */
static bool put_array(const char *p, struct buf *out)
{
    for (p += 1 + strspn(p + 1, " "); *p != ']';) {
        if ((*p != '\'' && *p != '"') || (p = put_quoted(p, out)) == NULL)
            return false;
        p += strspn(p, " ");
        if (*p == ',')
            p += 1 + strspn(p + 1, " ");
        else if (*p != ']')
            return false;
        if (*p != ']')
            buf_put_u8(out, 31);
    }
    return p[1] == 0;
}

/* A number, with its type before it or an int32. Names in Sec are, as in unit files, seconds: the property is NAMEUSec. */
static bool put_typed_number(const char *name, const char *text, struct buf *out)
{
    static const struct {
        const char *word;
        char type;
    } types[] = {{"uint64 ", 't'}, {"int64 ", 'x'}, {"uint32 ", 'u'}, {"int32 ", 'i'}};
    size_t len = strlen(name);
    char type = 'i', *end;
    double number;

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strncmp(text, types[i].word, strlen(types[i].word)) == 0) {
            type = types[i].type;
            text += strlen(types[i].word);
        }
    number = strtod(text, &end);
    if (end == text || *end != 0 || (type != 'x' && type != 'i' && number < 0))
        return false;
    if (len > 3 && strcmp(name + len - 3, "Sec") == 0 && (len < 4 || name[len - 4] != 'U'))
        buf_printf(out, "property t %.*sUSec %.0f\n", (int)len - 3, name, number * 1000000);
    else if (number != (double)(int64_t)number && number < 0x1p63)
        return false;
    else
        buf_printf(out, "property %c %s %s\n", type, name, text);
    return true;
}

static bool put_annotation(const char *name, const char *value, struct buf *out)
{
    const char *end;
    bool ok;

    if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0) {
        buf_printf(out, "property b %s %s\n", name, value);
        return true;
    }
    if (strncmp(value, "@as ", 4) == 0)
        value += 4;
    if (value[0] != '[' && value[0] != '\'' && value[0] != '"')
        return put_typed_number(name, value, out);
    buf_printf(out, "property %s %s ", value[0] == '[' ? "as" : "s", name);
    if (value[0] == '[')
        ok = put_array(value, out);
    else
        ok = (end = put_quoted(value, out)) != NULL && *end == 0;
    buf_put_u8(out, '\n');
    return ok;
}

int systemd_put_annotations(const struct config_pairs *annotations, struct buf *out, struct err *e)
{
    for (uint32_t i = 0; i < annotations->count; i++) {
        const char *key = annotations->data[i].key, *name = key + strlen(ANNOTATION);
        if (strncmp(key, ANNOTATION, strlen(ANNOTATION)) != 0)
            continue;
        for (const char *p = name; *p != 0 || p == name; p++)
            if (!isalpha((unsigned char)*p))
                return err_set(e, EINVAL, "annotation %s: '%s' is not the name of a property", key, name);
        if (!put_annotation(name, annotations->data[i].value, out))
            return err_set(e, EINVAL,
                           "annotation %s: '%s' is not a value in GVariant's text form (true, 'text', uint64 5, ['a'])",
                           key, annotations->data[i].value);
    }
    return 0;
}

/* --- the helper ---------------------------------------------------------------------------------------------------- */

/* The bus of a user's own manager is found by these two. */
static char *inherited(const char *name, char *text, size_t bytes)
{
    const char *value = getenv(name);

    if (value == NULL || snprintf(text, bytes, "%s=%s", name, value) >= (int)bytes)
        text[0] = 0;
    return text;
}

_Noreturn static void exec_helper(const char *program, const char *verb, int talk, pid_t parent)
{
    char runtime[PATH_MAX + 32], session[PATH_MAX + 32];
    char *const args[] = {"system", "unit", (char *)verb, NULL};
    char *environment[] = {inherited("XDG_RUNTIME_DIR", runtime, sizeof runtime),
                           inherited("DBUS_SESSION_BUS_ADDRESS", session, sizeof session), NULL};

    /* ours to end: a scope without anything in it is removed by systemd */
    if (sys.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent || dup2(talk, 0) < 0 ||
        dup2(talk, 1) < 0)
        _exit(126);
    sys.close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    execve(program, args, environment);
    dprintf(1, "error cannot run %s: %s", program, strerror(errno));
    _exit(127);
}

static int begin(const char *verb, const struct buf *request, const char *libexec, struct systemd_scope *out,
                 struct err *e)
{
    char program[PATH_MAX];
    int ends[2], ret = libexec_find(libexec, "system", program, sizeof program, e);
    pid_t parent = getpid();

    if (ret < 0)
        return ret;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return err_sys(e, "cannot make a socket to the systemd helper");
    out->talk = ends[0];
    cleanup_fd int theirs = ends[1];
    out->helper = fork();
    if (out->helper == 0)
        exec_helper(program, verb, theirs, parent);
    if (out->helper < 0) {
        out->helper = 0;
        fd_close(&out->talk);
        return err_sys(e, "cannot start the systemd helper");
    }
    if (send(out->talk, request->data, request->len, MSG_NOSIGNAL) != (ssize_t)request->len) {
        ret = err_sys(e, "cannot talk to the systemd helper");
        systemd_scope_leave(out);
    }
    return ret;
}

/* Reads the answer. What follows "ok" is appended to TEXT. */
static int finish(struct systemd_scope *s, struct buf *text, struct err *e)
{
    struct buf answer = {0};
    char byte;
    ssize_t n;
    int ret = 0;

    while ((n = read(s->talk, &byte, 1)) != 0 && answer.len < ANSWER_BYTES_MAX) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || byte == 0)
            break;
        buf_put_u8(&answer, (uint8_t)byte);
    }
    const char *p = buf_cstr(&answer);
    if (strncmp(p, "ok", 2) == 0)
        buf_put_str(text, p + 2);
    else if (strncmp(p, "error ", 6) == 0)
        ret = err_set(e, EIO, "systemd: %s", p + 6);
    else
        ret = err_set(e, EIO, "the systemd helper ended without an answer");
    buf_done(&answer);
    if (ret < 0)
        systemd_scope_leave(s);
    return ret;
}

void systemd_scope_leave(struct systemd_scope *s)
{
    if (s->helper <= 0)
        return;
    shutdown(s->talk, SHUT_RDWR); /* the container's init has a copy of the descriptor */
    fd_close(&s->talk);
    while (waitpid(s->helper, NULL, 0) < 0 && errno == EINTR)
        ;
    s->helper = 0;
}

/* Asks for VERB and waits until it is done. */
static int ask(const char *verb, const struct buf *request, struct err *e)
{
    struct systemd_scope s = {0};
    struct buf ignored = {0};
    int ret = begin(verb, request, NULL, &s, e);

    if (ret == 0)
        ret = finish(&s, &ignored, e);
    systemd_scope_leave(&s);
    buf_done(&ignored);
    return ret;
}

/* --- what is asked of it ------------------------------------------------------------------------------------------- */

int systemd_scope_begin(const struct systemd_unit *unit, const struct config *config, const char *id, bool unified,
                        const char *libexec, struct systemd_scope *out, struct err *e)
{
    struct buf request = {0};
    int ret;

    /* delegated: what is below the scope's cgroup is the container's; collected: also when its end was a failure */
    buf_printf(&request,
               "unit %s\nproperty s Description wherry container %s\nproperty s Slice %s\nproperty b Delegate true\n"
               "property b DefaultDependencies false\nproperty s CollectMode inactive-or-failed\n",
               unit->name, id, unit->slice);
    systemd_put_resources(&config->resources, unified, &request);
    ret = systemd_put_annotations(&config->annotations, &request, e);
    buf_put_u8(&request, 0);
    if (ret == 0)
        ret = begin("start", &request, libexec, out, e);
    buf_done(&request);
    return ret;
}

/* Its line of /proc/PID/cgroup: v2's, on v1 that of systemd's own hierarchy; the other hierarchies get the same path. */
int systemd_scope_finish(struct systemd_scope *s, bool unified, struct arena *arena, const char **path, struct err *e)
{
    const char *wanted = unified ? "\n0::/" : ":name=systemd:/", *found;
    struct buf text = {0};
    int ret;

    buf_put_u8(&text, '\n');
    ret = finish(s, &text, e);
    if (ret == 0) {
        found = strstr(buf_cstr(&text), wanted);
        if (found == NULL)
            ret = err_set(e, ENOENT, "systemd's scope has no cgroup: the helper is in none of its hierarchy");
        else {
            found += strlen(wanted) - 1;
            *path = arena_strndup(arena, found, strcspn(found, "\n"));
        }
    }
    buf_done(&text);
    return ret;
}

int systemd_set(const char *unit, const struct config_resources *resources, bool unified, struct err *e)
{
    struct buf request = {0};
    int ret;

    buf_printf(&request, "unit %s\n", unit);
    systemd_put_resources(resources, unified, &request);
    buf_put_u8(&request, 0);
    ret = ask("set", &request, e);
    buf_done(&request);
    return ret;
}

int systemd_stop(const char *unit, struct err *e)
{
    struct buf request = {0};
    int ret;

    buf_printf(&request, "unit %s\n", unit);
    buf_put_u8(&request, 0);
    ret = ask("stop", &request, e);
    buf_done(&request);
    return ret;
}
