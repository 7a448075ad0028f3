/* `delete`: run by containerd after every disconnect of a shim, also a wanted one, and at its start for shims that are
 * gone. So most often there is nothing left to do. */
#include "shim/verb.h"
#include "base/fd.h"
#include "shim/address.h"
#include "shim/group.h"
#include "shim/pod.h"
#include "shim/runtime.h"
#include <sys/stat.h>
#include <time.h>

/* The root noted at create (runtime.c), or the default. */
static void read_options(const char *bundle, struct options *out)
{
    char path[8192];
    cleanup_fd int fd = -1;
    ssize_t len;

    *out = (struct options){0};
    snprintf(path, sizeof path, "%s/" RUNTIME_ROOT_NOTE, bundle);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    len = fd >= 0 ? fd_read_full(fd, out->root, sizeof out->root - 1) : -1;
    out->root[len > 0 ? len : 0] = 0;
}

/* A killed shim leaves its socket, whose address `start` wrote into the bundle; one that answers serves its pod's other
 * containers. Returns whether the shim was found dead. */
static bool remove_socket(const char *bundle)
{
    char path[8192], address[ADDRESS_MAX];
    cleanup_fd int fd = -1, other = -1;
    ssize_t len;

    snprintf(path, sizeof path, "%s/address", bundle);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    len = fd >= 0 ? fd_read_full(fd, address, sizeof address - 1) : -1;
    if (len <= 0)
        return false;
    address[len] = 0;
    other = address_connect(address);
    if (other != -ECONNREFUSED)
        return other == -ENOENT;
    unlink(address_path(address));
    return true;
}

static int answer(void)
{
    Task__DeleteResponse response = TASK__DELETE_RESPONSE__INIT;
    Rpc__Timestamp when = RPC__TIMESTAMP__INIT;
    uint8_t packed[64];
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    when.seconds = now.tv_sec;
    when.nanos = (int32_t)now.tv_nsec;
    response.exit_status = 128 + 9; /* as all shims answer: nobody saw how it ended */
    response.exited_at = &when;
    return fd_write_all(1, packed, task__delete_response__pack(&response, packed)) != 0;
}

int verb_delete(const struct arguments *a)
{
    struct worker_report report = {0};
    struct options options;
    char root[512], here[4096];
    struct runtime_job job = {.root = root, .id = a->id, .options = &options, .namespace = a->namespace};

    if (a->bundle != NULL)
        job.bundle = a->bundle;
    else
        job.bundle = getcwd(here, sizeof here) != NULL ? here : ".";
    read_options(job.bundle, &options);
    runtime_root(&options, a->namespace, root, sizeof root);
    runtime_delete(&job, WORKER_NO_FDS, &report);
    if (report.code != 0) {
        fprintf(stderr, "delete %s: %s\n", a->id, report.text);
        return 1;
    }
    pod_unmount(job.bundle);
    if (remove_socket(job.bundle))
        group_delete_others(root, a->id);
    return answer();
}
