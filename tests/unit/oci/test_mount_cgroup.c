/* The mount of type "cgroup": the container's own cgroups, read-only if asked. */
#include "oci/mount_cgroup.h"
#include "base/fd.h"
#include "oci/path.h"
#include "oci/rootfs.h"
#include "private.h"
#include <sys/stat.h>

static struct err e;

/* The cgroup mount of a container, as it sees it. */
static void cgroup_view_body(void *unused)
{
    (void)unused;
    struct arena arena = {0};
    struct cgroup c;
    char path[64];
    struct mount_options o = {.flags = MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY, .data = ""};
    struct mount_entry m = {.destination = "/sys/fs/cgroup", .type = "cgroup", .tree = -1, .options = &o};
    snprintf(path, sizeof path, "wherry-test-%d", (int)getpid());
    CHECK(mkdir("/mnt/root", 0755) == 0);
    int root = rootfs_prepare("/mnt/root", 0, &e);
    CHECK_OK(root);
    CHECK_OK(cgroup_find(path, "id", &arena, &c, &e));
    CHECK_OK(cgroup_create(&c, &e));
    int ret = mount_cgroup(root, &m, true, &c, &e);
    bool sees = false, writes = true;
    if (ret == 0) {
        cleanup_fd int fd =
            path_open(root, c.unified ? "/sys/fs/cgroup/cgroup.procs" : "/sys/fs/cgroup/pids/cgroup.procs", O_RDONLY);
        sees = fd >= 0;
        cleanup_fd int fd2 =
            path_open(root, c.unified ? "/sys/fs/cgroup/cgroup.procs" : "/sys/fs/cgroup/pids/cgroup.procs", O_WRONLY);
        writes = fd2 != -EROFS;
    }
    CHECK_OK(cgroup_remove(&c, &e));
    CHECK(ret == 0 && sees && !writes);
    arena_free(&arena);
}

static void cgroup_view(void **state)
{
    in_private_namespaces(0, cgroup_view_body, NULL);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cgroup_view)};
    return cmocka_run_group_tests_name("mount_cgroup", tests, NULL, NULL);
}
