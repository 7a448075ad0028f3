/* without CALL[,CALL...] PROGRAM [ARGUMENT...]: runs PROGRAM, and all that it starts, on a kernel that answers these system calls as
 * an older one would: ENOSYS, or EINVAL for what is a flag of a call. For tests/e2e/old_kernels.sh. A filter, so it reaches static
 * programs and containers alike; what a struct in memory says it cannot see. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct rule {
    const char *name;
    int call, argument; /* -1: the whole call; else what argument is looked at for FLAG */
    uint32_t flag;
};

/* in the order in which they came, with the kernel's version */
static const struct rule rules[] = {
    {"memfd_create", 319, -1, 0},        /* 3.17 */
    {"seccomp-notify", 317, 1, 1u << 3}, /* 5.0: SECCOMP_FILTER_FLAG_NEW_LISTENER */
    {"pidfd_send_signal", 424, -1, 0},   /* 5.1 */
    {"open_tree", 428, -1, 0},           /* 5.2, as the following */
    {"move_mount", 429, -1, 0},
    {"fsopen", 430, -1, 0},
    {"fsconfig", 431, -1, 0},
    {"fsmount", 432, -1, 0},
    {"pidfd_open", 434, -1, 0},        /* 5.3 */
    {"clone3", 435, -1, 0},            /* 5.3 */
    {"openat2", 437, -1, 0},           /* 5.6 */
    {"pidfd_getfd", 438, -1, 0},       /* 5.6 */
    {"time-namespace", 272, 0, 0x80},  /* 5.6: unshare(CLONE_NEWTIME) */
    {"faccessat2", 439, -1, 0},        /* 5.8 */
    {"close_range", 436, -1, 0},       /* 5.9 */
    {"epoll_pwait2", 441, -1, 0},      /* 5.11 */
    {"mount_setattr", 442, -1, 0},     /* 5.12 */
    {"landlock", 444, -1, 0},          /* 5.13: landlock_create_ruleset */
    {"process_mrelease", 448, -1, 0},  /* 5.15 */
    {"futex_waitv", 449, -1, 0},       /* 5.16 */
    {"fchmodat2", 452, -1, 0},         /* 6.6 */
    {"statx", 332, -1, 0},             /* 4.11; filters of its time do not know it */
    {"name_to_handle_at", 303, -1, 0}, /* 2.6.39; many filters forbid it */
};
enum { RULE_COUNT = sizeof rules / sizeof rules[0] };

static const struct rule *find(const char *name)
{
    for (size_t i = 0; i < RULE_COUNT; i++)
        if (strcmp(rules[i].name, name) == 0)
            return &rules[i];
    fprintf(stderr, "without: what is %s?\n", name);
    exit(2);
}

static size_t add(struct sock_filter *out, const struct rule *rule)
{
    uint32_t answer = SECCOMP_RET_ERRNO | (uint32_t)(rule->argument < 0 ? ENOSYS : EINVAL);
    size_t at = 0;

    if (rule->argument < 0) {
        out[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)rule->call, 0, 1);
    } else {
        uint32_t offset = (uint32_t)(offsetof(struct seccomp_data, args) + (size_t)rule->argument * 8);
        out[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)rule->call, 0, 4);
        out[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset);
        out[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, rule->flag, 0, 1);
    }
    out[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answer);
    if (rule->argument >= 0) /* the number again, for the next rule */
        out[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    return at;
}

int main(int argc, char **argv)
{
    struct sock_filter filter[2 + 5 * RULE_COUNT];
    struct sock_fprog program = {.filter = filter};
    size_t at = 0;

    if (argc < 3)
        return fprintf(stderr, "usage: without CALL[,CALL...] PROGRAM [ARGUMENT...]\n"), 2;
    filter[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (char *rest = NULL, *name = strtok_r(argv[1], ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest))
        at += add(filter + at, find(name));
    filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    program.len = (unsigned short)at;
    /* without no_new_privs, so that capabilities of files in containers mean what they mean: root may */
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0) {
        perror("without: seccomp");
        return 2;
    }
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    return 127;
}
