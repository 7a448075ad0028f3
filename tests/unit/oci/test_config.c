/* config.json: every section read into its field, and each thing that is refused with the path of the field. */
#include "config_text.h"
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static struct arena arena;
static struct config config;
static struct err e;

static int done(void **state)
{
    arena_free(&arena);
    return 0;
}

static void accept(const char *process, const char *top, const char *linux_members)
{
    if (config_of(&arena, process, top, linux_members, &config, &e) != 0)
        fail_msg("refused: %s", e.text);
}

static void refuse(const char *process, const char *top, const char *linux_members, const char *pattern)
{
    assert_int_equal(config_of(&arena, process, top, linux_members, &config, &e), -EINVAL);
    if (strstr(e.text, pattern) == NULL)
        fail_msg("got \"%s\", wanted \"%s\"", e.text, pattern);
}

static void the_smallest(void **state)
{
    accept("", "", "");
    assert_string_equal(config.root_path, "rootfs");
    assert_int_equal(config.process.args.count, 2);
    assert_string_equal(config.process.args.data[1], "x");
    assert_null(config.process.args.data[2]);
    assert_true(config.namespaces[NAMESPACE_PID].set);
    assert_null(config.namespaces[NAMESPACE_PID].path);
    assert_false(config.namespaces[NAMESPACE_NETWORK].set);
    assert_null(config.hostname);
    assert_false(config.resources.set);
    assert_int_equal(config.process.capabilities.bounding, 0);
}

static void process_section(void **state)
{
    accept(", \"terminal\": true, \"consoleSize\": {\"height\": 24, \"width\": 80}, \"env\": [\"A=1\", \"B=\"],"
           "\"user\": {\"uid\": 1000, \"gid\": 1001, \"umask\": 18, \"additionalGids\": [5, 6]},"
           "\"capabilities\": {\"bounding\": [\"CAP_KILL\", \"CAP_CHOWN\"], \"permitted\": [\"CAP_KILL\"]},"
           "\"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"soft\": 10, \"hard\": 18446744073709551615}],"
           "\"noNewPrivileges\": true, \"oomScoreAdj\": -5,"
           "\"scheduler\": {\"policy\": \"SCHED_BATCH\", \"nice\": 3, \"flags\": [\"SCHED_FLAG_RESET_ON_FORK\"]},"
           "\"ioPriority\": {\"class\": \"IOPRIO_CLASS_BE\", \"priority\": 4}",
           "", "");
    const struct config_process *p = &config.process;
    assert_true(p->terminal && p->no_new_privileges);
    assert_int_equal(p->console_height, 24);
    assert_int_equal(p->console_width, 80);
    assert_string_equal(p->env.data[1], "B=");
    assert_int_equal(p->user.uid, 1000);
    assert_int_equal(p->user.gid, 1001);
    assert_int_equal(p->user.umask.value, 022);
    assert_int_equal(p->user.additional_gid_count, 2);
    assert_int_equal(p->user.additional_gids[1], 6);
    assert_int_equal(p->capabilities.bounding, 1u << CAP_KILL | 1u << CAP_CHOWN);
    assert_int_equal(p->capabilities.effective, 0);
    assert_int_equal(p->rlimits[0].resource, RLIMIT_NOFILE);
    assert_true(p->rlimits[0].hard == UINT64_MAX);
    assert_int_equal(p->oom_score_adj.value, -5);
    assert_int_equal(p->scheduler.policy, SCHED_BATCH);
    assert_int_equal(p->scheduler.flags, 1);
    assert_int_equal(p->io_priority.io_class, 2);
}

static void top_section(void **state)
{
    accept("",
           ", \"hostname\": \"h\", \"domainname\": \"d\", \"annotations\": {\"k\": \"v\"}, \"mounts\": "
           "[{\"destination\": \"tmp\","
           "\"type\": \"tmpfs\", \"options\": [\"ro\"]}], \"hooks\": {\"poststop\": [{\"path\": \"/h\", \"args\": "
           "[\"h\"], \"timeout\": 3}]}",
           "");
    assert_string_equal(config.hostname, "h");
    assert_string_equal(config.domainname, "d");
    assert_string_equal(config_annotation(&config, "k"), "v");
    assert_null(config_annotation(&config, "kk"));
    assert_string_equal(config.mounts[0].destination, "/tmp");
    assert_null(config.mounts[0].source);
    assert_string_equal(config.mounts[0].options.data[0], "ro");
    assert_int_equal(config.hooks[HOOK_POSTSTOP].count, 1);
    assert_int_equal(config.hooks[HOOK_POSTSTOP].data[0].timeout_s.value, 3);
    assert_int_equal(config.hooks[HOOK_PRESTART].count, 0);
}

static void linux_section(void **state)
{
    accept("", "",
           ", \"devices\": [{\"path\": \"/dev/x\", \"type\": \"c\", \"major\": 10, \"minor\": 229, \"fileMode\": 432, "
           "\"uid\": 3}],"
           "\"cgroupsPath\": \"/a/b\", \"sysctl\": {\"net.ipv4.ip_forward\": \"1\"}, \"rootfsPropagation\": \"rslave\","
           "\"maskedPaths\": [\"/proc/kcore\"], \"readonlyPaths\": [\"/proc/sys\"], \"mountLabel\": \"l\"");
    assert_string_equal(config.devices[0].path, "/dev/x");
    assert_int_equal(config.devices[0].mode, S_IFCHR | 0660);
    assert_true(config.devices[0].number == makedev(10, 229));
    assert_int_equal(config.devices[0].uid, 3);
    assert_string_equal(config.cgroups_path, "/a/b");
    assert_string_equal(config.sysctl.data[0].key, "net.ipv4.ip_forward");
    assert_string_equal(config.rootfs_propagation, "rslave");
    assert_string_equal(config.masked_paths.data[0], "/proc/kcore");
}

static void resources_section(void **state)
{
    accept("", "",
           ", \"resources\": {\"devices\": [{\"allow\": false, \"access\": \"rwm\"}, {\"allow\": true, \"type\": "
           "\"c\", \"major\": 1,"
           "\"minor\": 3, \"access\": \"r\"}], \"memory\": {\"limit\": 1048576, \"swap\": -1}, \"cpu\": {\"shares\": "
           "512, \"quota\": -1,"
           "\"cpus\": \"0-1\"}, \"pids\": {\"limit\": 0}, \"blockIO\": {\"weight\": 10, \"throttleReadBpsDevice\": "
           "[{\"major\": 8,"
           "\"minor\": 0, \"rate\": 5}]}, \"unified\": {\"memory.high\": \"1\"}, \"hugepageLimits\": [{\"pageSize\": "
           "\"2MB\", \"limit\": 9}]}");
    const struct config_resources *r = &config.resources;
    assert_true(r->set);
    assert_int_equal(r->devices[0].type, 'a');
    assert_false(r->devices[0].major.set);
    assert_true(r->devices[1].allow && r->devices[1].read && !r->devices[1].write);
    assert_int_equal(r->memory.limit.value, 1048576);
    assert_int_equal(r->memory.swap.value, -1);
    assert_false(r->memory.reservation.set);
    assert_int_equal(r->cpu.shares.value, 512);
    assert_int_equal(r->cpu.quota.value, -1);
    assert_true(r->pids_limit.set);
    assert_int_equal(r->block_io.throttle[THROTTLE_READ_BPS].data[0].rate, 5);
    assert_int_equal(r->block_io.throttle[THROTTLE_WRITE_BPS].count, 0);
    assert_string_equal(r->unified.data[0].value, "1");
    assert_int_equal(r->hugepage_limits[0].limit, 9);
}

static void seccomp_section(void **state)
{
    accept("", "",
           ", \"seccomp\": {\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrnoRet\": 38, \"architectures\": "
           "[\"SCMP_ARCH_X86_64\"],"
           "\"flags\": [\"SECCOMP_FILTER_FLAG_LOG\"], \"syscalls\": [{\"names\": [\"clone\", \"read\"], \"action\": "
           "\"SCMP_ACT_ALLOW\","
           "\"args\": [{\"index\": 1, \"value\": 7, \"valueTwo\": 8, \"op\": \"SCMP_CMP_MASKED_EQ\"}]},"
           "{\"names\": [\"getcwd\"], \"action\": \"SCMP_ACT_ERRNO\"}]}");
    const struct config_seccomp *s = &config.seccomp;
    assert_int_equal(s->default_action, SECCOMP_RET_ERRNO | 38);
    assert_string_equal(s->architectures.data[0], "x86_64");
    assert_int_equal(s->flags, SECCOMP_FILTER_FLAG_LOG);
    assert_int_equal(s->rule_count, 2);
    assert_int_equal(s->rules[0].action, SECCOMP_RET_ALLOW);
    assert_int_equal(s->rules[0].args[0].op, 7);
    assert_int_equal(s->rules[0].args[0].value_two, 8);
    assert_int_equal(s->rules[1].action, SECCOMP_RET_ERRNO | EPERM);
}

static void newer_versions_and_unknown_fields_are_read(void **state)
{
    const char *text =
        "{\"ociVersion\": \"1.97.3-dev\", \"root\": {\"path\": \"/r\", \"later\": 1}, \"futureThing\": [{}]}";
    assert_int_equal(config_parse(text, strlen(text), &arena, &config, &e), 0);
    assert_false(config.process.set);
}

static void refuses_the_top(void **state)
{
    const char *text = "{\"ociVersion\": \"2.0.0\", \"root\": {\"path\": \"/r\"}}";
    assert_int_equal(config_parse(text, strlen(text), &arena, &config, &e), -EINVAL);
    assert_non_null(strstr(e.text, "ociVersion"));
    text = "{\"ociVersion\": \"1.0.0\"}";
    assert_int_equal(config_parse(text, strlen(text), &arena, &config, &e), -EINVAL);
    assert_non_null(strstr(e.text, "root: it is required"));
    text = "[]";
    assert_int_equal(config_parse(text, strlen(text), &arena, &config, &e), -EINVAL);
    refuse("", ", \"mounts\": [{\"type\": \"proc\"}]", "", "mounts[0].destination: it is required");
    refuse("", ", \"mounts\": {}", "", "mounts: expected an array, found an object");
    refuse("", ", \"annotations\": {\"\": \"x\"}", "", "annotations");
    refuse("", ", \"annotations\": {\"x\": 1}", "", "annotations.x: expected a string");
    refuse("", ", \"hooks\": {\"prestart\": [{\"path\": \"bin/x\"}]}", "",
           "hooks.prestart[0].path: it must be an absolute");
    refuse("", ", \"hooks\": {\"prestart\": [{\"path\": \"/x\", \"timeout\": 0}]}", "", "hooks.prestart[0].timeout");
}

static void warns_of_capabilities(void **state)
{
    assert_int_equal(config_of(&arena,
                               ", \"capabilities\": {\"bounding\": [\"CAP_SAIL\", \"CAP_KILL\"], \"permitted\": "
                               "[\"CAP_KILL\", \"CAP_CHOWN\"], \"inheritable\": [\"CAP_KILL\"], \"ambient\": "
                               "[\"CAP_CHOWN\", \"CAP_KILL\"]}",
                               "", "", &config, &e),
                     0);
    assert_int_equal(config.process.capabilities.bounding, 1u << CAP_KILL);
    assert_int_equal(config.process.capabilities.ambient, 1u << CAP_KILL);
    assert_string_equal(
        config.warnings,
        "config.json: process.capabilities.bounding[0]: 'CAP_SAIL' is not a known capability; config.json: "
        "process.capabilities.ambient: can't raise ambient capability CAP_CHOWN: it is not in the permitted and "
        "inheritable sets too");
    assert_int_equal(config_of(&arena, "", "", "", &config, &e), 0);
    assert_null(config.warnings);
}

static void refuses_the_process(void **state)
{
    refuse(", \"env\": [\"A\"]", "", "", "process.env");
    refuse(", \"env\": [\"=A\"]", "", "", "process.env");
    refuse(", \"env\": \"A=1\"", "", "", "process.env: expected an array, found a string");
    refuse(", \"user\": {\"uid\": 4294967295}", "", "", "process.user.uid");
    refuse(", \"user\": {\"uid\": 4294967296}", "", "", "process.user.uid");
    refuse(", \"user\": {\"gid\": -1}", "", "", "process.user.gid");
    refuse(", \"user\": {\"gid\": 1.5}", "", "", "process.user.gid");
    refuse(", \"capabilities\": {\"bounding\": [1]}", "", "", "process.capabilities.bounding[0]: expected a string");
    refuse(", \"capabilities\": {\"effective\": [\"CAP_KILL\"]}", "", "", "process.capabilities.effective");
    refuse(", \"rlimits\": [{\"type\": \"RLIMIT_SAIL\", \"soft\": 1, \"hard\": 1}]", "", "", "'RLIMIT_SAIL'");
    refuse(", \"rlimits\": [{\"type\": \"RLIMIT_CPU\", \"soft\": 2, \"hard\": 1}]", "", "", "process.rlimits[0].soft");
    refuse(", \"rlimits\": [{\"type\": \"RLIMIT_CPU\", \"soft\": 1, \"hard\": 1}, {\"type\": \"RLIMIT_CPU\", \"soft\": "
           "1, \"hard\": 1}]",
           "", "", "process.rlimits[1].type: the resource appears twice");
    refuse(", \"oomScoreAdj\": 1001", "", "", "process.oomScoreAdj");
    refuse(", \"terminal\": 1", "", "", "process.terminal: expected a boolean, found a number");
}

static void refuses_linux(void **state)
{
    refuse("", "", ", \"cgroupsPath\": 1", "linux.cgroupsPath");
    refuse("", "", ", \"maskedPaths\": [\"proc\"]", "linux.maskedPaths");
    refuse("", "", ", \"rootfsPropagation\": \"often\"", "linux.rootfsPropagation: invalid propagation 'often'");
    refuse("", "", ", \"devices\": [{\"path\": \"/dev/x\", \"type\": \"c\"}]", "linux.devices[0]");
    refuse("", "", ", \"devices\": [{\"path\": \"/dev/x\", \"type\": \"d\", \"major\": 1, \"minor\": 1}]",
           "linux.devices[0].type: invalid device type 'd'");
    refuse("", "", ", \"uidMappings\": [{\"containerID\": 0, \"hostID\": 0, \"size\": 1}]", "linux.uidMappings");
    refuse("", "", ", \"resources\": {\"memory\": {\"limit\": 100, \"swap\": 50}}", "linux.resources.memory.swap");
    refuse("", "", ", \"resources\": {\"devices\": [{\"allow\": true, \"access\": \"x\"}]}",
           "linux.resources.devices[0].access");
    refuse("", "", ", \"seccomp\": {\"defaultAction\": \"SCMP_ACT_SAIL\"}",
           "linux.seccomp.defaultAction: invalid seccomp action 'SCMP_ACT_SAIL'");
    refuse("", "",
           ", \"seccomp\": {\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [], \"action\": "
           "\"SCMP_ACT_LOG\"}]}",
           "linux.seccomp.syscalls[0].names");
    refuse("", "", ", \"timeOffsets\": {\"monotonic\": {\"secs\": 1}}", "linux.timeOffsets");
}

/* What reaches beyond the container's own namespaces would change the host. */
static void refuses_settings_without_their_namespace(void **state)
{
    const char *text = "{\"ociVersion\": \"1.0.0\", \"root\": {\"path\": \"/r\"}, \"hostname\": \"h\"}";
    assert_int_equal(config_parse(text, strlen(text), &arena, &config, &e), -EINVAL);
    assert_non_null(strstr(e.text, "hostname: it needs a uts namespace"));
    text = "{\"ociVersion\": \"1.0.0\", \"root\": {\"path\": \"/r\"}, \"linux\": {\"maskedPaths\": [\"/x\"]}}";
    assert_int_equal(config_parse(text, strlen(text), &arena, &config, &e), -EINVAL);
    assert_non_null(strstr(e.text, "linux.maskedPaths"));
    text = "{\"ociVersion\": \"1.0.0\", \"root\": {\"path\": \"/r\"}, \"linux\": {\"namespaces\": [{\"type\": "
           "\"pid\"}, {\"type\": \"pid\"}]}}";
    assert_int_equal(config_parse(text, strlen(text), &arena, &config, &e), -EINVAL);
    assert_non_null(strstr(e.text, "linux.namespaces[1].type: the namespace type appears twice"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smallest),
        cmocka_unit_test(process_section),
        cmocka_unit_test(top_section),
        cmocka_unit_test(linux_section),
        cmocka_unit_test(resources_section),
        cmocka_unit_test(seccomp_section),
        cmocka_unit_test(newer_versions_and_unknown_fields_are_read),
        cmocka_unit_test(refuses_the_top),
        cmocka_unit_test(warns_of_capabilities),
        cmocka_unit_test(refuses_the_process),
        cmocka_unit_test(refuses_linux),
        cmocka_unit_test(refuses_settings_without_their_namespace),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, done);
}
