/* See cgroup_path.h. */
#include "shim/cgroup_path.h"
#include "base/fd.h"

bool cgroup_path_is_unified(const char *cgroup)
{
    return cgroup[0] == ':' && (strchr(cgroup, '\n') == NULL || strchr(cgroup, '\n')[1] == 0);
}

static bool list_has(const char *list, size_t len, const char *word)
{
    size_t word_len = strlen(word);

    while (len != 0) {
        const char *comma = memchr(list, ',', len);
        size_t item = comma != NULL ? (size_t)(comma - list) : len;
        if (item == word_len && memcmp(list, word, item) == 0)
            return true;
        list += comma != NULL ? item + 1 : item;
        len -= comma != NULL ? item + 1 : item;
    }
    return false;
}

bool cgroup_path_of(const char *cgroup, const char *controller, const char *file, char out[PATH_MAX])
{
    bool unified = cgroup_path_is_unified(cgroup);

    for (const char *line = cgroup; *line != 0;) {
        const char *colon = strchr(line, ':'), *end = strchrnul(line, '\n');
        if (colon == NULL || colon > end)
            return false;
        if (unified || list_has(line, (size_t)(colon - line), controller))
            return (size_t)snprintf(out, PATH_MAX, "%.*s/%s", (int)(end - colon - 1), colon + 1, file) < PATH_MAX;
        line = *end != 0 ? end + 1 : end;
    }
    return false;
}

ssize_t cgroup_path_read(const char *cgroup, const char *controller, const char *file, char *out, size_t size)
{
    char path[PATH_MAX];
    ssize_t len;
    int fd;

    if (!cgroup_path_of(cgroup, controller, file, path))
        return -ENOENT;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    len = fd_read_full(fd, out, size - 1);
    if (len < 0)
        len = -errno;
    else
        out[len] = 0;
    close(fd);
    return len;
}

uint64_t cgroup_text_number(const char *text)
{
    if (strncmp(text, "max", 3) == 0)
        return UINT64_MAX;
    return strtoull(text, NULL, 10);
}

uint64_t cgroup_text_value(const char *text, const char *key)
{
    size_t len = strlen(key);

    for (const char *line = text; *line != 0;) {
        const char *end = strchrnul(line, '\n');
        if (strncmp(line, key, len) == 0 && line[len] == ' ')
            return cgroup_text_number(line + len + 1);
        line = *end != 0 ? end + 1 : end;
    }
    return 0;
}
