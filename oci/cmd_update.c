/* wherry update: new limits, from a resources object or from flags. */
#include "base/fd.h"
#include "oci/cmd.h"
#include "oci/control.h"
#include <strings.h>

enum { RESOURCES_BYTES_MAX = 1 << 20 };

enum update_unit { UPDATE_NUMBER, UPDATE_BYTES };

/* A flag with a number; the texts are read by options.c, then go where TO or TO_UNSIGNED says. */
struct update_flag {
    const char *name;
    enum update_unit unit;
    struct optional_i64 *to;
    struct optional_u64 *to_unsigned;
    const char *text;
};

/* "67108864", "64M", "64MiB", "-1": units are powers of 1024, as in docker. */
static bool read_number(const char *text, enum update_unit unit, int64_t *out)
{
    static const char units[] = "kmgt";
    char *end;
    const char *found;
    int64_t scale = 1;

    errno = 0;
    *out = strtoll(text, &end, 10);
    if (end == text || errno != 0)
        return false;
    if (unit == UPDATE_BYTES && *end != 0 && (found = strchr(units, *end | 0x20)) != NULL) {
        scale = 1ll << (10 * (found - units + 1));
        end++;
        if (strncasecmp(end, "ib", 2) == 0 || strncasecmp(end, "b", 1) == 0)
            end += strlen(end);
    }
    return *end == 0 && !__builtin_mul_overflow(*out, scale, out);
}

static int take_flags(const struct update_flag *flags, size_t count, struct err *e)
{
    for (size_t i = 0; i < count; i++) {
        const struct update_flag *f = &flags[i];
        int64_t value;
        if (f->text == NULL)
            continue;
        if (!read_number(f->text, f->unit, &value) || (f->to == NULL && value < 0))
            return err_set(e, EINVAL, "invalid value for %s: '%s'", f->name, f->text);
        if (f->to != NULL)
            *f->to = (struct optional_i64){true, value};
        else
            *f->to_unsigned = (struct optional_u64){true, (uint64_t)value};
    }
    return 0;
}

static int read_file(struct cmd *cmd, const char *path, struct config_resources *r)
{
    cleanup_fd int opened = strcmp(path, "-") == 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    int fd = strcmp(path, "-") == 0 ? 0 : opened, ret;
    struct buf text = {0};

    if (fd < 0 || fd_read_to_end(fd, &text, RESOURCES_BYTES_MAX) < 0)
        ret = err_sys(&cmd->err, "cannot read the resources from '%s'", path);
    else
        ret = config_parse_resources((const char *)text.data, text.len, &cmd->arena, r, &cmd->err);
    buf_done(&text);
    return ret;
}

int cmd_update(struct cmd *cmd, int argc, char **argv)
{
    struct config_resources r = {.set = true};
    struct config_rdt rdt = {0};
    const char *file = NULL;
    struct update_flag f[] = {
        {"blkio-weight", UPDATE_NUMBER, NULL, &r.block_io.weight, NULL},
        {"cpu-period", UPDATE_NUMBER, NULL, &r.cpu.period, NULL},
        {"cpu-quota", UPDATE_NUMBER, &r.cpu.quota, NULL, NULL},
        {"cpu-burst", UPDATE_NUMBER, NULL, &r.cpu.burst, NULL},
        {"cpu-share", UPDATE_NUMBER, NULL, &r.cpu.shares, NULL},
        {"cpu-rt-period", UPDATE_NUMBER, NULL, &r.cpu.realtime_period, NULL},
        {"cpu-rt-runtime", UPDATE_NUMBER, &r.cpu.realtime_runtime, NULL, NULL},
        {"cpu-idle", UPDATE_NUMBER, &r.cpu.idle, NULL, NULL},
        {"memory", UPDATE_BYTES, &r.memory.limit, NULL, NULL},
        {"memory-reservation", UPDATE_BYTES, &r.memory.reservation, NULL, NULL},
        {"memory-swap", UPDATE_BYTES, &r.memory.swap, NULL, NULL},
        {"pids-limit", UPDATE_NUMBER, &r.pids_limit, NULL, NULL},
    };
    const struct option_spec specs[] = {
        {"resources", 'r', OPTION_TEXT, &file, "file with a resources object, or - for standard input"},
        {f[0].name, 0, OPTION_TEXT, &f[0].text, "weight of block I/O, 10 to 1000"},
        {f[1].name, 0, OPTION_TEXT, &f[1].text, "CPU period in microseconds"},
        {f[2].name, 0, OPTION_TEXT, &f[2].text, "CPU time per period in microseconds; -1: no limit"},
        {f[3].name, 0, OPTION_TEXT, &f[3].text, "CPU time that may be saved up, in microseconds"},
        {f[4].name, 0, OPTION_TEXT, &f[4].text, "CPU shares, relative to others'"},
        {f[5].name, 0, OPTION_TEXT, &f[5].text, "realtime period in microseconds"},
        {f[6].name, 0, OPTION_TEXT, &f[6].text, "realtime per period in microseconds"},
        {f[7].name, 0, OPTION_TEXT, &f[7].text, "1: only run when nothing else wants to"},
        {f[8].name, 0, OPTION_TEXT, &f[8].text, "memory limit (64M); -1: none"},
        {f[9].name, 0, OPTION_TEXT, &f[9].text, "memory kept from reclaim"},
        {f[10].name, 0, OPTION_TEXT, &f[10].text, "memory plus swap; -1: no limit"},
        {f[11].name, 0, OPTION_TEXT, &f[11].text, "number of processes; -1: no limit"},
        {"cpuset-cpus", 0, OPTION_TEXT, &r.cpu.cpus, "CPUs to use (0-3,8)"},
        {"cpuset-mems", 0, OPTION_TEXT, &r.cpu.mems, "memory nodes to use"},
        {"kernel-memory", 0, OPTION_IGNORED_TEXT, NULL, NULL}, /* gone from kernels, ignored by runc */
        {"kernel-memory-tcp", 0, OPTION_IGNORED_TEXT, NULL, NULL},
        {"l3-cache-schema", 0, OPTION_TEXT, &rdt.l3_cache_schema, "what of the L3 cache to use (resctrl's schemata)"},
        {"mem-bw-schema", 0, OPTION_TEXT, &rdt.mem_bw_schema, "what of the memory bandwidth to use"},
        {0},
    };
    int status, ret;

    if (cmd_options(cmd, argc, argv, specs, "update [options] ID", 1, 1, &status) < 0)
        return status;
    ret = file != NULL ? read_file(cmd, file, &r) : take_flags(f, sizeof f / sizeof f[0], &cmd->err);
    if (ret == 0 && r.pids_limit.set && r.pids_limit.value == 0) /* as in config.json */
        r.pids_limit.value = 1;
    if (ret == 0)
        ret = control_update(cmd->root, argv[1], &r, &cmd->err);
    if (ret == 0 && (rdt.l3_cache_schema != NULL || rdt.mem_bw_schema != NULL))
        ret = control_update_rdt(cmd->root, argv[1], &rdt, &cmd->err);
    return ret < 0 ? cmd_fail(cmd, 1) : 0;
}
