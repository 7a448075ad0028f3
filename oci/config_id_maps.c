/* Lists of id mappings: of the user namespace and of id-mapped mounts. The kernel answers a list that contradicts itself with
 * EINVAL only, so what is wrong with it is found here. */
#include "oci/config_reader.h"

enum { EXTENTS_MAX = 340 }; /* user_namespaces(7), since Linux 4.15 */

static bool ranges_overlap(uint64_t a, uint64_t b, const struct config_id_map *x, const struct config_id_map *y)
{
    return a < b + y->size && b < a + x->size;
}

static void check_map(struct config_reader *r, const struct json *node, const struct config_id_maps *maps)
{
    const struct config_id_map *map = &maps->data[node->index];

    if (map->size == 0)
        config_fail_key(r, node, "size", "it must not be 0");
    /* the largest number means "no id" to the kernel */
    if ((uint64_t)map->container_id + map->size > UINT32_MAX || (uint64_t)map->host_id + map->size > UINT32_MAX)
        config_fail_key(r, node, "size", "the range ends beyond the largest id");
    for (uint32_t i = 0; i < node->index; i++) {
        const struct config_id_map *other = &maps->data[i];
        if (ranges_overlap(map->container_id, other->container_id, map, other))
            config_fail_key(r, node, "containerID", "the range overlaps with an earlier one");
        else if (ranges_overlap(map->host_id, other->host_id, map, other))
            config_fail_key(r, node, "hostID", "the range overlaps with an earlier one");
    }
}

void config_read_id_maps(struct config_reader *r, const struct json *object, const char *key,
                         struct config_id_maps *out)
{
    const struct json *node =
        config_elements(r, object, key, JSON_ARRAY, JSON_OBJECT, sizeof *out->data, &out->data, &out->count);

    if (out->count > EXTENTS_MAX)
        config_fail_key(r, object, key, "the kernel takes at most 340 ranges");
    for (; node != NULL && !r->failed; node = node->next) {
        struct config_id_map *map = &out->data[node->index];
        map->container_id = (uint32_t)config_u64(r, node, "containerID", UINT32_MAX).value;
        map->host_id = (uint32_t)config_u64(r, node, "hostID", UINT32_MAX).value;
        map->size = (uint32_t)config_u64(r, node, "size", UINT32_MAX).value;
        check_map(r, node, out);
    }
}

static bool maps_root(const struct config_id_maps *maps)
{
    for (uint32_t i = 0; i < maps->count; i++)
        if (maps->data[i].container_id == 0)
            return true;
    return false;
}

void config_check_user_namespace(struct config_reader *r, const struct json *linux_node, const struct config *c)
{
    bool mapped = c->uid_mappings.count != 0 || c->gid_mappings.count != 0;

    if (mapped && !c->namespaces[NAMESPACE_USER].set)
        config_fail_key(r, linux_node, "uidMappings", "mappings need a user namespace in linux.namespaces");
    if (!mapped && !config_is_new_namespace(c, NAMESPACE_USER)) /* none, or joined with the mappings that it has */
        return;
    if (!maps_root(&c->uid_mappings)) /* who mounts what the container sees */
        config_fail_key(r, linux_node, "uidMappings", "a user namespace needs a mapping of containerID 0");
    if (!maps_root(&c->gid_mappings))
        config_fail_key(r, linux_node, "gidMappings", "a user namespace needs a mapping of containerID 0");
}
