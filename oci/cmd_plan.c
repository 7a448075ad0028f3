/* wherry plan BUNDLE: what create would do, which workload the entry point is and why, and what a Wasm module in it would be
 * granted; so that an operator can read a pod before it runs. Nothing is changed; no rights are needed but to read. */
#include "base/fd.h"
#include "oci/cmd.h"
#include "oci/lsm.h"
#include "oci/path.h"
#include "oci/plan.h"
#include "oci/sysctl.h"
#include "oci/wasm_detect.h"
#include "oci/wasm_grant.h"
#include <sys/stat.h>
#include <sys/vfs.h>

static bool lies_below(const char *path, const char *directory)
{
    size_t len = strlen(directory);
    return strncmp(path, directory, len) == 0 && (path[len] == '/' || path[len] == 0 || len == 1);
}

/* The bind mount nearest above PATH, or NULL: what PATH shows in the finished tree, as far as names tell. */
static const struct mount_entry *mount_above(const struct plan *plan, const char *path)
{
    const struct mount_entry *found = NULL;

    for (uint32_t i = 0; i < plan->step_count; i++) {
        const struct mount_entry *m = plan->steps[i].mount;
        if (plan->steps[i].kind == PLAN_MOUNT && lies_below(path, m->destination) &&
            (found == NULL || strlen(m->destination) >= strlen(found->destination)))
            found = m;
    }
    return found;
}

/* Opens PATH of the container: in the root file system, or in the source of the mount that covers it. */
static int open_in_container(const struct plan *plan, const char *path, int flags)
{
    const struct mount_entry *m = mount_above(plan, path);
    bool bind = m != NULL && m->source != NULL && m->source[0] == '/';
    const char *below = bind ? path + strlen(m->destination) : path;

    if (bind && below[strspn(below, "/")] == 0)
        return open(m->source, flags | O_CLOEXEC);
    cleanup_fd int root = open(bind ? m->source : plan->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return root < 0 ? -errno : path_open(root, below, flags);
}

static int open_entry_point(const struct plan *plan, char found[PATH_MAX])
{
    const struct config_process *process = &plan->config->process;
    const char *name = process->args.data[0], *path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    if (strchr(name, '/') != NULL) {
        snprintf(found, PATH_MAX, "%s%s%s", name[0] == '/' ? "" : process->cwd, name[0] == '/' ? "" : "/", name);
        return open_in_container(plan, found, O_RDONLY | O_NONBLOCK);
    }
    for (uint32_t i = 0; i < process->env.count; i++)
        if (strncmp(process->env.data[i], "PATH=", 5) == 0)
            path = process->env.data[i] + 5;
    for (const char *end; *path != 0; path = *end != 0 ? end + 1 : end) {
        end = path + strcspn(path, ":");
        snprintf(found, PATH_MAX, "%.*s/%s", (int)(end - path), path, name);
        int fd = open_in_container(plan, found, O_RDONLY | O_NONBLOCK);
        if (fd >= 0)
            return fd;
    }
    snprintf(found, PATH_MAX, "%s", name);
    return -ENOENT;
}

static void print_workload(struct cmd *cmd, const struct plan *plan, struct buf *out)
{
    char path[PATH_MAX], head[WASM_DETECT_BYTES];
    struct wasm_decision decision;
    cleanup_fd int fd = open_entry_point(plan, path);
    long len = fd < 0 ? -1 : (long)fd_read_full(fd, head, sizeof head);

    if (fd < 0)
        buf_printf(out, "workload undecided: '%s' cannot be opened from outside the container: %s\n", path,
                   strerror(-fd));
    else if (wasm_detect(plan->config, path, head, len, &decision, &cmd->err) < 0)
        buf_printf(out, "workload refused: %s\n", cmd->err.text);
    else
        buf_printf(out, "workload %s\n", decision.rule);
}

/* Whether a granted mount is a directory or a file is known once it is opened. */
static void find_kinds(const struct plan *plan, const struct grant *grant)
{
    struct grant_path *paths = (struct grant_path *)grant->paths;

    for (uint32_t i = 0; i < grant->path_count; i++) {
        struct stat st;
        struct statfs fs;
        if (paths[i].kind != GRANT_DIRECTORY)
            continue;
        cleanup_fd int fd = open_in_container(plan, paths[i].guest_path, O_PATH);
        if (fd >= 0 && fstat(fd, &st) == 0 && fstatfs(fd, &fs) == 0)
            paths[i].kind = wasm_grant_kind(paths[i].guest_path, st.st_mode, fs.f_type);
    }
}

int cmd_plan(struct cmd *cmd, int argc, char **argv)
{
    const char *bundle = ".", *config_path = NULL;
    bool no_pivot = false;
    const struct option_spec specs[] = {
        {"bundle", 'b', OPTION_TEXT, &bundle, "root of the bundle, instead of the argument"},
        {"config", 'f', OPTION_TEXT, &config_path, "another file than BUNDLE/config.json"},
        {"no-pivot", 0, OPTION_FLAG, &no_pivot, "as for create"},
        {0}};
    char resolved[PATH_MAX];
    struct config config;
    struct plan plan;
    struct grant grant;
    struct buf out = {0};
    int status, words = cmd_options(cmd, argc, argv, specs, "plan [BUNDLE]", 0, 1, &status);

    if (words < 0)
        return status;
    if (words == 1)
        bundle = argv[1];
    if (realpath(bundle, resolved) == NULL) {
        err_sys(&cmd->err, "cannot open the bundle '%s'", bundle);
        return cmd_fail(cmd, 1);
    }
    if (config_path == NULL)
        config_path = arena_printf(&cmd->arena, "%s/config.json", resolved);
    if (config_read(config_path, &cmd->arena, &config, NULL, &cmd->err) < 0 ||
        plan_make(&config,
                  &(struct plan_options){.bundle = resolved, .no_pivot = no_pivot, .selinux = lsm_has_selinux()},
                  &cmd->arena, &plan, &cmd->err) < 0 ||
        sysctl_check(&config, &cmd->err) < 0 ||
        (config.process.set && wasm_grant_make(&plan, &cmd->arena, &grant, &cmd->err) < 0))
        return cmd_fail(cmd, 1);
    plan_print(&plan, &out);
    if (config.process.set) {
        print_workload(cmd, &plan, &out);
        find_kinds(&plan, &grant);
        wasm_grant_print(&grant, &out);
    }
    fd_write_all(1, out.data, out.len);
    buf_done(&out);
    return 0;
}
