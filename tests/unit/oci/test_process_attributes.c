/* What a process is given before it runs its program: user, capabilities, limits, scheduling, labels. */
#include "oci/caps.h"
#include "oci/lsm.h"
#include "oci/path.h"
#include "oci/rlimit.h"
#include "oci/sched.h"
#include "oci/user.h"
#include "private.h"
#include "sys_fail.h"
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>

static struct err e;

/* CVE-2026-30892 (exec -u parsed into the wrong user), CVE-2024-40635 (a number above int32 became uid 0). */
static void cve_2026_30892_users_are_numbers(void **state)
{
    static const char *const bad[] = {
        "",     ":",     "1000:",       ":1000", "-1",         "+1",         " 1",
        "1 ",   "1:2:3", "1000x",       "0x10",  "4294967295", "4294967296", "18446744073709551616",
        "root", "1:-1",  "1:4294967295"};
    uid_t uid;
    gid_t gid = 77;
    bool has_gid;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(user_read(bad[i], &uid, &gid, &has_gid, &e), -EINVAL);
    assert_int_equal(gid, 77);
    assert_int_equal(user_read("1000", &uid, &gid, &has_gid, &e), 0);
    assert_true(uid == 1000 && !has_gid && gid == 77);
    assert_int_equal(user_read("0:4294967294", &uid, &gid, &has_gid, &e), 0);
    assert_true(uid == 0 && has_gid && gid == 4294967294u);
    (void)state;
}

static void capability_names(void **state)
{
    assert_int_equal(caps_number("CAP_CHOWN"), CAP_CHOWN);
    assert_int_equal(caps_number("CAP_CHECKPOINT_RESTORE"), CAP_CHECKPOINT_RESTORE);
    assert_int_equal(caps_number("CAP_SYS_RESOURCE"), CAP_SYS_RESOURCE);
    assert_int_equal(caps_number("chown"), -1);
    assert_int_equal(caps_number("CAP_NOT_THERE"), -1);
    assert_string_equal(caps_name(CAP_SYS_ADMIN), "CAP_SYS_ADMIN");
    assert_null(caps_name(CAP_LAST_CAP + 1));
    (void)state;
}

static void read_sets(struct sys_cap_data data[2])
{
    struct sys_cap_header header = {.version = _LINUX_CAPABILITY_VERSION_3};
    CHECK(sys.capget(&header, data) == 0);
}

/* The order of init.c: bounding set, keep, user, stop keeping, sets. */
static void become_body(void *unused)
{
    (void)unused;
    uint64_t some = 1u << CAP_CHOWN | 1u << CAP_KILL;
    struct caps caps = {.bounding = some,
                        .effective = 1u << CAP_KILL,
                        .permitted = some,
                        .inheritable = 1u << CAP_KILL,
                        .ambient = 1u << CAP_KILL};
    const gid_t groups[] = {2000, 2001};
    gid_t got[4];
    struct sys_cap_data data[2];
    CHECK_OK(caps_limit(caps.bounding, &e));
    CHECK_OK(caps_keep(true, &e));
    CHECK_OK(user_become(1000, 1001, groups, 2, true, &e));
    CHECK_OK(caps_keep(false, &e));
    CHECK_OK(caps_apply(&caps, &e));
    CHECK(getuid() == 1000 && geteuid() == 1000 && getgid() == 1001 && getgroups(4, got) == 2 && got[1] == 2001);
    read_sets(data);
    CHECK(data[0].effective == 1u << CAP_KILL && data[0].permitted == some && data[0].inheritable == 1u << CAP_KILL);
    CHECK(data[1].permitted == 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0) == 1);
    CHECK(prctl(PR_CAPBSET_READ, CAP_CHOWN) == 1 && prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) == 0);
    caps.effective |= 1u << CAP_SETUID;
    caps.permitted |= 1u << CAP_SETUID;
    CHECK(caps_apply(&caps, &e) == -EPERM && strstr(e.text, "CAP_SETUID") != NULL);
    caps = (struct caps){.ambient = 1u << CAP_KILL};
    CHECK(caps_apply(&caps, &e) == -EPERM && strstr(e.text, "ambient") != NULL);
    CHECK(user_become(0, 0, NULL, 0, false, &e) == -EPERM);
    CHECK(user_become(1000, 1001, groups, 2, false, &e) == -EPERM && strstr(e.text, "setgroups") != NULL);
}

static void becomes_a_user_with_capabilities(void **state)
{
    in_private_namespaces(0, become_body, NULL);
    (void)state;
}

static void none_body(void *unused)
{
    (void)unused;
    struct caps none = {0};
    struct sys_cap_data data[2];
    CHECK_OK(caps_limit(0, &e));
    CHECK_OK(caps_apply(&none, &e));
    read_sets(data);
    CHECK((data[0].effective | data[0].permitted | data[0].inheritable | data[1].permitted) == 0);
    for (int i = 0; i <= CAP_LAST_CAP; i++)
        CHECK(prctl(PR_CAPBSET_READ, i) <= 0);
}

/* CVE-2022-24769: nothing stays inheritable that was not asked for. */
static void cve_2022_24769_nothing_is_left(void **state)
{
    in_private_namespaces(0, none_body, NULL);
    (void)state;
}

static void limits(void **state)
{
    struct rlimit now;
    assert_int_equal(rlimit_resource("RLIMIT_NOFILE"), RLIMIT_NOFILE);
    assert_int_equal(rlimit_resource("RLIMIT_RTTIME"), RLIMIT_RTTIME);
    assert_int_equal(rlimit_resource("NOFILE"), -1);
    assert_int_equal(rlimit_resource("RLIMIT_NO"), -1);
    assert_int_equal(sys.prlimit64(0, RLIMIT_CORE, NULL, &now), 0);
    assert_int_equal(rlimit_set(0, RLIMIT_CORE, 0, now.rlim_max, &e), 0);
    assert_int_equal(rlimit_set(0, RLIMIT_CORE, 2, 1, &e), -EINVAL);
    assert_non_null(strstr(e.text, "RLIMIT_CORE to 2/1"));
    assert_int_equal(rlimit_set(0, RLIMIT_CORE, now.rlim_cur, now.rlim_max, &e), 0);
    (void)state;
}

static void cpu_lists(void **state)
{
    static const char *const bad[] = {"", "a", "1-", "-1", "3-1", "1,", ",1", "1 ", "99999", "0-99999", "1--2"};
    cpu_set_t set;
    assert_int_equal(sched_read_cpus("0-3,8", &set, &e), 0);
    assert_int_equal(CPU_COUNT(&set), 5);
    assert_true(CPU_ISSET(8, &set) && CPU_ISSET(3, &set) && !CPU_ISSET(4, &set));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(sched_read_cpus(bad[i], &set, &e), -EINVAL);
    (void)state;
}

static void schedule_body(void *unused)
{
    (void)unused;
    struct config_scheduler batch = {.policy = SCHED_BATCH, .nice = 5};
    struct config_io_priority idle = {.io_class = 3};
    CHECK_OK(sched_set_policy(&batch, &e));
    CHECK(sched_getscheduler(0) == SCHED_BATCH);
    CHECK_OK(sched_set_io_priority(&idle, &e));
    CHECK(syscall(SYS_ioprio_get, 1, 0) >> 13 == 3);
    CHECK_OK(sched_set_affinity("0", &e));
    CHECK_OK(sched_set_personality(0x0008, &e)); /* PER_LINUX32 */
    CHECK(syscall(SYS_personality, 0xffffffff) == 8);
}

static void schedules(void **state)
{
    in_private_namespaces(0, schedule_body, NULL);
    (void)state;
}

static void labels(void **state)
{
    assert_int_equal(lsm_check(NULL, "", &e), 0);
    if (!lsm_has_apparmor()) {
        assert_int_equal(lsm_check(NULL, "docker-default", &e), -ENOTSUP);
        assert_non_null(strstr(e.text, "docker-default"));
    }
    if (!lsm_has_selinux())
        assert_int_equal(lsm_check("system_u:system_r:container_t:s0", NULL, &e), -ENOTSUP);
    int proc = path_private_proc(&e);
    assert_true(proc >= 0);
    assert_int_equal(lsm_set(proc, NULL, NULL, &e), 0);
    assert_true(lsm_set(proc, "no such label", NULL, &e) < 0);
    assert_non_null(strstr(e.text, "/attr/exec"));
    close(proc);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cve_2026_30892_users_are_numbers),
        cmocka_unit_test(capability_names),
        cmocka_unit_test(becomes_a_user_with_capabilities),
        cmocka_unit_test(cve_2022_24769_nothing_is_left),
        cmocka_unit_test(limits),
        cmocka_unit_test(cpu_lists),
        cmocka_unit_test(schedules),
        cmocka_unit_test(labels),
    };
    return cmocka_run_group_tests_name("process_attributes", tests, NULL, NULL);
}
