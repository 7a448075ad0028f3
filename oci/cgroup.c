/* The life of a container's cgroups: made, joined, frozen, killed, removed. What differs between v1 and v2 beyond a file
 * name is in cgroup_v1.c and cgroup_v2.c. */
#include "oci/cgroup.h"
#include "base/fd.h"
#include "oci/cgroup_backend.h"
#include "oci/cgroup_file.h"
#include "oci/path.h"
#include "oci/rootless.h"
#include "oci/systemd.h"
#include <dirent.h>
#include <limits.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

enum {
    DEPTH_MAX = 128,
    REMOVE_TRIES = 50,
    REMOVE_WAIT_MS = 100, /* at most; begins at 1 */
    FREEZE_TRIES = 500,
    KILL_TRIES = 100,
};

static void sleep_ms(long ms)
{
    const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

const struct cgroup_hierarchy *cgroup_controller(const struct cgroup *c, const char *controller)
{
    for (unsigned i = 0; i < c->count; i++) {
        const char *list = c->hierarchies[i].controllers;
        if (c->unified || (controller[0] == 0 ? list[0] == 0 : cgroup_list_has(list, controller, ',')))
            return &c->hierarchies[i];
    }
    return NULL;
}

/* --- making -------------------------------------------------------------------------------------------------------- */

/* Removes DIRECTORY and its parents up to and including the one whose path is LEN bytes long. */
static void unmake(const char *directory, size_t len)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s", directory);
    while (strlen(path) >= len && rmdir(path) == 0)
        *strrchr(path, '/') = 0;
}

/* Makes DIRECTORY below its mount point, parents first. *MADE is the length of the first path that was not there, or 0. */
static int make_hierarchy(const struct cgroup_hierarchy *h, bool unified, size_t *made, struct err *e)
{
    bool cpuset = cgroup_list_has(h->controllers, "cpuset", ',');
    char path[PATH_MAX];
    int ret = 0;

    *made = 0;
    if (snprintf(path, sizeof path, "%s", h->directory) >= (int)sizeof path)
        return err_set(e, ENAMETOOLONG, "the cgroup path is too long: %s", h->directory);
    for (size_t end = strlen(h->mount_point); ret == 0 && h->directory[end] != 0;) {
        path[end] = 0;
        if (unified)
            cgroup_v2_enable(path);
        path[end] = '/';
        end += 1 + strcspn(h->directory + end + 1, "/");
        path[end] = 0;
        if (mkdir(path, 0755) == 0)
            *made = *made != 0 ? *made : end;
        else if (errno != EEXIST)
            ret = err_sys(e, "cannot make the cgroup %s", path);
        if (ret == 0 && cpuset)
            ret = cgroup_v1_seed_cpuset(path, e);
        path[end] = h->directory[end];
    }
    return ret;
}

static int check_empty(const struct cgroup_hierarchy *h, struct err *e)
{
    char text[64] = "";

    cgroup_read(h->directory, "cgroup.procs", text, sizeof text);
    if (text[0] != 0)
        return err_set(e, EBUSY, "container's cgroup is not empty: process %ld is in %s", atol(text), h->directory);
    return 0;
}

int cgroup_check_unused(const struct cgroup *c, struct err *e)
{
    bool any = false;
    int ret = 0;

    if (c->unit != NULL)
        return 0;
    for (unsigned i = 0; ret == 0 && i < c->count; i++) {
        bool there = access(c->hierarchies[i].directory, F_OK) == 0;
        any = any || there;
        ret = there ? check_empty(&c->hierarchies[i], e) : 0;
    }
    if (ret == 0 && any && cgroup_is_frozen(c))
        ret = err_set(e, EBUSY, "container's cgroup unexpectedly frozen: %s", c->hierarchies[0].directory);
    return ret;
}

int cgroup_create(const struct cgroup *c, struct err *e)
{
    size_t made[CGROUP_HIERARCHIES_MAX] = {0};
    unsigned count = 0;
    bool all_new = true;
    int ret = 0;

    if (c->unit != NULL && c->unified) /* systemd has made it, and alone writes to what is above it */
        return 0;
    for (; ret == 0 && count < c->count; count++) {
        ret = make_hierarchy(&c->hierarchies[count], c->unified, &made[count], e);
        all_new = all_new && made[count] != 0;
    }
    if (ret == 0 && !all_new)
        ret = cgroup_check_unused(c, e);
    while (ret < 0 && count-- > 0)
        if (made[count] != 0)
            unmake(c->hierarchies[count].directory, made[count]);
    return ret;
}

static int set_devices(const struct cgroup *c, const struct config_resources *r, struct err *e)
{
    return c->unified ? cgroup_v2_devices(c, r->devices, r->device_count, e)
                      : cgroup_v1_devices(c, r->devices, r->device_count, e);
}

static int set_all(const struct cgroup *c, const struct config_resources *r, bool devices, struct err *e)
{
    int ret = c->unified ? cgroup_v2_set(c, r, e) : cgroup_v1_set(c, r, e);

    return ret == 0 && devices ? set_devices(c, r, e) : ret;
}

int cgroup_set(const struct cgroup *c, const struct config_resources *r, struct err *e)
{
    int ret = 0;

    if (c->count == 0)
        return err_set(e, ENOTSUP, "the container has no cgroup of its own");
    if (c->unit != NULL) /* or systemd would put the old limits back whenever it looks at the unit again */
        ret = systemd_set(c->unit, r, c->unified, e);
    return ret == 0 ? set_all(c, r, r->device_count != 0, e) : ret;
}

/* Also without rules a container has only the usual devices. Setting them is the host root's right; where another cannot, a
 * container of his could not make a device node either. */
int cgroup_make_devices(const struct cgroup *c, const struct config_resources *r, struct err *e)
{
    int ret = c->count == 0 ? 0 : set_devices(c, r, e);
    return (ret == -EPERM || ret == -EACCES) && rootless() ? 0 : ret;
}

int cgroup_make(const struct cgroup *c, const struct config_resources *resources, struct err *e)
{
    int ret = cgroup_create(c, e);

    if (ret < 0)
        return ret;
    ret = set_all(c, resources, false, e);
    if (ret < 0)
        cgroup_remove(c, NULL);
    return ret;
}

/* --- joining ------------------------------------------------------------------------------------------------------- */

int cgroup_attach(const struct cgroup *c, pid_t pid, struct err *e)
{
    for (unsigned i = 0; i < c->count; i++) {
        int ret = cgroup_printf(c->hierarchies[i].directory, "cgroup.procs", e, "%d", (int)pid);
        if (ret < 0)
            return ret;
    }
    return 0;
}

int cgroup_clone_fd(const struct cgroup *c)
{
    return c->unified ? open(c->hierarchies[0].directory, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
}

/* --- freezing ------------------------------------------------------------------------------------------------------ */

static bool v1_state_is(const char *directory, const char *wanted)
{
    char state[16] = "";
    return cgroup_read(directory, "freezer.state", state, sizeof state) == 0 && strcmp(state, wanted) == 0;
}

/* A v1 cgroup may stay FREEZING while its processes fork or wait in the kernel: thawing for a moment lets them go on. */
static int v1_freeze(const char *directory, bool frozen, struct err *e)
{
    const char *wanted = frozen ? "FROZEN" : "THAWED";

    for (int i = 0; i < FREEZE_TRIES; i++) {
        int ret = 0;
        if (frozen && i % 50 == 49)
            ret = cgroup_write(directory, "freezer.state", "THAWED", e);
        if (ret == 0)
            ret = cgroup_write(directory, "freezer.state", wanted, e);
        if (ret < 0)
            return ret;
        if (v1_state_is(directory, wanted))
            return 0;
        sleep_ms(i < 10 ? 1 : 10);
    }
    cgroup_write(directory, "freezer.state", "THAWED", NULL);
    return err_set(e, EBUSY, "the processes of the container could not be frozen: %s stays FREEZING", directory);
}

static int v2_freeze(const char *directory, bool frozen, struct err *e)
{
    int ret = cgroup_write(directory, "cgroup.freeze", frozen ? "1" : "0", e);

    if (ret < 0)
        return ret;
    for (int i = 0; i < FREEZE_TRIES; i++) {
        if (cgroup_read_key(directory, "cgroup.events", "frozen") == frozen)
            return 0;
        sleep_ms(i < 10 ? 1 : 10);
    }
    cgroup_write(directory, "cgroup.freeze", "0", NULL);
    return err_set(e, EBUSY, "the processes of the container could not be frozen: %s", directory);
}

static const struct cgroup_hierarchy *v1_freezer(const struct cgroup *c)
{
    return c->unified ? NULL : cgroup_controller(c, "freezer");
}

int cgroup_freeze(const struct cgroup *c, bool frozen, struct err *e)
{
    const struct cgroup_hierarchy *v1 = v1_freezer(c), *v2 = cgroup_controller(c, "");

    if (v1 != NULL)
        return v1_freeze(v1->directory, frozen, e);
    if (v2 != NULL)
        return v2_freeze(v2->directory, frozen, e);
    return err_set(e, ENOTSUP, "this machine has no freezer cgroup");
}

bool cgroup_is_frozen(const struct cgroup *c)
{
    const struct cgroup_hierarchy *v1 = v1_freezer(c), *v2 = cgroup_controller(c, "");

    if (v1 != NULL)
        return v1_state_is(v1->directory, "FROZEN") || v1_state_is(v1->directory, "FREEZING");
    return v2 != NULL && (cgroup_read_u64(v2->directory, "cgroup.freeze") == 1 ||
                          cgroup_read_key(v2->directory, "cgroup.events", "frozen") == 1);
}

const char *cgroup_freezer_directory(const struct cgroup *c)
{
    const struct cgroup_hierarchy *h = v1_freezer(c) != NULL ? v1_freezer(c) : cgroup_controller(c, "");

    return h != NULL ? h->directory : NULL;
}

/* --- the processes ------------------------------------------------------------------------------------------------- */

struct pid_list {
    pid_t *pids;
    unsigned max, count;
};

static void read_processes(int directory, struct pid_list *list)
{
    cleanup_fd int fd = openat(directory, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    struct buf text = {0};

    /* a threaded v2 cgroup answers EOPNOTSUPP: its processes are listed in the domain above */
    if (fd >= 0 && fd_read_to_end(fd, &text, SIZE_MAX / 2) == 0) {
        for (const char *line = buf_cstr(&text); *line != 0; line += strcspn(line, "\n"), line += *line == '\n') {
            if (list->count < list->max)
                list->pids[list->count] = (pid_t)atol(line);
            list->count++;
        }
    }
    buf_done(&text);
}

static int list_processes(int directory, int depth, struct pid_list *list)
{
    DIR *dir = fdopendir(directory);
    int ret = 0;

    if (dir == NULL) {
        close(directory);
        return -errno;
    }
    read_processes(directory, list);
    for (struct dirent *d; ret == 0 && (d = readdir(dir)) != NULL;) {
        if (d->d_type != DT_DIR || d->d_name[0] == '.')
            continue;
        int child = openat(directory, d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child < 0)
            continue; /* removed meanwhile */
        if (depth == DEPTH_MAX) {
            close(child);
            ret = -ELOOP;
        } else
            ret = list_processes(child, depth + 1, list);
    }
    closedir(dir);
    return ret;
}

int cgroup_pids(const struct cgroup *c, pid_t *pids, unsigned max, struct err *e)
{
    const struct cgroup_hierarchy *h = v1_freezer(c) != NULL ? v1_freezer(c) : &c->hierarchies[0];
    struct pid_list list = {.pids = pids, .max = max};
    int fd, ret;

    if (c->count == 0)
        return 0;
    fd = open(h->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0;
    ret = fd < 0 ? -errno : list_processes(fd, 0, &list);
    if (ret < 0)
        return err_set(e, -ret, "cannot list the processes in %s: %s", h->directory, strerror(-ret));
    return (int)list.count;
}

/* Signals every process that is there now. Returns how many there were. */
static int signal_once(const struct cgroup *c, int signal, struct err *e)
{
    int count = cgroup_pids(c, NULL, 0, e), max = count + 64, listed;
    pid_t *pids;

    if (count <= 0)
        return count;
    pids = calloc((size_t)max, sizeof *pids);
    if (pids == NULL)
        return err_set(e, ENOMEM, "out of memory");
    listed = cgroup_pids(c, pids, (unsigned)max, e);
    for (int i = 0; i < listed && i < max; i++)
        if (pids[i] > 0) /* 0: a process of another pid namespace */
            kill(pids[i], signal);
    free(pids);
    return listed;
}

/* Frozen processes cannot fork away from the list; SIGKILL takes effect once they are thawed. */
static int kill_all(const struct cgroup *c, struct err *e)
{
    for (int i = 0; i < KILL_TRIES; i++) {
        bool frozen = cgroup_freeze(c, true, NULL) == 0;
        int count = signal_once(c, SIGKILL, e);
        if (frozen)
            cgroup_freeze(c, false, NULL);
        if (count <= 0)
            return count;
        sleep_ms(i < 10 ? 1 : 10);
    }
    return err_set(e, EBUSY, "processes of the container are still there after SIGKILL");
}

int cgroup_kill(const struct cgroup *c, int signal, struct err *e)
{
    const struct cgroup_hierarchy *v2 = cgroup_controller(c, "");

    if (signal != SIGKILL) {
        int ret = signal_once(c, signal, e);
        return ret < 0 ? ret : 0;
    }
    if (v2 != NULL && cgroup_has_file(v2->directory, "cgroup.kill")) { /* 5.14 */
        int ret = cgroup_write(v2->directory, "cgroup.kill", "1", e);
        if (ret < 0 || c->unified)
            return ret;
        cgroup_freeze(c, false, NULL); /* the v1 freezer of a hybrid machine holds even the dying */
    }
    return kill_all(c, e);
}

/* --- removing ------------------------------------------------------------------------------------------------------ */

/* The name of some directory in DIRECTORY. Returns 1, or 0 if there is none. */
static int first_child(int directory, char name[NAME_MAX + 1])
{
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), found = 0;
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (dir == NULL) {
        fd_close(&fd);
        return 0;
    }
    for (struct dirent *d; found == 0 && (d = readdir(dir)) != NULL;)
        if (d->d_type == DT_DIR && d->d_name[0] != '.') {
            snprintf(name, NAME_MAX + 1, "%s", d->d_name);
            found = 1;
        }
    closedir(dir);
    return found;
}

/* Removes what the container has made below its cgroup, deepest first, however deep: no recursion. */
static int remove_below(int top)
{
    char name[NAME_MAX + 1], next[NAME_MAX + 1];

    while (first_child(top, name)) {
        cleanup_fd int at = fcntl(top, F_DUPFD_CLOEXEC, 0);
        for (;;) {
            cleanup_fd int child = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (child < 0 || !first_child(child, next))
                break;
            fd_close(&at);
            at = fd_take(&child);
            memcpy(name, next, sizeof name);
        }
        if (unlinkat(at, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
            return -errno;
    }
    return 0;
}

/* Removing a mount point would detach it everywhere, so only a directory within a hierarchy qualifies: on a cgroup file
 * system, not its root (inode 1), not a mount point of our own namespace. */
static int check_removable(int fd, const char *directory, struct err *e)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_sys(e, "cannot stat the cgroup %s", directory);
    if (!path_on_fs(fd, CGROUP_SUPER_MAGIC) && !path_on_fs(fd, CGROUP2_SUPER_MAGIC))
        return err_set(e, EINVAL, "%s is not a cgroup", directory);
    if (st.st_ino == 1 || path_is_mount_root(fd) > 0)
        return err_set(e, EBUSY, "the cgroup %s is a mount point and stays", directory);
    return 0;
}

static int remove_hierarchy(const char *directory, int *tries, struct err *e)
{
    cleanup_fd int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int ret;

    if (fd < 0)
        return errno == ENOENT ? 0 : err_sys(e, "cannot open the cgroup %s", directory);
    ret = check_removable(fd, directory, e);
    if (ret < 0)
        return ret;
    for (int i = 0;; i++) {
        if (rmdir(directory) == 0 || errno == ENOENT)
            return 0;
        ret = -errno;
        if ((ret != -EBUSY && ret != -ENOTEMPTY) || --*tries < 0)
            break;
        if (i > 0) /* the first time there may only have been children in the way */
            sleep_ms(i < 7 ? 1 << i : REMOVE_WAIT_MS);
        ret = remove_below(fd);
        if (ret < 0 && ret != -EBUSY)
            break;
    }
    return err_set(e, -ret, "cannot remove the cgroup %s: %s", directory, strerror(-ret));
}

/* systemd removes a scope by itself when its last process is gone, and its cgroup with it. */
static bool unit_is_gone(const struct cgroup *c)
{
    const struct cgroup_hierarchy *h = cgroup_controller(c, c->unified ? "" : "name=systemd");
    return h != NULL && access(h->directory, F_OK) < 0;
}

int cgroup_remove(const struct cgroup *c, struct err *e)
{
    int ret = 0, tries = REMOVE_TRIES; /* shared: a process that stays is in all of them */

    if (c->unit != NULL && !unit_is_gone(c))
        ret = systemd_stop(c->unit, e);

    for (unsigned i = 0; i < c->count; i++) {
        int one = remove_hierarchy(c->hierarchies[i].directory, &tries, ret == 0 ? e : NULL);
        ret = ret == 0 ? one : ret;
    }
    return ret;
}

/* --- the state file, figures ---------------------------------------------------------------------------------------- */

void cgroup_encode(const struct cgroup *c, struct buf *out)
{
    for (unsigned i = 0; i < c->count; i++)
        buf_printf(out, "%s:%s\n", c->hierarchies[i].controllers, c->hierarchies[i].directory);
}

int cgroup_decode(const char *text, size_t len, struct arena *arena, struct cgroup *out, struct err *e)
{
    struct cgroup c = {0};
    char *line = arena_strndup(arena, text, len), *next;

    for (; *line != 0; line = next) {
        char *colon;
        next = line + strcspn(line, "\n");
        if (*next != 0)
            *next++ = 0;
        colon = strchr(line, ':');
        if (colon == NULL || colon[1] != '/' || cgroup_list_has(colon + 1, "..", '/') ||
            c.count == CGROUP_HIERARCHIES_MAX)
            return err_set(e, EINVAL, "damaged list of cgroups: '%s'", line);
        *colon = 0;
        c.hierarchies[c.count++] = (struct cgroup_hierarchy){.controllers = line, .directory = colon + 1};
    }
    c.unified = c.count == 1 && c.hierarchies[0].controllers[0] == 0;
    *out = c;
    return 0;
}

int cgroup_read_stats(const struct cgroup *c, struct cgroup_stats *out, struct err *e)
{
    memset(out, 0, sizeof *out);
    if (c->count == 0)
        return err_set(e, ENOTSUP, "the container has no cgroup of its own");
    if (access(c->hierarchies[0].directory, F_OK) < 0)
        return err_sys(e, "cannot read the cgroup %s", c->hierarchies[0].directory);
    if (c->unified)
        cgroup_v2_stats(c, out);
    else
        cgroup_v1_stats(c, out);
    return 0;
}
