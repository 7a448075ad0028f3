/* See rootfs_idmap.h. */
#include "shim/rootfs_idmap.h"
#include "base/buf.h"
#include "base/fd.h"
#include "oci/sys.h"
#include "oci/userns.h"
#include "shim/rootfs.h"
#include <limits.h>
#include <sys/stat.h>

#define LAYERS "lowerdir="

static char *option_value(char *option, const char *key)
{
    size_t len = strlen(key);
    return strncmp(option, key, len) == 0 ? option + len : NULL;
}

/* Reads "CONTAINER:HOST:SIZE", several of them with commas between. */
static int maps_read(const char *text, struct arena *arena, struct config_id_maps *out, struct err *e)
{
    *out = (struct config_id_maps){.data = arena_array(arena, struct config_id_map, strlen(text) / 5 + 1)};
    for (const char *at = text; *at != 0;) {
        struct config_id_map *map = &out->data[out->count++];
        int len = 0;
        if (sscanf(at, "%u:%u:%u%n", &map->container_id, &map->host_id, &map->size, &len) != 3 || len == 0 ||
            (at[len] != 0 && at[len] != ','))
            return err_set(e, EINVAL, "the root file system's id mapping '%s' is not CONTAINER:HOST:SIZE", text);
        at += len + (at[len] == ',');
    }
    return 0;
}

/* Takes uidmap= and gidmap= out of M's options. *FOUND: how many there were. */
static int maps_take(Task__Mount *m, struct arena *arena, struct config_id_maps *uids, struct config_id_maps *gids,
                     int *found, struct err *e)
{
    size_t kept = 0;
    int error = 0;

    *found = 0;
    for (size_t i = 0; i < m->n_options && error == 0; i++) {
        const char *uid = option_value(m->options[i], "uidmap="), *gid = option_value(m->options[i], "gidmap=");
        if (uid == NULL && gid == NULL) {
            m->options[kept++] = m->options[i];
            continue;
        }
        error = maps_read(uid != NULL ? uid : gid, arena, uid != NULL ? uids : gids, e);
        (*found)++;
    }
    m->n_options = kept;
    return error;
}

/* A copy of the mount at SOURCE with the mapping of NAMESPACE, put at TARGET. */
static int mount_mapped(const char *source, int namespace, const char *target, struct err *e)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t) namespace};
    cleanup_fd int tree = (int)sys.open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

    if (tree < 0)
        return err_sys(e, "cannot open %s", source);
    if (sys.mount_setattr(tree, "", AT_EMPTY_PATH, &attr) != 0)
        return err_sys(e, "cannot id-map the image's layers at %s", source);
    if (mkdir(target, 0700) != 0 && errno != EEXIST)
        return err_sys(e, "cannot make %s", target);
    if (sys.move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) != 0)
        return err_sys(e, "cannot mount the image's layers at %s", target);
    return 0;
}

/* LAYERS "A:B" below the directory of COMMON characters become those below STAGE. */
static char *layers_restage(const char *layers, size_t common, const char *stage, struct arena *arena)
{
    struct buf out = {0};
    char *text;

    buf_put_str(&out, LAYERS);
    for (const char *layer = layers; *layer != 0;) {
        size_t len = strcspn(layer, ":");
        buf_printf(&out, "%s%s/%.*s", layer != layers ? ":" : "", stage, (int)(len - common), layer + common);
        layer += len + (layer[len] == ':');
    }
    text = arena_strdup(arena, buf_cstr(&out));
    buf_done(&out);
    return text;
}

static int stage_layers(Task__Mount *m, const char *stage, int namespace, struct arena *arena, struct err *e)
{
    for (size_t i = 0; i < m->n_options; i++) {
        const char *layers = option_value(m->options[i], LAYERS);
        size_t common = layers != NULL ? rootfs_common_directory(layers) : 0;
        int error;
        if (layers == NULL)
            continue;
        if (common == 0)
            return err_set(e, EINVAL, "the image's layers have no directory in common: they cannot be id-mapped");
        error = mount_mapped(arena_printf(arena, "%.*s", (int)common, layers), namespace, stage, e);
        if (error == 0)
            m->options[i] = layers_restage(layers, common, stage, arena);
        return error;
    }
    return err_set(e, EINVAL, "an overlay without lowerdir cannot be id-mapped");
}

int rootfs_idmap(Task__Mount *m, const char *bundle, struct arena *arena, bool *staged, struct err *e)
{
    const char *stage = arena_printf(arena, "%s/layers", bundle);
    struct config_id_maps uids = {0}, gids = {0};
    cleanup_fd int namespace = -1;
    int found, error = maps_take(m, arena, &uids, &gids, &found, e);

    *staged = false;
    if (error != 0 || found == 0)
        return error;
    if (found != 2 || uids.count == 0 || gids.count == 0)
        return err_set(e, EINVAL, "the root file system's mount needs uidmap= and gidmap=, one each");
    namespace = userns_make(&uids, &gids, e);
    if (namespace < 0)
        return namespace;
    *staged = true;
    if (strcmp(m->type, "overlay") == 0)
        return stage_layers(m, stage, namespace, arena, e);
    error = mount_mapped(m->source, namespace, stage, e);
    m->source = (char *)stage;
    return error;
}

void rootfs_idmap_done(const char *bundle)
{
    char stage[PATH_MAX];

    if ((size_t)snprintf(stage, sizeof stage, "%s/layers", bundle) >= sizeof stage)
        return;
    sys.umount2(stage, MNT_DETACH | UMOUNT_NOFOLLOW);
    rmdir(stage);
}
