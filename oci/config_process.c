/* The process object: of config.json and of `exec --process`. */
#include "oci/caps.h"
#include "oci/config_reader.h"
#include "oci/rlimit.h"
#include <inttypes.h>
#include <linux/ioprio.h>
#include <linux/sched.h>

static void read_user(struct config_reader *r, const struct json *process, struct config_user *out)
{
    /* A number beyond the kernel's range must not become another user by truncation (CVE-2024-40635); the largest
     * 32-bit number means "leave it" to setresuid. */
    const uint64_t id_max = UINT32_MAX - 1;
    const struct json *user = config_get(r, process, "user", JSON_OBJECT);
    const struct json *gid;

    out->uid = (uid_t)config_u64(r, user, "uid", id_max).value;
    out->gid = (gid_t)config_u64(r, user, "gid", id_max).value;
    out->umask = config_u64(r, user, "umask", 07777);
    gid = config_elements(r, user, "additionalGids", JSON_ARRAY, JSON_NUMBER, sizeof(gid_t), &out->additional_gids,
                          &out->additional_gid_count);
    for (; gid != NULL; gid = gid->next) {
        uint64_t value;
        if (!json_u64(gid, &value) || value > id_max)
            config_fail(r, gid, "%s is not a group number", gid->text);
        out->additional_gids[gid->index] = (gid_t)value;
    }
}

/* Names that this runtime does not know are no error: configurations are older and newer than runtimes, and what is not granted
 * is no danger (runtime-spec, config, capabilities: "MUST be logged as a warning", "SHOULD NOT fail"). */
static uint64_t read_capability_set(struct config_reader *r, const struct json *capabilities, const char *key)
{
    const struct json *list = config_get(r, capabilities, key, JSON_ARRAY);
    uint64_t set = 0;

    for (const struct json *name = list != NULL ? list->first : NULL; name != NULL; name = name->next) {
        int number = config_is(r, name, JSON_STRING) ? caps_number(name->text) : -1;
        if (number >= 0)
            set |= (uint64_t)1 << number;
        else if (!r->failed)
            config_warn(r, name, "'%s' is not a known capability", name->text);
    }
    return set;
}

static void read_capabilities(struct config_reader *r, const struct json *process, struct caps *out)
{
    const struct json *capabilities = config_get(r, process, "capabilities", JSON_OBJECT);

    out->bounding = read_capability_set(r, capabilities, "bounding");
    out->effective = read_capability_set(r, capabilities, "effective");
    out->permitted = read_capability_set(r, capabilities, "permitted");
    out->inheritable = read_capability_set(r, capabilities, "inheritable");
    out->ambient = read_capability_set(r, capabilities, "ambient");
    for (unsigned i = 0; i < 64; i++)
        if ((out->ambient & ~(out->permitted & out->inheritable)) >> i & 1)
            config_warn(r, json_get(capabilities, "ambient"),
                        "can't raise ambient capability %s: it is not in the permitted and inheritable sets too",
                        caps_name(i));
    out->ambient &= out->permitted & out->inheritable;
}

static void read_rlimits(struct config_reader *r, const struct json *process, struct config_process *out)
{
    uint64_t seen = 0;
    const struct json *node = config_elements(r, process, "rlimits", JSON_ARRAY, JSON_OBJECT, sizeof *out->rlimits,
                                              &out->rlimits, &out->rlimit_count);

    for (; node != NULL && !r->failed; node = node->next) {
        struct config_rlimit *limit = &out->rlimits[node->index];
        const char *type = config_required(r, node, "type");
        limit->resource = rlimit_resource(type);
        limit->soft = config_u64(r, node, "soft", UINT64_MAX).value;
        limit->hard = config_u64(r, node, "hard", UINT64_MAX).value;
        if (r->failed)
            return;
        if (limit->resource < 0)
            config_fail(r, json_get(node, "type"), "'%s' is not a known resource (RLIMIT_NOFILE ...)", type);
        else if ((seen >> limit->resource & 1) != 0)
            config_fail_key(r, node, "type", "the resource appears twice");
        else if (limit->soft > limit->hard)
            config_fail_key(r, node, "soft", "it is above the hard limit");
        seen |= (uint64_t)1 << (limit->resource & 63);
    }
}

/* What the kernel would only call an invalid argument, in crun's words; runc has none. */
static void check_deadline(struct config_reader *r, const struct json *node, const struct config_scheduler *s)
{
    enum { RUNTIME_NS_MIN = 1024 };
    static const char said[] = "sched_setattr: `SCHED_DEADLINE`";

    if (r->failed || s->policy != SCHED_DEADLINE)
        return;
    if (json_get(node, "runtime") == NULL)
        config_fail(r, node, "%s requires `runtime`, in nanoseconds", said);
    else if (json_get(node, "deadline") == NULL)
        config_fail(r, node, "%s requires `deadline`, in nanoseconds", said);
    else if (s->runtime == 0)
        config_fail(r, node, "%s runtime must be greater than 0", said);
    else if (s->runtime < RUNTIME_NS_MIN || s->runtime >> 63 != 0)
        config_fail(r, node, "%s runtime %" PRIu64 " must be between %d and 2^63 - 1 nanoseconds", said, s->runtime,
                    RUNTIME_NS_MIN);
    else if (s->runtime > s->deadline)
        config_fail(r, node, "%s runtime %" PRIu64 " must be <= its deadline %" PRIu64, said, s->runtime, s->deadline);
    else if (s->period != 0 && s->deadline > s->period)
        config_fail(r, node, "%s deadline %" PRIu64 " must be <= its period %" PRIu64, said, s->deadline, s->period);
}

static void read_scheduler(struct config_reader *r, const struct json *process, struct config_scheduler *out)
{
    static const struct config_word policies[] = {
        {"SCHED_OTHER", 0}, {"SCHED_FIFO", 1}, {"SCHED_RR", 2},       {"SCHED_BATCH", 3},
        {"SCHED_ISO", 4},   {"SCHED_IDLE", 5}, {"SCHED_DEADLINE", 6},
    };
    static const struct config_word flags[] = {
        {"SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK},
        {"SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM},
        {"SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN},
        {"SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY},
        {"SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS},
        {"SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN},
        {"SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX},
    };
    const struct json *node = config_get(r, process, "scheduler", JSON_OBJECT);
    const struct json *policy, *flag;

    if (node == NULL)
        return;
    out->set = true;
    config_required(r, node, "policy");
    policy = config_get(r, node, "policy", JSON_STRING);
    if (policy != NULL)
        out->policy = (uint32_t)CONFIG_WORD(r, policy, "scheduling policy", policies);
    out->nice = (int32_t)config_i64(r, node, "nice", -20, 19).value;
    out->priority = (int32_t)config_i64(r, node, "priority", INT32_MIN, INT32_MAX).value;
    out->runtime = config_u64(r, node, "runtime", UINT64_MAX).value;
    out->deadline = config_u64(r, node, "deadline", UINT64_MAX).value;
    out->period = config_u64(r, node, "period", UINT64_MAX).value;
    flag = config_get(r, node, "flags", JSON_ARRAY);
    for (flag = flag != NULL ? flag->first : NULL; flag != NULL; flag = flag->next)
        if (config_is(r, flag, JSON_STRING))
            out->flags |= CONFIG_WORD(r, flag, "scheduler flag", flags);
    check_deadline(r, node, out);
}

static void read_io_priority(struct config_reader *r, const struct json *process, struct config_io_priority *out)
{
    static const struct config_word classes[] = {{"IOPRIO_CLASS_RT", IOPRIO_CLASS_RT},
                                                 {"IOPRIO_CLASS_BE", IOPRIO_CLASS_BE},
                                                 {"IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE}};
    const struct json *node = config_get(r, process, "ioPriority", JSON_OBJECT);
    const struct json *name;

    if (node == NULL)
        return;
    out->set = true;
    config_required(r, node, "class");
    name = config_get(r, node, "class", JSON_STRING);
    if (name != NULL)
        out->io_class = (int)CONFIG_WORD(r, name, "I/O priority class", classes);
    out->priority = (int)config_i64(r, node, "priority", 0, 7).value;
}

static void read_args(struct config_reader *r, const struct json *process, struct config_process *out)
{
    out->args = config_strings(r, process, "args");
    if (out->args.count == 0)
        config_fail_key(r, process, "args", "it must name the program to run");
    else if (out->args.data[0][0] == 0)
        config_fail(r, json_get(process, "args")->first, "the name of the program must not be empty");
    out->env = config_strings(r, process, "env");
    for (uint32_t i = 0; i < out->env.count && !r->failed;
         i++) /* else a bare name could mean our own environment's value */
        if (strchr(out->env.data[i], '=') == NULL || out->env.data[i][0] == '=')
            config_fail_key(r, process, "env", "each entry must have the form NAME=VALUE");
}

void config_read_process(struct config_reader *r, const struct json *process, struct config_process *out)
{
    const struct json *console, *affinity;

    if (process == NULL)
        return;
    out->set = true;
    out->terminal = config_bool(r, process, "terminal");
    console = config_get(r, process, "consoleSize", JSON_OBJECT);
    out->console_height = (uint32_t)config_u64(r, console, "height", UINT16_MAX).value;
    out->console_width = (uint32_t)config_u64(r, console, "width", UINT16_MAX).value;
    config_required(r, process, "cwd");
    out->cwd = config_absolute(r, process, "cwd");
    read_args(r, process, out);
    read_user(r, process, &out->user);
    read_capabilities(r, process, &out->capabilities);
    read_rlimits(r, process, out);
    out->no_new_privileges = config_bool(r, process, "noNewPrivileges");
    out->apparmor_profile = config_string(r, process, "apparmorProfile");
    out->selinux_label = config_string(r, process, "selinuxLabel");
    out->oom_score_adj = config_i64(r, process, "oomScoreAdj", -1000, 1000);
    read_scheduler(r, process, &out->scheduler);
    read_io_priority(r, process, &out->io_priority);
    affinity = config_get(r, process, "execCPUAffinity", JSON_OBJECT);
    out->exec_cpu_affinity_initial = config_string(r, affinity, "initial");
    out->exec_cpu_affinity_final = config_string(r, affinity, "final");
}
