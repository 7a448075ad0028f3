/* See image.h. The blob's file is opened where it lies: no copy, its pages are shared by all pods, and the cache of compiled
 * code remembers its digest by inode. Only if it cannot be reached is it read over the socket into memory. */
#include "shim/image.h"
#include "base/buf.h"
#include "base/fd.h"
#include "oci/json.h"
#include "shim/containerd.pb-c.h"
#include "shim/grpc.h"
#include <nettle/sha2.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { JSON_MAX = 4 << 20, MODULE_MAX = 512 << 20, LAYERS_MAX = 64, DEPTH_MAX = 4 };

struct layer {
    const char *digest, *title;
};

struct lookup {
    const struct image_request *request;
    struct grpc *grpc;
    struct arena arena;
    struct layer layers[LAYERS_MAX];
    unsigned layer_count;
};

bool image_is_wasm_layer(const char *media_type)
{
    size_t len = strlen(media_type);

    return strcmp(media_type, "application/wasm") == 0 || (len > 5 && strcmp(media_type + len - 5, "+wasm") == 0);
}

/* --- answers ---------------------------------------------------------------------------------------------------------- */

struct answer {
    struct arena *arena;
    const char *text;
    struct buf data;
    size_t limit;
    int fd;
};

static int receive_container(void *context, const uint8_t *message, size_t len)
{
    struct answer *a = context;
    Containerd__ContainerResponse *response = containerd__container_response__unpack(NULL, len, message);

    if (response == NULL)
        return -EPROTO;
    if (response->container != NULL)
        a->text = arena_strdup(a->arena, response->container->image);
    containerd__container_response__free_unpacked(response, NULL);
    return 0;
}

static int receive_image(void *context, const uint8_t *message, size_t len)
{
    struct answer *a = context;
    Containerd__ImageResponse *response = containerd__image_response__unpack(NULL, len, message);

    if (response == NULL)
        return -EPROTO;
    if (response->image != NULL && response->image->target != NULL)
        a->text = arena_strdup(a->arena, response->image->target->digest);
    containerd__image_response__free_unpacked(response, NULL);
    return 0;
}

static int receive_blob(void *context, const uint8_t *message, size_t len)
{
    struct answer *a = context;
    Containerd__ReadResponse *response = containerd__read_response__unpack(NULL, len, message);
    int error = 0;

    if (response == NULL)
        return -EPROTO;
    if (response->data.len > a->limit)
        error = -EFBIG;
    else if (a->fd < 0)
        buf_put(&a->data, response->data.data, response->data.len);
    else if (fd_write_all(a->fd, response->data.data, response->data.len) != 0)
        error = -errno;
    a->limit -= error == 0 ? response->data.len : 0;
    containerd__read_response__free_unpacked(response, NULL);
    return error;
}

static int receive_plugins(void *context, const uint8_t *message, size_t len)
{
    struct answer *a = context;
    Containerd__PluginsResponse *response = containerd__plugins_response__unpack(NULL, len, message);

    if (response == NULL)
        return -EPROTO;
    for (size_t i = 0; i < response->n_plugins; i++)
        for (size_t j = 0; j < response->plugins[i]->n_exports; j++)
            if (strcmp(response->plugins[i]->exports[j]->key, "root") == 0)
                a->text = arena_strdup(a->arena, response->plugins[i]->exports[j]->value);
    containerd__plugins_response__free_unpacked(response, NULL);
    return 0;
}

/* --- from the container to its layers ----------------------------------------------------------------------------------- */

static int find_image(struct lookup *l, const char **digest, struct err *e)
{
    Containerd__IdRequest request = CONTAINERD__ID_REQUEST__INIT;
    struct answer a = {.arena = &l->arena, .text = l->request->image, .fd = -1};
    int error = 0;

    if (a.text == NULL) {
        request.id = (char *)l->request->container;
        error = grpc_call(l->grpc, "/containerd.services.containers.v1.Containers/Get", &request.base,
                          receive_container, &a, e);
    }
    if (error != 0 || a.text == NULL || a.text[0] == 0) { /* made without an image: `ctr run --rootfs` */
        *digest = NULL;
        return error == -ENOENT ? 0 : error;
    }
    request.id = (char *)a.text;
    a.text = NULL;
    error = grpc_call(l->grpc, "/containerd.services.images.v1.Images/Get", &request.base, receive_image, &a, e);
    *digest = a.text;
    return error;
}

/* A digest is used as a file name. */
static bool digest_is_good(const char *digest)
{
    return strncmp(digest, "sha256:", 7) == 0 && strlen(digest) == 71 && strspn(digest + 7, "0123456789abcdef") == 64;
}

static int check_digest(const char *digest, const uint8_t computed[SHA256_DIGEST_SIZE], struct err *e)
{
    char text[72] = "sha256:";

    for (int i = 0; i < SHA256_DIGEST_SIZE; i++)
        snprintf(text + 7 + 2 * i, 3, "%02x", computed[i]);
    if (strcmp(text, digest) != 0)
        return err_set(e, EBADMSG, "the content store is damaged: blob %s has the digest %s", digest, text);
    return 0;
}

static int read_json(struct lookup *l, const char *digest, const struct json **out, struct err *e)
{
    Containerd__ReadRequest request = CONTAINERD__READ_REQUEST__INIT;
    struct answer a = {.limit = JSON_MAX, .fd = -1};
    uint8_t computed[SHA256_DIGEST_SIZE];
    struct sha256_ctx hash;
    int error;

    if (!digest_is_good(digest))
        return err_set(e, EINVAL, "the image names a blob %s, which is not a SHA-256 digest", digest);
    request.digest = (char *)digest;
    error = grpc_call(l->grpc, "/containerd.services.content.v1.Content/Read", &request.base, receive_blob, &a, e);
    if (error == 0) {
        sha256_init(&hash);
        sha256_update(&hash, a.data.len, a.data.data);
        sha256_digest(&hash, sizeof computed, computed);
        error = check_digest(digest, computed, e);
    }
    if (error == 0) {
        *out = json_parse((const char *)a.data.data, a.data.len, &l->arena, e);
        error = *out != NULL ? 0 : err_prefix(e, "image: blob %s", digest);
    }
    buf_done(&a.data);
    return error;
}

static const char *string_of(const struct json *object, const char *key)
{
    const struct json *value = json_get(object, key);
    return value != NULL && value->type == JSON_STRING ? value->text : "";
}

/* How well a manifest of an index suits: a Wasm platform is better than ours, and that better than any other. */
static int platform_rank(const struct json *descriptor)
{
    const struct json *platform = json_get(descriptor, "platform");
    const char *os = platform != NULL ? string_of(platform, "os") : "";
    const char *architecture = platform != NULL ? string_of(platform, "architecture") : "";

    if (strcmp(architecture, "wasm") == 0 || strncmp(os, "wasi", 4) == 0)
        return 2;
    return strcmp(os, "linux") == 0 && strcmp(architecture, "amd64") == 0 ? 1 : 0;
}

static void note_layers(struct lookup *l, const struct json *layers)
{
    for (const struct json *layer = layers->first; layer != NULL && l->layer_count < LAYERS_MAX; layer = layer->next) {
        const struct json *annotations = json_get(layer, "annotations");
        if (!image_is_wasm_layer(string_of(layer, "mediaType")))
            continue;
        l->layers[l->layer_count].digest = string_of(layer, "digest");
        l->layers[l->layer_count].title =
            annotations != NULL ? string_of(annotations, "org.opencontainers.image.title") : "";
        l->layer_count++;
    }
}

/* Follows indexes down to a manifest. */
static int find_layers(struct lookup *l, const char *digest, struct err *e)
{
    for (int depth = 0; depth < DEPTH_MAX; depth++) {
        const struct json *document, *layers, *manifests, *best = NULL;
        int error = read_json(l, digest, &document, e);
        if (error != 0)
            return error;
        layers = json_get(document, "layers");
        if (layers != NULL) {
            note_layers(l, layers);
            return 0;
        }
        manifests = json_get(document, "manifests");
        for (const struct json *m = manifests != NULL ? manifests->first : NULL; m != NULL; m = m->next)
            if (best == NULL || platform_rank(m) > platform_rank(best))
                best = m;
        if (best == NULL)
            return err_set(e, EINVAL, "image: blob %s is neither a manifest nor an index", digest);
        digest = string_of(best, "digest");
    }
    return err_set(e, ELOOP, "image: its indexes are nested too deeply");
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static int choose_layer(const struct lookup *l, const struct layer **out, struct err *e)
{
    const char *wanted = base_name(l->request->entry);
    struct buf titles = {0};

    *out = l->layer_count == 1 && !l->request->by_title ? &l->layers[0] : NULL;
    for (unsigned i = 0; *out == NULL && i < l->layer_count; i++) {
        if (strcmp(base_name(l->layers[i].title), wanted) == 0)
            *out = &l->layers[i];
        buf_printf(&titles, " %s", l->layers[i].title[0] != 0 ? l->layers[i].title : "(no title)");
    }
    if (*out == NULL)
        err_set(e, ENOENT, "exec: \"%s\": no such program, and none of the image's Wasm layers has this title:%s",
                l->request->entry, buf_cstr(&titles));
    buf_done(&titles);
    return *out != NULL ? 0 : -ENOENT;
}

/* --- the module's bytes --------------------------------------------------------------------------------------------------- */

/* The file of the content store, if it is on this machine and we may read it; else -1. */
static int open_in_store(struct lookup *l, const char *digest)
{
    Containerd__PluginsRequest request = CONTAINERD__PLUGINS_REQUEST__INIT;
    struct answer a = {.arena = &l->arena, .fd = -1};
    char *filter = (char *)"type==io.containerd.content.v1", *path;
    struct stat st;
    struct err ignored;

    request.n_filters = 1;
    request.filters = &filter;
    if (grpc_call(l->grpc, "/containerd.services.introspection.v1.Introspection/Plugins", &request.base,
                  receive_plugins, &a, &ignored) != 0 ||
        a.text == NULL)
        return -1;
    path = arena_printf(&l->arena, "%s/blobs/sha256/%s", a.text, digest + 7);
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? fd_take(&fd) : -1;
}

static int read_into_memory(struct lookup *l, const char *digest, struct err *e)
{
    Containerd__ReadRequest request = CONTAINERD__READ_REQUEST__INIT;
    cleanup_fd int fd = memfd_create("wherry-module", MFD_CLOEXEC);
    struct answer a = {.limit = MODULE_MAX, .fd = fd};
    int error;

    if (fd < 0)
        return err_sys(e, "cannot make a place for the module");
    request.digest = (char *)digest;
    error = grpc_call(l->grpc, "/containerd.services.content.v1.Content/Read", &request.base, receive_blob, &a, e);
    return error != 0 ? error : fd_take(&fd);
}

static int open_layer(struct lookup *l, const char *digest, int *out, struct err *e)
{
    cleanup_fd int fd = -1;

    if (!digest_is_good(digest))
        return err_set(e, EINVAL, "the image names a layer %s, which is not a SHA-256 digest", digest);
    fd = open_in_store(l, digest);
    if (fd < 0)
        fd = read_into_memory(l, digest, e);
    if (fd < 0)
        return fd;
    *out = fd_take(&fd);
    return 0;
}

/* TEXT is a good digest. */
static void digest_decode(const char *text, uint8_t out[IMAGE_DIGEST_BYTES])
{
    for (int i = 0; i < IMAGE_DIGEST_BYTES; i++) {
        char hex[3] = {text[7 + 2 * i], text[8 + 2 * i], 0};
        out[i] = (uint8_t)strtoul(hex, NULL, 16);
    }
}

int image_open_module(const struct image_request *request, int *fd, uint8_t module_digest[IMAGE_DIGEST_BYTES],
                      struct err *e)
{
    struct lookup l = {.request = request};
    const struct layer *layer;
    const char *digest = NULL;
    int error = grpc_open(request->address, request->namespace, &l.grpc, e);

    *fd = -1;
    if (error == 0)
        error = find_image(&l, &digest, e);
    if (error == 0 && digest != NULL)
        error = find_layers(&l, digest, e);
    if (error == 0 && l.layer_count != 0) {
        error = choose_layer(&l, &layer, e);
        if (error == 0)
            error = open_layer(&l, layer->digest, fd, e);
        if (error == 0)
            digest_decode(layer->digest, module_digest);
    }
    grpc_close(l.grpc);
    arena_free(&l.arena);
    return error;
}
