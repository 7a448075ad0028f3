/* Which hierarchies this machine has and where the container's directory in each lies; see cgroup.h.
 *
 * /proc/self/cgroup lists the hierarchies with the caller's own place, /proc/self/mountinfo where each is mounted and
 * which part of it ("root": not "/" when the caller runs in a container without a cgroup namespace). */
#include "base/fd.h"
#include "oci/cgroup.h"
#include "oci/cgroup_file.h"
#include "oci/mountinfo.h"
#include "oci/path.h"
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

enum { PROC_FILE_MAX = 4 << 20 };

static char *read_proc(const char *path, struct arena *arena, struct err *e)
{
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct buf text = {0};
    char *copy = NULL;

    if (fd < 0 || fd_read_to_end(fd, &text, PROC_FILE_MAX) < 0)
        err_sys(e, "cannot read %s", path);
    else
        copy = arena_strndup(arena, (const char *)text.data, text.len);
    buf_done(&text);
    return copy;
}

static unsigned read_mounts(char *text, struct mountinfo *mounts, unsigned max)
{
    unsigned count = 0;

    for (char *line = text, *next; line != NULL && *line != 0 && count < max; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = 0;
        count += mountinfo_read(line, &mounts[count]) && strncmp(mounts[count].type, "cgroup", 6) == 0;
    }
    return count;
}

/* False for a mount that another one covers: mountinfo still lists it, but its path leads elsewhere. */
static bool is_visible(const struct mountinfo *m)
{
    struct statfs fs;
    long magic = strcmp(m->type, "cgroup2") == 0 ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC;

    return statfs(m->point, &fs) == 0 && (long)fs.f_type == magic;
}

static const struct mountinfo *find_mount(const struct mountinfo *mounts, unsigned count, const char *controllers,
                                          struct arena *arena)
{
    const char *first = arena_strndup(arena, controllers, strcspn(controllers, ","));

    for (unsigned i = 0; i < count; i++) {
        bool v2 = strcmp(mounts[i].type, "cgroup2") == 0;
        if ((first[0] == 0 ? v2 : !v2 && cgroup_list_has(mounts[i].options, first, ',')) && is_visible(&mounts[i]))
            return &mounts[i];
    }
    return NULL;
}

/* The caller's own place as seen below the mount: its path without the part above the mount's root. */
static const char *own_place(const struct mountinfo *m, const char *own)
{
    size_t len = strlen(m->root);

    if (strncmp(own, "/..", 3) == 0) /* outside our cgroup namespace: nothing that has a name here */
        return "";
    if (len > 1 && strncmp(own, m->root, len) == 0 && (own[len] == 0 || own[len] == '/'))
        return own + len;
    return strcmp(own, "/") == 0 ? "" : own;
}

static const char *container_place(const char *place, const char *path, const char *id, bool beside,
                                   struct arena *arena)
{
    size_t len = strlen(place);

    if (path != NULL && path[0] == '/') {
        char clean[PATH_MAX];
        return path_normalise(path, clean) < 0 ? path : arena_strdup(arena, clean);
    }
    if (beside && len > 0)
        while (len > 0 && place[--len] != '/')
            ;
    return arena_printf(arena, "%.*s/%s", (int)len, place, path != NULL && path[0] != 0 ? path : id);
}

static int check_path(const char *path, struct err *e)
{
    if (path == NULL || path[0] == 0)
        return 0;
    if (cgroup_list_has(path, "..", '/'))
        return err_set(e, EINVAL, "cgroupsPath '%s' may not contain '..'", path);
    if (path[strspn(path, "/.")] == 0)
        return err_set(e, EINVAL, "cgroupsPath '%s' is the root of the hierarchy", path);
    return 0;
}

/* One line of /proc/self/cgroup, "id:controllers:path", to one hierarchy, if it is mounted. */
static void add_hierarchy(struct cgroup *c, char *line, const struct mountinfo *mounts, unsigned count,
                          const char *cgroups_path, const char *id, struct arena *arena)
{
    char *controllers = strchr(line, ':'), *own = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    const struct mountinfo *m;

    if (own == NULL || c->count == CGROUP_HIERARCHIES_MAX)
        return;
    *own++ = 0;
    controllers++;
    m = find_mount(mounts, count, controllers, arena);
    if (m == NULL)
        return;
    const char *place = container_place(own_place(m, own), cgroups_path, id, c->unified, arena);
    c->hierarchies[c->count++] = (struct cgroup_hierarchy){
        .controllers = controllers, .mount_point = m->point, .directory = arena_printf(arena, "%s%s", m->point, place)};
}

bool cgroup_host_is_unified(void)
{
    struct statfs fs;
    return statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* The whole of v2 is mounted at its usual place: its root has the inode number 1, others of its directories have not. */
static bool is_whole(bool unified)
{
    struct stat st;
    return unified && stat("/sys/fs/cgroup", &st) == 0 && st.st_ino == 1;
}

/* The mounts of control groups, MAX at most. Of a WHOLE v2 the table of mounts is not read: it is long on a node full of pods. */
static bool find_mounts(bool whole, struct mountinfo *mounts, unsigned max, unsigned *count, struct arena *arena,
                        struct err *e)
{
    char *text;

    if (whole) {
        mounts[0] = (struct mountinfo){.type = "cgroup2", .root = "/", .point = "/sys/fs/cgroup"};
        *count = 1;
        return true;
    }
    text = read_proc("/proc/self/mountinfo", arena, e);
    if (text != NULL)
        *count = read_mounts(text, mounts, max);
    return text != NULL;
}

int cgroup_find(const char *cgroups_path, const char *id, struct arena *arena, struct cgroup *out, struct err *e)
{
    struct mountinfo mounts[CGROUP_HIERARCHIES_MAX * 2];
    struct cgroup c = {0};
    char *own;
    unsigned count;
    bool whole;
    int ret = check_path(cgroups_path, e);

    if (ret < 0)
        return ret;
    c.unified = cgroup_host_is_unified();
    whole = is_whole(c.unified);
    if (whole && cgroups_path != NULL && cgroups_path[0] == '/') /* then our own place does not matter */
        own = arena_strdup(arena, "0::/");
    else
        own = read_proc("/proc/self/cgroup", arena, e);
    if (own == NULL || !find_mounts(whole, mounts, sizeof mounts / sizeof mounts[0], &count, arena, e))
        return -e->code;
    for (char *line = own, *next; line != NULL && *line != 0; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = 0;
        if (c.unified && strncmp(line, "0::", 3) != 0) /* v1 hierarchies may exist beside, unmounted or elsewhere */
            continue;
        add_hierarchy(&c, line, mounts, count, cgroups_path, id, arena);
    }
    if (c.count == 0)
        return err_set(e, ENOENT, "no control groups are mounted below /sys/fs/cgroup");
    *out = c;
    return 0;
}

/* --- below the container's ------------------------------------------------------------------------------------------- */

/* True if a v1 hierarchy with these CONTROLLERS carries one that LIST names: LEN bytes, separated by commas. */
static bool carries(const char *controllers, const char *list, size_t len)
{
    char name[64];

    for (size_t at = 0, word; at < len; at += word + 1) {
        word = strcspn(list + at, ",:");
        snprintf(name, sizeof name, "%.*s", (int)word, list + at);
        if (cgroup_list_has(controllers, name, ','))
            return true;
    }
    return false;
}

int cgroup_enter_below(const struct cgroup *own, const char *sub, struct arena *arena, struct cgroup *out,
                       struct err *e)
{
    const char *colon = strchr(sub, ':'), *path = colon != NULL ? colon + 1 : sub;
    unsigned changed = 0;

    if (own->count == 0)
        return err_set(e, ENOTSUP, "--cgroup: the container has no cgroup of its own");
    if (cgroup_list_has(path, "..", '/'))
        return err_set(e, EINVAL, "--cgroup '%s': bad sub cgroup path: `..` components are not allowed", sub);
    if (own->unified && colon != NULL)
        return err_set(e, EINVAL, "--cgroup '%s': cgroup v2 has no hierarchies by controller", sub);
    path += strspn(path, "/");
    for (unsigned i = 0; i < own->count; i++) {
        struct cgroup_hierarchy *h = &out->hierarchies[i];
        if (colon != NULL && !carries(h->controllers, sub, (size_t)(colon - sub)))
            continue;
        h->directory = arena_printf(arena, "%s%s%s", own->hierarchies[i].directory, path[0] != 0 ? "/" : "", path);
        if (access(h->directory, F_OK) == 0) {
            changed++;
            continue;
        }
        if (colon != NULL || errno != ENOENT || own->unified)
            return err_sys(e, "--cgroup '%s': adding pid to the cgroup %s", sub, h->directory);
        h->directory = own->hierarchies[i].directory; /* a sub cgroup of some controllers only */
    }
    if (changed == 0 && colon == NULL)
        return err_set(e, ENOENT, "--cgroup '%s': adding pid to a cgroup that the container does not have: %s", sub,
                       strerror(ENOENT));
    return changed != 0 ? 0 : err_set(e, EINVAL, "--cgroup '%s': unknown controller for this container", sub);
}
