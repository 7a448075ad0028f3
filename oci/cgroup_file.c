/* See cgroup_file.h. */
#include "oci/cgroup_file.h"
#include "base/fd.h"
#include <limits.h>

enum { STAT_BYTES = 16384 };

static int file_open(const char *directory, const char *file, int flags)
{
    char path[PATH_MAX];

    if (snprintf(path, sizeof path, "%s/%s", directory, file) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(path, flags | O_CLOEXEC);
}

int cgroup_write(const char *directory, const char *file, const char *text, struct err *e)
{
    cleanup_fd int fd = file_open(directory, file, O_WRONLY);

    if (fd < 0 && errno == ENOENT)
        return err_set(e, ENOENT, "cannot write '%s' to %s/%s: this kernel or cgroup does not have that file", text,
                       directory, file);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        return err_sys(e, "cannot write '%s' to %s/%s", text, directory, file);
    return 0;
}

int cgroup_printf(const char *directory, const char *file, struct err *e, const char *format, ...)
{
    char text[512];
    va_list ap;
    int len;

    va_start(ap, format);
    len = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (len < 0 || (size_t)len >= sizeof text)
        return err_set(e, EINVAL, "the text for %s/%s is longer than %zu bytes", directory, file, sizeof text - 1);
    return cgroup_write(directory, file, text, e);
}

int cgroup_read(const char *directory, const char *file, char *text, size_t size)
{
    cleanup_fd int fd = file_open(directory, file, O_RDONLY);
    ssize_t n;

    text[0] = 0; /* so it is a text whatever comes */
    n = fd < 0 ? -1 : fd_read_full(fd, text, size - 1);
    if (n < 0)
        return -errno;
    text[n] = 0;
    if (n > 0 && text[n - 1] == '\n')
        text[n - 1] = 0;
    return 0;
}

uint64_t cgroup_read_u64(const char *directory, const char *file)
{
    char text[64];

    if (cgroup_read(directory, file, text, sizeof text) < 0)
        return 0;
    return strcmp(text, "max") == 0 ? UINT64_MAX : strtoull(text, NULL, 10);
}

uint64_t cgroup_read_key(const char *directory, const char *file, const char *key)
{
    char text[STAT_BYTES];
    size_t len = strlen(key);

    if (cgroup_read(directory, file, text, sizeof text) < 0)
        return 0;
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, len) == 0 && line[len] == ' ')
            return strtoull(line + len + 1, NULL, 10);
    }
    return 0;
}

bool cgroup_has_file(const char *directory, const char *file)
{
    cleanup_fd int fd = file_open(directory, file, O_PATH);
    return fd >= 0;
}

bool cgroup_list_has(const char *list, const char *word, char separator)
{
    size_t len = strlen(word);

    for (const char *p = list;; p++) {
        if (strncmp(p, word, len) == 0 && (p[len] == 0 || p[len] == separator))
            return true;
        p = strchr(p, separator);
        if (p == NULL)
            return false;
    }
}
