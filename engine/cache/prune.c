/* Two that evict at the same time remove the same files; a file that is gone already is no error. What is removed stays
 * with whoever has it open: running containers keep their code. */
#include "engine/cache/prune.h"
#include "base/fd.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <time.h>

#define LIMIT_BYTES_MAX (UINT64_C(8) << 30)

enum { CLOCK_TOLERANCE_SECONDS = 3600 };

static bool is_artifact_name(const char *name)
{
    return strlen(name) == ENTRY_NAME_BYTES - 1 && strspn(name, "0123456789abcdef") == ENTRY_NAME_BYTES - 1;
}

static int by_use(const void *a, const void *b)
{
    const struct cache_file *x = a, *y = b;

    if (x->last_used_s != y->last_used_s)
        return x->last_used_s < y->last_used_s ? 1 : -1;
    return strcmp(x->name, y->name);
}

int prune_scan(const struct cache_directory *d, struct cache_files *out, struct err *err)
{
    int fd = cache_directory_list(d);
    DIR *listing = fd < 0 ? NULL : fdopendir(fd);
    int64_t now = time(NULL);

    *out = (struct cache_files){0};
    if (listing == NULL)
        return err_sys(err, "cannot list the cache %s", d->path);
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        struct cache_file file;
        struct stat st;
        if (!is_artifact_name(entry->d_name) || fstatat(d->fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        snprintf(file.name, sizeof file.name, "%s", entry->d_name);
        file.size_bytes = (uint64_t)st.st_blocks * 512;
        file.last_used_s = st.st_atim.tv_sec > now + CLOCK_TOLERANCE_SECONDS ? INT64_MIN : st.st_atim.tv_sec;
        vec_push(&out->files, file);
        out->size_bytes += file.size_bytes;
    }
    closedir(listing);
    if (out->files.len != 0)
        qsort(out->files.data, out->files.len, sizeof *out->files.data, by_use);
    return 0;
}

uint64_t prune_limit(const struct cache_directory *d, bool *is_set)
{
    cleanup_fd int fd = openat(d->fd, "limit", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    char text[32] = "", *end = text;
    unsigned long long limit = 0;
    struct statvfs fs;

    if (fd >= 0 && fd_read_full(fd, text, sizeof text - 1) > 0)
        limit = strtoull(text, &end, 10);
    *is_set = end != text && *end == '\n';
    if (*is_set)
        return limit;
    if (fstatvfs(d->fd, &fs) != 0 || fs.f_blocks / 10 * fs.f_frsize > LIMIT_BYTES_MAX)
        return LIMIT_BYTES_MAX;
    return fs.f_blocks / 10 * fs.f_frsize;
}

int prune_set_limit(const struct cache_directory *d, uint64_t limit_bytes, struct err *err)
{
    cleanup_fd int fd = -1;
    char temporary[32];

    snprintf(temporary, sizeof temporary, "limit.%d", (int)getpid());
    unlinkat(d->fd, temporary, 0);
    fd = openat(d->fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && dprintf(fd, "%llu\n", (unsigned long long)limit_bytes) > 0 &&
        renameat(d->fd, temporary, d->fd, "limit") == 0)
        return 0;
    err_sys(err, "cannot set the limit of the cache %s", d->path);
    unlinkat(d->fd, temporary, 0);
    return -err->code;
}

void prune_to(const struct cache_directory *d, struct cache_files *files, uint64_t limit_bytes, const char *keep,
              unsigned *removed, uint64_t *removed_bytes)
{
    for (size_t i = files->files.len; i-- != 0 && files->size_bytes > limit_bytes;) {
        const struct cache_file *file = &files->files.data[i];
        if (keep != NULL && strcmp(file->name, keep) == 0)
            continue;
        if (unlinkat(d->fd, file->name, 0) != 0 && errno != ENOENT)
            continue;
        files->size_bytes -= file->size_bytes;
        *removed_bytes += file->size_bytes;
        ++*removed;
    }
}

void prune_after(const struct cache_directory *d, const char *name)
{
    struct cache_files files;
    uint64_t limit, removed_bytes = 0;
    unsigned removed = 0;
    bool is_set;

    if (prune_scan(d, &files, NULL) != 0)
        return;
    limit = prune_limit(d, &is_set);
    if (files.size_bytes > limit)
        prune_to(d, &files, limit - limit / 10, name, &removed, &removed_bytes);
    vec_done(&files.files);
}

/* A lock that can be taken is of no running job. While we hold it, nobody else writes under its name. */
static void remove_job(const struct cache_directory *d, const char *lock_name)
{
    cleanup_fd int fd = openat(d->fd, lock_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    char temporary[ENTRY_NAME_BYTES + 8];

    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0)
        return;
    snprintf(temporary, sizeof temporary, "%.*s.new", ENTRY_NAME_BYTES - 1, lock_name);
    unlinkat(d->fd, temporary, 0);
    unlinkat(d->fd, lock_name, 0);
}

/* What waits beside an artifact that is there no more, and what was being written when its writer ended, or is: then the next
 * start does it again. */
static void remove_companion(const struct cache_directory *d, const char *name)
{
    const char *suffix = name + ENTRY_NAME_BYTES - 1;
    bool want = strncmp(suffix, ".want", 5) == 0, live = strncmp(suffix, ".live", 5) == 0;
    char artifact[ENTRY_NAME_BYTES];

    snprintf(artifact, sizeof artifact, "%.*s", ENTRY_NAME_BYTES - 1, name);
    if ((want || live) && (suffix[5] != 0 || faccessat(d->fd, artifact, F_OK, AT_SYMLINK_NOFOLLOW) != 0))
        unlinkat(d->fd, name, 0);
}

/* Facts and limits that were being written; a writer that is still there loses only its fact. */
static void remove_halves(int directory_fd, const char *name)
{
    int fd = openat(directory_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *listing = fd < 0 ? NULL : fdopendir(fd);

    if (listing == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;)
        if (entry->d_name[0] != '.' && strchr(entry->d_name, '.') != NULL)
            unlinkat(dirfd(listing), entry->d_name, 0);
    closedir(listing);
}

void prune_leftovers(const struct cache_directory *d)
{
    int fd = cache_directory_list(d);
    DIR *listing = fd < 0 ? NULL : fdopendir(fd);

    if (listing == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        size_t len = strlen(entry->d_name);
        if (len == ENTRY_NAME_BYTES - 1 + 5 && strcmp(entry->d_name + len - 5, ".lock") == 0)
            remove_job(d, entry->d_name);
        else if (len > ENTRY_NAME_BYTES - 1 && entry->d_name[ENTRY_NAME_BYTES - 1] == '.')
            remove_companion(d, entry->d_name);
    }
    closedir(listing);
    remove_halves(d->fd, "memo");
    remove_halves(d->fd, "body");
    remove_halves(d->fd, "tier");
}
