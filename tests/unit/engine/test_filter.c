/* What the module's process and the compile worker can no longer do once their filters are in place. */
#include "engine/filter.h"
#include "engine/sandbox.h"
#include "engine/wasi/p1_functions.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* Runs BODY in a child; returns its wait status. */
static int in_child(int (*body)(void *), void *argument)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        syscall(SYS_exit_group, body(argument));
    }
    waitpid(pid, &status, 0);
    return status;
}

static struct artifact_header header_importing(const char *name)
{
    static const char *const names[] = {
#define X(function, signature) #function,
        WASI_P1_FUNCTIONS(X)
#undef X
    };
    struct artifact_header header = {0};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0)
            header.host_functions[i / 64] |= UINT64_C(1) << (i % 64);
    return header;
}

static bool refused(long result)
{
    return result == -1 && errno == EPERM;
}

/* The line of the first expectation that does not hold is the exit status. */
#define EXPECT(condition)                                                                                              \
    if (!(condition))                                                                                                  \
    return __LINE__ & 0xff

static int module_without_imports(void *unused)
{
    struct artifact_header header = {0};
    static char page[8192] __attribute__((aligned(4096)));

    EXPECT(filter_install(&header, NULL) == 0);
    EXPECT(refused((long)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
    EXPECT(refused(mprotect(page, 4096, PROT_READ | PROT_EXEC)));
    EXPECT(refused(syscall(SYS_pkey_mprotect, page, 4096, PROT_EXEC, -1)));
    EXPECT(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
    EXPECT(mprotect(page, 4096, PROT_READ) == 0);
    EXPECT(refused(syscall(SYS_shmat, 0, NULL, SHM_EXEC)));
    EXPECT(refused(syscall(SYS_execve, "/bin/true", NULL, NULL)));
    EXPECT(refused(syscall(SYS_execveat, AT_FDCWD, "/bin/true", NULL, NULL, 0)));
    EXPECT(refused(syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0)));
    EXPECT(refused(syscall(SYS_process_vm_writev, getpid(), NULL, 0, NULL, 0, 0)));
    EXPECT(refused(syscall(SYS_io_uring_setup, 1, NULL)));
    EXPECT(refused(syscall(SYS_personality, 0)));
    EXPECT(refused(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)));
    EXPECT(refused(syscall(SYS_socket, AF_INET, SOCK_STREAM, 0)));
    EXPECT(refused(syscall(SYS_accept4, 0, NULL, NULL, 0)));
    EXPECT(refused(syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY)));
    EXPECT(refused(syscall(SYS_open, "/dev/null", O_RDONLY)));
    EXPECT(refused(syscall(SYS_read, 0, page, 0)));
    return 0;
}

static void test_module_without_imports(void **state)
{
    assert_int_equal(in_child(module_without_imports, NULL), 0);
}

static int module_with_import(void *name)
{
    struct artifact_header header = header_importing(name);
    bool path = strncmp(name, "path_", 5) == 0, sock = strncmp(name, "sock_", 5) == 0;

    EXPECT(filter_install(&header, NULL) == 0);
    EXPECT(refused(syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY)) == !path);
    EXPECT(refused(syscall(SYS_accept4, -1, NULL, NULL, 0)) == !sock);
    EXPECT(refused(syscall(SYS_read, -1, NULL, 0)) == false);
    EXPECT(refused(syscall(SYS_socket, AF_INET, SOCK_STREAM, 0)));
    return 0;
}

static void test_imports_widen(void **state)
{
    assert_int_equal(in_child(module_with_import, "fd_read"), 0);
    assert_int_equal(in_child(module_with_import, "path_open"), 0);
    assert_int_equal(in_child(module_with_import, "sock_accept"), 0);
}

static void *nothing(void *argument)
{
    return argument;
}

static int starts_a_thread(void *may)
{
    struct artifact_header header = {0};
    pthread_t thread;

    if (may != NULL)
        header.host_functions[WASI_NUMBER_THREAD_SPAWN / 64] |= UINT64_C(1) << (WASI_NUMBER_THREAD_SPAWN % 64);
    EXPECT(filter_install(&header, NULL) == 0);
    EXPECT(refused(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)));
    EXPECT(refused(syscall(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0)));
    EXPECT(refused(syscall(SYS_clone, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_NEWUSER, 0, 0, 0, 0)));
    EXPECT(syscall(SYS_clone3, NULL, 0) == -1 && errno == ENOSYS);
    EXPECT((pthread_create(&thread, NULL, nothing, NULL) == 0) == (may != NULL));
    return 0;
}

/* Threads, and nothing but threads, for who imports thread-spawn. */
static void test_threads(void **state)
{
    assert_int_equal(in_child(starts_a_thread, NULL), 0);
    assert_int_equal(in_child(starts_a_thread, ""), 0);
}

static int forbidden_call(void *unused)
{
    static const struct sandbox_rule rules[] = {{.number = SYS_exit_group}};

    if (sandbox_install(rules, 1, SANDBOX_KILL, NULL) != 0)
        return 1;
    return (int)syscall(SYS_getppid);
}

static void test_kill(void **state)
{
    int status = in_child(forbidden_call, NULL);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_module_without_imports),
        cmocka_unit_test(test_imports_widen),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_kill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
