/* Hooks: input, environment, failure, time limit. */
#include "oci/hooks.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static struct err e;

static int run_script(const char *script, int64_t timeout_s, char *const *env)
{
    char *args[] = {"hook", "-c", (char *)script, NULL};
    struct config_hook hook = {.path = "/bin/sh", .args = {args, 3}, .timeout_s = {timeout_s > 0, timeout_s}};
    static const char state[] = "{\"id\":\"x\"}";
    if (env != NULL)
        hook.env = (struct strings){(char **)env, 1};
    e.text[0] = 0;
    return hook_run(&hook, -1, state, sizeof state - 1, &e);
}

static void gets_state_and_environment(void **state)
{
    char *env[] = {"A=b", NULL};
    assert_int_equal(run_script("test \"$(cat)\" = '{\"id\":\"x\"}'", 0, NULL), 0);
    assert_int_equal(run_script("test \"$(cat /dev/stdin)\" = '{\"id\":\"x\"}'", 0, NULL), 0);
    assert_int_equal(run_script("test \"$A\" = b", 0, env), 0);
    setenv("WHERRY_SECRET", "1", 1);
    assert_int_equal(run_script("test -z \"$WHERRY_SECRET\"", 0, env), 0);
    assert_int_equal(run_script("test \"$WHERRY_SECRET\" = 1", 0, NULL), 0); /* no env: the caller's, as with runc */
    assert_int_equal(run_script("test $0 = hook", 0, NULL), 0);
    (void)state;
}

/* crun 1.28 died of SIGPIPE when a hook did not read its input. */
static void need_not_read(void **state)
{
    char *args[] = {"true", NULL};
    struct config_hook hook = {.path = "/bin/true", .args = {args, 1}};
    static char big[1 << 20];
    memset(big, 'x', sizeof big);
    assert_int_equal(hook_run(&hook, -1, big, sizeof big, &e), 0);
    (void)state;
}

static void failures_say_why(void **state)
{
    struct config_hook hook = {.path = "/nonexistent/hook"};
    assert_int_equal(run_script("echo no good >&2; exit 3", 0, NULL), -ECHILD);
    assert_string_equal(e.text, "the hook '/bin/sh' failed: exit status 3: no good");
    assert_int_equal(run_script("kill -9 $$", 0, NULL), -ECHILD);
    assert_non_null(strstr(e.text, "signal 9"));
    assert_int_equal(hook_run(&hook, -1, "", 0, &e), -ECHILD);
    assert_non_null(strstr(e.text, "No such file"));
    (void)state;
}

static void time_limit(void **state)
{
    assert_int_equal(run_script("sleep 60", 1, NULL), -ETIMEDOUT);
    assert_non_null(strstr(e.text, "1 seconds"));
    assert_int_equal(run_script("exit 0", 5, NULL), 0);
    (void)state;
}

static void nothing_leaks(void **state)
{
    int fd = open("/dev/null", O_RDONLY); /* without O_CLOEXEC, as a caller of ours may have left it */
    char script[64];
    snprintf(script, sizeof script, "test ! -e /proc/self/fd/%d", fd);
    assert_int_equal(run_script(script, 0, NULL), 0);
    close(fd);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(gets_state_and_environment), cmocka_unit_test(need_not_read),
                                       cmocka_unit_test(failures_say_why), cmocka_unit_test(time_limit),
                                       cmocka_unit_test(nothing_leaks)};
    return cmocka_run_group_tests_name("hooks", tests, NULL, NULL);
}
