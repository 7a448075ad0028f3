/* The flat form of a struct grant, as it crosses the exec into `engine`.
 *
 * Fixed-width little-endian fields in the order of the struct; a string is its length with the NUL, then the bytes with
 * the NUL, so that the decoded grant points into the block. Length 0 stands for NULL. Both ends are the same build, but
 * the decoder trusts nothing: every count is bounded by the bytes that are left before anything is allocated for it. */
#include "wherry/grant.h"
#include "base/rd.h"

enum { GRANT_MAGIC = 0x746e7267, /* "grnt" */ GRANT_VERSION = 2 };

/* Least encoded sizes of an array's element: what bounds a count. */
enum { STRING_LEAST_BYTES = 4, PATH_LEAST_BYTES = 1 + 4 + 4 + 4 + 1, SOCKET_LEAST_BYTES = 4 + 4 };

static void put_string(struct buf *out, const char *s)
{
    size_t len = s != NULL ? strlen(s) + 1 : 0;

    assert(len <= UINT32_MAX);
    buf_put_u32(out, (uint32_t)len);
    buf_put(out, s, len);
}

static void put_strings(struct buf *out, const char *const *strings, uint32_t count)
{
    buf_put_u32(out, count);
    for (uint32_t i = 0; i < count; i++)
        put_string(out, strings[i]);
}

static void put_path(struct buf *out, const struct grant_path *path)
{
    buf_put_u8(out, (uint8_t)path->kind);
    put_string(out, path->guest_path);
    put_string(out, path->preopen_name);
    buf_put_u32(out, (uint32_t)path->fd);
    buf_put_u8(out, path->writable);
}

void grant_encode(const struct grant *grant, struct buf *out)
{
    buf_put_u32(out, GRANT_MAGIC);
    buf_put_u32(out, GRANT_VERSION);
    put_string(out, grant->module_name);
    put_strings(out, grant->args, grant->arg_count);
    put_strings(out, grant->environment, grant->environment_count);
    buf_put_u32(out, grant->path_count);
    for (uint32_t i = 0; i < grant->path_count; i++)
        put_path(out, &grant->paths[i]);
    buf_put_u32(out, grant->socket_count);
    for (uint32_t i = 0; i < grant->socket_count; i++) {
        buf_put_u32(out, (uint32_t)grant->sockets[i].fd);
        put_string(out, grant->sockets[i].name);
    }
    put_string(out, grant->working_directory);
    buf_put_u8(out, grant->network);
    buf_put_u64(out, grant->memory_max_bytes);
    buf_put_u64(out, grant->stack_bytes);
    buf_put_u32(out, (uint32_t)grant->reason_fd);
}

static const char *get_string(struct rd *r)
{
    uint32_t len = rd_u32(r);
    const char *s = len != 0 ? (const char *)rd_bytes(r, len) : NULL;

    if (s != NULL && memchr(s, 0, len) != s + len - 1) {
        rd_fail(r, "a string without its end");
        return NULL;
    }
    return s;
}

static const char *get_needed_string(struct rd *r)
{
    const char *s = get_string(r);
    if (s == NULL)
        rd_fail(r, "a string is missing");
    return s;
}

/* Reads the count of an array whose elements take at least LEAST_BYTES each and allocates the array. */
static void *get_array(struct rd *r, uint32_t *count, size_t least_bytes, size_t element_bytes)
{
    void *array;

    *count = rd_u32(r);
    if (*count > rd_left(r) / least_bytes) {
        rd_fail(r, "a count larger than the block");
        *count = 0;
    }
    array = calloc(*count != 0 ? *count : 1, element_bytes);
    if (array == NULL)
        out_of_memory();
    return array;
}

static const char *const *get_strings(struct rd *r, uint32_t *count)
{
    const char **strings = get_array(r, count, STRING_LEAST_BYTES, sizeof *strings);
    for (uint32_t i = 0; i < *count; i++)
        strings[i] = get_needed_string(r);
    return strings;
}

static int get_fd(struct rd *r)
{
    int fd = (int)rd_u32(r);
    if (fd < -1)
        rd_fail(r, "a negative descriptor");
    return fd;
}

static bool get_bool(struct rd *r)
{
    uint8_t byte = rd_u8(r);
    if (byte > 1)
        rd_fail(r, "a flag that is neither 0 nor 1");
    return byte == 1;
}

/* True for "/" and for "/a/b": absolute, no empty component, no "." or "..", no slash at the end. */
static bool is_normalised(const char *path)
{
    const char *p = path;

    if (strcmp(path, "/") == 0)
        return true;
    while (*p == '/') {
        size_t len = strcspn(++p, "/");
        if (len == 0 || (len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        p += len;
    }
    return p != path && *p == 0;
}

static void get_path(struct rd *r, struct grant_path *path)
{
    bool has_fd;

    path->kind = (enum grant_path_kind)rd_u8(r);
    path->guest_path = get_needed_string(r);
    path->preopen_name = get_string(r);
    path->fd = get_fd(r);
    path->writable = get_bool(r);
    if (r->fault != NULL)
        return;
    has_fd = path->kind == GRANT_DIRECTORY || path->kind == GRANT_FILE;
    if (path->kind < GRANT_DIRECTORY || path->kind > GRANT_HIDDEN)
        rd_fail(r, "an unknown kind of path");
    else if (has_fd != (path->fd >= 0))
        rd_fail(r, "a descriptor where the kind of path has none, or none where it has one");
    else if (!is_normalised(path->guest_path))
        rd_fail(r, "a guest path that is not absolute and normalised");
}

static void get_all(struct rd *r, struct grant *out)
{
    struct grant_path *paths;
    struct grant_socket *sockets;

    if (rd_u32(r) != GRANT_MAGIC || rd_u32(r) != GRANT_VERSION)
        rd_fail(r, "not a grant of this version");
    out->module_name = get_string(r);
    out->args = get_strings(r, &out->arg_count);
    out->environment = get_strings(r, &out->environment_count);
    out->paths = paths = get_array(r, &out->path_count, PATH_LEAST_BYTES, sizeof *paths);
    for (uint32_t i = 0; i < out->path_count; i++)
        get_path(r, &paths[i]);
    out->sockets = sockets = get_array(r, &out->socket_count, SOCKET_LEAST_BYTES, sizeof *sockets);
    for (uint32_t i = 0; i < out->socket_count; i++) {
        sockets[i].fd = get_fd(r);
        sockets[i].name = get_string(r);
    }
    out->working_directory = get_string(r);
    out->network = get_bool(r);
    out->memory_max_bytes = rd_u64(r);
    out->stack_bytes = rd_u64(r);
    out->reason_fd = get_fd(r);
    if (!rd_done(r))
        rd_fail(r, "bytes after its end");
}

int grant_decode(const void *bytes, size_t len, struct grant *out, struct err *err)
{
    struct rd r = rd_over(bytes, len);
    struct grant grant = {0};

    get_all(&r, &grant);
    if (r.fault != NULL) {
        grant_decoded_free(&grant);
        return err_set(err, EINVAL, "the block of grants is damaged at byte %zu: %s", r.fault_at, r.fault);
    }
    *out = grant;
    return 0;
}

void grant_decoded_free(struct grant *grant)
{
    free((void *)grant->args);
    free((void *)grant->environment);
    free((void *)grant->paths);
    free((void *)grant->sockets);
    *grant = (struct grant){0};
}
