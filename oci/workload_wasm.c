/* A Wasm module: the process becomes wherry's engine, which gets what the config grants as open descriptors and one block
 * of plain data. It has no environment; its arguments are the module's, so that they are seen where a process's are. */
#include "base/fd.h"
#include "oci/path.h"
#include "oci/sys.h"
#include "oci/wasm_grant.h"
#include "oci/workload.h"
#include "wherry/engine.h"
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* The first number behind those at which the engine expects what it is given. */
enum { FIRST_FREE_FD = (ENGINE_GRANT_FD > ENGINE_ARTIFACT_FD ? ENGINE_GRANT_FD : ENGINE_ARTIFACT_FD) + 1 };

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

static int write_block(const struct grant *grant, struct workload *workload, struct err *e)
{
    struct grant opened = *grant;
    struct buf bytes = {0};
    int ret = 0;

    opened.paths = workload->paths;
    opened.reason_fd = workload->reason;
    grant_encode(&opened, &bytes);
    workload->block = memfd_create("grant", MFD_CLOEXEC);
    if (workload->block < 0 || fd_write_all(workload->block, bytes.data, bytes.len) < 0 ||
        lseek(workload->block, 0, SEEK_SET) < 0)
        ret = err_sys(e, "cannot write the engine's settings");
    buf_done(&bytes);
    return ret;
}

int workload_wasm_prepare(const struct grant *grant, struct workload *workload, struct err *e)
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
        ret = write_block(grant, workload, e);
    if (ret == 0)
        ret = workload_move_fd(&workload->block, e);
    if (ret == 0)
        ret = workload_move_fd(&workload->artifact, e);
    if (ret == 0)
        ret = workload_move_fd(&workload->engine, e);
    return ret;
}

int workload_wasm_exec(const struct config *config, const struct workload *workload, struct err *e)
{
    char *nothing[] = {NULL};

    for (uint32_t i = 0; i < workload->path_count; i++)
        if (workload->paths[i].fd >= 0 && fcntl(workload->paths[i].fd, F_SETFD, 0) < 0)
            return err_sys(e, "cannot pass a descriptor to the engine");
    if (workload->reason > 0 && fcntl(workload->reason, F_SETFD, 0) < 0)
        return err_sys(e, "cannot pass a descriptor to the engine");
    if (dup2(workload->block, ENGINE_GRANT_FD) < 0 || dup2(workload->artifact, ENGINE_ARTIFACT_FD) < 0)
        return err_sys(e, "cannot pass a descriptor to the engine");
    sys.execveat(workload->engine, "", config->process.args.data, nothing, AT_EMPTY_PATH);
    return err_sys(e, "cannot execute the engine for '%s'", workload->path);
}
