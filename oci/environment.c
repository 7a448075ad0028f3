/* See environment.h. */
#include "oci/environment.h"
#include "base/fd.h"
#include "oci/notify.h"
#include <stdlib.h>
#include <sys/stat.h>

enum { PASSWD_MAX_BYTES = 1 << 20, HOME_FIELD = 5, UID_FIELD = 2 };

/* Field INDEX of the line at LINE; *LEN is its length. NULL if there are fewer. */
static const char *field(const char *line, unsigned index, size_t *len)
{
    for (; index > 0; index--) {
        line += strcspn(line, ":\n");
        if (*line != ':')
            return NULL;
        line++;
    }
    *len = strcspn(line, ":\n");
    return line;
}

const char *environment_find_home(const char *text, uid_t uid, struct arena *arena)
{
    char wanted[16];
    size_t wanted_len = (size_t)snprintf(wanted, sizeof wanted, "%u", uid);

    for (const char *line = text; *line != 0; line += strcspn(line, "\n"), line += *line == '\n') {
        size_t len = 0, home_len = 0;
        const char *number = field(line, UID_FIELD, &len), *home = field(line, HOME_FIELD, &home_len);
        if (home != NULL && home_len != 0 && len == wanted_len && memcmp(number, wanted, len) == 0)
            return arena_strndup(arena, home, home_len);
    }
    return NULL;
}

/* The image's file may be anything: a FIFO must not hang us, a device not be read (podman's CVE-2024-9676). */
static const char *read_home(uid_t uid, struct arena *arena)
{
    cleanup_fd int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct buf text = {0};
    const char *home = NULL;
    struct stat st;

    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && fd_read_to_end(fd, &text, PASSWD_MAX_BYTES) == 0)
        home = environment_find_home(buf_cstr(&text), uid, arena);
    buf_done(&text);
    return home != NULL ? home : "/";
}

struct variable {
    const char *text;
    size_t name_len;
    uint32_t index;
};

/* By name, and the last of one name first. */
static int compare(const void *left, const void *right)
{
    const struct variable *a = left, *b = right;
    size_t shorter = a->name_len < b->name_len ? a->name_len : b->name_len;
    int order = memcmp(a->text, b->text, shorter);

    if (order == 0)
        order = (a->name_len > b->name_len) - (a->name_len < b->name_len);
    return order != 0 ? order : (a->index < b->index) - (a->index > b->index);
}

struct strings environment_unique(const struct strings *env, struct arena *arena)
{
    struct variable *sorted = arena_array(arena, struct variable, (size_t)env->count + 1);
    bool *kept = arena_array(arena, bool, (size_t)env->count + 1);
    struct strings out = {.data = arena_array(arena, char *, (size_t)env->count + 1)};

    for (uint32_t i = 0; i < env->count; i++)
        sorted[i] = (struct variable){env->data[i], strcspn(env->data[i], "="), i};
    qsort(sorted, env->count, sizeof *sorted, compare);
    for (uint32_t i = 0; i < env->count; i++)
        kept[sorted[i].index] = i == 0 || sorted[i].name_len != sorted[i - 1].name_len ||
                                memcmp(sorted[i].text, sorted[i - 1].text, sorted[i].name_len) != 0;
    for (uint32_t i = 0; i < env->count; i++)
        if (kept[i])
            out.data[out.count++] = env->data[i];
    return out;
}

char **environment_make(const struct config_process *process, unsigned listen_fds, bool notify, struct arena *arena)
{
    const struct strings env = environment_unique(&process->env, arena);
    char **out = arena_array(arena, char *, (size_t)env.count + 5);
    uint32_t count = 0;
    bool has_home = false;

    for (uint32_t i = 0; i < env.count; i++) {
        char *entry = env.data[i];
        if (strcmp(entry, "HOME=") == 0 || (notify && strncmp(entry, "NOTIFY_SOCKET=", 14) == 0))
            continue;
        has_home = has_home || strncmp(entry, "HOME=", 5) == 0;
        out[count++] = entry;
    }
    if (!has_home)
        out[count++] = arena_printf(arena, "HOME=%s", read_home(process->user.uid, arena));
    if (listen_fds != 0) {
        out[count++] = arena_printf(arena, "LISTEN_FDS=%u", listen_fds);
        out[count++] = arena_strdup(arena, "LISTEN_PID=1");
    }
    if (notify)
        out[count++] = arena_strdup(arena, "NOTIFY_SOCKET=" NOTIFY_MOUNT_POINT "/" NOTIFY_SOCKET);
    return out;
}
