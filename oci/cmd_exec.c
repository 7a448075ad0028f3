/* wherry exec: a further program in a container, described by --process or by flags on top of the container's own. */
#include "base/fd.h"
#include "oci/caps.h"
#include "oci/cmd.h"
#include "oci/exec.h"
#include "oci/rootless.h"
#include "oci/user.h"
#include <sys/prctl.h>

enum { PROCESS_BYTES_MAX = 16 << 20 };

struct exec_flags {
    const char *process, *cwd, *user, *process_label, *apparmor;
    struct option_texts env, caps, groups, cgroups;
    bool terminal, no_new_privileges, detach;
};

static int read_process(struct cmd *cmd, const char *path, struct config_process *out)
{
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct buf text = {0};
    int ret;

    if (fd < 0 || fd_read_to_end(fd, &text, PROCESS_BYTES_MAX) < 0)
        ret = err_sys(&cmd->err, "cannot read the process from '%s'", path);
    else
        ret = config_parse_process((const char *)text.data, text.len, &cmd->arena, out, &cmd->err);
    buf_done(&text);
    return ret;
}

/* ENV with the entries of the flags; the later of two of one name counts, as for any program that reads them. */
static void add_environment(struct cmd *cmd, const struct option_texts *more, struct strings *env)
{
    char **data = arena_array(&cmd->arena, char *, env->count + more->count + 1);
    uint32_t count = 0;

    for (uint32_t i = 0; i < env->count; i++) {
        bool replaced = false;
        for (unsigned j = 0; j < more->count && !replaced; j++) {
            size_t len = strcspn(more->data[j], "=") + 1;
            replaced = strncmp(env->data[i], more->data[j], len) == 0;
        }
        if (!replaced)
            data[count++] = env->data[i];
    }
    for (unsigned j = 0; j < more->count; j++)
        data[count++] = (char *)more->data[j];
    *env = (struct strings){data, count};
}

static int take_user(struct cmd *cmd, const struct exec_flags *f, struct config_user *user)
{
    bool has_gid;

    if (f->user != NULL && user_read(f->user, &user->uid, &user->gid, &has_gid, &cmd->err) < 0)
        return err_prefix(&cmd->err, "--user");
    if (f->groups.count == 0)
        return 0;
    user->additional_gids = arena_array(&cmd->arena, gid_t, f->groups.count);
    user->additional_gid_count = f->groups.count;
    for (unsigned i = 0; i < f->groups.count; i++) {
        gid_t ignored;
        if (user_read(f->groups.data[i], &user->additional_gids[i], &ignored, &has_gid, &cmd->err) < 0 || has_gid)
            return err_set(&cmd->err, EINVAL, "--additional-gids: '%s' is not a group's number", f->groups.data[i]);
    }
    return 0;
}

/* --cap adds to what the process may use, never to what it inherits (CVE-2022-29162). What the config lets it inherit reaches
 * a user other than root only as ambient. */
static int take_caps(struct cmd *cmd, const struct option_texts *names, struct caps *caps)
{
    for (unsigned i = 0; i < names->count; i++) {
        int number = caps_number(names->data[i]);
        if (number < 0)
            return err_set(&cmd->err, EINVAL, "--cap: '%s' is no capability (CAP_CHOWN ...)", names->data[i]);
        caps->bounding |= 1ull << number;
        caps->permitted |= 1ull << number;
        caps->effective |= 1ull << number;
        caps->ambient |= caps->inheritable & 1ull << number;
    }
    return 0;
}

/* The container's process with the flags' changes and the program ARGV. */
static int make_process(struct cmd *cmd, const struct exec_flags *f, const char *id, char **argv, uint32_t count,
                        struct config_process *out)
{
    int ret = exec_default_process(cmd->root, id, &cmd->arena, out, &cmd->err);

    if (ret < 0)
        return ret;
    if (count == 0)
        return err_set(&cmd->err, EINVAL, "exec: there must be a program to execute, or --process");
    out->args = (struct strings){argv, count};
    out->terminal = f->terminal;
    out->console_height = out->console_width = 0;
    out->cwd = f->cwd != NULL ? f->cwd : out->cwd;
    out->no_new_privileges |= f->no_new_privileges;
    out->selinux_label = f->process_label != NULL ? f->process_label : out->selinux_label;
    out->apparmor_profile = f->apparmor != NULL ? f->apparmor : out->apparmor_profile;
    add_environment(cmd, &f->env, &out->env);
    ret = take_user(cmd, f, &out->user);
    return ret == 0 ? take_caps(cmd, &f->caps, &out->capabilities) : ret;
}

static int run(struct cmd *cmd, struct container_exec *request, bool detach)
{
    int ends[2] = {-1, -1}, status = 255;
    cleanup_fd int master = -1;
    sigset_t signals;
    pid_t pid;
    int ret = 0;

    if (!detach)
        cmd_block_signals(&signals);
    if (!detach && request->console_socket == NULL && (ret = cmd_terminal_offer(ends, &cmd->err)) == 0) {
        request->console = ends[1];
        request->plain_output = true;
    }
    if (ret == 0)
        ret = container_exec(request, &pid, &cmd->err);
    if (ret < 0)
        cmd_fail(cmd, 255);
    else if (ends[0] >= 0)
        master = cmd_terminal_take(ends[0]);
    fd_close(&ends[0]);
    fd_close(&ends[1]);
    if (ret == 0 && master >= 0)
        status = cmd_terminal_wait(pid, &signals, &NOTIFY_NONE, master);
    else if (ret == 0)
        status = detach ? 0 : cmd_wait(pid, &signals, &NOTIFY_NONE);
    return status;
}

int cmd_exec(struct cmd *cmd, int argc, char **argv)
{
    struct exec_flags *f = arena_new(&cmd->arena, struct exec_flags);
    struct container_exec request = {.root = cmd->root, .console = -1, .module = -1, .stdio = {-1, -1, -1}};
    bool help = false;
    const struct option_spec specs[] = {
        {"process", 'p', OPTION_TEXT, &f->process, "file with a process object"},
        {"console-socket", 0, OPTION_TEXT, &request.console_socket, "socket that is sent the terminal's master"},
        {"pid-file", 0, OPTION_TEXT, &request.pid_file, "file that is written the process's pid"},
        {"detach", 'd', OPTION_FLAG, &f->detach, "do not wait"},
        {"cwd", 0, OPTION_TEXT, &f->cwd, "working directory"},
        {"env", 'e', OPTION_TEXTS, &f->env, "an environment variable, NAME=VALUE"},
        {"tty", 't', OPTION_FLAG, &f->terminal, "give it a terminal"},
        {"user", 'u', OPTION_TEXT, &f->user, "UID[:GID]"},
        {"additional-gids", 'g', OPTION_TEXTS, &f->groups, "a further group"},
        {"cap", 'c', OPTION_TEXTS, &f->caps, "a further capability"},
        {"no-new-privs", 0, OPTION_FLAG, &f->no_new_privileges, "no privileges from set-user-ID files"},
        {"process-label", 0, OPTION_TEXT, &f->process_label, "SELinux label"},
        {"apparmor", 0, OPTION_TEXT, &f->apparmor, "AppArmor profile"},
        {"preserve-fds", 0, OPTION_NUMBER, &request.preserve_fds, "descriptors from 3 on to pass on"},
        {"ignore-paused", 0, OPTION_FLAG, &request.ignore_paused, "let it wait in a paused container"},
        {"no-subreaper", 0, OPTION_IGNORED_FLAG, NULL, NULL},
        {"cgroup", 0, OPTION_TEXTS, &f->cgroups,
         "[CONTROLLERS:]PATH: an existing cgroup below the container's to be put into"},
        {"pidfd-socket", 0, OPTION_TEXT, &request.pidfd_socket, "socket that is sent a pidfd of the process"},
        {"help", 'h', OPTION_FLAG, &help, "print this"},
        {0},
    };
    static const char usage[] = "exec [options] ID PROGRAM [arguments] | --process FILE ID";
    struct config_process process;
    int words = options_read(argc, argv, specs, true, &cmd->err), ret; /* what follows the ID is the program's */

    if (words >= 0 && help) {
        cmd_help(cmd, specs, usage);
        return 0;
    }
    if (words == 0)
        words = err_set(&cmd->err, EINVAL, "usage: wherry %s", usage);
    if (words < 0)
        return cmd_fail(cmd, 255);
    request.id = argv[1];
    if (f->process != NULL)
        ret = read_process(cmd, f->process, &process);
    else
        ret = make_process(cmd, f, argv[1], argv + 2, (uint32_t)words - 1, &process);
    if (ret < 0)
        return cmd_fail(cmd, 255);
    process.set = true;
    request.cgroups = (struct strings){(char **)f->cgroups.data, f->cgroups.count};
    if (process.terminal && process.console_height == 0)
        cmd_terminal_size(&process.console_height, &process.console_width);
    request.cache = rootless() ? rootless_cache_directory(&cmd->arena) : NULL;
    request.process = &process;
    return run(cmd, &request, f->detach);
}
