/* See mount_cgroup.h. */
#include "oci/mount_cgroup.h"
#include "base/fd.h"
#include "oci/cgroup_file.h"
#include "oci/path.h"
#include "oci/sys.h"

/* Binds the host's DIRECTORY at PATH below AT with ENTRY's flags. */
static int bind_directory(const char *directory, bool tree, int at, const char *path, const struct mount_options *o,
                          struct err *e)
{
    cleanup_fd int source = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    cleanup_fd int target = path_make(at, path, PATH_MAKE_DIRECTORY, PATH_FOLLOW_LINKS, e);

    if (source < 0)
        return err_sys(e, "cannot open the cgroup %s", directory);
    if (target < 0)
        return target;
    cleanup_fd int mount = mount_bind(source, tree, at, path, target, e);
    return mount < 0 ? mount : mount_finish(mount, o, true, e);
}

/* "cpu" and "cpuacct" lead to "cpu,cpuacct". */
static int link_controllers(int at, const char *controllers, const char *name, struct err *e)
{
    for (const char *p = controllers; *p != 0;) {
        char word[NAME_MAX + 1];
        size_t len = strcspn(p, ",");
        snprintf(word, sizeof word, "%.*s", (int)len, p);
        if (len < sizeof word && strchr(word, '=') == NULL && strcmp(word, name) != 0 &&
            sys.symlinkat(name, at, word) < 0)
            return err_sys(e, "cannot link the controller %s", word);
        p += len + (p[len] == ',');
    }
    return 0;
}

static const char *name_of(const struct cgroup_hierarchy *h)
{
    return strrchr(h->mount_point, '/') + 1;
}

static const char *unified_directory(const struct cgroup *c, bool own_namespace)
{
    return own_namespace ? c->hierarchies[0].directory : c->hierarchies[0].mount_point;
}

static int mount_v1(int root, const struct mount_entry *m, const struct cgroup *c, struct err *e)
{
    const struct mount_options *o = m->options;
    cleanup_fd int target = path_make(root, m->destination, PATH_MAKE_DIRECTORY, PATH_FOLLOW_LINKS, e);
    int ret;

    if (target < 0)
        return target;
    ret = mount_filesystem("tmpfs", target, "tmpfs", o->flags & (MS_NOSUID | MS_NODEV | MS_NOEXEC), "mode=755", e);
    if (ret < 0)
        return ret;
    cleanup_fd int top = mount_reopen(root, m->destination, e);
    ret = top < 0 ? top : 0;
    for (unsigned i = 0; ret == 0 && i < c->count; i++) {
        const struct cgroup_hierarchy *h = &c->hierarchies[i];
        const char *name = name_of(h);
        ret = bind_directory(h->directory, false, top, name, o, e);
        if (ret == 0)
            ret = link_controllers(top, h->controllers, name, e);
    }
    if (ret == 0)
        ret = mount_change(top, o->flags & MS_RDONLY, 0, e);
    return ret;
}

int mount_cgroup(int root, const struct mount_entry *m, bool own_namespace, const struct cgroup *c, struct err *e)
{
    int ret = c->unified
                  ? bind_directory(unified_directory(c, own_namespace), true, root, m->destination, m->options, e)
                  : mount_v1(root, m, c, e);

    return ret < 0 ? err_prefix(e, "mount cgroup at '%s'", m->destination) : 0;
}

const char *mount_cgroup_bound(const struct cgroup *c, bool own_namespace, const char *destination, unsigned index,
                               char path[PATH_MAX])
{
    if (index >= (c->unified ? 1 : c->count))
        return NULL;
    if (c->unified) {
        snprintf(path, PATH_MAX, "%s", destination);
        return unified_directory(c, own_namespace);
    }
    if (snprintf(path, PATH_MAX, "%s/%s", destination, name_of(&c->hierarchies[index])) >= PATH_MAX)
        return NULL;
    return c->hierarchies[index].directory;
}
