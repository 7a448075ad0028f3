/* The table of grants, row by row: what a module gets for what the config grants. */
#include "config_text.h"
#include "oci/wasm_grant.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <sys/stat.h>

static struct arena arena;
static struct config config;
static struct plan plan;
static struct grant grant;
static struct err e;

static int done(void **state)
{
    arena_free(&arena);
    return 0;
}

static int make(const char *process, const char *top, const char *linux_members)
{
    int ret = config_of(&arena, process, top, linux_members, &config, &e);
    assert_int_equal(ret, 0);
    ret = plan_make(&config, &(struct plan_options){.bundle = "/b"}, &arena, &plan, &e);
    assert_int_equal(ret, 0);
    return wasm_grant_make(&plan, &arena, &grant, &e);
}

/* "directory:rw" ..., or "" if nothing is said about PATH. */
static const char *granted(const char *path)
{
    for (uint32_t i = 0; i < grant.path_count; i++) {
        const struct grant_path *p = &grant.paths[i];
        if (strcmp(p->guest_path, path) != 0)
            continue;
        assert_int_equal(p->fd, -1);
        return p->kind == GRANT_HIDDEN ? "hidden" : p->kind == GRANT_DEVICES ? "devices" : p->writable ? "rw" : "ro";
    }
    return "";
}

#define MOUNT(destination, type, options)                                                                              \
    "{\"destination\": \"" destination "\", \"type\": \"" type "\", \"source\": \"/s\", \"options\": [" options "]}"

static void root_is_the_first(void **state)
{
    assert_int_equal(make("", "", ""), 0);
    assert_string_equal(grant.paths[0].guest_path, "/");
    assert_string_equal(granted("/"), "rw");
    assert_string_equal(granted("/dev"), "devices");
    assert_string_equal(grant.working_directory, "/");
    assert_string_equal(grant.module_name, "true");
    const char *text = "{\"ociVersion\": \"1.0.0\", \"root\": {\"path\": \"r\", \"readonly\": true}, \"process\": "
                       "{\"cwd\": \"/\", \"args\": [\"x\"]}, \"linux\": {\"namespaces\": [{\"type\": \"mount\"}]}}";
    assert_int_equal(config_parse(text, strlen(text), &arena, &config, &e), 0);
    assert_int_equal(plan_make(&config, &(struct plan_options){.bundle = "/b"}, &arena, &plan, &e), 0);
    assert_int_equal(wasm_grant_make(&plan, &arena, &grant, &e), 0);
    assert_string_equal(granted("/"), "ro");
}

static void mounts(void **state)
{
    assert_int_equal(
        make("",
             ", \"mounts\": [" MOUNT("/data", "bind", "\"rbind\"") "," MOUNT(
                 "/conf/", "none", "\"bind\",\"ro\"") "," MOUNT("/tree", "bind",
                                                                "\"rbind\",\"rro\"") "," MOUNT("/tmp", "tmpfs", "") "]",
             ""),
        0);
    assert_string_equal(granted("/data"), "rw");
    assert_string_equal(granted("/conf"), "ro");
    assert_string_equal(granted("/tree"), "ro");
    assert_string_equal(granted("/tmp"), "rw");
}

static void the_kernels_file_systems_are_hidden(void **state)
{
    assert_int_equal(
        make(
            "",
            ", \"mounts\": [" MOUNT("/proc", "proc", "") "," MOUNT("/sys", "sysfs", "") "," MOUNT(
                "/sys/fs/cgroup", "cgroup",
                "") "," MOUNT("/dev", "tmpfs",
                              "") "," MOUNT("/dev/pts", "devpts",
                                            "") "," MOUNT("/dev/shm", "tmpfs",
                                                          "") "," MOUNT("/dev/mqueue", "mqueue",
                                                                        "") "," MOUNT("/proc/cpuinfo", "bind",
                                                                                      "\"bind\"") "," MOUNT("/dev/"
                                                                                                            "terminatio"
                                                                                                            "n-log",
                                                                                                            "bind",
                                                                                                            "\"bind\"") "]",
            ", \"maskedPaths\": [\"/proc/kcore\", \"/secret\"], \"readonlyPaths\": [\"/proc/sys\", \"/usr\"]"),
        0);
    assert_string_equal(granted("/proc"), "hidden");
    assert_string_equal(granted("/sys"), "hidden");
    assert_string_equal(granted("/dev"), "devices");
    assert_string_equal(granted("/dev/pts"), "hidden");
    assert_string_equal(granted("/dev/shm"), "hidden");
    assert_string_equal(granted("/dev/mqueue"), "hidden");
    assert_string_equal(granted("/proc/cpuinfo"), "");
    assert_string_equal(granted("/dev/termination-log"), "rw");
    assert_string_equal(granted("/secret"), "hidden");
    assert_string_equal(granted("/usr"), "ro");
    assert_string_equal(granted("/proc/sys"), "");
}

static void what_an_opened_path_becomes(void **state)
{
    assert_int_equal(wasm_grant_kind("/data", S_IFDIR | 0755, EXT4_SUPER_MAGIC), GRANT_DIRECTORY);
    assert_int_equal(wasm_grant_kind("/etc/hosts", S_IFREG | 0644, EXT4_SUPER_MAGIC), GRANT_FILE);
    assert_int_equal(wasm_grant_kind("/dev/termination-log", S_IFREG | 0644, EXT4_SUPER_MAGIC), GRANT_FILE);
    assert_int_equal(wasm_grant_kind("/dev/bus", S_IFDIR | 0755, TMPFS_MAGIC), GRANT_HIDDEN);
    assert_int_equal(wasm_grant_kind("/run/docker.sock", S_IFSOCK | 0666, TMPFS_MAGIC), GRANT_HIDDEN);
    assert_int_equal(wasm_grant_kind("/dev/sda", S_IFBLK | 0660, TMPFS_MAGIC), GRANT_HIDDEN);
    assert_int_equal(wasm_grant_kind("/host-proc", S_IFDIR | 0555, PROC_SUPER_MAGIC), GRANT_HIDDEN);
    assert_int_equal(wasm_grant_kind("/host-sys", S_IFDIR | 0555, SYSFS_MAGIC), GRANT_HIDDEN);
    assert_int_equal(wasm_grant_kind("/cg", S_IFDIR | 0555, CGROUP2_SUPER_MAGIC), GRANT_HIDDEN);
}

static void environment_is_the_configs_and_pwd(void **state)
{
    assert_int_equal(make(", \"env\": [\"A=1\"]", "", ""), 0);
    assert_int_equal(grant.environment_count, 2);
    assert_string_equal(grant.environment[0], "A=1");
    assert_string_equal(grant.environment[1], "PWD=/");
    assert_int_equal(make(", \"env\": [\"PWD=/x\"]", "", ""), 0);
    assert_int_equal(grant.environment_count, 1);
    assert_int_equal(grant.arg_count, 2);
    assert_string_equal(grant.args[1], "x");
}

static void network_needs_a_namespace_or_the_annotation(void **state)
{
    assert_int_equal(make("", "", ""), 0);
    assert_false(grant.network);
    assert_int_equal(make("", ", \"annotations\": {\"wherry.wasm.host-network\": \"true\"}", ""), 0);
    assert_true(grant.network);
    plan.network = PLAN_NETWORK_JOINED;
    assert_int_equal(make("", "", ""), 0);
    assert_false(grant.network);
    plan.network = PLAN_NETWORK_OWN;
    assert_int_equal(wasm_grant_make(&plan, &arena, &grant, &e), 0);
    assert_true(grant.network);
}

static void sockets_by_annotation(void **state)
{
#define LISTEN(addresses) ", \"annotations\": {\"wherry.wasm.listen\": \"" addresses "\"}"
    static const char *const bad[] = {LISTEN(""),        LISTEN("0"),        LISTEN("65536"),  LISTEN("80,"),
                                      LISTEN("host:80"), LISTEN("[::1:80"),  LISTEN("::1:80"), LISTEN("1.2.3.4:"),
                                      LISTEN("[]:80"),   LISTEN("1.2.3:80 ")};

    assert_int_equal(make("", LISTEN("80"), ""), -EPERM);
    assert_non_null(strstr(e.text, "host-network"));
    assert_int_equal(make("", "", ""), 0);
    assert_int_equal(grant.socket_count, 0);
    assert_int_equal(make("", LISTEN("8080,127.0.0.1:81,[::1]:82\", \"wherry.wasm.host-network\": \"true"), ""), 0);
    assert_int_equal(grant.socket_count, 3);
    assert_string_equal(grant.sockets[0].name, "8080");
    assert_string_equal(grant.sockets[2].name, "[::1]:82");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(make("", bad[i], ""), -EPERM);
        plan.network = PLAN_NETWORK_OWN;
        assert_int_equal(wasm_grant_make(&plan, &arena, &grant, &e), -EINVAL);
        assert_non_null(strstr(e.text, "wherry.wasm.listen"));
    }
}

static void few_capabilities_are_of_use(void **state)
{
    assert_true((wasm_grant_capabilities(false) & (UINT64_C(1) << CAP_DAC_OVERRIDE)) != 0);
    assert_true((wasm_grant_capabilities(false) & (UINT64_C(1) << CAP_NET_BIND_SERVICE)) == 0);
    assert_true((wasm_grant_capabilities(true) & (UINT64_C(1) << CAP_NET_BIND_SERVICE)) != 0);
    assert_true((wasm_grant_capabilities(true) & (UINT64_C(1) << CAP_SYS_ADMIN | UINT64_C(1) << CAP_SETUID)) == 0);
}

static void annotations(void **state)
{
    assert_int_equal(make("", ", \"annotations\": {\"wherry.wasm.memory-max\": \"65536\"}", ""), 0);
    assert_int_equal(grant.memory_max_bytes, 65536);
    assert_int_equal(make("", ", \"annotations\": {\"wherry.wasm.memory-max\": \"-1\"}", ""), -EINVAL);
    assert_non_null(strstr(e.text, "wherry.wasm.memory-max"));
    assert_int_equal(make("", ", \"annotations\": {\"wherry.wasm.sails\": \"1\"}", ""), -ENOTSUP);
    assert_non_null(strstr(e.text, "wherry.wasm.sails"));
}

#define TIER(value) ", \"annotations\": {\"wherry.wasm.tier\": \"" value "\"}"

static void tier(void **state)
{
    enum engine_compiler compiler;

    assert_int_equal(make("", TIER("default"), ""), 0);
    assert_int_equal(wasm_grant_compiler(&config, &compiler, &e), 0);
    assert_int_equal(compiler, 0);
    assert_int_equal(make("", TIER("baseline"), ""), 0);
    assert_int_equal(wasm_grant_compiler(&config, &compiler, &e), 0);
    assert_int_equal(compiler, ENGINE_BASELINE);
    assert_int_equal(make("", TIER("optimizing"), ""), 0);
    assert_int_equal(wasm_grant_compiler(&config, &compiler, &e), 0);
    assert_int_equal(compiler, ENGINE_OPTIMIZING);
    assert_int_equal(make("", TIER("best"), ""), -EINVAL);
    assert_non_null(strstr(e.text, "annotations.wherry.wasm.tier: 'best' is not default, baseline or optimizing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_is_the_first),
        cmocka_unit_test(mounts),
        cmocka_unit_test(the_kernels_file_systems_are_hidden),
        cmocka_unit_test(what_an_opened_path_becomes),
        cmocka_unit_test(environment_is_the_configs_and_pwd),
        cmocka_unit_test(network_needs_a_namespace_or_the_annotation),
        cmocka_unit_test(sockets_by_annotation),
        cmocka_unit_test(few_capabilities_are_of_use),
        cmocka_unit_test(annotations),
        cmocka_unit_test(tier),
    };
    return cmocka_run_group_tests_name("wasm_grant", tests, NULL, done);
}
