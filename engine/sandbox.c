#include "engine/sandbox.h"
#include "engine/gen/target.h"
#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

const struct sandbox_rule sandbox_thread_rule = {
    .number = SYS_clone,
    .required_bits = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD,
    .forbidden_bits = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                      CLONE_NEWNET | CLONE_NEWTIME | CLONE_PTRACE | CLONE_VFORK | CSIGNAL,
};

enum { INSTRUCTIONS_MAX = 320 };

struct program {
    struct sock_filter instructions[INSTRUCTIONS_MAX];
    unsigned short count;
};

static void add(struct program *p, struct sock_filter instruction)
{
    assert(p->count < INSTRUCTIONS_MAX);
    p->instructions[p->count++] = instruction;
}

static void add_return(struct program *p, uint32_t action)
{
    add(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

static void add_load(struct program *p, uint32_t offset)
{
    add(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
}

static void add_conditional(struct program *p, const struct sandbox_rule *rule)
{
    /* the low half of the argument: little-endian */
    uint32_t offset = (uint32_t)(offsetof(struct seccomp_data, args) + rule->argument * sizeof(uint64_t));

    add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)rule->number, 0, 6));
    add_load(p, offset);
    add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, rule->forbidden_bits, 2, 0));
    add(p, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, rule->required_bits));
    add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, rule->required_bits, 1, 0));
    add_return(p, SECCOMP_RET_ERRNO | EPERM);
    add_return(p, SECCOMP_RET_ALLOW);
}

/* One comparison a call, which jumps to the common end: the kernel's time to check and translate a filter goes by
 * its length. */
static void add_rules(struct program *p, const struct sandbox_rule *rules, size_t count)
{
    size_t plain = 0;

    for (size_t i = 0; i < count; i++)
        if (rules[i].forbidden_bits != 0)
            add_conditional(p, &rules[i]);
        else
            plain++;
    assert(plain < 256); /* jumps have eight bits */
    for (size_t i = 0; i < count; i++)
        if (rules[i].forbidden_bits == 0)
            add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)rules[i].number, (uint8_t)plain--,
                                                0));
}

/* Its flags lie in memory, where no filter sees them; a libc that is told it does not exist falls back to clone. */
static void add_clone3(struct program *p)
{
    add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1));
    add_return(p, SECCOMP_RET_ERRNO | ENOSYS);
}

int sandbox_install(const struct sandbox_rule *rules, size_t count, enum sandbox_otherwise otherwise, struct err *err)
{
    struct program p = {.count = 0};
    struct sock_fprog program;

    add_load(&p, offsetof(struct seccomp_data, arch));
    add(&p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, target_native_audit_architecture, 1, 0));
    add_return(&p, SECCOMP_RET_KILL_PROCESS);
    add_load(&p, offsetof(struct seccomp_data, nr));
    add_clone3(&p);
    add_rules(&p, rules, count);
    add_return(&p, otherwise == SANDBOX_KILL ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | EPERM);
    add_return(&p, SECCOMP_RET_ALLOW);
    program = (struct sock_fprog){p.count, p.instructions};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_sys(err, "cannot set no_new_privs");
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        return err_sys(err, "cannot install the seccomp filter");
    return 0;
}
