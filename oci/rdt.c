/* See rdt.h. */
#include "oci/rdt.h"
#include "base/fd.h"
#include "oci/sys.h"
#include <limits.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#ifndef RDTGROUP_SUPER_MAGIC
#define RDTGROUP_SUPER_MAGIC 0x7655821
#endif

enum { SCHEMATA_MAX_BYTES = 1 << 16, STATUS_MAX_BYTES = 512 };

int rdt_open(struct err *e)
{
    static const char path[] = "/sys/fs/resctrl";
    cleanup_fd int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct statfs fs;

    if (fd < 0 || fstatfs(fd, &fs) < 0 || fs.f_type != RDTGROUP_SUPER_MAGIC)
        return err_set(
            e, ENOTSUP,
            "linux.intelRdt: no resctrl file system is mounted at %s (it needs a CPU with Intel RDT or AMD QoS, "
            "and mount -t resctrl resctrl %s)",
            path, path);
    return fd_take(&fd);
}

static bool has_schemata(const struct config_rdt *rdt)
{
    return (rdt->l3_cache_schema != NULL && rdt->l3_cache_schema[0] != 0) ||
           (rdt->mem_bw_schema != NULL && rdt->mem_bw_schema[0] != 0) || rdt->schemata.count != 0;
}

/* The class below the root: "/" names the root's own. */
static const char *class_of(const struct config_rdt *rdt, const char *id)
{
    if (rdt->clos_id == NULL)
        return id;
    return strcmp(rdt->clos_id, "/") == 0 ? "." : rdt->clos_id;
}

static bool is_name(const char *name)
{
    static const char *const others[] = {"", ".", "..", "info", "mon_groups", "mon_data"};

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(name, others[i]) == 0)
            return false;
    return strchr(name, '/') == NULL && strchr(name, '\n') == NULL && strlen(name) <= NAME_MAX;
}

int rdt_check(int root, const struct config_rdt *rdt, const char *id, struct err *e)
{
    bool exists = faccessat(root, class_of(rdt, id), F_OK, 0) == 0;

    if (rdt->clos_id != NULL && strcmp(rdt->clos_id, "/") != 0 && !is_name(rdt->clos_id))
        return err_set(e, EINVAL, "linux.intelRdt.closID: '%s' is not a name for a class", rdt->clos_id);
    if (rdt->clos_id == NULL && !is_name(id))
        return err_set(e, EINVAL, "linux.intelRdt: the container's ID '%s' cannot be the name of its class", id);
    if (rdt->clos_id == NULL && exists)
        return err_set(e, EEXIST, "linux.intelRdt: there is already a class of the container's name '%s'", id);
    if (rdt->clos_id != NULL && !exists && !has_schemata(rdt))
        return err_set(e, ENOENT,
                       "linux.intelRdt.closID: there is no class '%s', and no schemata are given for a new one",
                       rdt->clos_id);
    return 0;
}

/* --- schemata -------------------------------------------------------------------------------------------------------------- */

/* Lines of TEXT, but for those of memory bandwidth if something else says that (runtime-spec, intelRdt). */
static void put_lines(struct buf *out, const char *text, bool without_bandwidth)
{
    for (const char *line = text; *line != 0; line += strspn(line, "\n")) {
        size_t len = strcspn(line, "\n");
        if (!without_bandwidth || strncmp(line, "MB:", 3) != 0)
            buf_printf(out, "%.*s\n", (int)len, line);
        line += len;
    }
}

static void compose(const struct config_rdt *rdt, struct buf *out)
{
    if (rdt->l3_cache_schema != NULL)
        put_lines(out, rdt->l3_cache_schema, rdt->mem_bw_schema != NULL);
    if (rdt->mem_bw_schema != NULL)
        put_lines(out, rdt->mem_bw_schema, false);
    for (uint32_t i = 0; i < rdt->schemata.count; i++)
        put_lines(out, rdt->schemata.data[i], false);
}

/* The value of DOMAIN ("0") in the line that begins with NAME ("L3:") of TEXT, without leading zeros; *LEN its length. */
static const char *find_value(const char *text, const char *name, size_t name_len, long domain, size_t *len)
{
    for (const char *line = text + strspn(text, " \n"); *line != 0;
         line += strcspn(line, "\n"), line += strspn(line, " \n")) {
        if (strncmp(line, name, name_len) != 0)
            continue;
        for (const char *p = line + name_len; *p != 0 && *p != '\n'; p += strcspn(p, ";\n"), p += *p == ';') {
            char *end;
            if (strtol(p, &end, 10) != domain || *end != '=')
                continue;
            end += 1 + strspn(end + 1, " ");
            end += strspn(end, "0");
            *len = strcspn(end, "; \n");
            return end;
        }
    }
    return NULL;
}

/* Every domain of every line that is WANTED must be in HAVE with the same value. */
static bool agrees(const char *wanted, const char *have)
{
    for (const char *line = wanted; *line != 0; line += strcspn(line, "\n"), line += *line == '\n') {
        size_t name_len = strcspn(line, ":\n") + 1;
        for (const char *p = line + name_len; line[name_len - 1] == ':' && *p != 0 && *p != '\n';
             p += strcspn(p, ";\n"), p += *p == ';') {
            long domain = strtol(p, NULL, 10);
            size_t a_len = 0, b_len = 0;
            const char *a = find_value(line, line, name_len, domain, &a_len);
            const char *b = find_value(have, line, name_len, domain, &b_len);
            if (a == NULL || b == NULL || a_len != b_len || strncasecmp(a, b, a_len) != 0)
                return false;
        }
    }
    return true;
}

/* Why the kernel refused the last write, in its own words. */
static void read_status(int root, char text[STATUS_MAX_BYTES])
{
    cleanup_fd int fd = openat(root, "info/last_cmd_status", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : fd_read_full(fd, text, STATUS_MAX_BYTES - 1);

    text[n > 0 ? n : 0] = 0;
    text[strcspn(text, "\n")] = 0;
}

static int write_schemata(int root, int class, const struct buf *text, struct err *e)
{
    cleanup_fd int fd = openat(class, "schemata", O_WRONLY | O_CLOEXEC);
    char status[STATUS_MAX_BYTES];

    if (fd >= 0 && fd_write_all(fd, text->data, text->len) == 0)
        return 0;
    err_sys(e, "linux.intelRdt: cannot write the schemata of the class");
    read_status(root, status);
    return status[0] == 0 ? -e->code
                          : err_set(e, e->code, "linux.intelRdt: the kernel refuses the schemata: %s", status);
}

static int compare_schemata(int class, struct buf *wanted, const char *name, struct err *e)
{
    cleanup_fd int fd = openat(class, "schemata", O_RDONLY | O_CLOEXEC);
    struct buf have = {0};
    int ret = 0;

    if (fd < 0 || fd_read_to_end(fd, &have, SCHEMATA_MAX_BYTES) < 0)
        ret = err_sys(e, "linux.intelRdt: cannot read the schemata of the class '%s'", name);
    else if (!agrees(buf_cstr(wanted), buf_cstr(&have)))
        ret = err_set(e, EEXIST, "linux.intelRdt.closID: the class '%s' is there already, with other schemata", name);
    buf_done(&have);
    return ret;
}

/* --- classes and groups -------------------------------------------------------------------------------------------------------- */

static int open_class(int root, const char *name, struct err *e)
{
    int fd = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? err_sys(e, "linux.intelRdt: cannot open the class '%s'", name) : fd;
}

int rdt_make(int root, const struct config_rdt *rdt, const char *id, struct err *e)
{
    const char *name = class_of(rdt, id);
    bool existed = sys.mkdirat(root, name, 0755) < 0;
    char monitor[PATH_MAX];
    struct buf wanted = {0};
    int ret = 0;

    if (existed && errno != EEXIST)
        return err_sys(e, "linux.intelRdt: cannot make the class '%s'%s", name,
                       errno == ENOSPC ? " (the hardware has no more of them)" : "");
    cleanup_fd int class = open_class(root, name, e);
    if (class < 0)
        return class;
    compose(rdt, &wanted);
    if (wanted.len != 0)
        ret = existed ? compare_schemata(class, &wanted, name, e) : write_schemata(root, class, &wanted, e);
    buf_done(&wanted);
    snprintf(monitor, sizeof monitor, "mon_groups/%s", id);
    if (ret == 0 && rdt->enable_monitoring && sys.mkdirat(class, monitor, 0755) < 0)
        ret = err_sys(e, "linux.intelRdt: cannot make the monitoring group '%s'", id);
    return ret;
}

static int write_pid(int class, const char *path, pid_t pid)
{
    cleanup_fd int fd = openat(class, path, O_WRONLY | O_CLOEXEC);
    char text[16];
    int len = snprintf(text, sizeof text, "%d", (int)pid);

    return fd < 0 ? -1 : fd_write_all(fd, text, (size_t)len);
}

int rdt_attach(int root, const struct config_rdt *rdt, const char *id, pid_t pid, struct err *e)
{
    char monitor[PATH_MAX];
    cleanup_fd int class = open_class(root, class_of(rdt, id), e);

    if (class < 0)
        return class;
    if (write_pid(class, "tasks", pid) < 0)
        return err_sys(e, "linux.intelRdt: cannot put process %d into its class", (int)pid);
    snprintf(monitor, sizeof monitor, "mon_groups/%s/tasks", id);
    if (rdt->enable_monitoring && write_pid(class, monitor, pid) < 0)
        return err_sys(e, "linux.intelRdt: cannot put process %d into its monitoring group", (int)pid);
    return 0;
}

int rdt_update(int root, const struct config_rdt *rdt, const char *id, struct err *e)
{
    struct buf text = {0};
    cleanup_fd int class = open_class(root, class_of(rdt, id), e);
    int ret;

    if (class < 0)
        return class;
    compose(rdt, &text);
    ret = write_schemata(root, class, &text, e);
    buf_done(&text);
    return ret;
}

int rdt_remove(int root, const struct config_rdt *rdt, const char *id, struct err *e)
{
    char path[PATH_MAX];

    if (rdt->clos_id == NULL) /* its monitoring groups go with it */
        snprintf(path, sizeof path, "%s", id);
    else if (rdt->enable_monitoring)
        snprintf(path, sizeof path, "%s/mon_groups/%s", class_of(rdt, id), id);
    else
        return 0;
    if (sys.unlinkat(root, path, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return err_sys(e, "linux.intelRdt: cannot remove '%s'", path);
    return 0;
}
