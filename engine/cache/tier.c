#include "engine/cache/tier.h"
#include "base/fd.h"
#include "engine/cache/fact.h"
#include "engine/cache/job.h"
#include "engine/cache/live.h"
#include "engine/gen/artifact.h"
#include "engine/worker_cgroup.h"
#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define SUFFIX ".want"

enum { WANT_NAME_BYTES = ENTRY_NAME_BYTES + sizeof SUFFIX };

/* --- asking --------------------------------------------------------------------------------------------------- */

/* Whether it has been found out that this baseline artifact's module cannot be optimized. Marking the artifact as used
 * changes its ctime, so that is left out. */
static bool is_refused(const struct cache_directory *d, const struct stat *artifact)
{
    char value[FACT_VALUE_BYTES];
    struct stat subject = *artifact;

    subject.st_ctim = (struct timespec){0};
    return fact_read(d, FACT_REFUSED, &subject, value);
}

static void refuse(const struct cache_directory *d, const struct stat *artifact)
{
    struct stat subject = *artifact;

    subject.st_ctim = (struct timespec){0};
    fact_write(d, FACT_REFUSED, &subject, "refused");
}

/* Under a name of this process's own first, so that it is whole when it has its name. */
static bool leave_module(const struct cache_entry *e, int module_fd)
{
    const struct cache_directory *d = e->directory;
    char name[WANT_NAME_BYTES], temporary[WANT_NAME_BYTES + 16];
    uint8_t digest[DIGEST_BYTES];
    cleanup_fd int fd = -1;
    uint64_t size_bytes;

    snprintf(name, sizeof name, "%s" SUFFIX, e->name);
    if (faccessat(d->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return true;
    snprintf(temporary, sizeof temporary, "%s.%d", name, (int)getpid());
    unlinkat(d->fd, temporary, 0); /* of one that died and had our pid */
    fd = openat(d->fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
    if (fd < 0)
        return false;
    if (digest_file(module_fd, fd, digest, &size_bytes) == 0 && memcmp(digest, e->key, sizeof digest) == 0 &&
        renameat(d->fd, temporary, d->fd, name) == 0)
        return true;
    unlinkat(d->fd, temporary, 0);
    return false;
}

static int open_lock(const struct cache_directory *d)
{
    return openat(d->fd, "optimize", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* Asked without taking it: whoever fails to take it relies on somebody who works. */
static bool is_locked(const struct cache_directory *d)
{
    cleanup_fd int fd = open_lock(d);
    struct flock lock = {.l_type = F_WRLCK};

    return fd < 0 || fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

static bool set_lock(int fd, short type)
{
    struct flock lock = {.l_type = type};
    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

/* Nothing of the caller's is kept: no descriptor, group, session, directory, signal mask or name, and it is the first to go
 * when memory is short. */
static void leave_caller(void)
{
    static const char worst[] = "1000";
    int null = open("/dev/null", O_RDWR), score;
    sigset_t none;

    for (int i = 0; i < 3; i++)
        dup2(null, i);
    fd_close_from(3);
    setsid();
    (void)!chdir("/");
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGHUP, SIG_IGN);
    prctl(PR_SET_NAME, "wherry-optimize");
    score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (score >= 0) {
        (void)!write(score, worst, sizeof worst - 1);
        close(score);
    }
    setpriority(PRIO_PROCESS, 0, 19);
    worker_cgroup_leave_callers();
}

/* Without an exit signal, and waited for by nobody: the caller's parent inherits it. Nothing is executed: what it runs is
 * in this program, and the program's file need not be found. */
static void make_process(const struct cache_directory *d, const struct cache_settings *caller)
{
    char directory[PATH_MAX], libexec[PATH_MAX]; /* which may be relative, and the directory is left */
    const struct cache_settings settings = {.directory = realpath(d->path, directory),
                                            .libexec =
                                                caller->libexec != NULL ? realpath(caller->libexec, libexec) : NULL,
                                            .background = true,
                                            .kept_private = true,
                                            .worker_memory_bytes = caller->worker_memory_bytes,
                                            .worker_cpu_seconds = caller->worker_cpu_seconds};
    struct err ignored;

    if (syscall(SYS_clone, 0, 0, 0, 0, 0) != 0)
        return;
    leave_caller();
    _exit(cache_optimize(&settings, NULL, &ignored) != 0);
}

void tier_request(const struct cache_entry *e, int artifact_fd, int module_fd, const struct cache_settings *settings,
                  int *live_fd)
{
    struct stat st;

    if (!cache_holds(artifact_fd) || fstat(artifact_fd, &st) != 0 || is_refused(e->directory, &st) ||
        !leave_module(e, module_fd))
        return;
    if (live_fd != NULL)
        *live_fd = live_open(e, artifact_fd);
    if (!is_locked(e->directory))
        make_process(e->directory, settings);
}

/* --- doing it ------------------------------------------------------------------------------------------------- */

static bool is_want(const char *name)
{
    return strlen(name) == WANT_NAME_BYTES - 2 && strcmp(name + ENTRY_NAME_BYTES - 1, SUFFIX) == 0;
}

/* The one that has waited longest. *COUNT: how many there are. */
static bool next_wanted(const struct cache_directory *d, char name[ENTRY_NAME_BYTES], unsigned *count)
{
    int fd = cache_directory_list(d);
    DIR *listing = fd < 0 ? NULL : fdopendir(fd);
    struct timespec oldest = {.tv_sec = INT64_MAX};

    *count = 0;
    if (listing == NULL)
        return false;
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        struct stat st;
        if (!is_want(entry->d_name) || fstatat(d->fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        ++*count;
        if (st.st_mtim.tv_sec > oldest.tv_sec ||
            (st.st_mtim.tv_sec == oldest.tv_sec && st.st_mtim.tv_nsec >= oldest.tv_nsec))
            continue;
        oldest = st.st_mtim;
        memcpy(name, entry->d_name, ENTRY_NAME_BYTES - 1);
        name[ENTRY_NAME_BYTES - 1] = 0;
    }
    closedir(listing);
    return *count != 0;
}

unsigned tier_wanted(const struct cache_directory *d, bool *working)
{
    char name[ENTRY_NAME_BYTES];
    unsigned count;

    *working = is_locked(d);
    return next_wanted(d, name, &count) ? count : 0;
}

/* What the optimized artifact is to be, from the header of the baseline one in FD. *BASELINE: that one's state. */
static bool describe(const struct cache_directory *d, int fd, struct cache_entry *e, struct stat *baseline)
{
    const struct artifact_identity any = {0};
    union artifact_page page;
    struct err why;

    if (fd < 0 || fstat(fd, baseline) != 0 || entry_odd_file(d, baseline) != NULL ||
        pread(fd, &page, sizeof page, 0) != (ssize_t)sizeof page ||
        artifact_check_header(&page.header, (uint64_t)baseline->st_size, &any, &why) != 0)
        return false;
    *e = (struct cache_entry){.directory = d,
                              .kept_private = true,
                              .options = {.compiler = ENGINE_OPTIMIZING,
                                          .features = page.header.features,
                                          .explicit_bounds_checks = page.header.explicit_bounds_checks != 0}};
    memcpy(e->key, page.header.key, sizeof e->key);
    entry_name(e);
    return true;
}

/* One module. Gone with the baseline artifact, or of another build: there is nothing to improve. */
static int optimize(const struct cache_directory *d, const char *name, const struct cache_settings *settings,
                    unsigned *made, struct err *err)
{
    char want[WANT_NAME_BYTES];
    cleanup_fd int baseline_fd = openat(d->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    cleanup_fd int module_fd = -1, artifact_fd = -1;
    struct cache_entry e;
    struct stat baseline;
    bool was_cached = false;
    int status = 0;

    snprintf(want, sizeof want, "%s" SUFFIX, name);
    if (describe(d, baseline_fd, &e, &baseline)) {
        module_fd = openat(d->fd, want, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        status = module_fd < 0 ? err_sys(err, "cannot open a module of the cache %s", d->path)
                               : job_run(&e, module_fd, settings, &artifact_fd, &was_cached, err);
        if (job_is_modules_own(status))
            refuse(d, &baseline);
        else if (status != 0 &&
                 status != -EAGAIN) /* that: what was left is not the module; the next start will do better */
            return status;
        *made += status == 0 && !was_cached;
        if (status == 0)
            live_publish(d, name, baseline_fd, artifact_fd);
    }
    live_remove(d, name);
    if (unlinkat(d->fd, want, 0) != 0 && errno != ENOENT)
        return err_sys(err, "cannot remove a module from the cache %s", d->path);
    return 0;
}

/* Whoever finds the lock taken goes away, and relies on its holder: so that one looks again once it is free. */
int cache_optimize(const struct cache_settings *settings, unsigned *made, struct err *err)
{
    char name[ENTRY_NAME_BYTES];
    struct cache_directory d;
    unsigned count, ignored = 0;
    int status = cache_directory_open(settings, false, &d, err), lock_fd;

    if (status != 0)
        return status;
    lock_fd = open_lock(&d);
    if (lock_fd < 0)
        status = err_sys(err, "cannot write to the cache %s", d.path);
    while (status == 0 && next_wanted(&d, name, &count) && set_lock(lock_fd, F_WRLCK)) {
        while (status == 0 && next_wanted(&d, name, &count))
            status = optimize(&d, name, settings, made != NULL ? made : &ignored, err);
        set_lock(lock_fd, F_UNLCK);
    }
    fd_close(&lock_fd);
    cache_directory_close(&d);
    return status;
}
