/* Fuzzes what containerd answers the shim: HTTP/2 frames with gRPC messages in them, and, with another first byte, each
 * message by itself, and an image's index or manifest. A digest that does not fit ends the real way before those two. */
#include <poll.h>
#include <sys/socket.h>
#define poll(fds, count, timeout_ms) fuzz_poll(fds)
#define recv(fd, bytes, len, flags)  fuzz_recv(bytes, len)
static int fuzz_poll(void *fds);
static ssize_t fuzz_recv(void *bytes, size_t len);
#include "shim/grpc.c"
#include "shim/image.c"
#include "tests/fuzz/fuzz.h"

enum { PIECE_BYTES = 100 };

static const uint8_t *answer;
static size_t answer_left;

static int fuzz_poll(void *fds)
{
    return 1;
}

static ssize_t fuzz_recv(void *bytes, size_t len)
{
    if (len > answer_left)
        len = answer_left;
    if (len > PIECE_BYTES)
        len = PIECE_BYTES;
    memcpy(bytes, answer, len);
    answer += len;
    answer_left -= len;
    return (ssize_t)len;
}

static void call(const uint8_t *data, size_t size)
{
    static int null = -1;
    Containerd__IdRequest request = CONTAINERD__ID_REQUEST__INIT;
    struct grpc *g = calloc(1, sizeof *g);
    struct arena arena = {0};
    struct answer a = {.arena = &arena, .fd = -1};
    struct err e = {0};

    if (null < 0)
        null = open("/dev/null", O_RDWR | O_CLOEXEC);
    g->fd = dup(null);
    g->namespace = "k8s.io";
    answer = data;
    answer_left = size;
    if (session_make(g) != 0)
        abort();
    if (grpc_call(g, "/containerd.services.images.v1.Images/Get", &request.base, receive_image, &a, &e) != 0)
        assert(e.text[0] != 0);
    grpc_close(g);
    arena_free(&arena);
}

static void read_document(const uint8_t *data, size_t size)
{
    static const struct image_request request = {.entry = "/module.wasm", .by_title = true};
    struct lookup l = {.request = &request};
    const struct json *document, *list;
    const struct layer *layer;
    struct err e = {0};

    document = json_parse((const char *)data, size, &l.arena, &e);
    if (document != NULL && (list = json_get(document, "layers")) != NULL) {
        note_layers(&l, list);
        if (choose_layer(&l, &layer, &e) == 0)
            digest_is_good(layer->digest);
    }
    list = document != NULL ? json_get(document, "manifests") : NULL;
    for (const struct json *m = list != NULL ? list->first : NULL; m != NULL; m = m->next)
        platform_rank(m);
    arena_free(&l.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct answer a = {.arena = &arena, .limit = 1 << 16, .fd = -1};

    switch (size != 0 ? data[0] : 0) {
    case 'c': receive_container(&a, data + 1, size - 1); break;
    case 'i': receive_image(&a, data + 1, size - 1); break;
    case 'b': receive_blob(&a, data + 1, size - 1); break;
    case 'p': receive_plugins(&a, data + 1, size - 1); break;
    case '{': read_document(data, size); break;
    default: call(data, size);
    }
    buf_done(&a.data);
    arena_free(&arena);
    return 0;
}
