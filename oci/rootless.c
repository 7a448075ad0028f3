/* See rootless.h. */
#include "oci/rootless.h"
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define INITIAL_USER_NAMESPACE                                                                                         \
    0xeffffffdu /* its inode, PROC_USER_INIT_INO of linux/nsfs.h: a map may look alike elsewhere */

bool rootless(void)
{
    struct stat st;

    if (geteuid() != 0)
        return true;
    return stat("/proc/self/ns/user", &st) == 0 && st.st_ino != INITIAL_USER_NAMESPACE;
}

/* VARIABLE's value with SUFFIX behind it, if it is an absolute path. */
static const char *below(const char *variable, const char *suffix, struct arena *arena)
{
    const char *value = getenv(variable);
    return value != NULL && value[0] == '/' ? arena_printf(arena, "%s%s", value, suffix) : NULL;
}

const char *rootless_state_directory(struct arena *arena)
{
    return below("XDG_RUNTIME_DIR", "/wherry", arena);
}

const char *rootless_cache_directory(struct arena *arena)
{
    const char *path = below("XDG_CACHE_HOME", "/wherry", arena);

    if (path == NULL)
        path = below("HOME", "/.cache/wherry", arena);
    return path != NULL ? path : below("XDG_RUNTIME_DIR", "/wherry-cache", arena);
}
