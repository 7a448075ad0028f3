/* `start`: run by containerd 1.6-2.2 for every container, by 2.3 for every pod. Its working directory is the bundle, and
 * standard output and error are read together until they are closed: so the daemon is a fork that keeps neither.
 *
 * The daemon executes the program anew, through a read-only mount of its own. A process that it makes runs its code until
 * it executes something, and a hostile image can make that "/proc/self/exe": with the host's file behind it, the container
 * could then write to it (CVE-2019-5736). */
#include "shim/verb.h"
#include "base/fd.h"
#include "oci/container.h"
#include "oci/json.h"
#include "oci/sys.h"
#include "shim/address.h"
#include "shim/bootstrap.h"
#include "shim/group.h"
#include "shim/log.h"
#include "shim/shim.h"
#include <limits.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { INPUT_MAX = 10 << 20, CONFIG_MAX = 16 << 20, LISTEN_FD = 3 };

#define SOCKET_DIRECTORY "/run/containerd/s"

static int read_whole(const char *path, struct buf *out, size_t limit_bytes, struct err *e)
{
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fd_read_to_end(fd, out, limit_bytes) != 0)
        return err_sys(e, "cannot read %s", path);
    return 0;
}

/* The group whose containers share a shim: a pod's. Without an annotation the container is alone. */
static int find_group(const char *id, struct arena *arena, const char **group, struct err *e)
{
    struct buf text = {0};
    const struct json *config, *annotations, *value;
    int error;

    *group = id;
    if (access("config.json", F_OK) != 0 && errno == ENOENT && access("log", F_OK) == 0)
        return 0; /* a bundle of a sandbox (sandbox.h), which is a group: containerd has made its log's fifo */
    error = read_whole("config.json", &text, CONFIG_MAX, e);
    if (error != 0)
        return err_prefix(e, "start %s", id);
    config = json_parse((const char *)text.data, text.len, arena, e);
    buf_done(&text);
    if (config == NULL)
        return err_prefix(e, "config.json of %s", id);
    annotations = json_get(config, "annotations");
    for (const char *const *key = group_annotations; annotations != NULL && *key != NULL; key++) {
        value = json_get(annotations, *key);
        if (value != NULL && value->type == JSON_STRING && value->text[0] != 0) {
            *group = value->text;
            return 0;
        }
    }
    return 0;
}

/* The shim goes before containerd when memory is short, as the kernel is told by one point. Without the right to change it
 * the inherited score stays. */
static void adjust_oom_score(void)
{
    char path[40], text[16];
    cleanup_fd int parent = -1, own = -1;
    ssize_t len;
    int score;

    snprintf(path, sizeof path, "/proc/%d/oom_score_adj", (int)getppid());
    parent = open(path, O_RDONLY | O_CLOEXEC);
    len = parent >= 0 ? fd_read_full(parent, text, sizeof text - 1) : -1;
    own = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (len <= 0 || own < 0)
        return;
    text[len] = 0;
    score = atoi(text) + 1;
    snprintf(text, sizeof text, "%d", score > 1000 ? 1000 : score);
    len = write(own, text, strlen(text));
    (void)len;
}

/* containerd reads the log fifo of the bundle. Read-write: opening never waits for the reader, and a line written while
 * containerd restarts is kept (or dropped when the fifo is full) instead of ending in SIGPIPE. */
static void redirect(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int log = open("log", O_RDWR | O_NONBLOCK | O_CLOEXEC);

    dup2(null, 0);
    dup2(null, 1);
    dup2(log >= 0 ? log : null, 2);
    fd_close(&log);
    fd_close(&null);
}

int verb_serve(const struct arguments *a)
{
    prctl(PR_SET_NAME, "containerd-shim", 0, 0, 0);
    fcntl(LISTEN_FD, F_SETFD, FD_CLOEXEC);
    log_set_level(a->debug ? LOG_DEBUG : LOG_INFO);
    return shim_serve(LISTEN_FD, a->listening, a->namespace, getenv("TTRPC_ADDRESS"), a->address, a->libexec,
                      a->program);
}

/* The running program through a read-only clone of its mount; kernels before 5.12 cannot. */
static int open_program(void)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
    cleanup_fd int fd = (int)sys.open_tree(AT_FDCWD, "/proc/self/exe", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

    if (fd >= 0 && sys.mount_setattr(fd, "", AT_EMPTY_PATH, &attr) == 0)
        return fd_take(&fd);
    return open("/proc/self/exe", O_PATH | O_CLOEXEC);
}

_Noreturn static void daemon_exec(const struct arguments *a, const struct bootstrap *b, int listen_fd,
                                  const char *address)
{
    char libexec[PATH_MAX] = "";
    const char *args[] = {a->program,   "-namespace", a->namespace, "-id",   a->id,   "-address", a->address,
                          "-listening", address,      "-libexec",   libexec, "serve", NULL,       NULL};
    struct err e = {0};
    int program;

    if (a->debug || b->debug) {
        args[11] = "-debug";
        args[12] = "serve";
    }
    setsid();
    redirect();
    umask(022);
    adjust_oom_score();
    program = fcntl(open_program(), F_DUPFD_CLOEXEC, LISTEN_FD + 1);
    if (container_find_libexec(libexec, sizeof libexec, &e) != 0) /* native containers need none of them */
        log_line(LOG_WARNING, a->id, "%s", e.text);
    if (listen_fd == LISTEN_FD ? fcntl(LISTEN_FD, F_SETFD, 0) == 0 : dup2(listen_fd, LISTEN_FD) >= 0)
        listen_fd = LISTEN_FD;
    if (program >= 0 && listen_fd == LISTEN_FD && chdir("/") == 0)
        sys.execveat(program, "", (char *const *)args, environ, AT_EMPTY_PATH);
    log_line(LOG_ERROR, a->id, "cannot execute the shim's daemon: %s", strerror(errno));
    _exit(1);
}

static int write_address(const char *address, struct err *e)
{
    cleanup_fd int fd = open(".address.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || fd_write_all(fd, address, strlen(address)) != 0 || rename(".address.new", "address") != 0)
        return err_sys(e, "cannot write the file address of the bundle");
    return 0;
}

/* Binds the group's address. Returns the descriptor, -EADDRINUSE when its shim is there already, or an error. */
static int prepare(const struct arguments *a, struct bootstrap *b, struct arena *arena, char address[ADDRESS_MAX],
                   struct err *e)
{
    struct buf input = {0};
    const char *group, *directory;
    int error;

    if (fd_read_to_end(0, &input, INPUT_MAX) != 0)
        return err_sys(e, "start: cannot read standard input");
    error = bootstrap_read(input.data, input.len, a->id, b, e);
    buf_done(&input);
    if (error == 0)
        error = find_group(a->id, arena, &group, e);
    if (error != 0)
        return error;
    directory = b->socket_dir[0] != 0 ? b->socket_dir : SOCKET_DIRECTORY;
    if (a->socket != NULL)
        error = (size_t)snprintf(address, ADDRESS_MAX, "unix://%s", address_path(a->socket)) < ADDRESS_MAX
                    ? 0
                    : err_set(e, ENAMETOOLONG, "-socket %s is too long", a->socket);
    else
        error = address_make(directory, a->address, a->namespace, group, address, e);
    return error != 0 ? error : address_listen(address, e);
}

int verb_start(const struct arguments *a)
{
    char address[ADDRESS_MAX];
    struct arena arena = {0};
    struct bootstrap b;
    struct buf answer = {0};
    struct err e = {0};
    int listen_fd = prepare(a, &b, &arena, address, &e), error = 0;
    pid_t pid = 0;

    arena_free(&arena);
    if (listen_fd < 0 && listen_fd != -EADDRINUSE)
        error = listen_fd;
    if (listen_fd >= 0) {
        pid = fork();
        if (pid == 0)
            daemon_exec(a, &b, listen_fd, address);
        close(listen_fd);
        if (pid < 0)
            error = err_sys(&e, "cannot fork the shim's daemon");
    }
    if (error == 0)
        error = write_address(address, &e);
    if (error != 0) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    bootstrap_answer(&b, getenv("MAX_SHIM_VERSION"), address, &answer);
    return fd_write_all(1, answer.data, answer.len) != 0;
}
