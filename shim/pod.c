/* See pod.h. */
#include "shim/pod.h"
#include "base/fd.h"
#include "oci/path.h"
#include "oci/sysctl.h"
#include "shim/pod_bundle.h"
#include <limits.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define SHM_DATA "mode=1777,size=67108864" /* as containerd mounts it */

static const struct {
    const char *name;
    int flag;
} namespaces[WORKER_NAMESPACES] = {{"net", CLONE_NEWNET}, {"ipc", CLONE_NEWIPC}, {"uts", CLONE_NEWUTS}};

/* --- what CRI says -------------------------------------------------------------------------------------------------- */

static const Cri__NamespaceOption *namespace_options(const struct pod *pod)
{
    static const Cri__NamespaceOption defaults = CRI__NAMESPACE_OPTION__INIT;
    const Cri__Linux *config = pod->config->linux_config;

    return config != NULL && config->security_context != NULL && config->security_context->namespace_options != NULL
               ? config->security_context->namespace_options
               : &defaults;
}

const Cri__UserNamespace *pod_user_namespace(const struct pod *pod)
{
    const Cri__UserNamespace *user = namespace_options(pod)->userns_options;
    return user != NULL && user->mode == CRI__NAMESPACE_MODE__POD ? user : NULL;
}

bool pod_shares_pid(const struct pod *pod)
{
    return namespace_options(pod)->pid == CRI__NAMESPACE_MODE__POD;
}

bool pod_needs_process(const struct pod *pod)
{
    return pod_shares_pid(pod) || pod_user_namespace(pod) != NULL;
}

bool pod_owns_ipc(const struct pod *pod)
{
    return namespace_options(pod)->ipc != CRI__NAMESPACE_MODE__NODE;
}

bool pod_owns_network(const struct pod *pod)
{
    return pod->netns[0] != 0;
}

static bool has_sysctl(const struct pod *pod, const char *key)
{
    for (uint32_t i = 0; i < pod->sysctls.count; i++)
        if (strcmp(pod->sysctls.data[i].key, key) == 0)
            return true;
    return false;
}

/* In a network namespace of its own a pod may use low ports and ping without privileges, as containerd's own sandboxer
 * has it by default. */
static int read_sysctls(struct pod *pod)
{
    static const struct config_pair defaults[] = {{"net.ipv4.ip_unprivileged_port_start", "0"},
                                                  {"net.ipv4.ping_group_range", "0 2147483647"}};
    const Cri__Linux *config = pod->config->linux_config;
    size_t count = config != NULL ? config->n_sysctls : 0;

    pod->sysctls.count = 0;
    pod->sysctls.data = calloc(count + 2, sizeof *pod->sysctls.data);
    if (pod->sysctls.data == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        pod->sysctls.data[pod->sysctls.count++] =
            (struct config_pair){config->sysctls[i]->key, config->sysctls[i]->value};
    for (size_t i = 0; i < (pod_user_namespace(pod) != NULL ? 1 : 2); i++) /* ping's range are ids of the host */
        if (pod_owns_network(pod) && !has_sysctl(pod, defaults[i].key))
            pod->sysctls.data[pod->sysctls.count++] = defaults[i];
    return 0;
}

static int check_sysctls(const struct pod *pod, struct err *e)
{
    struct config config = {.sysctl = pod->sysctls};

    config.namespaces[NAMESPACE_NETWORK] = (struct config_namespace){pod_owns_network(pod), pod->netns};
    config.namespaces[NAMESPACE_IPC].set = pod_owns_ipc(pod);
    config.namespaces[NAMESPACE_UTS].set = pod_owns_network(pod);
    return sysctl_check(&config, e);
}

int pod_read(struct pod *pod, const Sandbox__CreateRequest *request, struct err *e)
{
    const ProtobufCBinaryData none = {0}, *body = request->options != NULL ? &request->options->value : &none;
    const Cri__UserNamespace *user;
    const char *type = request->options != NULL ? request->options->type_url : "";

    for (int i = 0; i < WORKER_NAMESPACES; i++)
        pod->home[i] = -1;
    pod->user_namespace = -1;
    if (type[0] != 0 && strcmp(type, "runtime.v1.PodSandboxConfig") != 0)
        return err_set(e, EINVAL, "sandbox %s: options of the type %s are not known", request->sandbox_id, type);
    pod->id = strdup(request->sandbox_id);
    pod->bundle = strdup(request->bundle_path);
    pod->netns = strdup(request->netns_path);
    pod->config = cri__pod_sandbox_config__unpack(NULL, body->len, body->data);
    if (pod->id == NULL || pod->bundle == NULL || pod->netns == NULL)
        return err_set(e, ENOMEM, "the shim is out of memory");
    if (pod->config == NULL)
        return err_set(e, EINVAL, "sandbox %s: its options are not a valid message", request->sandbox_id);
    user = namespace_options(pod)->userns_options;
    if (user != NULL && user->mode != CRI__NAMESPACE_MODE__POD && user->mode != CRI__NAMESPACE_MODE__NODE)
        return err_set(e, EINVAL, "sandbox %s: a user namespace is the pod's or the node's, and nothing between them",
                       request->sandbox_id);
    if (read_sysctls(pod) != 0)
        return err_set(e, ENOMEM, "the shim is out of memory");
    return check_sysctls(pod, e);
}

void pod_done(struct pod *pod)
{
    fd_close(&pod->user_namespace);
    free(pod->id);
    free(pod->bundle);
    free(pod->netns);
    free(pod->sysctls.data);
    if (pod->config != NULL)
        cri__pod_sandbox_config__free_unpacked(pod->config, NULL);
}

/* --- namespaces ----------------------------------------------------------------------------------------------------- */

static int open_home(struct pod *pod, struct err *e)
{
    char path[40];

    for (int i = 0; i < WORKER_NAMESPACES; i++) {
        snprintf(path, sizeof path, "/proc/self/ns/%s", namespaces[i].name);
        pod->home[i] = open(path, O_RDONLY | O_CLOEXEC);
        if (pod->home[i] < 0)
            return err_sys(e, "cannot open %s", path);
    }
    return 0;
}

static int join(const struct pod *pod, struct err *e)
{
    int flags = (pod_owns_ipc(pod) ? CLONE_NEWIPC : 0) | (pod_owns_network(pod) ? CLONE_NEWUTS : 0);
    cleanup_fd int netns = pod_owns_network(pod) ? open(pod->netns, O_RDONLY | O_CLOEXEC) : -1;
    const char *hostname = pod->config->hostname;

    if (pod_owns_network(pod) && (netns < 0 || setns(netns, CLONE_NEWNET) != 0))
        return err_sys(e, "cannot join the network namespace %s", pod->netns);
    if (unshare(flags) != 0)
        return err_sys(e, "cannot make the pod's namespaces");
    if (pod_owns_network(pod) && hostname[0] != 0 && sethostname(hostname, strlen(hostname)) != 0)
        return err_sys(e, "cannot set the host name '%s'", hostname);
    return 0;
}

int pod_hold(struct pod *pod, struct err *e)
{
    int error = open_home(pod, e);

    if (error == 0)
        error = join(pod, e);
    if (error != 0)
        pod_release(pod);
    return error;
}

void pod_release(struct pod *pod)
{
    for (int i = 0; i < WORKER_NAMESPACES; i++) {
        if (pod->home[i] >= 0)
            setns(pod->home[i], namespaces[i].flag);
        fd_close(&pod->home[i]);
    }
}

int pod_open_user_namespace(struct pod *pod, struct err *e)
{
    cleanup_fd int netns = -1;

    if (pod_user_namespace(pod) == NULL || !pod_owns_network(pod))
        return 0;
    netns = open(pod->netns, O_RDONLY | O_CLOEXEC);
    pod->user_namespace = netns >= 0 ? ioctl(netns, NS_GET_USERNS) : -1;
    return pod->user_namespace >= 0 ? 0 : err_sys(e, "cannot find the user namespace of %s", pod->netns);
}

/* --- files ----------------------------------------------------------------------------------------------------------- */

static int write_file(const struct pod *pod, const char *name, const struct buf *text, struct err *e)
{
    char path[PATH_MAX];
    cleanup_fd int fd = -1;

    snprintf(path, sizeof path, "%s/%s", pod->bundle, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0 || fd_write_all(fd, text->data, text->len) != 0)
        return err_sys(e, "cannot write %s", path);
    return 0;
}

/* A host without the file is no error: the pod has none then. */
static int copy_file(const struct pod *pod, const char *from, const char *name, struct err *e)
{
    cleanup_fd int fd = open(from, O_RDONLY | O_CLOEXEC);
    struct buf text = {0};
    int error;

    if (fd < 0)
        return errno == ENOENT ? 0 : err_sys(e, "cannot open %s", from);
    if (fd_read_to_end(fd, &text, 1 << 20) != 0)
        error = err_sys(e, "cannot read %s", from);
    else
        error = write_file(pod, name, &text, e);
    buf_done(&text);
    return error;
}

static void put_words(struct buf *out, const char *first, char *const *words, size_t count, const char *between)
{
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s%s", i == 0 ? first : between, words[i]);
    if (count != 0)
        buf_printf(out, "\n");
}

static int write_resolv_conf(const struct pod *pod, struct err *e)
{
    const Cri__Dns *dns = pod->config->dns_config;
    struct buf text = {0};
    int error;

    if (dns == NULL)
        return copy_file(pod, "/etc/resolv.conf", "resolv.conf", e);
    put_words(&text, "search ", dns->searches, dns->n_searches, " ");
    put_words(&text, "nameserver ", dns->servers, dns->n_servers, "\nnameserver ");
    put_words(&text, "options ", dns->options, dns->n_options, " ");
    error = write_file(pod, "resolv.conf", &text, e);
    buf_done(&text);
    return error;
}

static int write_hostname(const struct pod *pod, struct err *e)
{
    char own[HOST_NAME_MAX + 1] = "";
    struct buf text = {0};
    int error;

    gethostname(own, sizeof own - 1);
    buf_printf(&text, "%s\n", pod->config->hostname[0] != 0 ? pod->config->hostname : own);
    error = write_file(pod, "hostname", &text, e);
    buf_done(&text);
    return error;
}

static int mount_shm(const struct pod *pod, struct err *e)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/shm", pod->bundle);
    if (!pod_owns_ipc(pod))
        return 0;
    if (mkdir(path, 0700) != 0 || mount("shm", path, "tmpfs", MS_NOEXEC | MS_NOSUID | MS_NODEV, SHM_DATA) != 0)
        return err_sys(e, "cannot mount %s", path);
    return 0;
}

void pod_unmount(const char *bundle)
{
    static const char *const names[] = {"shm", "rootfs"};
    char path[PATH_MAX];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", bundle, names[i]);
        umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
    }
}

static int apply_sysctls(const struct pod *pod, struct err *e)
{
    cleanup_fd int proc = path_private_proc(e);
    return proc < 0 ? proc : sysctl_apply(proc, &pod->sysctls, e);
}

void pod_prepare(const void *argument, const struct worker_fds *fds, struct worker_report *report)
{
    const struct pod *pod = argument;
    struct err e = {0};
    int error = write_hostname(pod, &e);

    (void)fds;
    if (error == 0)
        error = copy_file(pod, "/etc/hosts", "hosts", &e);
    if (error == 0)
        error = write_resolv_conf(pod, &e);
    if (error == 0)
        error = mount_shm(pod, &e);
    if (error == 0)
        error = pod_needs_process(pod) ? pod_write_bundle(pod, &e) : apply_sysctls(pod, &e);
    report->code = -error;
    snprintf(report->text, sizeof report->text, "%s", e.text);
}
