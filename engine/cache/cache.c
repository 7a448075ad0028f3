/* The way of a start: which module (memo.h), is its artifact there and sound (entry.h), else make it (job.h). Where the
 * directory cannot be used, or not be written, or code not be mapped from it, the artifact is made in memory: the start
 * works, and costs what compiling costs. */
#include "base/fd.h"
#include "engine/cache/directory.h"
#include "engine/cache/entry.h"
#include "engine/cache/fact.h"
#include "engine/cache/job.h"
#include "engine/cache/memo.h"
#include "engine/cache/tier.h"

#define MODULE_BYTES_MAX (UINT64_C(1) << 30)

static bool cannot_be_kept(int status)
{
    return status == -EROFS || status == -EACCES || status == -EPERM || status == -ENOSPC || status == -EDQUOT ||
           status == -ENODEV || status == -ENOLCK;
}

static int open_or_make(struct cache_entry *e, int module_fd, const struct cache_settings *settings, int *artifact_fd,
                        bool *was_cached, struct err *err)
{
    int status = -ENODEV;

    *was_cached = false;
    if (e->directory != NULL && !settings->disabled) {
        status = entry_open(e, artifact_fd, err);
        *was_cached = status == 0;
        if (status == -ENOENT || status == -ESTALE)
            status = job_run(e, module_fd, settings, artifact_fd, was_cached, err);
    }
    if (cannot_be_kept(status))
        status = job_run_in_memory(e, module_fd, settings, artifact_fd, err);
    return status;
}

/* The optimized artifact where there is one that may be run; else the other, which is asked to be improved. */
static int open_best(struct cache_entry *e, int module_fd, const struct cache_settings *settings, int *artifact_fd,
                     int *live_fd, bool *was_cached, struct err *err)
{
    struct cache_entry optimized = *e;
    cleanup_fd int better_fd = -1;
    int status;

    if (e->directory == NULL || settings->disabled)
        return open_or_make(e, module_fd, settings, artifact_fd, was_cached, err);
    optimized.options.compiler = ENGINE_OPTIMIZING;
    entry_name(&optimized);
    *was_cached = entry_exists(&optimized) && entry_open(&optimized, artifact_fd, err) == 0;
    if (*was_cached)
        return 0;
    status = open_or_make(e, module_fd, settings, artifact_fd, was_cached, err);
    if (status != 0 || !settings->optimizes)
        return status;
    tier_request(e, *artifact_fd, module_fd, settings, live_fd);
    /* made in the meantime? Then nobody writes to the live file any more */
    if (live_fd != NULL && *live_fd >= 0 && entry_exists(&optimized) && entry_open(&optimized, &better_fd, err) == 0) {
        fd_close(live_fd);
        fd_close(artifact_fd);
        *artifact_fd = fd_take(&better_fd);
    }
    return 0;
}

/* F_GET_SEALS alone does not tell: a file on a tmpfs, which may be the cache's, has F_SEAL_SEAL (fcntl(2)). */
bool cache_holds(int artifact_fd)
{
    int seals = fcntl(artifact_fd, F_GET_SEALS);
    return seals < 0 || (seals & F_SEAL_WRITE) == 0;
}

void cache_expect(const struct cache_settings *settings)
{
    struct cache_directory directory;

    if (cache_directory_open(settings, false, &directory, NULL) == 0)
        cache_directory_close(&directory);
    (void)fact_boot();
    (void)engine_cpu_features(ENGINE_OPTIMIZING);
}

int cache_open_artifact(int module_fd, const struct engine_options *options, const struct cache_settings *settings,
                        int *artifact_fd, bool *was_cached, struct err *err)
{
    return cache_open_live(module_fd, options, settings, artifact_fd, NULL, was_cached, err);
}

int cache_open_live(int module_fd, const struct engine_options *options, const struct cache_settings *settings,
                    int *artifact_fd, int *live_fd, bool *was_cached, struct err *err)
{
    struct cache_directory directory;
    struct cache_entry e = {.options = engine_options_resolved(options),
                            .kept_private = settings->kept_private,
                            .mount_fd = settings->mount_fd};
    uint64_t size_bytes;
    bool ignored;
    int status = -EAGAIN;

    if (was_cached == NULL)
        was_cached = &ignored;
    if (cache_directory_open(settings, true, &directory, NULL) == 0)
        e.directory = &directory;
    /* the second time without the memo: it may be wrong about a file that changes in ways no clock shows */
    for (int attempt = 0; attempt < 2 && status == -EAGAIN; attempt++) {
        status =
            memo_digest(attempt == 0 ? e.directory : NULL, module_fd, settings->mounts_of, e.key, &size_bytes, err);
        if (status == 0 && size_bytes > MODULE_BYTES_MAX)
            status = err_set(err, EFBIG, "the module is larger than %llu bytes", (unsigned long long)MODULE_BYTES_MAX);
        if (status == 0 && settings->digest != NULL && memcmp(settings->digest, e.key, DIGEST_BYTES) != 0)
            status =
                err_set(err, EBADMSG, "the module is damaged: its bytes are not those of the digest it is named by");
        if (status != 0)
            break;
        entry_name(&e);
        status = options->compiler == 0 ? open_best(&e, module_fd, settings, artifact_fd, live_fd, was_cached, err)
                                        : open_or_make(&e, module_fd, settings, artifact_fd, was_cached, err);
    }
    if (e.directory != NULL)
        cache_directory_close(&directory);
    return status;
}
