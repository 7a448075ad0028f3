/* A Wasm module: the process becomes wherry's engine, which gets what the config grants as open descriptors and one block
 * of plain data. It has no environment; its arguments are the module's, so that they are seen where a process's are. */
#include "base/fd.h"
#include "oci/path.h"
#include "oci/sys.h"
#include "oci/wasm_grant.h"
#include "oci/wasm_listen.h"
#include "oci/workload.h"
#include "wherry/engine.h"
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* The first number behind those at which the engine expects what it is given. */
enum { FIRST_FREE_FD = ENGINE_LIVE_FD + 1 };

int workload_move_fd(int *fd, struct err *e)
{
    int moved;

    if (*fd < 0 || *fd >= FIRST_FREE_FD)
        return 0;
    moved = fcntl(*fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    if (moved < 0)
        return err_sys(e, "cannot move a descriptor out of the engine's way");
    close(*fd);
    *fd = moved;
    return 0;
}

/* Opens what is to be granted at PATH. What the container's user cannot reach, or is not there, is not granted. */
static int open_path(struct grant_path *path, struct err *e)
{
    cleanup_fd int fd = open(path->guest_path, O_PATH | O_CLOEXEC);
    struct stat st;
    struct statfs fs;
    int ret;

    if (fd < 0 && errno != ENOENT && errno != EACCES && errno != ENOTDIR && errno != ELOOP)
        return err_sys(e, "cannot open '%s' for the module", path->guest_path);
    if (fd < 0) {
        path->kind = GRANT_HIDDEN;
        return 0;
    }
    if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
        return err_sys(e, "cannot stat '%s' for the module", path->guest_path);
    path->kind = wasm_grant_kind(path->guest_path, st.st_mode, fs.f_type);
    if (path->kind == GRANT_HIDDEN)
        return 0;
    ret = workload_move_fd(&fd, e);
    if (ret == 0)
        path->fd = fd_take(&fd);
    return ret;
}

/* Whatever is not a plain file of this user's to write to gets no reason. */
static int open_reason(const char *path, struct workload *workload, struct err *e)
{
    cleanup_fd int fd = open(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
    struct stat st;
    int ret;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return 0;
    ret = workload_move_fd(&fd, e);
    if (ret == 0)
        workload->reason = fd_take(&fd);
    return ret;
}

/* Sockets that socket activation passed on lie from descriptor 3 up and may be any kind of socket. */
static int take_socket(int passed, struct grant_socket *out, struct err *e)
{
    int is_listening = 0;
    socklen_t len = sizeof is_listening;

    if (getsockopt(passed, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &len) < 0 || !is_listening)
        return err_set(e, EINVAL,
                       "descriptor %d of LISTEN_FDS is not a listening socket, which is all a module can use", passed);
    out->name = "LISTEN_FDS";
    out->fd = fcntl(passed, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    return out->fd < 0 ? err_sys(e, "cannot move a descriptor out of the engine's way") : 0;
}

static int open_sockets(const struct grant *grant, unsigned listen_fds, struct arena *arena, struct workload *workload,
                        struct err *e)
{
    int ret = 0;

    workload->sockets = arena_array(arena, struct grant_socket, (size_t)grant->socket_count + listen_fds + 1);
    for (unsigned i = 0; ret == 0 && i < listen_fds; i++)
        ret = take_socket(STDERR_FILENO + 1 + (int)i, &workload->sockets[workload->socket_count++], e);
    for (uint32_t i = 0; ret == 0 && i < grant->socket_count; i++) {
        struct grant_socket *socket = &workload->sockets[workload->socket_count++];
        *socket = grant->sockets[i];
        socket->fd = wasm_listen_open(socket->name, e);
        ret = socket->fd < 0 ? socket->fd : workload_move_fd(&socket->fd, e);
    }
    return ret;
}

/* Guests look for LISTEN_FDS. A module's descriptors begin with its preopens, so that 3, where a native program would find
 * the first socket, is a directory: the second variable says where the sockets begin. */
static void tell_of_sockets(struct grant *grant, struct arena *arena)
{
    const char **environment = arena_array(arena, const char *, (size_t)grant->environment_count + 2);
    unsigned first = STDERR_FILENO + 1;

    for (uint32_t i = 0; i < grant->path_count; i++)
        first += grant->paths[i].kind == GRANT_DIRECTORY || grant->paths[i].kind == GRANT_DEVICES;
    memcpy(environment, grant->environment, grant->environment_count * sizeof *environment);
    environment[grant->environment_count++] = arena_printf(arena, "LISTEN_FDS=%u", grant->socket_count);
    environment[grant->environment_count++] = arena_printf(arena, "WHERRY_LISTEN_FD=%u", first);
    grant->environment = environment;
}

static int write_block(const struct grant *grant, struct workload *workload, struct arena *arena, struct err *e)
{
    struct grant opened = *grant;
    struct buf bytes = {0};
    int ret = 0;

    opened.paths = workload->paths;
    opened.reason_fd = workload->reason;
    opened.sockets = workload->sockets;
    opened.socket_count = workload->socket_count;
    if (opened.socket_count != 0)
        tell_of_sockets(&opened, arena);
    grant_encode(&opened, &bytes);
    workload->block = memfd_create("grant", MFD_CLOEXEC);
    if (workload->block < 0 || fd_write_all(workload->block, bytes.data, bytes.len) < 0 ||
        lseek(workload->block, 0, SEEK_SET) < 0)
        ret = err_sys(e, "cannot write the engine's settings");
    buf_done(&bytes);
    return ret;
}

int workload_wasm_prepare(const struct grant *grant, unsigned listen_fds, struct arena *arena,
                          struct workload *workload, struct err *e)
{
    int ret = 0;

    workload->path_count = grant->path_count;
    workload->paths = (struct grant_path *)grant->paths; /* in the arena of this process alone: the fds are its own */
    for (uint32_t i = 0; ret == 0 && i < grant->path_count; i++)
        if (workload->paths[i].kind == GRANT_DIRECTORY)
            ret = open_path(&workload->paths[i], e);
    if (ret == 0 && grant->reason_path != NULL)
        ret = open_reason(grant->reason_path, workload, e);
    if (ret == 0)
        ret = open_sockets(grant, listen_fds, arena, workload, e);
    if (ret == 0)
        ret = write_block(grant, workload, arena, e);
    if (ret == 0)
        ret = workload_move_fd(&workload->block, e);
    if (ret == 0)
        ret = workload_move_fd(&workload->artifact, e);
    if (ret == 0)
        ret = workload_move_fd(&workload->live, e);
    if (ret == 0)
        ret = workload_move_fd(&workload->engine, e);
    for (size_t i = 0; ret == 0 && i < sizeof workload->mounts / sizeof workload->mounts[0]; i++)
        ret = workload_move_fd(&workload->mounts[i], e);
    return ret;
}

void workload_leave_mounts(struct workload *workload)
{
    for (size_t i = 0; i < sizeof workload->mounts / sizeof workload->mounts[0]; i++)
        fd_close(&workload->mounts[i]);
}

int workload_wasm_exec(const struct config *config, const struct workload *workload, struct err *e)
{
    char *nothing[] = {NULL};

    for (uint32_t i = 0; i < workload->path_count; i++)
        if (workload->paths[i].fd >= 0 && fcntl(workload->paths[i].fd, F_SETFD, 0) < 0)
            return err_sys(e, "cannot pass a descriptor to the engine");
    if (workload->reason > 0 && fcntl(workload->reason, F_SETFD, 0) < 0)
        return err_sys(e, "cannot pass a descriptor to the engine");
    for (uint32_t i = 0; i < workload->socket_count; i++)
        if (fcntl(workload->sockets[i].fd, F_SETFD, 0) < 0)
            return err_sys(e, "cannot pass a descriptor to the engine");
    if (dup2(workload->block, ENGINE_GRANT_FD) < 0 || dup2(workload->artifact, ENGINE_ARTIFACT_FD) < 0 ||
        dup2(workload->live, ENGINE_LIVE_FD) < 0)
        return err_sys(e, "cannot pass a descriptor to the engine");
    sys.execveat(workload->engine, "", config->process.args.data, nothing, AT_EMPTY_PATH);
    return err_sys(e, "cannot execute the engine for '%s'", workload->path);
}
