/* Seccomp: the profile's canonical text, the compiler, the cache and whom it trusts, and filters at work. */
#include "oci/seccomp.h"
#include "oci/seccomp_check.h"
#include "base/fd.h"
#include "oci/seccomp_file.h"
#include "private.h"
#include "sys_fail.h"
#include <dirent.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

static struct err e;
static char cache[] = "/tmp/test-seccomp-XXXXXX";

/* getcwd fails with EPERM; personality(0xdead) kills; socket is EAFNOSUPPORT for family 16 or protocol 9. */
static struct config_seccomp *profile(void)
{
    static char *getcwd_name[] = {"getcwd", "wherry_does_not_know_it"}, *personality[] = {"personality"},
                *socket_name[] = {"socket"}, *allowed[] = {"read"}, *architectures[] = {"x86_64", "x86", "x32"};
    static struct config_seccomp_arg dead[] = {{0, 4, 0xdead, 0}}, twice[] = {{0, 4, 16, 0}, {0, 4, 17, 0}};
    static struct config_seccomp_rule rules[] = {
        {{getcwd_name, 2}, SECCOMP_RET_ERRNO | 1, NULL, 0},
        {{personality, 1}, SECCOMP_RET_KILL_PROCESS, dead, 1},
        {{socket_name, 1}, SECCOMP_RET_ERRNO | 97, twice, 2},
        {{allowed, 1}, SECCOMP_RET_ALLOW, NULL, 0},
    };
    static struct config_seccomp p;
    p = (struct config_seccomp){true, SECCOMP_RET_ALLOW, {architectures, 3}, 0, NULL, NULL, rules, 4};
    return &p;
}

static const char *libexec(void)
{
    static char path[256];
    const char *build = getenv("BUILD");
    snprintf(path, sizeof path, "%s/libexec/wherry", build != NULL ? build : "build");
    char program[300];
    snprintf(program, sizeof program, "%s/system", path);
    if (access(program, X_OK) < 0) {
        print_message("# needs %s\n", program);
        skip();
    }
    return path;
}

static void canonical_text(void **state)
{
    struct buf text = {0};
    assert_int_equal(seccomp_encode(profile(), &text, &e), 0);
    assert_string_equal(buf_cstr(&text), "default 7fff0000\narch x86_64\narch x86\narch x32\n"
                                         "rule 50001 getcwd\nrule 50001 wherry_does_not_know_it\n"
                                         "rule 80000000 personality 0 4 dead 0\n"
                                         "rule 50061 socket 0 4 10 0\nrule 50061 socket 0 4 11 0\n");
    buf_done(&text);
    (void)state;
}

static void hostile_names(void **state)
{
    static char *names[] = {"read\nrule 7fff0000 ptrace"};
    struct config_seccomp_rule rule = {{names, 1}, SECCOMP_RET_ERRNO, NULL, 0};
    struct config_seccomp p = {.set = true, .default_action = SECCOMP_RET_ALLOW, .rules = &rule, .rule_count = 1};
    struct buf text = {0};
    assert_int_equal(seccomp_encode(&p, &text, &e), -EINVAL);
    buf_done(&text);
    (void)state;
}

/* What the interpreter answers is what the kernel does in filters_work. */
static void says_what_a_filter_would_do(void **state)
{
    const struct {
        int number;
        uint64_t first;
        uint32_t answer;
    } cases[] = {
        {SYS_getcwd, 0, SECCOMP_RET_ERRNO | EPERM},
        {SYS_socket, 16, SECCOMP_RET_ERRNO | 97},
        {SYS_socket, 1, SECCOMP_RET_ALLOW},
        {SYS_read, 0, SECCOMP_RET_ALLOW},
        {SYS_personality, 0xffffffff, SECCOMP_RET_ALLOW},
        {SYS_personality, 0xdead, SECCOMP_RET_KILL_PROCESS},
    };
    struct buf filter = {0};
    assert_int_equal(seccomp_prepare(profile(), libexec(), cache, &filter, &e), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct seccomp_data call = {.nr = cases[i].number, .arch = AUDIT_ARCH_X86_64, .args = {cases[i].first, 3}};
        assert_int_equal(seccomp_ask(&filter, &call), cases[i].answer);
    }
    buf_done(&filter);
    (void)state;
}

static void a_filter_without_an_end_kills(void **state)
{
    struct sock_filter program[] = {{BPF_JMP | BPF_JA, 0, 0, 1000}};
    struct buf filter = {.data = (uint8_t *)program, .len = sizeof program};
    assert_int_equal(seccomp_ask(&filter, &(struct seccomp_data){0}), SECCOMP_RET_KILL_PROCESS);
    program[0] = (struct sock_filter){BPF_LD | BPF_W | BPF_ABS, 0, 0, 4000};
    assert_int_equal(seccomp_ask(&filter, &(struct seccomp_data){0}), SECCOMP_RET_KILL_PROCESS);
    (void)state;
}

static void names_what_the_engine_lacks(void **state)
{
    static char *names[] = {"rt_sigreturn"};
    struct config_seccomp_rule rule = {{names, 1}, SECCOMP_RET_ERRNO, NULL, 0};
    struct config_seccomp p = {.set = true, .default_action = SECCOMP_RET_ALLOW, .rules = &rule, .rule_count = 1};
    struct buf filter = {0};
    assert_int_equal(seccomp_check_engine(&filter, &e), 0);
    assert_int_equal(seccomp_prepare(&p, libexec(), cache, &filter, &e), 0);
    assert_int_equal(seccomp_check_engine(&filter, &e), -EPERM);
    assert_non_null(strstr(e.text, "rt_sigreturn"));
    buf_done(&filter);
    rule.action = SECCOMP_RET_LOG;
    filter = (struct buf){0};
    assert_int_equal(seccomp_prepare(&p, libexec(), cache, &filter, &e), 0);
    assert_int_equal(seccomp_check_engine(&filter, &e), 0);
    buf_done(&filter);
    (void)state;
}

static void a_listener_must_get_out(void **state)
{
    static char *names[] = {"sendmsg"};
    struct config_seccomp_rule rule = {{names, 1}, SECCOMP_RET_USER_NOTIF, NULL, 0};
    struct config_seccomp p = {.set = true, .default_action = SECCOMP_RET_ALLOW, .rules = &rule, .rule_count = 1};
    struct buf filter = {0};
    assert_int_equal(seccomp_prepare(&p, libexec(), cache, &filter, &e), -EINVAL);
    names[0] = "mkdir";
    filter.len = 0;
    assert_int_equal(seccomp_prepare(&p, libexec(), cache, &filter, &e), 0);
    buf_done(&filter);
    (void)state;
}

static void says_what_is_wrong(void **state)
{
    static char *names[] = {"vax"};
    struct config_seccomp p = {.set = true, .default_action = SECCOMP_RET_ALLOW, .architectures = {names, 1}};
    struct buf filter = {0};
    assert_int_equal(seccomp_prepare(&p, libexec(), cache, &filter, &e), -EINVAL);
    assert_string_equal(e.text, "linux.seccomp: libseccomp does not know the architecture 'vax'");
    assert_int_equal(seccomp_prepare(&p, "/nonexistent", cache, &filter, &e), -ENOENT);
    (void)state;
}

/* The only entry of the cache; its path in PATH. */
static int count_entries(char path[300])
{
    char directory[64];
    int count = 0;
    snprintf(directory, sizeof directory, "%s/seccomp", cache);
    DIR *d = opendir(directory);
    for (struct dirent *entry; d != NULL && (entry = readdir(d)) != NULL;)
        if (entry->d_name[0] != '.') {
            snprintf(path, 300, "%s/%.200s", directory, entry->d_name);
            count++;
        }
    if (d != NULL)
        closedir(d);
    return count;
}

static void compiles_once(void **state)
{
    struct buf first = {0}, second = {0};
    char path[300];
    struct stat before, after;
    assert_int_equal(seccomp_prepare(profile(), libexec(), cache, &first, &e), 0);
    assert_true(first.len > 0 && first.len % sizeof(struct sock_filter) == 0);
    assert_int_equal(count_entries(path), 1);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(before.st_mode & 077, 0);
    char missing[] = "/tmp/nonexistent-libexec";
    assert_int_equal(seccomp_prepare(profile(), missing, cache, &second, &e), 0); /* a hit needs no compiler */
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.data, second.data, first.len);
    second.len = 0;
    assert_int_equal(truncate(path, before.st_size - 4), 0); /* damaged: made again */
    assert_int_equal(seccomp_prepare(profile(), libexec(), cache, &second, &e), 0);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(after.st_size, before.st_size);
    assert_memory_equal(first.data, second.data, first.len);
    buf_done(&first);
    buf_done(&second);
    (void)state;
}

static void another_library_makes_a_new_filter(void **state)
{
    struct buf filter = {0};
    char path[300];
    struct seccomp_file f;
    assert_int_equal(seccomp_prepare(profile(), libexec(), cache, &filter, &e), 0);
    assert_int_equal(count_entries(path), 1);
    cleanup_fd int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, &f, sizeof f, 0), sizeof f);
    f.library_mtime_ns++;
    assert_int_equal(pwrite(fd, &f, sizeof f, 0), sizeof f);
    assert_int_equal(seccomp_prepare(profile(), "/nonexistent", cache, &filter, &e), -ENOENT);
    buf_done(&filter);
    (void)state;
}

static void a_cache_that_others_can_write_is_not_used(void **state)
{
    struct buf filter = {0};
    char directory[64];
    assert_int_equal(seccomp_prepare(profile(), libexec(), cache, &filter, &e), 0);
    snprintf(directory, sizeof directory, "%s/seccomp", cache);
    assert_int_equal(chmod(directory, 0777), 0);
    assert_int_equal(seccomp_prepare(profile(), "/nonexistent", cache, &filter, &e), -ENOENT);
    assert_int_equal(chmod(directory, 0700), 0);
    filter.len = 0;
    assert_int_equal(seccomp_prepare(profile(), "/nonexistent", cache, &filter, &e), 0);
    buf_done(&filter);
    (void)state;
}

static void filters_work(void **state)
{
    struct buf filter = {0};
    int status;
    assert_int_equal(seccomp_prepare(profile(), libexec(), cache, &filter, &e), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char here[64];
        CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
        CHECK_OK(seccomp_load(&filter, SECCOMP_FILTER_FLAG_LOG, NULL, &e));
        CHECK(getcwd(here, sizeof here) == NULL && errno == EPERM);
        CHECK(socket(16, 3, 0) == -1 && errno == 97 && socket(17, 3, 0) == -1 && errno == 97 && socket(1, 1, 0) >= 0);
        CHECK(syscall(SYS_personality, 0xffffffff) == 0);
        syscall(SYS_personality, 0xdead);
        _exit(7);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    buf_done(&filter);
    (void)state;
}

/* Default EPERM; every call up to openat2 (437) that the child needs is allowed. */
static void newer_calls_are_enosys(void **state)
{
    static char *names[] = {"exit_group", "write", "openat2", "close"}, *architectures[] = {"x86_64", "x86", "x32"};
    struct config_seccomp_rule rule = {{names, 4}, SECCOMP_RET_ALLOW, NULL, 0};
    struct config_seccomp p = {.set = true,
                               .default_action = SECCOMP_RET_ERRNO | EPERM,
                               .architectures = {architectures, 3},
                               .rules = &rule,
                               .rule_count = 1};
    struct buf filter = {0};
    int status;
    assert_int_equal(seccomp_prepare(&p, libexec(), cache, &filter, &e), 0);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
        CHECK_OK(seccomp_load(&filter, 0, NULL, &e));
        CHECK(syscall(SYS_getcwd, NULL, 0) == -1 && errno == EPERM);
        CHECK(syscall(436, -1, 0, 0) == -1 && errno == EPERM);
        CHECK(syscall(438, -1, 0, 0) == -1 && errno == ENOSYS);
        CHECK(syscall(9999) == -1 && errno == ENOSYS);
        CHECK(syscall(0x40000000 + 3, -1) == -1 && errno != EPERM); /* x32 close: allowed, if the kernel has x32 */
        CHECK(syscall(0x40000000 + 4) == -1 && errno == EPERM);
        CHECK(syscall(0x40000000 + 9999) == -1 && errno == ENOSYS);
        syscall(SYS_exit_group, 0); /* ASan's _exit does more than the filter allows */
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    buf_done(&filter);
    (void)state;
}

static int make_cache(void **state)
{
    (void)state;
    return mkdtemp(cache) != NULL ? 0 : -1;
}

static int remove_cache(void **state)
{
    char path[300];
    while (count_entries(path) > 0)
        unlink(path);
    snprintf(path, sizeof path, "%s/seccomp", cache);
    rmdir(path);
    rmdir(cache);
    (void)state;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_text),
        cmocka_unit_test(hostile_names),
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(compiles_once),
        cmocka_unit_test(another_library_makes_a_new_filter),
        cmocka_unit_test(a_cache_that_others_can_write_is_not_used),
        cmocka_unit_test(filters_work),
        cmocka_unit_test(newer_calls_are_enosys),
        cmocka_unit_test(says_what_a_filter_would_do),
        cmocka_unit_test(a_filter_without_an_end_kills),
        cmocka_unit_test(names_what_the_engine_lacks),
        cmocka_unit_test(a_listener_must_get_out),
    };
    return cmocka_run_group_tests_name("seccomp", tests, make_cache, remove_cache);
}
