/* Which kernel parameters a container may set, and that they land in its own namespaces. */
#include "oci/sysctl.h"
#include "base/fd.h"
#include "oci/path.h"
#include "private.h"
#include "sys_fail.h"
#include <string.h>

static struct err e;

static int check(const char *key, bool own, const char *path)
{
    struct config_pair pair = {key, "1"};
    struct config c = {.sysctl = {&pair, 1}};
    c.namespaces[NAMESPACE_NETWORK] = (struct config_namespace){own, path};
    c.namespaces[NAMESPACE_IPC] = (struct config_namespace){own, NULL};
    c.namespaces[NAMESPACE_UTS] = (struct config_namespace){own, NULL};
    return sysctl_check(&c, &e);
}

static void cve_2022_0811_only_namespaced_keys(void **state)
{
    assert_int_equal(check("net.ipv4.ip_forward", true, NULL), 0);
    assert_int_equal(check("net.ipv4.ip_forward", false, NULL), -EINVAL);
    assert_int_equal(check("net.ipv4.ip_forward", true, "/proc/self/ns/net"), -EINVAL); /* the host's */
    assert_int_equal(check("net/ipv4/conf/eth0.100/forwarding", true, NULL), 0);
    assert_int_equal(check("kernel.shmmax", true, NULL), 0);
    assert_int_equal(check("kernel.shmmax", false, NULL), -EINVAL);
    assert_int_equal(check("fs.mqueue.msg_max", true, NULL), 0);
    assert_int_equal(check("kernel.domainname", true, NULL), 0);
    assert_int_equal(check("kernel.hostname", true, NULL), -EINVAL);
    assert_int_equal(check("kernel.core_pattern", true, NULL), -EINVAL);
    assert_int_equal(check("net/../kernel/core_pattern", true, NULL), -EINVAL);
    assert_int_equal(check("net.ipv4.//.//.kernel", true, NULL), -EINVAL);
    assert_int_equal(check("net..ipv4", true, NULL), -EINVAL);
    assert_int_equal(check("", true, NULL), -EINVAL);
    assert_int_equal(check("net.", true, NULL), -EINVAL);
    (void)state;
}

static void apply_body(void *old_kernel)
{
    struct config_pair pairs[] = {{"net.ipv4.ip_forward", "1"}, {"kernel.shmmni", "77"}};
    struct config_pairs all = {pairs, 2}, bad = {pairs, 1};
    char text[8] = "";
    if (old_kernel != NULL) {
        sys.openat2 = enosys_openat2;
        sys.fsopen = enosys_fsopen;
    }
    cleanup_fd int proc = path_private_proc(&e);
    CHECK_OK(proc);
    CHECK_OK(sysctl_apply(proc, &all, &e));
    cleanup_fd int fd = open("/proc/sys/kernel/shmmni", O_RDONLY);
    CHECK(read(fd, text, 3) == 3 && strcmp(text, "77\n") == 0);
    pairs[0].key = "net.no.such";
    CHECK(sysctl_apply(proc, &bad, &e) == -ENOENT && strstr(e.text, "net.no.such") != NULL);
}

static void applies_inside(void **state)
{
    in_private_namespaces(CLONE_NEWNET | CLONE_NEWIPC, apply_body, NULL);
    in_private_namespaces(CLONE_NEWNET | CLONE_NEWIPC, apply_body, &e);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cve_2022_0811_only_namespaced_keys),
                                       cmocka_unit_test(applies_inside)};
    return cmocka_run_group_tests_name("sysctl", tests, NULL, NULL);
}
