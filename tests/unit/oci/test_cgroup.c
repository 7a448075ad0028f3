/* Control groups: found, made, limited, frozen, killed and removed on this machine's own hierarchies (below a directory of
 * the test's own), and v2 in a private view; the pure parts without root. */
#include "oci/cgroup.h"
#include "base/fd.h"
#include "oci/cgroup_backend.h"
#include "oci/cgroup_device.h"
#include "oci/cgroup_file.h"
#include "private.h"
#include "sys_fail.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/stat.h>

static struct err e;

static void weights(void **state)
{
    assert_int_equal(cgroup_v2_cpu_weight(2), 1);
    assert_int_equal(cgroup_v2_cpu_weight(1024), 100);
    assert_int_equal(cgroup_v2_cpu_weight(262144), 10000);
    assert_int_equal(cgroup_v2_io_weight(10), 1);
    assert_int_equal(cgroup_v2_io_weight(1000), 10000);
    (void)state;
}

static void lists(void **state)
{
    assert_true(cgroup_list_has("cpu,cpuacct", "cpuacct", ','));
    assert_true(cgroup_list_has("rw,memory", "memory", ','));
    assert_false(cgroup_list_has("cpuset,cpuacct", "cpu", ','));
    assert_false(cgroup_list_has("", "cpu", ','));
    (void)state;
}

static void encodes_and_decodes(void **state)
{
    struct arena arena = {0};
    struct cgroup c = {.count = 2,
                       .hierarchies = {{"cpu,cpuacct", "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu/x"},
                                       {"", "/m", "/m/x"}}},
                  back;
    struct buf text = {0};
    cgroup_encode(&c, &text);
    assert_int_equal(cgroup_decode((char *)text.data, text.len, &arena, &back, &e), 0);
    assert_int_equal(back.count, 2);
    assert_false(back.unified);
    assert_string_equal(back.hierarchies[0].controllers, "cpu,cpuacct");
    assert_string_equal(back.hierarchies[1].directory, "/m/x");
    assert_int_equal(cgroup_decode("cpu:/a/../b\n", 12, &arena, &back, &e), -EINVAL);
    assert_int_equal(cgroup_decode("cpu:a\n", 6, &arena, &back, &e), -EINVAL);
    assert_int_equal(cgroup_decode("cpu\n:/a\n", 8, &arena, &back, &e), -EINVAL); /* the next line's colon */
    assert_int_equal(cgroup_decode("", 0, &arena, &back, &e), 0);                 /* --cgroup-manager disabled */
    struct config_resources r = {.pids_limit = {true, 1}};
    assert_int_equal(cgroup_set(&back, &r, &e), -ENOTSUP);
    assert_int_equal(cgroup_pids(&back, NULL, 0, &e), 0);
    assert_int_equal(cgroup_kill(&back, SIGKILL, &e), 0);
    assert_int_equal(cgroup_remove(&back, &e), 0);
    assert_false(cgroup_is_frozen(&back));
    buf_done(&text);
    arena_free(&arena);
    (void)state;
}

/* crun 1.28: ".." in a cgroup path left the delegated tree. */
static void paths_stay_inside(void **state)
{
    struct arena arena = {0};
    struct cgroup c;
    assert_int_equal(cgroup_find("/a/../../b", "id", &arena, &c, &e), -EINVAL);
    assert_int_equal(cgroup_find("//", "id", &arena, &c, &e), -EINVAL);
    if (cgroup_find("/wherry//x/", "id", &arena, &c, &e) == 0)
        for (unsigned i = 0; i < c.count; i++) {
            size_t len = strlen(c.hierarchies[i].mount_point);
            assert_memory_equal(c.hierarchies[i].directory, c.hierarchies[i].mount_point, len);
            assert_string_equal(c.hierarchies[i].directory + len, "/wherry/x");
        }
    arena_free(&arena);
    (void)state;
}

/* --- the device program, run by a small interpreter of the few instructions it uses ---------------------------------- */

static int run_program(const struct buf *program, uint32_t type, uint32_t access, uint32_t major, uint32_t minor)
{
    const struct bpf_insn *code = (const struct bpf_insn *)program->data;
    const uint32_t context[3] = {access << 16 | type, major, minor};
    uint64_t r[11] = {0};

    for (size_t at = 0;; at++) {
        assert_true(at < program->len / sizeof *code);
        const struct bpf_insn *i = &code[at];
        uint64_t source = BPF_SRC(i->code) == BPF_X ? r[i->src_reg] : (uint64_t)(int64_t)i->imm;
        switch (i->code & ~BPF_X) {
        case BPF_LDX | BPF_MEM | BPF_W: r[i->dst_reg] = context[i->off / 4]; break;
        case BPF_ALU | BPF_MOV: r[i->dst_reg] = (uint32_t)source; break;
        case BPF_ALU | BPF_AND: r[i->dst_reg] = (uint32_t)(r[i->dst_reg] & source); break;
        case BPF_ALU | BPF_OR: r[i->dst_reg] = (uint32_t)(r[i->dst_reg] | source); break;
        case BPF_ALU | BPF_RSH: r[i->dst_reg] = (uint32_t)r[i->dst_reg] >> source; break;
        case BPF_ALU | BPF_LSH: r[i->dst_reg] = (uint32_t)r[i->dst_reg] << source; break;
        case BPF_JMP | BPF_JNE: at += r[i->dst_reg] != source ? (size_t)i->off : 0; break;
        case BPF_JMP | BPF_JEQ: at += r[i->dst_reg] == source ? (size_t)i->off : 0; break;
        case BPF_JMP | BPF_EXIT: return (int)r[0];
        default: fail_msg("instruction %#x", i->code);
        }
    }
}

static struct config_device_rule rule(bool allow, char type, int64_t major, int64_t minor, const char *access)
{
    return (struct config_device_rule){.allow = allow,
                                       .type = type,
                                       .major = {major >= 0, major},
                                       .minor = {minor >= 0, minor},
                                       .read = strchr(access, 'r') != NULL,
                                       .write = strchr(access, 'w') != NULL,
                                       .make = strchr(access, 'm') != NULL};
}

static void device_program_answers_by_the_last_rule(void **state)
{
    enum { R = BPF_DEVCG_ACC_READ, W = BPF_DEVCG_ACC_WRITE, M = BPF_DEVCG_ACC_MKNOD };
    enum { B = BPF_DEVCG_DEV_BLOCK, C = BPF_DEVCG_DEV_CHAR };
    struct config_device_rule rules[] = {
        rule(false, 'a', -1, -1, "rwm"), rule(true, 'c', 1, 3, "r"),  rule(true, 'c', 1, 3, "w"),
        rule(true, 'b', 8, -1, "rwm"),   rule(false, 'b', 8, 1, "w"), rule(true, 'c', -1, 5, "m"),
        rule(true, 'c', 7, 7, ""),
    };
    struct buf p = {0};
    cgroup_device_compile(rules, 7, &p);
    assert_int_equal(run_program(&p, C, R, 1, 3), 1);
    assert_int_equal(run_program(&p, C, R | W, 1, 3), 1); /* two rules together */
    assert_int_equal(run_program(&p, C, M, 1, 3), 0);
    assert_int_equal(run_program(&p, B, R, 1, 3), 0);
    assert_int_equal(run_program(&p, B, R | W | M, 8, 2), 1);
    assert_int_equal(run_program(&p, B, R, 8, 1), 1);
    assert_int_equal(run_program(&p, B, R | W, 8, 1), 0); /* the later deny wins */
    assert_int_equal(run_program(&p, C, M, 99, 5), 1);
    assert_int_equal(run_program(&p, C, R, 99, 5), 0);
    assert_int_equal(run_program(&p, C, R, 7, 7), 0);
    assert_false(cgroup_device_allows_all(rules, 7));
    rules[6] = rule(true, 'a', -1, -1, "rwm");
    assert_true(cgroup_device_allows_all(rules, 7));
    buf_done(&p);
    (void)state;
}

/* What the rules say, without a program: the last one that speaks of the device decides each bit. */
static int rules_answer(const struct config_device_rule *rules, unsigned count, char type, unsigned access,
                        uint32_t major, uint32_t minor)
{
    for (unsigned bit = 1; bit <= 4; bit <<= 1) {
        bool allowed = false;
        for (unsigned i = 0; i < count; i++) {
            const struct config_device_rule *r = &rules[i];
            unsigned says = (r->make ? BPF_DEVCG_ACC_MKNOD : 0) | (r->read ? BPF_DEVCG_ACC_READ : 0) |
                            (r->write ? BPF_DEVCG_ACC_WRITE : 0);
            if ((says & bit) != 0 && (r->type == 'a' || r->type == type) &&
                (!r->major.set || r->major.value == major) && (!r->minor.set || r->minor.value == minor))
                allowed = r->allow;
        }
        if ((access & bit) != 0 && !allowed)
            return 0;
    }
    return 1;
}

/* Any list of rules, against their plain meaning; and the kernel takes every program of them. */
static void device_programs_mean_their_rules(void **state)
{
    static const int64_t majors[] = {-1, 1, 5, 136, 2047, 2048, 4095}, minors[] = {-1, 0, 3, 5, 0xfffff};
    static const char *const accesses[] = {"rwm", "rwm", "r", "rw", "m", ""};
    uint32_t seed = 1;

    for (int round = 0; round < 3000; round++) {
        struct config_device_rule rules[6];
        struct buf p = {0};
        unsigned count = (unsigned)round % 7;
        for (unsigned i = 0; i < count; i++) {
            seed = seed * 1664525 + 1013904223;
            rules[i] = rule((seed >> 8 & 3) != 0, "acbc"[seed >> 10 & 3], majors[(seed >> 12 & 63) % 7],
                            minors[(seed >> 18 & 63) % 5], accesses[(seed >> 24 & 63) % 6]);
        }
        cgroup_device_compile(rules, count, &p);
        for (unsigned device = 0; device < 6 * 4; device++)
            for (unsigned access = 1; access < 8; access++)
                for (int kind = 0; kind < 2; kind++) {
                    uint32_t major = (uint32_t)majors[1 + device / 4], minor = (uint32_t)minors[1 + device % 4];
                    assert_int_equal(
                        run_program(&p, kind == 0 ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR, access, major, minor),
                        rules_answer(rules, count, "bc"[kind], access, major, minor));
                }
        if (geteuid() == 0 && round < 300) {
            union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
                                   .insns = (uint64_t)(uintptr_t)p.data,
                                   .insn_cnt = (uint32_t)(p.len / sizeof(struct bpf_insn)),
                                   .license = (uint64_t)(uintptr_t) "Apache-2.0"};
            int fd = (int)sys.bpf(BPF_PROG_LOAD, &attr, sizeof attr);
            if (fd < 0)
                assert_true(errno == EPERM || errno == ENOSYS); /* no such rights here */
            else
                close(fd);
        }
        buf_done(&p);
    }
    (void)state;
}

/* --- with the kernel ------------------------------------------------------------------------------------------------ */

static void file_is(const struct cgroup *c, const char *controller, const char *file, const char *wanted)
{
    char text[4096];
    const struct cgroup_hierarchy *h = cgroup_controller(c, controller);
    if (h == NULL)
        return;
    assert_int_equal(cgroup_read(h->directory, file, text, sizeof text), 0);
    assert_string_equal(text, wanted);
}

static pid_t start_sleeper(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        for (;;)
            pause();
    }
    return pid;
}

/* Finds this machine's v1 cgroups below a path of this test's own, or skips. */
static void find_v1(struct arena *arena, const char *name, struct cgroup *c)
{
    char path[64];
    snprintf(path, sizeof path, "wherry-test-%d/%s", (int)getpid(), name);
    if (geteuid() != 0 || cgroup_find(path, "id", arena, c, &e) < 0 || c->unified ||
        cgroup_controller(c, "memory") == NULL) {
        print_message("# needs root and cgroup v1\n");
        skip();
    }
}

static void remove_v1(struct cgroup *c)
{
    for (unsigned i = 0; i < c->count; i++) {
        char parent[4096];
        struct cgroup up = {.count = 1, .hierarchies = {{"x", "", parent}}};
        snprintf(parent, sizeof parent, "%s", c->hierarchies[i].directory);
        *strrchr(parent, '/') = 0;
        assert_int_equal(cgroup_remove(&up, &e), 0);
        assert_int_equal(access(parent, F_OK), -1);
    }
}

static void v1_limits(void **state)
{
    struct arena arena = {0};
    struct cgroup c;
    struct config_device_rule rules[] = {rule(false, 'a', -1, -1, "rwm"), rule(true, 'c', 10, 200, "rw")};
    struct config_resources r = {
        .memory = {.limit = {true, 64 << 20}, .reservation = {true, 32 << 20}},
        .cpu = {.shares = {true, 512}, .quota = {true, 20000}, .period = {true, 50000}, .cpus = "0", .mems = "0"},
        .pids_limit = {true, 33},
        .devices = rules,
        .device_count = 2,
    };
    find_v1(&arena, "limits", &c);
    assert_int_equal(cgroup_create(&c, &e), 0);
    int ret = cgroup_set(&c, &r, &e);
    assert_string_equal(ret < 0 ? e.text : "", "");
    file_is(&c, "memory", "memory.limit_in_bytes", "67108864");
    file_is(&c, "memory", "memory.soft_limit_in_bytes", "33554432");
    file_is(&c, "cpu", "cpu.shares", "512");
    file_is(&c, "cpu", "cpu.cfs_quota_us", "20000");
    file_is(&c, "cpu", "cpu.cfs_period_us", "50000");
    file_is(&c, "cpuset", "cpuset.cpus", "0");
    file_is(&c, "pids", "pids.max", "33");
    file_is(
        &c, "devices", "devices.list",
        "c 10:200 rw\nc *:* m\nb *:* m\nc 1:3 rwm\nc 1:5 rwm\nc 1:7 rwm\nc 1:8 rwm\nc 1:9 rwm\nc 5:0 rwm\nc 5:2 rwm\n"
        "c 136:* rwm");
    r = (struct config_resources){
        .pids_limit = {true, -1}, .cpu = {.quota = {true, -1}}, .memory = {.limit = {true, -1}}};
    assert_int_equal(cgroup_set(&c, &r, &e), 0);
    file_is(&c, "pids", "pids.max", "max");
    file_is(&c, "cpu", "cpu.cfs_quota_us", "-1");
    r = (struct config_resources){.network_class_id = {true, 1}};
    assert_int_equal(cgroup_set(&c, &r, &e), -ENOENT);
    assert_non_null(strstr(e.text, "net_cls"));
    struct config_pair pair = {"memory.high", "1"};
    r = (struct config_resources){.unified = {&pair, 1}};
    assert_int_equal(cgroup_set(&c, &r, &e), -EINVAL);
    remove_v1(&c);
    arena_free(&arena);
    (void)state;
}

static void v1_life(void **state)
{
    struct arena arena = {0};
    struct cgroup c;
    struct cgroup_stats stats;
    pid_t pids[4], sleeper;
    char below[4096];
    int status;
    find_v1(&arena, "life", &c);
    assert_int_equal(cgroup_create(&c, &e), 0);
    sleeper = start_sleeper();
    assert_int_equal(cgroup_attach(&c, sleeper, &e), 0);
    assert_int_equal(cgroup_pids(&c, pids, 4, &e), 1);
    assert_int_equal(pids[0], sleeper);
    assert_int_equal(cgroup_create(&c, &e), -EBUSY);
    assert_non_null(strstr(e.text, "container's cgroup is not empty"));
    assert_int_equal(access(c.hierarchies[0].directory, F_OK), 0);
    assert_false(cgroup_is_frozen(&c));
    assert_int_equal(cgroup_freeze(&c, true, &e), 0);
    assert_true(cgroup_is_frozen(&c));
    assert_int_equal(cgroup_read_stats(&c, &stats, &e), 0);
    assert_int_equal(stats.pids_current, 1);
    assert_true(stats.memory_limit > 0);
    assert_int_equal(cgroup_kill(&c, SIGKILL, &e), 0);
    assert_int_equal(waitpid(sleeper, &status, 0), sleeper);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    snprintf(below, sizeof below, "%s/a", c.hierarchies[0].directory);
    assert_int_equal(mkdir(below, 0755), 0);
    snprintf(below, sizeof below, "%s/a/b", c.hierarchies[0].directory);
    assert_int_equal(mkdir(below, 0755), 0);
    assert_int_equal(cgroup_remove(&c, &e), 0);
    assert_int_equal(access(c.hierarchies[0].directory, F_OK), -1);
    assert_int_equal(cgroup_remove(&c, &e), 0);
    remove_v1(&c);
    arena_free(&arena);
    (void)state;
}

static void v1_frozen_is_refused(void **state)
{
    struct arena arena = {0};
    struct cgroup c;
    find_v1(&arena, "frozen", &c);
    assert_int_equal(cgroup_create(&c, &e), 0);
    if (cgroup_controller(&c, "freezer") != NULL) {
        assert_int_equal(cgroup_freeze(&c, true, &e), 0);
        assert_int_equal(cgroup_create(&c, &e), -EBUSY);
        assert_non_null(strstr(e.text, "container's cgroup unexpectedly frozen"));
        assert_int_equal(cgroup_freeze(&c, false, &e), 0);
    }
    remove_v1(&c);
    arena_free(&arena);
    (void)state;
}

static void mount_points_stay(void **state)
{
    struct arena arena = {0};
    struct cgroup c;
    find_v1(&arena, "stay", &c);
    for (unsigned i = 0; i < c.count; i++) {
        struct cgroup root = {.count = 1, .hierarchies = {{"x", "", c.hierarchies[i].mount_point}}};
        assert_int_equal(cgroup_remove(&root, &e), -EBUSY);
    }
    struct cgroup plain = {.count = 1, .hierarchies = {{"x", "", "/sys/fs"}}};
    assert_int_equal(cgroup_remove(&plain, &e), -EINVAL);
    arena_free(&arena);
    (void)state;
}

/* A view with v2 alone: in a private mount namespace, the machine's own hierarchies out of sight. */
static void v2_life_body(void *unused)
{
    (void)unused;
    struct arena arena = {0};
    struct cgroup c;
    struct config_device_rule rules[] = {rule(false, 'a', -1, -1, "rwm")};
    char path[64];
    snprintf(path, sizeof path, "/wherry-test-%d", (int)getpid());
    CHECK(umount2("/sys/fs/cgroup", MNT_DETACH) == 0);
    CHECK(mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL) == 0);
    CHECK_OK(cgroup_find(path, "id", &arena, &c, &e));
    CHECK(c.unified && c.count == 1);
    CHECK_OK(cgroup_create(&c, &e));
    cleanup_fd int fd = cgroup_clone_fd(&c);
    CHECK(fd >= 0);
    struct clone_args args = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)fd};
    pid_t pid = (pid_t)sys.clone3(&args, sizeof args), pids[4];
    CHECK(pid >= 0);
    if (pid == 0)
        for (;;)
            pause();
    CHECK(cgroup_pids(&c, pids, 4, &e) == 1 && pids[0] == pid);
    CHECK_OK(cgroup_freeze(&c, true, &e));
    CHECK(cgroup_is_frozen(&c));
    CHECK_OK(cgroup_v2_devices(&c, rules, 1, &e));
    CHECK_OK(cgroup_v2_devices(&c, rules, 1, &e)); /* replaces */
    rules[0].allow = true;
    CHECK_OK(cgroup_v2_devices(&c, rules, 1, &e));
    CHECK_OK(cgroup_kill(&c, SIGKILL, &e));
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
    CHECK_OK(cgroup_remove(&c, &e));
    CHECK(access(c.hierarchies[0].directory, F_OK) < 0);
    arena_free(&arena);
}

static void v2_life(void **state)
{
    in_private_namespaces(0, v2_life_body, NULL);
    (void)state;
}

/* The program as the kernel runs it: one device allowed, another not. */
static void v2_devices_body(void *unused)
{
    (void)unused;
    struct arena arena = {0};
    struct cgroup c;
    struct config_device_rule rules[] = {rule(false, 'a', -1, -1, "rwm"), rule(false, 'c', 1, 5, "w")};
    char path[64];
    snprintf(path, sizeof path, "/wherry-test-%d", (int)getpid());
    CHECK(umount2("/sys/fs/cgroup", MNT_DETACH) == 0 && mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL) == 0);
    CHECK_OK(cgroup_find(path, "id", &arena, &c, &e));
    CHECK_OK(cgroup_create(&c, &e));
    CHECK_OK(cgroup_v2_devices(&c, rules, 2, &e));
    cleanup_fd int fd = cgroup_clone_fd(&c);
    struct clone_args args = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)fd};
    pid_t pid = (pid_t)sys.clone3(&args, sizeof args);
    CHECK(pid >= 0);
    if (pid == 0) {
        CHECK(mknod("/mnt/kmsg", S_IFCHR | 0600, makedev(1, 11)) == 0 && open("/mnt/kmsg", O_RDONLY) < 0 &&
              errno == EPERM);
        CHECK(open("/dev/null", O_RDWR) >= 0);
        _exit(0);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK_OK(cgroup_remove(&c, &e));
    CHECK(status == 0);
    arena_free(&arena);
}

static void v2_devices_are_kept(void **state)
{
    in_private_namespaces(0, v2_devices_body, NULL);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights),
        cmocka_unit_test(lists),
        cmocka_unit_test(encodes_and_decodes),
        cmocka_unit_test(paths_stay_inside),
        cmocka_unit_test(device_program_answers_by_the_last_rule),
        cmocka_unit_test(device_programs_mean_their_rules),
        cmocka_unit_test(v1_limits),
        cmocka_unit_test(v1_life),
        cmocka_unit_test(v1_frozen_is_refused),
        cmocka_unit_test(mount_points_stay),
        cmocka_unit_test(v2_life),
        cmocka_unit_test(v2_devices_are_kept),
    };
    return cmocka_run_group_tests_name("cgroup", tests, NULL, NULL);
}
