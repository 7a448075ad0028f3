/* The order of writing is the whole of it: what is executed or read by a container has been written before the slot that
 * leads there, and is never written again; between the two every processor has passed the kernel. A writer that dies leaves
 * a file that says less than it could, and the next one begins where nobody has been led yet. */
#include "engine/cache/live.h"
#include "base/fd.h"
#include "engine/gen/live_file.h"
#include <linux/fs.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define SUFFIX ".live"

enum { LIVE_NAME_BYTES = ENTRY_NAME_BYTES + sizeof SUFFIX };

static void live_name(const char *name, char out[LIVE_NAME_BYTES])
{
    snprintf(out, LIVE_NAME_BYTES, "%s" SUFFIX, name);
}

static bool read_header(int fd, union artifact_page *page)
{
    return pread(fd, page, sizeof *page, 0) == (ssize_t)sizeof *page;
}

/* --- making and opening --------------------------------------------------------------------------------------------- */

/* Of its full size, which is mapped by who runs the artifact, but with nothing on the disk except what is written at once:
 * the header and the slots, so that writing them later cannot fail. */
static bool fill(int fd, const struct artifact_header *artifact, const struct live_layout *layout)
{
    struct live_header header = {.magic = "wherryLV", .artifact_digest = artifact->body_digest};
    static const char zeros[ARTIFACT_PAGE_BYTES];

    if (ftruncate(fd, (off_t)layout->file_bytes) != 0 || fchmod(fd, 0600) != 0)
        return false;
    for (uint64_t at = 0; at < layout->slots + layout->slots_bytes; at += sizeof zeros)
        if (pwrite(fd, zeros, sizeof zeros, (off_t)at) != (ssize_t)sizeof zeros)
            return false;
    return pwrite(fd, &header, sizeof header, 0) == (ssize_t)sizeof header;
}

/* The first of two that make it at once wins; both open what has the name. */
static bool make(const struct cache_entry *e, const char *name, const struct artifact_header *artifact,
                 const struct live_layout *layout)
{
    const struct cache_directory *d = e->directory;
    char temporary[LIVE_NAME_BYTES + 16];
    cleanup_fd int fd = -1;
    bool made;

    snprintf(temporary, sizeof temporary, "%s.%d", name, (int)getpid());
    unlinkat(d->fd, temporary, 0); /* of one that died and had our pid */
    fd = openat(d->fd, temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return false;
    made = fill(fd, artifact, layout) &&
           (syscall(SYS_renameat2, d->fd, temporary, d->fd, name, RENAME_NOREPLACE) == 0 || errno == EEXIST);
    unlinkat(d->fd, temporary, 0);
    return made;
}

static bool is_ours(const struct cache_directory *d, int fd, const struct artifact_header *artifact)
{
    struct live_header header;
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == d->owner && (st.st_mode & 07777) == 0600 &&
           st.st_nlink <= 1 && pread(fd, &header, sizeof header, 0) == (ssize_t)sizeof header &&
           live_fits(&header, (uint64_t)st.st_size, artifact);
}

int live_open(const struct cache_entry *e, int artifact_fd)
{
    struct live_layout layout;
    union artifact_page page;
    char name[LIVE_NAME_BYTES];

    live_name(e->name, name);
    if (!read_header(artifact_fd, &page) || !live_layout(&page.header, &layout))
        return -1;
    for (int attempt = 0; attempt < 2; attempt++) {
        cleanup_fd int fd = entry_open_file(e, name);
        if (fd >= 0 && is_ours(e->directory, fd, &page.header))
            return fd_take(&fd);
        if (fd >= 0) /* of an artifact that was here before, or none of ours */
            unlinkat(e->directory->fd, name, 0);
        if (!make(e, name, &page.header, &layout))
            return -1;
    }
    return -1;
}

void live_remove(const struct cache_directory *d, const char *name)
{
    char file[LIVE_NAME_BYTES];

    live_name(name, file);
    unlinkat(d->fd, file, 0);
}

/* --- publishing ------------------------------------------------------------------------------------------------------- */

static bool put(int fd, const void *bytes, uint64_t len, uint64_t at)
{
    while (len != 0) {
        ssize_t n = pwrite(fd, bytes, len, (off_t)at);
        if (n <= 0)
            return false;
        bytes = (const char *)bytes + n;
        len -= (uint64_t)n;
        at += (uint64_t)n;
    }
    return true;
}

/* Tables and code of A to their places; *OUT says where. By write, not through a mapping: a full disk is an error then. */
static bool put_code(int fd, const struct artifact *a, const struct live_layout *l, struct live_published *out)
{
    uint64_t at = l->tables;

    if (a->code_count > l->code_bytes)
        return false;
    out->code_count = a->code_count;
#define X(name, type)                                                                                                  \
    out->name = at;                                                                                                    \
    out->name##_count = a->name##_count;                                                                               \
    if (a->name##_count * sizeof(type) > l->code - at || !put(fd, a->name, a->name##_count * sizeof(type), at))        \
        return false;                                                                                                  \
    at = (at + a->name##_count * sizeof(type) + 7) & ~UINT64_C(7);
    LIVE_TABLES(X)
#undef X
    return put(fd, a->code, a->code_count, l->code);
}

/* One store each: a container sees a function's old code or its new, whenever it looks. */
static int put_slots(void *file, const struct artifact_header *baseline, const struct live_layout *l,
                     const struct artifact *optimized)
{
    int32_t *slots = (int32_t *)((uint8_t *)file + l->slots);
    uint64_t count = optimized->entries_count - 1;

    for (uint64_t i = 0; i < count; i++)
        if (optimized->entries[i] < optimized->code_count)
            __atomic_store_n(&slots[i], (int32_t)live_slot(baseline, l, optimized->entries[i]), __ATOMIC_RELEASE);
    return (int)count;
}

/* Every processor executes something serialising between the code being there and being led to. */
static bool pass_all_processors(void)
{
    return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0;
}

static int publish(int fd, const struct artifact_header *baseline, const struct live_layout *l,
                   const struct artifact *optimized)
{
    uint64_t written_bytes = l->slots + l->slots_bytes;
    struct live_header *header = mmap(NULL, written_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    struct live_published published;
    int count = -1;

    if (header == MAP_FAILED)
        return -1;
    if (__atomic_load_n(&header->is_published, __ATOMIC_ACQUIRE) == 0 && put_code(fd, optimized, l, &published)) {
        header->published = published;
        __atomic_store_n(&header->is_published, 1, __ATOMIC_RELEASE);
        if (pass_all_processors())
            count = put_slots(header, baseline, l, optimized);
    }
    munmap(header, written_bytes);
    return count;
}

/* OPTIMIZED is of a module with the same functions, or there is nothing to publish. */
static int publish_artifact(int fd, const struct artifact_header *baseline, const struct live_layout *l,
                            const void *bytes, uint64_t len)
{
    struct artifact optimized;
    struct err why;

    if (artifact_open(&optimized, bytes, len, &why) != 0 || optimized.entries_count < 2 ||
        optimized.entries_count * sizeof(uint32_t) != baseline->sections[ARTIFACT_entries].size_bytes)
        return -1;
    return publish(fd, baseline, l, &optimized);
}

int live_publish(const struct cache_directory *d, const char *name, int baseline_fd, int optimized_fd)
{
    char file[LIVE_NAME_BYTES];
    cleanup_fd int fd = -1;
    struct live_layout layout;
    union artifact_page page;
    struct stat st;
    void *bytes = MAP_FAILED;
    int count = -1;

    live_name(name, file);
    fd = openat(d->fd, file, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -1;
    if (read_header(baseline_fd, &page) && is_ours(d, fd, &page.header) && live_layout(&page.header, &layout) &&
        fstat(optimized_fd, &st) == 0)
        bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, optimized_fd, 0);
    if (bytes != MAP_FAILED) {
        count = publish_artifact(fd, &page.header, &layout, bytes, (uint64_t)st.st_size);
        munmap(bytes, (size_t)st.st_size);
    }
    return count;
}
