/* See seccomp_check.h. The kernel's filters are classic BPF over struct seccomp_data: one accumulator, one index register,
 * sixteen words of memory, jumps forward only, so every run ends (linux/filter.h, Documentation/userspace-api/seccomp_filter). */
#include "oci/seccomp_check.h"
#include "wherry/engine.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <sys/syscall.h>

struct machine {
    uint32_t a, x, memory[BPF_MEMWORDS];
    const struct seccomp_data *call;
};

static uint32_t load_word(const struct machine *m, uint32_t offset)
{
    uint32_t word = 0;

    if (offset <= sizeof *m->call - sizeof word)
        memcpy(&word, (const char *)m->call + offset, sizeof word);
    return word;
}

static uint32_t operand(const struct machine *m, const struct sock_filter *i)
{
    return BPF_SRC(i->code) == BPF_X ? m->x : i->k;
}

static void compute(struct machine *m, const struct sock_filter *i)
{
    uint32_t by = operand(m, i);

    switch (BPF_OP(i->code)) {
    case BPF_ADD: m->a += by; break;
    case BPF_SUB: m->a -= by; break;
    case BPF_MUL: m->a *= by; break;
    case BPF_DIV: m->a = by != 0 ? m->a / by : 0; break;
    case BPF_AND: m->a &= by; break;
    case BPF_OR: m->a |= by; break;
    case BPF_XOR: m->a ^= by; break;
    case BPF_LSH: m->a = by < 32 ? m->a << by : 0; break;
    case BPF_RSH: m->a = by < 32 ? m->a >> by : 0; break;
    case BPF_NEG: m->a = -m->a; break;
    default: break;
    }
}

static uint32_t jump(const struct machine *m, const struct sock_filter *i)
{
    uint32_t with = operand(m, i);
    bool taken = false;

    switch (BPF_OP(i->code)) {
    case BPF_JA: return i->k;
    case BPF_JEQ: taken = m->a == with; break;
    case BPF_JGT: taken = m->a > with; break;
    case BPF_JGE: taken = m->a >= with; break;
    case BPF_JSET: taken = (m->a & with) != 0; break;
    default: break;
    }
    return taken ? i->jt : i->jf;
}

static uint32_t load(const struct machine *m, const struct sock_filter *i)
{
    switch (BPF_MODE(i->code)) {
    case BPF_ABS: return load_word(m, i->k);
    case BPF_MEM: return i->k < BPF_MEMWORDS ? m->memory[i->k] : 0;
    case BPF_LEN: return sizeof *m->call;
    default: return i->k;
    }
}

uint32_t seccomp_ask(const struct buf *filter, const struct seccomp_data *call)
{
    const struct sock_filter *program = (const struct sock_filter *)filter->data;
    size_t count = filter->len / sizeof *program;
    struct machine m = {.call = call};

    for (size_t at = 0; at < count; at++) {
        const struct sock_filter *i = &program[at];
        switch (BPF_CLASS(i->code)) {
        case BPF_LD: m.a = load(&m, i); break;
        case BPF_LDX: m.x = load(&m, i); break;
        case BPF_ST: m.memory[i->k % BPF_MEMWORDS] = m.a; break;
        case BPF_STX: m.memory[i->k % BPF_MEMWORDS] = m.x; break;
        case BPF_ALU: compute(&m, i); break;
        case BPF_JMP: at += jump(&m, i); break;
        case BPF_MISC:
            if (BPF_MISCOP(i->code) == BPF_TAX)
                m.x = m.a;
            else
                m.a = m.x;
            break;
        case BPF_RET: return BPF_RVAL(i->code) == BPF_A ? m.a : i->k;
        }
    }
    return SECCOMP_RET_KILL_PROCESS;
}

/* A supervisor that is asked (USER_NOTIF) may say yes. */
static bool refuses(uint32_t answer)
{
    switch (answer & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_LOG:
    case SECCOMP_RET_USER_NOTIF: return false;
    default: return true;
    }
}

static uint32_t ask_native(const struct buf *filter, int number, const uint64_t arguments[6])
{
#if defined __x86_64__
    const uint32_t architecture = AUDIT_ARCH_X86_64;
#elif defined __aarch64__
    const uint32_t architecture = AUDIT_ARCH_AARCH64;
#endif
    struct seccomp_data call = {.nr = number, .arch = architecture};

    memcpy(call.args, arguments, sizeof call.args);
    return seccomp_ask(filter, &call);
}

int seccomp_check_engine(const struct buf *filter, struct err *e)
{
    for (const struct engine_call *needed = engine_needed_calls; filter->len != 0 && needed->name != NULL; needed++)
        if (refuses(ask_native(filter, needed->number, needed->arguments)))
            return err_set(e, EPERM, "linux.seccomp refuses %s, without which the Wasm engine cannot run: allow it",
                           needed->name);
    return 0;
}

int seccomp_check_listener(const struct buf *filter, struct err *e)
{
    const uint64_t arguments[6] = {0};
    uint32_t answer = ask_native(filter, SYS_sendmsg, arguments) & SECCOMP_RET_ACTION_FULL;

    if (answer == SECCOMP_RET_ALLOW || answer == SECCOMP_RET_LOG)
        return 0;
    return err_set(e, EINVAL,
                   "linux.seccomp: with SCMP_ACT_NOTIFY sendmsg must be allowed: the listener is handed over by it");
}
