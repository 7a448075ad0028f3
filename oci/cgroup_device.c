/* Device access control: the rules that every container has, and on v2 the eBPF program; see cgroup_device.h.
 *
 * The program, rule by rule from the last to the first:
 *     r1 context   r3 access bits not yet decided   r4 major << 20 | minor   r2, r5 for one test each
 *     rule does not speak of this device: next rule
 *     allow: r3 &= ~rule; if r3 == 0 return 1         deny: if r3 & rule return 0
 *     after all rules: return 0
 * A rule of all access decides alone. The kernel's verifier walks every path, which takes longer than all else that is done
 * with the program (0.35 ms of a start with the usual ten rules): so type and numbers are read anew for each test, since
 * what it knows of a register it carries along until it has proved that it does not matter. */
#include "oci/cgroup_device.h"
#include "base/fd.h"
#include "oci/cgroup_backend.h"
#include "oci/sys.h"

#define RULE(kind, maj, min, r, w, m)                                                                                  \
    {                                                                                                                  \
        .allow = true, .type = kind, .major = {true, maj}, .minor = {true, min}, .read = r, .write = w, .make = m      \
    }

/* As runc: any node may be made, the harmless devices used, terminals of devpts too. */
static const struct config_device_rule default_rules[] = {
    RULE('c', -1, -1, false, false, true), RULE('b', -1, -1, false, false, true),
    RULE('c', 1, 3, true, true, true),    /* null */
    RULE('c', 1, 5, true, true, true),    /* zero */
    RULE('c', 1, 7, true, true, true),    /* full */
    RULE('c', 1, 8, true, true, true),    /* random */
    RULE('c', 1, 9, true, true, true),    /* urandom */
    RULE('c', 5, 0, true, true, true),    /* tty */
    RULE('c', 5, 2, true, true, true),    /* ptmx */
    RULE('c', 136, -1, true, true, true), /* pts/N */
};
enum { DEFAULT_COUNT = sizeof default_rules / sizeof default_rules[0], ATTACHED_MAX = 64 };

const struct config_device_rule *cgroup_default_device_rule(unsigned index)
{
    return index < DEFAULT_COUNT ? &default_rules[index] : NULL;
}

static void emit(struct buf *out, uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
    const struct bpf_insn insn = {.code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm};
    buf_put(out, &insn, sizeof insn);
}

static int rule_access(const struct config_device_rule *r)
{
    return (r->read ? BPF_DEVCG_ACC_READ : 0) | (r->write ? BPF_DEVCG_ACC_WRITE : 0) |
           (r->make ? BPF_DEVCG_ACC_MKNOD : 0);
}

static bool any_number(const struct optional_i64 *n)
{
    return !n->set || n->value < 0;
}

enum { TYPE = offsetof(struct bpf_cgroup_dev_ctx, access_type), ACCESS_ALL = 7, MINOR_BITS = 20, JUMPS_MAX = 2 };

/* Appends the start of a test that leads elsewhere unless register DST is VALUE. Returns where, for jump_here. */
static size_t emit_unless(struct buf *out, uint8_t dst, int32_t value)
{
    emit(out, BPF_JMP | BPF_JNE | BPF_K, dst, 0, 0, value);
    return out->len / sizeof(struct bpf_insn) - 1;
}

static size_t emit_unless_field(struct buf *out, int16_t offset, int64_t value)
{
    emit(out, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_5, BPF_REG_1, offset, 0);
    return emit_unless(out, BPF_REG_5, (int32_t)value);
}

static void jump_here(struct buf *out, size_t from)
{
    struct bpf_insn *code = (struct bpf_insn *)out->data;
    code[from].off = (int16_t)(out->len / sizeof *code - from - 1);
}

/* Whether both numbers can be compared at once: as a 32-bit operand that is not negative. */
static bool is_exact(const struct config_device_rule *r)
{
    return !any_number(&r->major) && !any_number(&r->minor) && r->major.value < 1 << (31 - MINOR_BITS) &&
           r->minor.value < 1 << MINOR_BITS;
}

/* The tests of a rule's numbers; the jumps are those for a device that it does not speak of. */
static unsigned emit_numbers(const struct config_device_rule *r, struct buf *out, size_t jumps[JUMPS_MAX])
{
    unsigned count = 0;

    if (rule_access(r) == ACCESS_ALL && is_exact(r)) {
        jumps[0] = emit_unless(out, BPF_REG_4, (int32_t)(r->major.value << MINOR_BITS | r->minor.value));
        return 1;
    }
    if (!any_number(&r->major))
        jumps[count++] = emit_unless_field(out, offsetof(struct bpf_cgroup_dev_ctx, major), r->major.value);
    if (!any_number(&r->minor))
        jumps[count++] = emit_unless_field(out, offsetof(struct bpf_cgroup_dev_ctx, minor), r->minor.value);
    return count;
}

static void emit_verdict(const struct config_device_rule *r, struct buf *out)
{
    int access = rule_access(r);

    if (access != ACCESS_ALL && r->allow) {
        emit(out, BPF_ALU | BPF_AND | BPF_K, BPF_REG_3, 0, 0, ~access);
        emit(out, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_3, 0, 1, 0);
    } else if (access != ACCESS_ALL) {
        emit(out, BPF_ALU | BPF_MOV | BPF_X, BPF_REG_5, BPF_REG_3, 0, 0);
        emit(out, BPF_ALU | BPF_AND | BPF_K, BPF_REG_5, 0, 0, access);
        emit(out, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_5, 0, 2, 0);
    }
    if (!r->allow)
        emit(out, BPF_ALU | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0);
    emit(out, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* The last of COUNT rules and those before it as far as they have its type. Returns whether nothing gets past them: the verifier
 * refuses what cannot be reached. */
static bool emit_run(const struct config_device_rule *rules, unsigned *count, struct buf *out)
{
    char type = rules[*count - 1].type;
    size_t past = 0, jumps[JUMPS_MAX];
    bool decided = false;

    if (type != 'a') {
        emit(out, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1, TYPE, 0);
        emit(out, BPF_ALU | BPF_AND | BPF_K, BPF_REG_2, 0, 0, 0xffff);
        past = emit_unless(out, BPF_REG_2, type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
    }
    for (; *count > 0 && rules[*count - 1].type == type; --*count) {
        const struct config_device_rule *r = &rules[*count - 1];
        unsigned tests;
        if (decided || rule_access(r) == 0)
            continue;
        tests = emit_numbers(r, out, jumps);
        emit_verdict(r, out);
        for (unsigned i = 0; i < tests; i++)
            jump_here(out, jumps[i]);
        decided = tests == 0 && rule_access(r) == ACCESS_ALL;
    }
    if (type != 'a')
        jump_here(out, past);
    return type == 'a' && decided;
}

void cgroup_device_compile(const struct config_device_rule *rules, unsigned count, struct buf *out)
{
    bool decided = false;

    emit(out, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_3, BPF_REG_1, TYPE, 0);
    emit(out, BPF_ALU | BPF_RSH | BPF_K, BPF_REG_3, 0, 0, 16);
    emit(out, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_4, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, major), 0);
    emit(out, BPF_ALU | BPF_LSH | BPF_K, BPF_REG_4, 0, 0, MINOR_BITS);
    emit(out, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_5, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, minor), 0);
    emit(out, BPF_ALU | BPF_OR | BPF_X, BPF_REG_4, BPF_REG_5, 0, 0);
    emit(out, BPF_ALU | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1);
    while (!decided && count > 0)
        decided = emit_run(rules, &count, out);
    if (decided)
        return;
    emit(out, BPF_ALU | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0);
    emit(out, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

bool cgroup_device_allows_all(const struct config_device_rule *rules, unsigned count)
{
    for (unsigned i = count; i-- > 0;) {
        const struct config_device_rule *r = &rules[i];
        if (!r->allow)
            return false;
        if (r->type == 'a' && r->read && r->write && r->make && any_number(&r->major) && any_number(&r->minor))
            return true;
    }
    return false;
}

static int load_program(const struct buf *program, struct err *e)
{
    union bpf_attr attr = {
        .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
        .insns = (uint64_t)(uintptr_t)program->data,
        .insn_cnt = (uint32_t)(program->len / sizeof(struct bpf_insn)),
        .license = (uint64_t)(uintptr_t) "Apache-2.0",
    };
    int fd = (int)sys.bpf(BPF_PROG_LOAD, &attr, sizeof attr);

    return fd < 0 ? err_sys(e, "cannot load the program for the device rules") : fd;
}

/* The programs attached to CGROUP itself; at most ATTACHED_MAX, which is also the kernel's limit. */
static int query_programs(int cgroup, uint32_t ids[ATTACHED_MAX], struct err *e)
{
    union bpf_attr attr = {.query = {.target_fd = (uint32_t)cgroup,
                                     .attach_type = BPF_CGROUP_DEVICE,
                                     .prog_ids = (uint64_t)(uintptr_t)ids,
                                     .prog_cnt = ATTACHED_MAX}};

    if (sys.bpf(BPF_PROG_QUERY, &attr, sizeof attr) < 0)
        return err_sys(e, "cannot list the device programs of the cgroup");
    return (int)attr.query.prog_cnt;
}

static int attach_program(int cgroup, int program, struct err *e)
{
    union bpf_attr attr = {.target_fd = (uint32_t)cgroup,
                           .attach_bpf_fd = (uint32_t)program,
                           .attach_type = BPF_CGROUP_DEVICE,
                           .attach_flags = BPF_F_ALLOW_MULTI};

    return sys.bpf(BPF_PROG_ATTACH, &attr, sizeof attr) < 0 ? err_sys(e, "cannot attach the device rules to the cgroup")
                                                            : 0;
}

static int detach_program(int cgroup, uint32_t id, struct err *e)
{
    union bpf_attr by_id = {.prog_id = id};
    cleanup_fd int program = (int)sys.bpf(BPF_PROG_GET_FD_BY_ID, &by_id, sizeof by_id);
    union bpf_attr attr = {
        .target_fd = (uint32_t)cgroup, .attach_bpf_fd = (uint32_t)program, .attach_type = BPF_CGROUP_DEVICE};

    if (program < 0 || sys.bpf(BPF_PROG_DETACH, &attr, sizeof attr) < 0)
        return err_sys(e, "cannot detach the old device rules from the cgroup");
    return 0;
}

/* All attached programs must agree, so the new one goes in first: there is no moment without rules. */
static int replace_programs(int cgroup, const struct buf *program, struct err *e)
{
    uint32_t old[ATTACHED_MAX] = {0};
    int count = query_programs(cgroup, old, e), ret = count < 0 ? count : 0;

    if (ret == 0 && program->len != 0) {
        cleanup_fd int fd = load_program(program, e);
        ret = fd < 0 ? fd : attach_program(cgroup, fd, e);
    }
    for (int i = 0; ret == 0 && i < count; i++)
        ret = detach_program(cgroup, old[i], e);
    return ret;
}

int cgroup_v2_devices(const struct cgroup *c, const struct config_device_rule *rules, unsigned count, struct err *e)
{
    const char *directory = c->hierarchies[0].directory;
    cleanup_fd int cgroup = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct buf program = {0}, all = {0};
    int ret;

    if (cgroup < 0)
        return err_sys(e, "cannot open the cgroup %s", directory);
    buf_put(&all, rules, count * sizeof rules[0]);
    buf_put(&all, default_rules, sizeof default_rules);
    if (!cgroup_device_allows_all(rules, count))
        cgroup_device_compile((const struct config_device_rule *)all.data, count + DEFAULT_COUNT, &program);
    ret = replace_programs(cgroup, &program, e);
    buf_done(&all);
    buf_done(&program);
    return ret;
}
