/* The context of a module and its descriptor table; see ctx.h. */
#include "engine/wasi/ctx.h"
#include "base/fd.h"
#include "engine/wasi/p1_abi.h"
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

enum {
    FDS_MAX =
        1 << 20, /* entries without a descriptor of the process (synthetic directories) are bounded by this alone */
    STDIO_COUNT = 3,
};

static uint8_t socket_filetype(int fd)
{
    int type = 0;
    socklen_t len = sizeof type;

    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
        return WASI_FILETYPE_SOCKET_STREAM;
    return type == SOCK_DGRAM ? WASI_FILETYPE_SOCKET_DGRAM : WASI_FILETYPE_SOCKET_STREAM;
}

uint8_t wasi_filetype(const struct stat *st, int fd)
{
    switch (st->st_mode & S_IFMT) {
    case S_IFBLK: return WASI_FILETYPE_BLOCK_DEVICE;
    case S_IFCHR: return WASI_FILETYPE_CHARACTER_DEVICE;
    case S_IFDIR: return WASI_FILETYPE_DIRECTORY;
    case S_IFREG: return WASI_FILETYPE_REGULAR_FILE;
    case S_IFLNK: return WASI_FILETYPE_SYMBOLIC_LINK;
    case S_IFSOCK: return socket_filetype(fd);
    default: return WASI_FILETYPE_UNKNOWN;
    }
}

/* --- threads --------------------------------------------------------------------------------------------------- */

void wasi_context_share(struct wasi_context *context)
{
    context->is_shared = true;
}

void wasi_lock(struct wasi_context *context)
{
    if (context->is_shared)
        pthread_mutex_lock(&context->lock);
}

void wasi_unlock(struct wasi_context *context)
{
    if (context->is_shared)
        pthread_mutex_unlock(&context->lock);
}

/* The numbers of the standard streams never come to name another file (close_stdio), so they need no duplicate. */
int wasi_duplicate(const struct wasi_context *context, int fd)
{
    return context->is_shared && fd >= STDIO_COUNT ? fcntl(fd, F_DUPFD_CLOEXEC, STDIO_COUNT) : fd;
}

void wasi_duplicate_close(int duplicate, int fd)
{
    if (duplicate != fd)
        close(duplicate);
}

int wasi_wait_begin(struct wasi_context *context, int fd)
{
    int duplicate = wasi_duplicate(context, fd);

    if (duplicate >= 0)
        wasi_unlock(context);
    return duplicate;
}

void wasi_wait_end(struct wasi_context *context, int fd, int waited_on)
{
    int saved = errno;

    wasi_lock(context);
    wasi_duplicate_close(waited_on, fd);
    errno = saved;
}

/* --- the table ------------------------------------------------------------------------------------------------- */

struct wasi_fd *wasi_fd_get(struct wasi_context *context, uint32_t number)
{
    if (number >= context->fd_count || context->fds[number].kind == WASI_FD_FREE)
        return NULL;
    return &context->fds[number];
}

int wasi_fd_real(struct wasi_fd *entry)
{
    if (entry->kind != WASI_FD_DIRECTORY || !entry->borrowed || entry->fd < 0)
        return entry->fd;
    if (entry->place->refused) {
        errno = EPERM;
        return -1;
    }
    if (entry->real_fd < 0)
        entry->real_fd = openat(entry->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return entry->real_fd;
}

int wasi_fd_add(struct wasi_context *context, const struct wasi_fd *entry)
{
    uint32_t number = 0, grown;
    struct wasi_fd *fds;

    while (number < context->fd_count && context->fds[number].kind != WASI_FD_FREE)
        number++;
    if (number == context->fd_count) {
        grown = context->fd_count != 0 ? context->fd_count * 2 : 16;
        fds = grown <= FDS_MAX ? realloc(context->fds, grown * sizeof *fds) : NULL;
        if (fds == NULL)
            return -EMFILE;
        memset(fds + context->fd_count, 0, (grown - context->fd_count) * sizeof *fds);
        context->fds = fds;
        context->fd_count = grown;
    }
    context->fds[number] = *entry;
    return (int)number;
}

/* The process keeps a descriptor at 0, 1 and 2, else the next file opened would get the number, and whatever the
 * engine writes to the standard error would go there. 2 stays what it is: a trap is still to be reported. */
static int close_stdio(int fd)
{
    cleanup_fd int other = -1;

    if (fd == STDERR_FILENO)
        return 0;
    other = eventfd(0, EFD_CLOEXEC);
    if (other < 0 || dup3(other, fd, O_CLOEXEC) < 0)
        return -errno;
    return 0;
}

static int entry_close(struct wasi_fd *entry)
{
    int ret = 0;

    fd_close(&entry->real_fd);
    free(entry->guest_path);
    if (entry->fd >= 0 && !entry->borrowed)
        ret = entry->fd < STDIO_COUNT ? close_stdio(entry->fd) : close(entry->fd) < 0 ? -errno : 0;
    *entry = (struct wasi_fd){0};
    return ret;
}

int wasi_fd_close(struct wasi_context *context, uint32_t number)
{
    struct wasi_fd *entry = wasi_fd_get(context, number);
    return entry != NULL ? entry_close(entry) : -EBADF;
}

int wasi_fd_renumber(struct wasi_context *context, uint32_t from, uint32_t to)
{
    struct wasi_fd *source = wasi_fd_get(context, from), *target = wasi_fd_get(context, to);

    if (source == NULL || target == NULL)
        return -EBADF;
    if (from == to)
        return 0;
    entry_close(target); /* as dup2: an error of the implied close is lost */
    *target = *source;
    *source = (struct wasi_fd){0};
    return 0;
}

/* Descriptors 0-2, as far as the process has them. */
static void add_stdio(struct wasi_context *context)
{
    for (int fd = 0; fd < STDIO_COUNT; fd++) {
        struct stat st;
        struct wasi_fd entry = {.kind = WASI_FD_STREAM, .fd = fd, .real_fd = -1, .shared = true};
        if (fstat(fd, &st) < 0)
            continue;
        entry.filetype = wasi_filetype(&st, fd);
        if (entry.filetype == WASI_FILETYPE_DIRECTORY) /* `program < DIR`: no path is granted by that */
            entry.filetype = WASI_FILETYPE_UNKNOWN;
        context->fds[fd] = entry;
    }
}

static int add_preopens(struct wasi_context *context)
{
    for (uint32_t i = 0; i < context->root.place_count; i++) {
        const struct fs_place *place = &context->root.places[i];
        const struct grant_path *path = &context->grant->paths[i];
        struct wasi_fd entry = {
            .kind = WASI_FD_DIRECTORY,
            .fd = place->fd,
            .real_fd = -1,
            .borrowed = true,
            .filetype = WASI_FILETYPE_DIRECTORY,
            .place = place,
            .preopen_name = path->preopen_name != NULL ? path->preopen_name : path->guest_path,
        };
        if (place->kind != GRANT_DIRECTORY && place->kind != GRANT_DEVICES)
            continue;
        entry.guest_path = strdup(place->path);
        if (entry.guest_path == NULL)
            out_of_memory();
        if (wasi_fd_add(context, &entry) < 0)
            return -EMFILE;
    }
    return 0;
}

static int add_sockets(struct wasi_context *context)
{
    for (uint32_t i = 0; i < context->grant->socket_count; i++) {
        struct wasi_fd entry = {
            .kind = WASI_FD_STREAM,
            .fd = context->grant->sockets[i].fd,
            .real_fd = -1,
            .borrowed = true,
            .shared = true,
            .filetype = socket_filetype(context->grant->sockets[i].fd),
        };
        if (wasi_fd_add(context, &entry) < 0)
            return -EMFILE;
    }
    return 0;
}

int wasi_context_new(const struct grant *grant, struct wasi_context **out, struct err *err)
{
    struct wasi_context *context = calloc(1, sizeof *context);
    struct wasi_fd taken = {.kind = WASI_FD_STREAM, .fd = -1, .real_fd = -1};
    int ret = 0;

    if (context == NULL)
        out_of_memory();
    signal(SIGPIPE, SIG_IGN);
    context->grant = grant;
    pthread_mutex_init(&context->lock, NULL);
    fsroot_init(&context->root, grant);
    /* preopens begin at 3 even where the process has no 0, 1 or 2 */
    for (int i = 0; ret >= 0 && i < STDIO_COUNT; i++)
        ret = wasi_fd_add(context, &taken);
    if (ret >= 0)
        ret = add_preopens(context);
    if (ret >= 0)
        ret = add_sockets(context);
    if (ret < 0) {
        wasi_context_free(context);
        return err_set(err, -ret, "the grant has more paths and sockets than a module can have descriptors (%d)",
                       FDS_MAX);
    }
    memset(context->fds, 0, STDIO_COUNT * sizeof *context->fds);
    add_stdio(context);
    *out = context;
    return 0;
}

void wasi_context_free(struct wasi_context *context)
{
    if (context == NULL)
        return;
    for (uint32_t i = 0; i < context->fd_count; i++) {
        struct wasi_fd *entry = &context->fds[i];
        if (entry->kind != WASI_FD_FREE && entry->fd >= STDIO_COUNT)
            entry_close(entry);
        else
            free(entry->guest_path);
    }
    free(context->fds);
    fsroot_done(&context->root);
    free(context);
}
