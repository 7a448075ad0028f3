/* The lock of a job is a file beside the artifact that is to be made. Its holder writes into it how far it is, and in the
 * end removes it while still holding it. Whoever waited then finds itself with the lock of a file that is not there any
 * more, and reads in it how it ended: the artifact is there, or the module is at fault, and why. If it says neither, the
 * holder died: then the name is free, and the first to make it anew is the next holder. */
#include "engine/cache/job.h"
#include "base/fd.h"
#include "engine/cache/prune.h"
#include "engine/cache/slot.h"
#include "wherry/worker.h"
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <time.h>

struct job_note {
    uint64_t done, total;
    struct err failure; /* code 0: none */
};

struct job {
    const struct cache_entry *entry;
    const struct cache_settings *settings;
    int lock_fd; /* -1: in memory */
};

/* --- one artifact --------------------------------------------------------------------------------------------- */

/* A sealed copy of the module, so that nobody can change it between digest and compilation. */
static int copy_module(int module_fd, const uint8_t key[DIGEST_BYTES], int *copy_fd, struct err *err)
{
    uint8_t digest[DIGEST_BYTES];
    uint64_t size_bytes;
    int status;

    *copy_fd = memfd_create("module", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*copy_fd < 0)
        return err_sys(err, "cannot copy the module");
    status = digest_file(module_fd, *copy_fd, digest, &size_bytes);
    if (status != 0)
        return err_set(err, -status, "cannot copy the module: %s", strerror(-status));
    if (memcmp(digest, key, sizeof digest) != 0)
        return err_set(err, EAGAIN, "the module changed while it was read");
    if (fcntl(*copy_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
        return err_sys(err, "cannot seal the copy of the module");
    return 0;
}

static void report_progress(void *context, uint64_t done, uint64_t total)
{
    const struct job *job = context;
    struct job_note note = {.done = done, .total = total};

    if (job->lock_fd >= 0)
        (void)!pwrite(job->lock_fd, &note, offsetof(struct job_note, failure), 0);
    if (job->settings->progress != NULL)
        job->settings->progress(job->settings->progress_context, CACHE_COMPILING, done, total);
}

static int compile_to(struct job *job, int module_fd, int out_fd, struct err *err)
{
    const struct cache_entry *e = job->entry;
    cleanup_fd int copy_fd = -1, slot_fd = -1;
    struct compile_request request = {
        .key = e->key,
        .options = &e->options,
        .libexec = job->settings->libexec,
        .memory_bytes = job->settings->worker_memory_bytes,
        .cpu_seconds = job->settings->worker_cpu_seconds,
        .background = job->settings->background,
        .progress = report_progress,
        .progress_context = job,
    };
    int status = copy_module(module_fd, e->key, &copy_fd, err);

    if (status != 0)
        return status;
    if (e->directory != NULL && !job->settings->background) /* of those there is one at a time (tier.c) */
        slot_fd = slot_take(e->directory, job->settings, &request.slot);
    status = compile_artifact(&request, copy_fd, out_fd, err);
    if (status == 0)
        status = engine_artifact_check(out_fd, e->key, &e->options, err);
    return status;
}

int job_run_in_memory(const struct cache_entry *e, int module_fd, const struct cache_settings *settings,
                      int *artifact_fd, struct err *err)
{
    struct job job = {.entry = e, .settings = settings, .lock_fd = -1};
    cleanup_fd int fd = memfd_create("artifact", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int status = fd < 0 ? err_sys(err, "cannot create a file in memory") : compile_to(&job, module_fd, fd, err);

    if (status != 0)
        return status;
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
        return err_sys(err, "cannot seal the artifact");
    *artifact_fd = fd_take(&fd);
    return 0;
}

/* Only the job's holder uses the temporary name, so what lies there is of one that died. */
static int write_entry(struct job *job, int module_fd, struct err *err)
{
    const struct cache_entry *e = job->entry;
    char temporary[ENTRY_NAME_BYTES + 8];
    cleanup_fd int fd = -1;
    int status;

    snprintf(temporary, sizeof temporary, "%s.new", e->name);
    unlinkat(e->directory->fd, temporary, 0);
    fd = openat(e->directory->fd, temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
    if (fd < 0)
        return err_sys(err, "cannot create a file in the cache %s", e->directory->path);
    status = compile_to(job, module_fd, fd, err);
    if (status == 0 && fchmod(fd, 0400) != 0) /* whatever the umask was */
        status = err_sys(err, "cannot set the mode of a file in the cache %s", e->directory->path);
    if (status == 0 && renameat(e->directory->fd, temporary, e->directory->fd, e->name) != 0)
        status = err_sys(err, "cannot publish an artifact in the cache %s", e->directory->path);
    if (status != 0)
        unlinkat(e->directory->fd, temporary, 0);
    return status;
}

/* --- the lock ------------------------------------------------------------------------------------------------- */

static int wait_for_lock(int fd, const struct cache_settings *settings)
{
    struct timespec pause = {.tv_nsec = 20000000};

    if (settings->progress == NULL) {
        while (flock(fd, LOCK_EX) != 0)
            if (errno != EINTR)
                return -errno;
        return 0;
    }
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        struct job_note note = {0};
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -errno;
        (void)!pread(fd, &note, sizeof note, 0);
        settings->progress(settings->progress_context, CACHE_WAITING, note.done, note.total);
        nanosleep(&pause, NULL);
    }
    return 0;
}

/* Whether the open file FD still has the name NAME. */
static bool has_name(const struct cache_directory *d, int fd, const char *name)
{
    struct stat open_file, named;
    return fstat(fd, &open_file) == 0 && fstatat(d->fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev;
}

/* Takes the lock. *ENDED: another job ended while we waited; its failure, if it had one, is returned. */
static int lock_job(struct job *job, const char *name, bool *ended, struct err *err)
{
    const struct cache_directory *d = job->entry->directory;
    struct job_note note = {0};
    int status;

    job->lock_fd = openat(d->fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (job->lock_fd < 0)
        return err_sys(err, "cannot write to the cache %s", d->path);
    status = wait_for_lock(job->lock_fd, job->settings);
    if (status != 0)
        return err_set(err, ENOLCK, "cannot lock a file of the cache %s: %s", d->path, strerror(-status));
    *ended = !has_name(d, job->lock_fd, name);
    if (!*ended)
        return ftruncate(job->lock_fd, 0) != 0 ? err_sys(err, "cannot write to the cache %s", d->path) : 0;
    if (pread(job->lock_fd, &note, sizeof note, 0) == (ssize_t)sizeof note && note.failure.code > 0) {
        note.failure.text[sizeof note.failure.text - 1] = 0;
        return err_set(err, note.failure.code, "%s", note.failure.text);
    }
    fd_close(&job->lock_fd);
    return 0;
}

bool job_is_modules_own(int status)
{
    return status == -EINVAL || status == -ENOTSUP || status == -E2BIG || status == -ENOMEM || status == -ETIME ||
           status == -EIO;
}

static void unlock_job(struct job *job, const char *name, int status, const struct err *err)
{
    struct job_note note = {0};

    if (job_is_modules_own(status)) {
        note.failure = *err;
        (void)!pwrite(job->lock_fd, &note, sizeof note, 0);
    }
    unlinkat(job->entry->directory->fd, name, 0);
    fd_close(&job->lock_fd);
}

int job_run(const struct cache_entry *e, int module_fd, const struct cache_settings *settings, int *artifact_fd,
            bool *was_cached, struct err *err)
{
    struct job job = {.entry = e, .settings = settings, .lock_fd = -1};
    char lock_name[ENTRY_NAME_BYTES + 8];
    struct err reason;
    bool ended = true;
    int status;

    snprintf(lock_name, sizeof lock_name, "%s.lock", e->name);
    while (ended) {
        status = lock_job(&job, lock_name, &ended, err);
        if (status == 0)
            *was_cached = entry_open(e, artifact_fd, &reason) == 0;
        if (status != 0 && job.lock_fd >= 0)
            fd_close(&job.lock_fd);
        if (status != 0 || (*was_cached && ended))
            return status;
    }
    if (!*was_cached)
        status = write_entry(&job, module_fd, err);
    unlock_job(&job, lock_name, status, err);
    if (status != 0 || *was_cached)
        return status;
    /* somebody may have replaced it already; nobody can replace one in memory */
    status = entry_open(e, artifact_fd, &reason);
    prune_after(e->directory, e->name);
    return status == 0 ? 0 : err_set(err, ENODEV, "an artifact just made cannot be used: %s", reason.text);
}
