/* Fuzzes the search for modules in an image: archives and compressed data in each other, of any content. The files that modules
 * would be copied to are left out: they were most of the time. */
#include <sys/mman.h>
#include <unistd.h>
#define memfd_create(name, flags) fuzz_file()
#define write(fd, bytes, len)     fuzz_write(bytes, len)
#define close(fd)                 fuzz_close(fd)
static int fuzz_file(void);
static int fuzz_close(int fd);
static ssize_t fuzz_write(const void *bytes, size_t len);
#include "oci/image_modules.c"
#include "tests/fuzz/fuzz.h"

struct memory_source {
    struct source source;
    const uint8_t *at;
    size_t left;
};

static ssize_t memory_read(struct source *s, void *bytes, size_t len, struct err *e)
{
    struct memory_source *m = (struct memory_source *)s;

    if (len > m->left)
        len = m->left;
    memcpy(bytes, m->at, len);
    m->at += len;
    m->left -= len;
    return (ssize_t)len;
}

static int fuzz_file(void)
{
    return INT_MAX;
}

static int fuzz_close(int fd)
{
    return 0;
}

static ssize_t fuzz_write(const void *bytes, size_t len)
{
    return memchr(bytes, 0, len) != NULL || len != 0 ? (ssize_t)len : 0; /* all of them are looked at */
}

static int found(void *context, const char *name, int fd, struct err *e)
{
    unsigned *count = context;

    assert(strnlen(name, NAME_BYTES) < NAME_BYTES && fd >= 0);
    return ++*count < 4 ? 0 : err_set(e, ECANCELED, "enough");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct memory_source memory;
    unsigned count = 0;
    struct search search = {.found = found, .context = &count, .path = "image"};
    struct err e = {0};
    int status;

    memory = (struct memory_source){.source.read = memory_read, .at = data, .left = size};
    status = search_source(&search, &memory.source, "image", &e);
    assert(status == 0 || (status < 0 && e.text[0] != 0));
    return 0;
}
