#include "engine/cache/fact.h"
#include "base/fd.h"
#include <stdio.h>

enum { NAME_BYTES = 32, TEXT_BYTES = 256, PLACES = 4096 };

const char *fact_boot(void)
{
    static char boot[40];
    cleanup_fd int fd = boot[0] == 0 ? open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC) : -1;

    if (fd >= 0 && read(fd, boot, 36) != 36)
        boot[0] = 0;
    return boot[0] != 0 ? boot : NULL;
}

static void name_place(char name[NAME_BYTES], const char *table, const struct stat *file)
{
    uint64_t mixed = ((uint64_t)file->st_dev * 31 + (uint64_t)file->st_ino) * 0x9e3779b97f4a7c15u;
    snprintf(name, NAME_BYTES, "%s/%03x", table, (unsigned)(mixed >> 32) % PLACES);
}

/* What a fact begins with, up to its value. */
static int describe(char *text, size_t text_bytes, const struct stat *file)
{
    const char *boot = fact_boot();

    if (boot == NULL)
        return -1;
    return snprintf(text, text_bytes, "%s %jx %jx %jx %jx.%lx %jx.%lx ", boot, (uintmax_t)file->st_dev,
                    (uintmax_t)file->st_ino, (uintmax_t)file->st_size, (uintmax_t)file->st_mtim.tv_sec,
                    file->st_mtim.tv_nsec, (uintmax_t)file->st_ctim.tv_sec, file->st_ctim.tv_nsec);
}

bool fact_read(const struct cache_directory *d, const char *table, const struct stat *file,
               char value[FACT_VALUE_BYTES])
{
    char name[NAME_BYTES], wanted[TEXT_BYTES], found[TEXT_BYTES];
    ssize_t len;
    int prefix;

    name_place(name, table, file);
    len = readlinkat(d->fd, name, found, sizeof found - 1);
    if (len < 0)
        return false;
    found[len] = 0;
    prefix = describe(wanted, sizeof wanted, file);
    if (prefix < 0 || strncmp(found, wanted, (size_t)prefix) != 0 || len - prefix >= FACT_VALUE_BYTES)
        return false;
    memcpy(value, found + prefix, (size_t)(len - prefix) + 1);
    return true;
}

void fact_write(const struct cache_directory *d, const char *table, const struct stat *file, const char *value)
{
    char name[NAME_BYTES], temporary[NAME_BYTES + 16], text[TEXT_BYTES];
    int prefix = describe(text, sizeof text, file);

    if (prefix < 0)
        return;
    snprintf(text + prefix, sizeof text - (size_t)prefix, "%s", value);
    name_place(name, table, file);
    snprintf(temporary, sizeof temporary, "%s.%d", name, (int)getpid());
    if (symlinkat(text, d->fd, temporary) != 0) {
        if (errno == EEXIST) /* of a process that died here and whose pid is ours now */
            unlinkat(d->fd, temporary, 0);
        else if (errno != ENOENT || mkdirat(d->fd, table, 0700) != 0)
            return;
        if (symlinkat(text, d->fd, temporary) != 0)
            return;
    }
    if (renameat(d->fd, temporary, d->fd, name) != 0)
        unlinkat(d->fd, temporary, 0);
}
