/* The `wherry` program: global options, one table of verbs, and what all verbs share. */
#include "base/fd.h"
#include "base/relro.h"
#include "oci/cmd.h"
#include "oci/rootless.h"
#include "oci/version.h"
#include "wherry/tool.h"
#include <seccomp.h>
#include <sys/stat.h>

static const struct verb {
    const char *name;
    int (*run)(struct cmd *cmd, int argc, char **argv);
    const char *help;
} verbs[] = {
    {"create", cmd_create, "make a container that waits for start"},
    {"start", cmd_start, "let a created container run its program"},
    {"run", cmd_run, "create, start, and wait unless --detach"},
    {"state", cmd_state, "print a container's state as JSON"},
    {"list", cmd_list, "list containers"},
    {"kill", cmd_kill, "send a signal to a container"},
    {"delete", cmd_delete, "remove what a stopped container left"},
    {"exec", cmd_exec, "run a further program in a container"},
    {"ps", cmd_ps, "list the processes of a container"},
    {"pause", cmd_pause, "freeze the processes of a container"},
    {"resume", cmd_resume, "thaw them"},
    {"update", cmd_update, "change a container's limits"},
    {"events", cmd_events, "print a container's figures and out-of-memory kills as JSON"},
    {"mounts", cmd_mounts, "mount or unmount in a running container"},
    {"checkpoint", cmd_checkpoint, "write a running container to files, by criu"},
    {"restore", cmd_restore, "make it again from them"},
    {"spec", cmd_spec, "write a config.json to begin with"},
    {"features", cmd_features, "print what this runtime can do as JSON"},
    {"cache", cmd_cache, "list, fill, check or prune the cache of compiled modules"},
    {"plan", cmd_plan, "print what create would do, and what a Wasm module would be granted"},
};

static const struct tool {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} tools[] = {
    {"wasm", tool_wasm, "run, compile or inspect a Wasm module without a container"},
};

static void print_help(const struct option_spec *options)
{
    printf("NAME:\n   wherry - OCI container runtime with a WebAssembly engine of its own\n\n"
           "USAGE:\n   wherry [global options] VERB [options] [arguments]\n\nVERBS:\n");
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        printf("   %-10s %s\n", verbs[i].name, verbs[i].help);
    for (size_t i = 0; i < sizeof tools / sizeof tools[0]; i++)
        printf("   %-10s %s\n", tools[i].name, tools[i].help);
    printf("\nGLOBAL OPTIONS:\n");
    options_help(options);
}

/* Laid out as runc's, for who takes it apart. */
void cmd_help(const struct cmd *cmd, const struct option_spec *specs, const char *usage)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verbs[i].name, cmd->name) == 0)
            printf("NAME:\n   wherry %s - %s\n\n", verbs[i].name, verbs[i].help);
    printf("USAGE:\n   wherry %s\n\nOPTIONS:\n", usage);
    options_help(specs);
}

/* Lines as runc's, which managers take apart: "NAME version V", "commit: ID" (not in a tree without git), "spec: V". */
static void print_version(void)
{
    printf("wherry version " WHERRY_VERSION "\n");
    if (wherry_commit[0] != 0)
        printf("commit: %s\n", wherry_commit);
    printf("spec: " WHERRY_SPEC_VERSION "\nlibseccomp: %d.%d.%d\n", SCMP_VER_MAJOR, SCMP_VER_MINOR, SCMP_VER_MICRO);
}

int cmd_fail(struct cmd *cmd, int status)
{
    if (cmd->log.fd >= 0)
        log_write(&cmd->log, LOG_ERROR, "%s", cmd->err.text);
    fprintf(stderr, "wherry: %s\n", cmd->err.text);
    return status;
}

void cmd_warn(struct cmd *cmd)
{
    if (cmd->err.code == 0)
        return;
    if (cmd->log.fd >= 0)
        log_write(&cmd->log, LOG_WARNING, "%s", cmd->err.text);
    fprintf(stderr, "wherry: warning: %s\n", cmd->err.text);
    cmd->err.code = 0;
}

int cmd_options(struct cmd *cmd, int argc, char **argv, const struct option_spec *specs, const char *usage,
                int words_min, int words_max, int *status)
{
    int words;

    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            cmd_help(cmd, specs, usage);
            *status = 0;
            return -1;
        }
    words = options_read(argc, argv, specs, false, &cmd->err);
    *status = 1;
    if (words >= words_min && words <= words_max)
        return words;
    if (words >= 0)
        err_set(&cmd->err, EINVAL, "%s: %s; usage: wherry %s", cmd->name,
                words < words_min ? "an argument is missing" : "too many arguments", usage);
    cmd_fail(cmd, 1);
    return -1;
}

const char *cmd_absolute(struct cmd *cmd, const char *path)
{
    char here[PATH_MAX];

    if (path == NULL || path[0] == '/' || getcwd(here, sizeof here) == NULL)
        return path;
    return arena_printf(&cmd->arena, "%s/%s", here, path);
}

static const char *default_root(struct cmd *cmd)
{
    const char *users = rootless() ? rootless_state_directory(&cmd->arena) : NULL;
    return users != NULL ? users : "/run/wherry";
}

static int dispatch(struct cmd *cmd, int argc, char **argv)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verbs[i].name, argv[0]) == 0)
            return verbs[i].run(cmd, argc, argv);
    for (size_t i = 0; i < sizeof tools / sizeof tools[0]; i++)
        if (strcmp(tools[i].name, argv[0]) == 0)
            return tools[i].run(argc, argv);
    if (argc > 1 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0))
        err_set(&cmd->err, EINVAL, "No help topic for '%s': there is no such verb", argv[0]);
    else
        err_set(&cmd->err, EINVAL, "no such verb: '%s' (wherry --help lists them)", argv[0]);
    return cmd_fail(cmd, 1);
}

static int read_cgroup_manager(struct cmd *cmd, const char *manager)
{
    if (strcmp(manager, "systemd") == 0)
        cmd->systemd_cgroup = true;
    else if (strcmp(manager, "disabled") == 0)
        cmd->cgroups_disabled = true;
    else if (strcmp(manager, "cgroupfs") != 0)
        return err_set(&cmd->err, EINVAL, "--cgroup-manager is cgroupfs, systemd or disabled, not '%s'", manager);
    return 0;
}

/* Descriptors 0, 1 and 2 must be open: what is opened in their place would become a container's stream. Nearly always they
 * are, which to ask costs less than to open anything. */
static void open_standard_streams(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", O_RDWR); /* the lowest that is free: this one */
}

int main(int argc, char **argv)
{
    struct cmd cmd = {.log.fd = -1, .log.level = LOG_WARNING};
    const char *log_path = NULL, *log_format = "text", *manager = "cgroupfs", *root = NULL;
    bool debug = false, version = false, help = false;
    const struct option_spec options[] = {
        {"root", 0, OPTION_TEXT, &root, "directory of the containers' states (default /run/wherry)"},
        {"log", 0, OPTION_TEXT, &log_path, "file, journald:NAME or syslog:NAME that errors and warnings go to"},
        {"log-format", 0, OPTION_TEXT, &log_format, "text or json"},
        {"log-level", 0, OPTION_IGNORED_TEXT, NULL, NULL},
        {"debug", 0, OPTION_FLAG, &debug, "log more"},
        {"systemd-cgroup", 's', OPTION_FLAG, &cmd.systemd_cgroup, "make cgroups through systemd"},
        {"cgroup-manager", 0, OPTION_TEXT, &manager, "cgroupfs, systemd or disabled"},
        {"rootless", 0, OPTION_IGNORED_TEXT, NULL, NULL},
        {"criu", 0, OPTION_TEXT, &cmd.criu, "the criu to use (default: by PATH)"},
        {"version", 'v', OPTION_FLAG, &version, "print the version"},
        {"help", 'h', OPTION_FLAG, &help, "print this"},
        {0},
    };
    int words, ret;

    relro_protect();
    open_standard_streams();
    words = options_read(argc, argv, options, true, &cmd.err);
    ret = words < 0 ? words : log_open(&cmd.log, log_path, log_format, &cmd.err);
    if (ret == 0)
        ret = read_cgroup_manager(&cmd, manager);
    if (ret < 0)
        return cmd_fail(&cmd, 1);
    cmd.log.level = debug ? LOG_DEBUG : LOG_WARNING;
    cmd.root_given = root != NULL;
    cmd.root = root != NULL ? cmd_absolute(&cmd, root) : default_root(&cmd);
    if (version) {
        print_version();
        return 0;
    }
    if (help || words == 0) {
        print_help(options);
        return help ? 0 : 1;
    }
    cmd.name = argv[1];
    log_write(&cmd.log, LOG_DEBUG, "wherry " WHERRY_VERSION " %s, states in %s, process %d of user %u", cmd.name,
              cmd.root, (int)getpid(), (unsigned)geteuid());
    ret = dispatch(&cmd, words, argv + 1);
    arena_free(&cmd.arena);
    return ret;
}
