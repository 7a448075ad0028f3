/* What the sandbox service reads of a pod, and the pod's files among a container's mounts. */
#include "base/fd.h"
#include "shim/pod.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <cmocka.h>

static char pod_directory[] = "/tmp/wherry-test-pod-XXXXXX", bundle[] = "/tmp/wherry-test-bundle-XXXXXX";

static void write_text(const char *directory, const char *name, const char *text)
{
    char path[256];
    int fd;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
    close(fd);
}

/* CONFIG as it is after the pod's files were added. */
static const char *with_files(const char *config)
{
    static char text[8192];
    struct arena arena = {0};
    struct err e = {0};
    char path[256];
    ssize_t len;
    int fd;

    write_text(bundle, "config.json", config);
    assert_int_equal(pod_add_mounts(pod_directory, bundle, &arena, &e), 0);
    arena_free(&arena);
    snprintf(path, sizeof path, "%s/config.json", bundle);
    fd = open(path, O_RDONLY);
    len = fd_read_full(fd, text, sizeof text - 1);
    assert_true(len > 0);
    text[len] = 0;
    close(fd);
    return text;
}

static int start(void **state)
{
    char path[256];

    (void)state;
    if (mkdtemp(pod_directory) == NULL || mkdtemp(bundle) == NULL)
        return -1;
    write_text(pod_directory, "hosts", "");
    write_text(pod_directory, "resolv.conf", "");
    snprintf(path, sizeof path, "%s/shm", pod_directory);
    return mkdir(path, 0700);
}

static int stop(void **state)
{
    static const char *const files[] = {"hosts", "resolv.conf", "shm"};
    char path[256];

    (void)state;
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", pod_directory, files[i]);
        remove(path);
    }
    snprintf(path, sizeof path, "%s/config.json", bundle);
    remove(path);
    return rmdir(pod_directory) | rmdir(bundle);
}

static void files_are_added(void **state)
{
    const char *text =
        with_files("{\"root\":{\"readonly\":true},\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\"}]}");

    (void)state;
    assert_non_null(strstr(text, "\"/proc\""));
    assert_non_null(strstr(text, "{\"destination\":\"/etc/resolv.conf\",\"type\":\"bind\""));
    assert_non_null(strstr(text, "\"ro\"")); /* as the root is */
    assert_non_null(strstr(text, "{\"destination\":\"/dev/shm\",\"type\":\"bind\""));
    assert_null(strstr(text, "/etc/hostname")); /* which this pod has not */
}

static void own_mounts_stay(void **state)
{
    const char *text = with_files("{\"mounts\":[{\"destination\":\"/etc/hosts\",\"source\":\"/kubelet/hosts\"},"
                                  "{\"destination\":\"/dev/shm\",\"type\":\"bind\",\"source\":\"/volume\"}]}");

    (void)state;
    assert_non_null(strstr(text, "/kubelet/hosts"));
    assert_null(strstr(strstr(text, "/etc/hosts") + 1, "/etc/hosts"));
    assert_null(strstr(strstr(text, "/dev/shm") + 1, "/dev/shm"));
    assert_non_null(strstr(text, "\"rw\""));
}

static void a_tmpfs_gives_way(void **state)
{
    const char *text =
        with_files("{\"mounts\":[{\"destination\":\"/dev/shm\",\"type\":\"tmpfs\",\"source\":\"shm\"}]}");

    (void)state;
    assert_null(strstr(text, "tmpfs"));
    assert_non_null(strstr(text, "{\"destination\":\"/dev/shm\",\"type\":\"bind\""));
}

/* Values of every kind, numbers beyond 53 bits among them, come through as they were. */
static void the_rest_is_kept(void **state)
{
    const char *text = with_files("{\"a\":[1,18446744073709551615,-0.5e3,null,true,false,{}],\"b\":\"\\u00e9\\n\"}");

    (void)state;
    assert_non_null(strstr(text, "\"a\":[1,18446744073709551615,-0.5e3,null,true,false,{}]"));
    assert_non_null(strstr(text, "\"b\":\"\xc3\xa9\\n\""));
}

static void damaged_config_is_refused(void **state)
{
    struct arena arena = {0};
    struct err e = {0};

    (void)state;
    write_text(bundle, "config.json", "{\"a\":");
    assert_true(pod_add_mounts(pod_directory, bundle, &arena, &e) < 0);
    assert_non_null(strstr(e.text, "config.json"));
    arena_free(&arena);
}

static int read_pod(struct pod *pod, Cri__PodSandboxConfig *config, const char *type, struct err *e)
{
    Sandbox__CreateRequest request = SANDBOX__CREATE_REQUEST__INIT;
    Rpc__Any options = RPC__ANY__INIT;
    uint8_t bytes[1024];
    int error;

    request.sandbox_id = "box";
    request.bundle_path = "/b";
    request.netns_path = "/run/netns/box";
    options.type_url = (char *)type;
    options.value.data = bytes;
    options.value.len = cri__pod_sandbox_config__pack(config, bytes);
    request.options = &options;
    error = pod_read(pod, &request, e);
    return error;
}

static void a_pod_is_read(void **state)
{
    Cri__PodSandboxConfig config = CRI__POD_SANDBOX_CONFIG__INIT;
    Cri__Linux linux_config = CRI__LINUX__INIT;
    Cri__SecurityContext security = CRI__SECURITY_CONTEXT__INIT;
    Cri__NamespaceOption options = CRI__NAMESPACE_OPTION__INIT;
    Cri__Linux__SysctlsEntry own = CRI__LINUX__SYSCTLS_ENTRY__INIT;
    Cri__Linux__SysctlsEntry *sysctls[] = {&own};
    struct pod pod = {0};
    struct err e = {0};

    (void)state;
    config.linux_config = &linux_config;
    linux_config.security_context = &security;
    security.namespace_options = &options;
    options.pid = CRI__NAMESPACE_MODE__CONTAINER;
    own.key = "net.ipv4.ip_unprivileged_port_start";
    own.value = "80";
    linux_config.sysctls = sysctls;
    linux_config.n_sysctls = 1;
    assert_int_equal(read_pod(&pod, &config, "runtime.v1.PodSandboxConfig", &e), 0);
    assert_false(pod_needs_process(&pod));
    assert_int_equal(pod.sysctls.count, 2); /* its own, and the default that it has not set */
    assert_string_equal(pod.sysctls.data[0].value, "80");
    pod_done(&pod);

    options.pid = CRI__NAMESPACE_MODE__POD;
    pod = (struct pod){0};
    assert_int_equal(read_pod(&pod, &config, "runtime.v1.PodSandboxConfig", &e), 0);
    assert_true(pod_needs_process(&pod));
    pod_done(&pod);
}

static void user_namespaces_are_the_pods_or_the_nodes(void **state)
{
    Cri__PodSandboxConfig config = CRI__POD_SANDBOX_CONFIG__INIT;
    Cri__Linux linux_config = CRI__LINUX__INIT;
    Cri__SecurityContext security = CRI__SECURITY_CONTEXT__INIT;
    Cri__NamespaceOption options = CRI__NAMESPACE_OPTION__INIT;
    Cri__UserNamespace user = CRI__USER_NAMESPACE__INIT;
    struct pod pod = {0};
    struct err e = {0};

    (void)state;
    config.linux_config = &linux_config;
    linux_config.security_context = &security;
    security.namespace_options = &options;
    options.userns_options = &user;
    user.mode = CRI__NAMESPACE_MODE__CONTAINER;
    assert_true(read_pod(&pod, &config, "runtime.v1.PodSandboxConfig", &e) < 0);
    assert_non_null(strstr(e.text, "user namespace"));
    pod_done(&pod);
}

static void what_would_change_the_host_is_refused(void **state)
{
    Cri__PodSandboxConfig config = CRI__POD_SANDBOX_CONFIG__INIT;
    Cri__Linux linux_config = CRI__LINUX__INIT;
    Cri__Linux__SysctlsEntry own = CRI__LINUX__SYSCTLS_ENTRY__INIT;
    Cri__Linux__SysctlsEntry *sysctls[] = {&own};
    struct pod pod = {0};
    struct err e = {0};

    (void)state;
    config.linux_config = &linux_config;
    own.key = "kernel.core_pattern";
    own.value = "|/bin/sh";
    linux_config.sysctls = sysctls;
    linux_config.n_sysctls = 1;
    assert_true(read_pod(&pod, &config, "runtime.v1.PodSandboxConfig", &e) < 0);
    assert_non_null(strstr(e.text, "kernel.core_pattern"));
    pod_done(&pod);
    pod = (struct pod){0};
    assert_true(read_pod(&pod, &config, "other.Options", &e) < 0);
    assert_non_null(strstr(e.text, "other.Options"));
    pod_done(&pod);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_added),
        cmocka_unit_test(own_mounts_stay),
        cmocka_unit_test(a_tmpfs_gives_way),
        cmocka_unit_test(the_rest_is_kept),
        cmocka_unit_test(damaged_config_is_refused),
        cmocka_unit_test(a_pod_is_read),
        cmocka_unit_test(user_namespaces_are_the_pods_or_the_nodes),
        cmocka_unit_test(what_would_change_the_host_is_refused),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
