/* One source of bytes on top of another: a file, a member of an archive in it, what is compressed in that ... What a source holds is
 * decided by its first bytes. */
#include "oci/image_modules.h"
#include "base/fd.h"
#include "wherry/engine.h"
#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <zlib.h>

enum {
    CHUNK_BYTES = 65536,
    HEAD_BYTES = 512,  /* that tell what a source is */
    BLOCK_BYTES = 512, /* of tar */
    NAME_BYTES = 256,
    DEPTH_MAX = 6, /* image, layer, module, and compressions between */
};
#define MODULE_BYTES_MAX (UINT64_C(1) << 30)

struct source {
    ssize_t (*read)(struct source *s, void *bytes, size_t len, struct err *e); /* 0 at the end; a negative errno */
    uint8_t head[HEAD_BYTES];                                                  /* looked at already, and not read yet */
    size_t head_at, head_len;
};

struct search {
    image_module_found *found;
    void *context;
    const char *path;
    unsigned depth;
};

static int search_source(struct search *search, struct source *s, const char *name, struct err *e);

/* --- sources ----------------------------------------------------------------------------------------------------- */

/* Reads LEN bytes or up to the end. */
static ssize_t source_read(struct source *s, void *bytes, size_t len, struct err *e)
{
    uint8_t *to = bytes;
    size_t got = 0;

    while (got < len) {
        size_t looked_at = s->head_len - s->head_at, part = len - got < looked_at ? len - got : looked_at;
        ssize_t n = (ssize_t)part;
        if (part != 0) {
            memcpy(to + got, s->head + s->head_at, part);
            s->head_at += part;
        } else if ((n = s->read(s, to + got, len - got, e)) <= 0) {
            return n < 0 ? n : (ssize_t)got;
        }
        got += (size_t)n;
    }
    return (ssize_t)got;
}

/* Fills the head of a source that has not been read yet. */
static int source_look(struct source *s, struct err *e)
{
    uint8_t head[HEAD_BYTES];
    ssize_t len = source_read(s, head, sizeof head, e);

    if (len < 0)
        return (int)len;
    memcpy(s->head, head, (size_t)len);
    s->head_at = 0;
    s->head_len = (size_t)len;
    return 0;
}

struct file_source {
    struct source source;
    int fd;
};

static ssize_t file_read(struct source *s, void *bytes, size_t len, struct err *e)
{
    ssize_t n = read(((struct file_source *)s)->fd, bytes, len);
    return n < 0 ? err_sys(e, "cannot read") : n;
}

struct member_source {
    struct source source;
    struct source *archive;
    uint64_t left;
};

static ssize_t member_read(struct source *s, void *bytes, size_t len, struct err *e)
{
    struct member_source *m = (struct member_source *)s;
    ssize_t n = source_read(m->archive, bytes, len < m->left ? len : (size_t)m->left, e);

    if (n == 0 && m->left != 0 && len != 0)
        return err_set(e, EINVAL, "the archive is truncated");
    if (n > 0)
        m->left -= (uint64_t)n;
    return n;
}

struct inflate_source {
    struct source source;
    struct source *from;
    z_stream z;
    bool ended;
    uint8_t in[CHUNK_BYTES];
};

static ssize_t inflate_read(struct source *s, void *bytes, size_t len, struct err *e)
{
    struct inflate_source *i = (struct inflate_source *)s;

    i->z.next_out = bytes;
    i->z.avail_out = (uInt)len;
    while (i->z.avail_out == len && !i->ended) {
        int result;
        if (i->z.avail_in == 0) {
            ssize_t n = source_read(i->from, i->in, sizeof i->in, e);
            if (n < 0)
                return n;
            if (n == 0)
                return err_set(e, EINVAL, "the compressed data is truncated");
            i->z.next_in = i->in;
            i->z.avail_in = (uInt)n;
        }
        result = inflate(&i->z, Z_NO_FLUSH);
        i->ended = result == Z_STREAM_END;
        if (result != Z_OK && result != Z_STREAM_END)
            return err_set(e, EINVAL, "the compressed data is damaged");
    }
    return (ssize_t)(len - i->z.avail_out);
}

/* --- what a source may hold --------------------------------------------------------------------------------------- */

static int take_module(struct search *search, struct source *s, const char *name, struct err *e)
{
    static uint8_t chunk[CHUNK_BYTES];
    cleanup_fd int fd = memfd_create("module", MFD_CLOEXEC);
    uint64_t size_bytes = 0;
    ssize_t n;

    if (fd < 0)
        return err_sys(e, "cannot create a file in memory");
    while ((n = source_read(s, chunk, sizeof chunk, e)) > 0) {
        size_bytes += (uint64_t)n;
        if (size_bytes > MODULE_BYTES_MAX)
            return err_set(e, EFBIG, "%s: the module is larger than 1 GiB", name);
        if (fd_write_all(fd, chunk, (size_t)n) != 0)
            return err_sys(e, "cannot copy the module");
    }
    return n < 0 ? (int)n : search->found(search->context, name, fd, e);
}

static int search_compressed(struct search *search, struct source *s, const char *name, struct err *e)
{
    struct inflate_source *i = calloc(1, sizeof *i);
    int ret;

    if (i == NULL || inflateInit2(&i->z, 15 + 16) != Z_OK) { /* 16: gzip's own header */
        free(i);
        return err_set(e, ENOMEM, "out of memory");
    }
    i->source.read = inflate_read;
    i->from = s;
    ret = search_source(search, &i->source, name, e);
    inflateEnd(&i->z);
    free(i);
    return ret;
}

/* A number of a tar header: octal digits, or, with the top bit set, a big-endian one. */
static bool tar_number(const uint8_t *field, size_t len, uint64_t *out)
{
    *out = 0;
    if (field[0] & 0x80) {
        for (size_t i = len - 8; i < len; i++)
            *out = *out << 8 | field[i];
        for (size_t i = 1; i < len - 8; i++)
            if (field[i] != 0)
                return false;
        return field[0] == 0x80 && *out <= INT64_MAX;
    }
    for (size_t i = 0; i < len && field[i] != 0 && field[i] != ' '; i++) {
        if (field[i] < '0' || field[i] > '7')
            return false;
        *out = *out << 3 | (uint64_t)(field[i] - '0');
    }
    return true;
}

static bool is_zero(const uint8_t *block)
{
    for (int i = 0; i < BLOCK_BYTES; i++)
        if (block[i] != 0)
            return false;
    return true;
}

static int skip(struct source *s, uint64_t len, struct err *e)
{
    static uint8_t chunk[CHUNK_BYTES];

    while (len != 0) {
        ssize_t n = source_read(s, chunk, len < sizeof chunk ? (size_t)len : sizeof chunk, e);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return err_set(e, EINVAL, "the archive is truncated");
        len -= (uint64_t)n;
    }
    return 0;
}

/* A name for people: printable, and the end of it where it is long. */
static void member_name(char out[NAME_BYTES], const char *archive, const uint8_t *header)
{
    char name[101];
    size_t archive_len = strlen(archive);

    memcpy(name, header, 100);
    name[100] = 0;
    for (char *c = name; *c != 0; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    if (archive_len > NAME_BYTES - 110)
        archive += archive_len - (NAME_BYTES - 110);
    snprintf(out, NAME_BYTES, "%s:%s", archive, name);
}

static int search_archive(struct search *search, struct source *s, const char *name, struct err *e)
{
    uint8_t block[BLOCK_BYTES];
    char inner[NAME_BYTES];
    ssize_t n;
    int ret = 0;

    while (ret == 0 && (n = source_read(s, block, sizeof block, e)) == BLOCK_BYTES && !is_zero(block)) {
        struct member_source member = {.source.read = member_read, .archive = s};
        uint64_t padding;
        if (memcmp(block + 257, "ustar", 5) != 0 || !tar_number(block + 124, 12, &member.left))
            return err_set(e, EINVAL, "%s: the archive is damaged", name);
        padding = -member.left & (BLOCK_BYTES - 1);
        member_name(inner, name, block);
        if (block[156] == '0' || block[156] == 0) /* a regular file */
            ret = search_source(search, &member.source, inner, e);
        if (ret == 0)
            ret = skip(s, member.left + padding, e);
    }
    return ret != 0 || n >= 0 ? ret : (int)n;
}

static int search_source(struct search *search, struct source *s, const char *name, struct err *e)
{
    int ret = source_look(s, e);

    if (ret != 0)
        return ret;
    if (engine_detect(s->head, s->head_len) == ENGINE_MODULE)
        return take_module(search, s, name, e);
    if (search->depth == DEPTH_MAX)
        return 0;
    search->depth++;
    if (s->head_len >= 2 && s->head[0] == 0x1f && s->head[1] == 0x8b)
        ret = search_compressed(search, s, name, e);
    else if (s->head_len >= 4 && memcmp(s->head, "\x28\xb5\x2f\xfd", 4) == 0)
        ret = err_set(e, ENOTSUP, "%s: layers compressed with zstd are not supported yet (gzip ones are)", name);
    else if (s->head_len == HEAD_BYTES && memcmp(s->head + 257, "ustar", 5) == 0)
        ret = search_archive(search, s, name, e);
    search->depth--;
    return ret;
}

/* --- the outside ------------------------------------------------------------------------------------------------- */

static int search_file(struct search *search, int directory, const char *file, const char *name, struct err *e)
{
    struct file_source source = {.source.read = file_read};
    cleanup_fd int fd = openat(directory, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    int ret;

    if (fd < 0 || fstat(fd, &st) != 0)
        return err_sys(e, "%s", name);
    if (!S_ISREG(st.st_mode))
        return 0;
    source.fd = fd;
    ret = search_source(search, &source.source, name, e);
    if (ret < 0 && strncmp(e->text, search->path, strlen(search->path)) != 0)
        err_prefix(e, "%s", name);
    return ret;
}

/* An OCI layout: its blobs. */
static int search_layout(struct search *search, int layout, struct err *e)
{
    int fd = openat(layout, "blobs/sha256", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *blobs = fd < 0 ? NULL : fdopendir(fd);
    int ret = 0;

    if (blobs == NULL)
        return err_set(e, EINVAL, "%s: a directory, and no OCI layout: it has no blobs/sha256", search->path);
    for (struct dirent *entry; ret == 0 && (entry = readdir(blobs)) != NULL;) {
        char name[PATH_MAX];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s:%.12s", search->path, entry->d_name);
        ret = search_file(search, dirfd(blobs), entry->d_name, name, e);
    }
    closedir(blobs);
    return ret;
}

int image_modules(const char *path, image_module_found *found, void *context, struct err *e)
{
    struct search search = {.found = found, .context = context, .path = path};
    cleanup_fd int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return directory >= 0 ? search_layout(&search, directory, e) : search_file(&search, AT_FDCWD, path, path, e);
}
