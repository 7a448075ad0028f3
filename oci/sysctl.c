/* See sysctl.h. A key is written with dots ("net.ipv4.ip_forward"); as in sysctl(8) one that has a slash first uses
 * slashes, and its dots belong to names ("net/ipv4/conf/eth0.100/forwarding"). */
#include "oci/sysctl.h"
#include "base/fd.h"
#include "oci/path.h"
#include <limits.h>
#include <sys/stat.h>

/* Turns KEY into a path below /proc. Returns false for anything that is not plain names. */
static bool key_to_path(const char *key, char path[PATH_MAX])
{
    bool dots = strcspn(key, ".") < strcspn(key, "/");
    int len = snprintf(path, PATH_MAX, "sys/%s", key);

    if (len < 0 || len >= PATH_MAX)
        return false;
    for (char *p = path + 4; dots && *p != 0; p++)
        if (*p == '.' || *p == '/')
            *p = *p == '.' ? '/' : '.';
    for (const char *p = path; p != NULL; p = strchr(p, '/')) { /* no empty name, no "." and no ".." */
        size_t name;
        p += p != path;
        name = strcspn(p, "/");
        if (name == 0 || (p[0] == '.' && (name == 1 || (name == 2 && p[1] == '.'))))
            return false;
    }
    return true;
}

static bool is_ipc(const char *path)
{
    static const char *const keys[] = {"msgmax",      "msgmnb",      "msgmni",      "sem",
                                       "shmall",      "shmmax",      "shmmni",      "shm_rmid_forced",
                                       "msg_next_id", "sem_next_id", "shm_next_id", "auto_msgmni"};

    if (strncmp(path, "sys/fs/mqueue/", 14) == 0)
        return true;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strncmp(path, "sys/kernel/", 11) == 0 && strcmp(path + 11, keys[i]) == 0)
            return true;
    return false;
}

/* True if the container gets a namespace of this kind that is not the runtime's own. */
static bool owns(const struct config *c, enum config_namespace_type type, const char *own)
{
    const struct config_namespace *n = &c->namespaces[type];
    struct stat theirs, ours;

    if (!n->set)
        return false;
    if (n->path == NULL || stat(n->path, &theirs) < 0 || stat(own, &ours) < 0)
        return true;
    return theirs.st_dev != ours.st_dev || theirs.st_ino != ours.st_ino;
}

static int check_key(const struct config *c, const char *key, struct err *e)
{
    char path[PATH_MAX];

    if (!key_to_path(key, path))
        return err_set(e, EINVAL, "linux.sysctl: '%s' is no kernel parameter", key);
    if (strncmp(path, "sys/net/", 8) == 0)
        return owns(c, NAMESPACE_NETWORK, "/proc/self/ns/net")
                   ? 0
                   : err_set(e, EINVAL, "linux.sysctl: '%s' needs a network namespace of the container's own", key);
    if (is_ipc(path))
        return owns(c, NAMESPACE_IPC, "/proc/self/ns/ipc")
                   ? 0
                   : err_set(e, EINVAL, "linux.sysctl: '%s' needs an IPC namespace of the container's own", key);
    if (strcmp(path, "sys/kernel/domainname") == 0)
        return owns(c, NAMESPACE_UTS, "/proc/self/ns/uts")
                   ? 0
                   : err_set(e, EINVAL, "linux.sysctl: '%s' needs a UTS namespace of the container's own", key);
    if (strcmp(path, "sys/kernel/hostname") == 0)
        return err_set(e, EINVAL, "linux.sysctl: '%s' is set by the field hostname", key);
    return err_set(e, EINVAL, "linux.sysctl: '%s' is not of a namespace: it would change the host", key);
}

int sysctl_check(const struct config *c, struct err *e)
{
    for (uint32_t i = 0; i < c->sysctl.count; i++) {
        int ret = check_key(c, c->sysctl.data[i].key, e);
        if (ret < 0)
            return ret;
    }
    return 0;
}

int sysctl_apply(int proc, const struct config_pairs *pairs, struct err *e)
{
    for (uint32_t i = 0; i < pairs->count; i++) {
        const struct config_pair *p = &pairs->data[i];
        char path[PATH_MAX];
        if (!key_to_path(p->key, path))
            return err_set(e, EINVAL, "linux.sysctl: '%s' is no kernel parameter", p->key);
        cleanup_fd int fd = path_open_proc(proc, path, O_WRONLY, e);
        if (fd < 0)
            return err_prefix(e, "linux.sysctl '%s'", p->key);
        if (write(fd, p->value, strlen(p->value)) < 0)
            return err_sys(e, "linux.sysctl: cannot set '%s' to '%s'", p->key, p->value);
    }
    return 0;
}
