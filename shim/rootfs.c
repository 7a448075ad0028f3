/* See rootfs.h. */
#include "shim/rootfs.h"
#include "base/buf.h"
#include "base/fd.h"
#include "oci/mount_options.h"
#include "oci/sys.h"
#include "shim/rootfs_idmap.h"
#include <limits.h>
#include <sys/stat.h>

#define LAYERS "lowerdir="

size_t rootfs_common_directory(const char *layers)
{
    size_t common = strcspn(layers, ":");

    for (const char *layer = layers; *layer != 0;) {
        size_t len = strcspn(layer, ":"), same = 0;
        while (same < common && same < len && layer[same] == layers[same])
            same++;
        common = same;
        layer += len + (layer[len] == ':');
    }
    while (common != 0 && layers[common - 1] != '/')
        common--;
    return common;
}

/* The kernel takes one page of mount options, and an image may have more layers than their paths fit into it: they are then
 * named relative to the directory in which all of them lie, which becomes the working directory (this is a worker's own).
 * containerd's paths of layers contain no colons. */
static int layers_shorten(const Task__Mount *m, struct arena *arena, struct err *e)
{
    size_t total = 0, common;
    char **layers = NULL;
    struct buf shorter = {0};

    for (size_t i = 0; i < m->n_options; i++) {
        total += strlen(m->options[i]) + 1;
        if (strncmp(m->options[i], LAYERS, strlen(LAYERS)) == 0)
            layers = &m->options[i];
    }
    if (layers == NULL || total <= (size_t)sysconf(_SC_PAGESIZE))
        return 0;
    common = rootfs_common_directory(*layers + strlen(LAYERS));
    if (common == 0)
        return 0;
    if (chdir(arena_printf(arena, "%.*s", (int)common, *layers + strlen(LAYERS))) != 0)
        return err_sys(e, "cannot enter the directory of the image's layers");
    buf_put_str(&shorter, LAYERS);
    for (const char *layer = *layers + strlen(LAYERS); *layer != 0;) {
        size_t len = strcspn(layer, ":");
        len += layer[len] == ':';
        buf_put(&shorter, layer + common, len - common);
        layer += len;
    }
    *layers = arena_strdup(arena, buf_cstr(&shorter));
    buf_done(&shorter);
    return 0;
}

static int mount_one(const Task__Mount *m, const char *rootfs, struct arena *arena, struct err *e)
{
    const char *target = m->target[0] != 0 ? arena_printf(arena, "%s/%s", rootfs, m->target) : rootfs;
    struct mount_options options;
    bool bind = strcmp(m->type, "bind") == 0 || strcmp(m->type, "rbind") == 0;
    int error;

    error = layers_shorten(m, arena, e);
    if (error != 0)
        return error;
    error = mount_options_read((const char *const *)m->options, m->n_options, arena, &options, e);
    if (error != 0)
        return error;
    if (bind)
        options.flags |= MS_BIND;
    if (sys.mount(m->source, target, bind ? NULL : m->type, options.flags, options.data) != 0)
        return err_sys(e, "cannot mount the root file system: %s of %s at %s", m->type, m->source, target);
    /* a bind takes no other flag at first; a remount adds them (read-only, for views) */
    if (bind && (options.flags & ~(unsigned long)(MS_BIND | MS_REC)) != 0 &&
        sys.mount("", target, NULL, (options.flags & ~(unsigned long)MS_REC) | MS_REMOUNT, NULL) != 0)
        return err_sys(e, "cannot set the flags of the root file system at %s", target);
    for (unsigned i = 0; i < options.propagation_count; i++)
        if (sys.mount("", target, NULL, options.propagation[i], NULL) != 0)
            return err_sys(e, "cannot set the propagation of the root file system at %s", target);
    return 0;
}

int rootfs_mount(const Task__CreateRequest *create, struct arena *arena, struct err *e)
{
    const char *rootfs = arena_printf(arena, "%s/rootfs", create->bundle);
    int error = 0;

    if (create->n_rootfs != 0 && mkdir(rootfs, 0711) != 0 && errno != EEXIST)
        return err_sys(e, "cannot make %s", rootfs);
    for (size_t i = 0; i < create->n_rootfs && error == 0; i++) {
        bool staged;
        error = rootfs_idmap(create->rootfs[i], create->bundle, arena, &staged, e);
        if (error == 0)
            error = mount_one(create->rootfs[i], rootfs, arena, e);
        if (staged)
            rootfs_idmap_done(create->bundle);
    }
    if (chdir("/") != 0 && error == 0)
        error = err_sys(e, "cannot leave the directory of the image's layers");
    return error;
}

int rootfs_unmount(const char *bundle, struct err *e)
{
    char rootfs[PATH_MAX];

    if ((size_t)snprintf(rootfs, sizeof rootfs, "%s/rootfs", bundle) >= sizeof rootfs)
        return err_set(e, ENAMETOOLONG, "bundle %.100s...: the path is too long", bundle);
    /* several may lie on top of each other; EINVAL: none is left */
    while (sys.umount2(rootfs, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        ;
    if (errno != EINVAL && errno != ENOENT)
        return err_sys(e, "cannot unmount %s", rootfs);
    return 0;
}
