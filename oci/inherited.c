/* See inherited.h. */
#include "oci/inherited.h"
#include "base/fd.h"
#include "base/vec.h"

struct kept {
    VEC(int) fds;
};

static void keep(struct kept *k, int fd)
{
    if (fd > STDERR_FILENO)
        vec_push(&k->fds, fd);
}

static void keep_workload(struct kept *k, const struct workload *w)
{
    const int fds[] = {w->module, w->artifact, w->engine, w->live, w->block, w->reason};

    if (!w->decision.is_wasm)
        return;
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        keep(k, fds[i]);
    for (uint32_t i = 0; i < w->path_count; i++)
        keep(k, w->paths[i].fd);
    for (uint32_t i = 0; i < w->socket_count; i++)
        keep(k, w->sockets[i].fd);
}

static int compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

void inherited_close(const struct init *in, unsigned first)
{
    const int own[] = {in->channel, in->start_fifo, in->result_fifo, in->console, in->rdt, in->root, in->state};
    struct kept kept = {0};

    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        keep(&kept, own[i]);
    keep_workload(&kept, &in->workload);
    qsort(kept.fds.data, kept.fds.len, sizeof *kept.fds.data, compare);
    for (size_t i = 0; i < kept.fds.len; i++) {
        unsigned fd = (unsigned)kept.fds.data[i];
        if (fd > first)
            fd_close_between(first, fd - 1);
        if (fd >= first)
            first = fd + 1;
    }
    fd_close_from(first);
    vec_done(&kept.fds);
}
