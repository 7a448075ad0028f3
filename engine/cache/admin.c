/* What operators ask of the cache (contract: wherry/cache.h). */
#include "base/fd.h"
#include "engine/cache/prune.h"
#include "engine/cache/slot.h"
#include "engine/cache/tier.h"
#include "engine/gen/artifact.h"
#include "engine/worker_cgroup.h"
#include <stdio.h>
#include <sys/mman.h>
#include <sys/statvfs.h>

/* --- list ----------------------------------------------------------------------------------------------------- */

static bool body_is_intact(int fd, const struct stat *st)
{
    size_t len = (size_t)st->st_size;
    const struct artifact_header *header = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
    bool intact;

    if (header == MAP_FAILED)
        return false;
    intact = artifact_body_digest(header, len) == header->body_digest;
    munmap((void *)header, len);
    return intact;
}

/* Copies what the header says, if its checksum says that it says what was written. */
static const char *read_facts(const struct artifact_header *h, const struct stat *st, struct cache_item *item)
{
    const struct artifact_identity any = {0};
    struct err why;

    if (artifact_check_header(h, (uint64_t)st->st_size, &any, &why) == 0)
        item->state = (h->cpu_features & ~engine_cpu_features((enum engine_compiler)h->compiler)) != 0 ? CACHE_OTHER_CPU
                                                                                                       : CACHE_CURRENT;
    else if (memcmp(h->magic, "wherryAR", 8) == 0 &&
             (h->format != ARTIFACT_FORMAT || strncmp(h->build_id, engine_build_id, sizeof h->build_id) != 0)) {
        item->state = CACHE_OTHER_BUILD; /* whose header may be laid out otherwise: nothing more is read of it */
        return NULL;
    } else
        return "damaged";
    memcpy(item->module_digest, h->key, sizeof item->module_digest);
    item->module_bytes = h->module_bytes;
    item->options = (struct engine_options){.compiler = (enum engine_compiler)h->compiler,
                                            .features = h->features,
                                            .explicit_bounds_checks = h->explicit_bounds_checks != 0};
    return NULL;
}

static const char *examine(const struct cache_directory *d, const char *name, bool body, struct cache_item *item)
{
    cleanup_fd int fd = openat(d->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOATIME);
    union artifact_page page;
    const char *odd;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0)
        return "cannot be opened";
    if ((odd = entry_odd_file(d, &st)) != NULL)
        return odd;
    if (pread(fd, &page, sizeof page, 0) != (ssize_t)sizeof page)
        return "truncated";
    if ((odd = read_facts(&page.header, &st, item)) != NULL)
        return odd;
    if (body && item->state != CACHE_OTHER_BUILD && !body_is_intact(fd, &st))
        return "damaged in its body";
    return NULL;
}

int cache_list(const struct cache_settings *settings, bool bodies,
               void (*each)(void *context, const struct cache_item *item), void *context, struct err *err)
{
    struct cache_directory d;
    struct cache_files files;
    int status = cache_directory_open(settings, false, &d, err);

    if (status != 0)
        return status;
    status = prune_scan(&d, &files, err);
    for (size_t i = 0; status == 0 && i < files.files.len; i++) {
        const struct cache_file *file = &files.files.data[i];
        struct cache_item item = {.size_bytes = file->size_bytes,
                                  .last_used_s = file->last_used_s == INT64_MIN ? 0 : file->last_used_s};
        const char *why;
        snprintf(item.name, sizeof item.name, "%s", file->name);
        if ((why = examine(&d, file->name, bodies, &item)) != NULL) {
            item.state = CACHE_DAMAGED;
            snprintf(item.reason, sizeof item.reason, "%s", why);
        }
        each(context, &item);
    }
    vec_done(&files.files);
    cache_directory_close(&d);
    return status;
}

/* --- remove, prune, stat -------------------------------------------------------------------------------------- */

int cache_remove(const struct cache_settings *settings, const char *name, struct err *err)
{
    struct cache_directory d;
    int status = cache_directory_open(settings, false, &d, err);

    if (status != 0)
        return status;
    if (unlinkat(d.fd, name, 0) != 0 && errno != ENOENT)
        status = err_sys(err, "cannot remove %s from the cache %s", name, d.path);
    cache_directory_close(&d);
    return status;
}

int cache_prune(const struct cache_settings *settings, struct cache_prune *prune, struct err *err)
{
    struct cache_directory d;
    struct cache_files files;
    bool is_set;
    int status = cache_directory_open(settings, false, &d, err);

    if (status != 0)
        return status;
    if (prune->limit_bytes != UINT64_MAX)
        status = prune_set_limit(&d, prune->limit_bytes, err);
    if (status == 0)
        status = prune_scan(&d, &files, err);
    if (status == 0) {
        prune_to(&d, &files, prune->all ? 0 : prune_limit(&d, &is_set), NULL, &prune->removed, &prune->removed_bytes);
        vec_done(&files.files);
    }
    prune_leftovers(&d);
    cache_directory_close(&d);
    return status;
}

static void add_item(void *context, const struct cache_item *item)
{
    struct cache_totals *totals = context;

    totals->count++;
    totals->size_bytes += item->size_bytes;
    totals->other_build += item->state == CACHE_OTHER_BUILD;
}

int cache_stat(const struct cache_settings *settings, struct cache_totals *totals, struct err *err)
{
    struct worker_cgroup cgroup;
    struct cache_directory d;
    struct statvfs fs;
    int status = cache_directory_open(settings, false, &d, err);

    if (status != 0)
        return status;
    *totals = (struct cache_totals){.slots = slot_count(), .busy = slot_busy(&d)};
    snprintf(totals->path, sizeof totals->path, "%s", d.path);
    totals->limit_bytes = prune_limit(&d, &totals->limit_is_set);
    totals->wanted = tier_wanted(&d, &totals->optimizing);
    if (fstatvfs(d.fd, &fs) == 0)
        totals->free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    worker_cgroup_open(0, &cgroup);
    snprintf(totals->worker_cgroup, sizeof totals->worker_cgroup, "%s", cgroup.path);
    totals->worker_memory_bytes = cgroup.path[0] != 0 ? worker_cgroup_memory_bytes() : 0;
    worker_cgroup_close(&cgroup);
    cache_directory_close(&d);
    return cache_list(settings, false, add_item, totals, err);
}
