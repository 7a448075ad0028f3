/* For tests that change mounts: a body runs in a child with a mount namespace of its own, root only. */
#ifndef WHERRY_TESTS_PRIVATE_H
#define WHERRY_TESTS_PRIVATE_H

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child: cmocka's asserts would jump into the parent's test, so these print and leave. */
#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "# %s:%d: %s\n", __FILE__, __LINE__, #condition);                                          \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)
#define CHECK_OK(call)                                                                                                 \
    do {                                                                                                               \
        if ((call) < 0) {                                                                                              \
            fprintf(stderr, "# %s:%d: %s: %s\n", __FILE__, __LINE__, #call, e.text);                                   \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

/* Runs BODY in a child with the given new namespaces (CLONE_NEWNS included by itself) and a private tmpfs on /mnt.
 * Skips the test without root. */
static inline void in_private_namespaces(int flags, void (*body)(void *argument), void *argument)
{
    int status;
    pid_t pid;

    if (geteuid() != 0) {
        print_message("# needs root\n");
        skip();
    }
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        CHECK(unshare(CLONE_NEWNS | flags) == 0);
        CHECK(mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) == 0);
        CHECK(mount("tmpfs", "/mnt", "tmpfs", 0, NULL) == 0);
        body(argument);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

#endif
