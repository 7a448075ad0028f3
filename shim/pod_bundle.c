/* See pod_bundle.h. The process has no capability, and no mount but its own program, read-only. */
#include "shim/pod_bundle.h"
#include "base/fd.h"
#include "oci/json_write.h"
#include <limits.h>
#include <sys/mount.h>

#define PAUSE "/pause"

/* A kubelet's parent is a directory, or with the systemd driver a slice. */
static void put_cgroup(struct json_writer *w, const struct pod *pod)
{
    const Cri__Linux *config = pod->config->linux_config;
    const char *parent = config != NULL ? config->cgroup_parent : "", *name = strrchr(parent, '/');
    size_t len = strlen(parent);
    char path[PATH_MAX];

    if (len == 0)
        return;
    name = name != NULL ? name + 1 : parent;
    if (len > 6 && strcmp(parent + len - 6, ".slice") == 0)
        snprintf(path, sizeof path, "%s:cri-containerd:%s", name, pod->id);
    else
        snprintf(path, sizeof path, "%s/%s", parent, pod->id);
    json_key(w, "cgroupsPath");
    json_put_string(w, path);
}

static void put_namespace(struct json_writer *w, const char *type, const char *path)
{
    json_open(w, '{');
    json_key(w, "type");
    json_put_string(w, type);
    if (path != NULL && path[0] != 0) {
        json_key(w, "path");
        json_put_string(w, path);
    }
    json_close(w, '}');
}

static void put_id_maps(struct json_writer *w, const char *key, Cri__IdMapping *const *maps, size_t count)
{
    json_key(w, key);
    json_open(w, '[');
    for (size_t i = 0; i < count; i++) {
        json_open(w, '{');
        json_key(w, "containerID");
        json_put_int(w, maps[i]->container_id);
        json_key(w, "hostID");
        json_put_int(w, maps[i]->host_id);
        json_key(w, "size");
        json_put_int(w, maps[i]->length);
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void put_linux(struct json_writer *w, const struct pod *pod)
{
    const Cri__UserNamespace *user = pod_user_namespace(pod);
    char path[48] = "";

    json_key(w, "linux");
    json_open(w, '{');
    put_cgroup(w, pod);
    json_key(w, "namespaces");
    json_open(w, '[');
    put_namespace(w, "mount", NULL);
    if (pod_shares_pid(pod))
        put_namespace(w, "pid", NULL);
    if (pod_owns_ipc(pod))
        put_namespace(w, "ipc", NULL);
    if (pod_owns_network(pod)) {
        put_namespace(w, "uts", NULL);
        put_namespace(w, "network", pod->netns);
    }
    if (user != NULL) {
        if (pod->user_namespace >= 0)
            snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getppid(), pod->user_namespace);
        put_namespace(w, "user", path);
    }
    json_close(w, ']');
    if (user != NULL) {
        put_id_maps(w, "uidMappings", user->uids, user->n_uids);
        put_id_maps(w, "gidMappings", user->gids, user->n_gids);
    }
    json_key(w, "sysctl");
    json_open(w, '{');
    for (uint32_t i = 0; i < pod->sysctls.count; i++) {
        json_key(w, pod->sysctls.data[i].key);
        json_put_string(w, pod->sysctls.data[i].value);
    }
    json_close(w, '}');
    json_close(w, '}');
}

static void put_process(struct json_writer *w)
{
    static const char *const args[] = {PAUSE, "pause"};

    json_key(w, "process");
    json_open(w, '{');
    json_key(w, "user");
    json_put_raw(w, "{\"uid\":0,\"gid\":0}");
    json_key(w, "cwd");
    json_put_string(w, "/");
    json_key(w, "args");
    json_put_strings(w, args, 2);
    json_key(w, "noNewPrivileges");
    json_put_bool(w, true);
    json_close(w, '}');
}

static void put_mounts(struct json_writer *w, const struct pod *pod)
{
    static const char *const options[] = {"bind", "ro", "nosuid", "nodev"};

    json_key(w, "mounts");
    json_open(w, '[');
    json_open(w, '{');
    json_key(w, "destination");
    json_put_string(w, PAUSE);
    json_key(w, "type");
    json_put_string(w, "bind");
    json_key(w, "source");
    json_put_string(w, pod->program);
    json_key(w, "options");
    json_put_strings(w, options, 4);
    json_close(w, '}');
    json_close(w, ']');
}

static void put_config(struct json_writer *w, const struct pod *pod)
{
    json_open(w, '{');
    json_key(w, "ociVersion");
    json_put_string(w, "1.2.0");
    json_key(w, "root");
    json_put_raw(w, "{\"path\":\"rootfs\",\"readonly\":true}");
    if (pod_owns_network(pod) && pod->config->hostname[0] != 0) {
        json_key(w, "hostname");
        json_put_string(w, pod->config->hostname);
    }
    put_process(w);
    put_mounts(w, pod);
    put_linux(w, pod);
    json_close(w, '}');
}

static int write_whole(const char *path, const struct buf *text, struct err *e)
{
    cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);

    return fd >= 0 && fd_write_all(fd, text->data, text->len) == 0 ? 0 : err_sys(e, "cannot write %s", path);
}

/* The root file system is its user's: /dev is made there, by the root of the pod's user namespace. */
static int give_rootfs(const struct pod *pod, struct err *e)
{
    const Cri__UserNamespace *user = pod_user_namespace(pod);
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/rootfs", pod->bundle);
    for (size_t i = 0; user != NULL && i < user->n_uids; i++)
        if (user->uids[i]->container_id == 0 && chown(path, user->uids[i]->host_id, (gid_t)-1) != 0)
            return err_sys(e, "cannot change the owner of %s", path);
    return 0;
}

/* A file system of its own, as containers' roots are: containerd unmounts it and then wants an empty directory, and in it
 * lie what the program is mounted on and the /dev of the pod's root. */
static int mount_rootfs(const struct pod *pod, struct err *e)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/rootfs", pod->bundle);
    if (mount("rootfs", path, "tmpfs", MS_NOSUID, "mode=0755,size=64k") != 0)
        return err_sys(e, "cannot mount %s", path);
    return 0;
}

int pod_write_bundle(const struct pod *pod, struct err *e)
{
    struct buf text = {0};
    struct json_writer w = {.out = &text};
    char path[PATH_MAX];
    int error = mount_rootfs(pod, e);

    snprintf(path, sizeof path, "%s/rootfs" PAUSE, pod->bundle); /* what the program is mounted on */
    if (error == 0)
        error = write_whole(path, &text, e);
    if (error == 0)
        error = give_rootfs(pod, e);
    if (error != 0)
        return error;
    put_config(&w, pod);
    snprintf(path, sizeof path, "%s/config.json", pod->bundle);
    error = write_whole(path, &text, e);
    buf_done(&text);
    return error;
}
