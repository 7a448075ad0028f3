/* `start`: run by containerd 1.6-2.2 for every container, by 2.3 for every pod. Its working directory is the bundle, and
 * standard output and error are read together until they are closed: so the daemon is a fork that keeps neither.
 *
 * The daemon is not exec'ed anew: that would cost a millisecond and gain only a tidier argv. */
#include "shim/verb.h"
#include "base/fd.h"
#include "oci/json.h"
#include "shim/address.h"
#include "shim/bootstrap.h"
#include "shim/log.h"
#include "shim/shim.h"
#include <sys/socket.h>
#include <sys/stat.h>

enum { INPUT_MAX = 10 << 20, CONFIG_MAX = 16 << 20 };

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
    static const char *const keys[] = {"io.containerd.runc.v2.group", "io.kubernetes.cri.sandbox-id"};
    struct buf text = {0};
    const struct json *config, *annotations, *value;
    int error = read_whole("config.json", &text, CONFIG_MAX, e);

    *group = id;
    if (error != 0)
        return err_prefix(e, "start %s", id);
    config = json_parse((const char *)text.data, text.len, arena, e);
    buf_done(&text);
    if (config == NULL)
        return err_prefix(e, "config.json of %s", id);
    annotations = json_get(config, "annotations");
    for (size_t i = 0; annotations != NULL && i < sizeof keys / sizeof *keys; i++) {
        value = json_get(annotations, keys[i]);
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

static int daemon_run(const struct arguments *a, const struct bootstrap *b, int listen_fd, const char *address)
{
    setsid();
    redirect();
    log_set_level(a->debug || b->debug ? LOG_DEBUG : LOG_INFO);
    umask(022);
    adjust_oom_score();
    if (chdir("/") != 0)
        return 1;
    return shim_serve(listen_fd, address, a->namespace, getenv("TTRPC_ADDRESS"));
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
            return daemon_run(a, &b, listen_fd, address);
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
