/* See group.h. */
#include "shim/group.h"
#include "oci/container.h"
#include "oci/state.h"
#include "shim/rootfs.h"
#include <dirent.h>

const char *const group_annotations[] = {"io.containerd.runc.v2.group", "io.kubernetes.cri.sandbox-id", NULL};

static const char *group_of(const struct config_pairs *annotations)
{
    for (const char *const *key = group_annotations; *key != NULL; key++)
        for (uint32_t i = 0; i < annotations->count; i++)
            if (strcmp(annotations->data[i].key, *key) == 0)
                return annotations->data[i].value;
    return NULL;
}

static void delete_if_member(const char *root, const char *id, const char *group)
{
    struct arena arena = {0};
    struct state state;
    struct err e = {0};
    const char *theirs;

    if (state_read(root, id, &arena, &state, &e) == 0) {
        theirs = group_of(&state.annotations);
        if (theirs != NULL && strcmp(theirs, group) == 0 && container_delete(root, id, true, &e) == 0)
            rootfs_unmount(state.bundle, &e);
    }
    arena_free(&arena);
}

void group_delete_others(const char *root, const char *group)
{
    DIR *states = opendir(root);
    const struct dirent *entry;

    while (states != NULL && (entry = readdir(states)) != NULL)
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, group) != 0)
            delete_if_member(root, entry->d_name, group);
    if (states != NULL)
        closedir(states);
}
