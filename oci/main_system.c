/* libexec/wherry/system: what needs a shared library that Debian does not offer statically. The only dynamically linked
 * program of wherry, run when it is needed and not before.
 *
 * `system seccomp`: reads a profile in the form of seccomp_encode on standard input, compiles it with libseccomp and writes
 * a struct seccomp_file with the filter to standard output. A sentence on standard error and status 1 if it cannot.
 * `system unit`: main_system_unit.c. */
#include "base/fd.h"
#include "oci/main_system.h"
#include "oci/seccomp_file.h"
#include "oci/seccomp_fold.h"
#include <dlfcn.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define X32_BIT 0x40000000u

enum { ARCHITECTURES_MAX = 24 };

/* A profile on its way to a filter. */
struct profile {
    scmp_filter_ctx filter;
    uint32_t default_action;
    unsigned count;
    uint32_t architectures[ARCHITECTURES_MAX]; /* SCMP_ARCH_* */
    int largest[ARCHITECTURES_MAX];            /* number of a system call that a rule names there; -1: none */
};

enum { PROFILE_BYTES_MAX = 4 << 20, ARGUMENTS_MAX = 6 };

_Noreturn __attribute__((format(printf, 1, 2))) static void fail(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vdprintf(2, format, ap);
    va_end(ap);
    dprintf(2, "\n");
    exit(1);
}

static uint64_t read_number(char **p)
{
    char *end;
    uint64_t n = strtoull(*p, &end, 16);

    if (end == *p)
        fail("damaged profile at '%.40s'", *p);
    *p = end;
    return n;
}

static void note_arch(struct profile *p, uint32_t token)
{
    for (unsigned i = 0; i < p->count; i++)
        if (p->architectures[i] == token)
            return;
    if (p->count == ARCHITECTURES_MAX)
        fail("the profile has more than %d architectures", ARCHITECTURES_MAX);
    p->architectures[p->count] = token;
    p->largest[p->count++] = -1;
}

static void note_name(struct profile *p, const char *name)
{
    for (unsigned i = 0; i < p->count; i++) {
        int number = seccomp_syscall_resolve_name_arch(p->architectures[i], name);
        if (number > p->largest[i]) /* libseccomp's pseudo numbers are negative */
            p->largest[i] = number;
    }
}

static void add_arch(struct profile *p, const char *name)
{
    uint32_t token = seccomp_arch_resolve_name(name);
    int ret;

    if (token == 0)
        fail("libseccomp does not know the architecture '%s'", name);
    ret = seccomp_arch_add(p->filter, token);
    if (ret < 0 && ret != -EEXIST)
        fail("cannot add the architecture '%s': %s", name, strerror(-ret));
    note_arch(p, token);
}

/* "ACTION SYSCALL [INDEX OPERATOR VALUE VALUE2]...". A system call that libseccomp does not know is left to the default
 * action, as runc and crun do: profiles are written for kernels newer than the library. */
static void add_rule(struct profile *profile, char *p)
{
    uint32_t action = (uint32_t)read_number(&p);
    struct scmp_arg_cmp arguments[ARGUMENTS_MAX];
    unsigned count = 0;
    char *name = p + strspn(p, " "), *end = name + strcspn(name, " ");
    int number, ret;

    p = end + (*end != 0);
    *end = 0;
    for (; *p != 0; count++) {
        if (count == ARGUMENTS_MAX)
            fail("the rule for '%s' has more than %d arguments", name, ARGUMENTS_MAX);
        arguments[count].arg = (unsigned)read_number(&p);
        arguments[count].op = (enum scmp_compare)read_number(&p);
        arguments[count].datum_a = read_number(&p);
        arguments[count].datum_b = read_number(&p);
    }
    number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR)
        return;
    note_name(profile, name);
    ret = seccomp_rule_add_array(profile->filter, action, number, count, arguments);
    if (ret < 0 && ret != -EEXIST)
        fail("cannot add the rule for '%s': %s", name, strerror(-ret));
}

static void add_line(struct profile *p, char *line)
{
    if (strncmp(line, "arch ", 5) == 0)
        add_arch(p, line + 5);
    else if (strncmp(line, "rule ", 5) == 0)
        add_rule(p, line + 5);
    else
        fail("damaged profile at '%.40s'", line);
}

static void read_profile(char *text, struct profile *p)
{
    char *line = text, *next = strchr(text, '\n'), *number = text + 8;

    if (next == NULL || strncmp(text, "default ", 8) != 0)
        fail("damaged profile");
    p->default_action = (uint32_t)read_number(&number);
    p->filter = seccomp_init(p->default_action);
    if (p->filter == NULL)
        fail("libseccomp refuses the default action");
    /* A tree instead of a list: a system call costs 10 comparisons instead of 400, and the filter loads 3 times faster */
    if (seccomp_attr_set(p->filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) < 0)
        fail("libseccomp is too old: it cannot make trees (2.5.0 can)");
    note_arch(p, seccomp_arch_native()); /* is in every filter */
    while (line = next + 1, *line != 0) {
        next = line + strcspn(line, "\n");
        if (*next == 0)
            fail("damaged profile at '%.40s'", line);
        *next = 0;
        add_line(p, line);
    }
}

/* --- system calls newer than the profile ---------------------------------------------------------------------------- */

static void emit(struct buf *code, uint16_t opcode, uint8_t if_true, uint8_t if_false, uint32_t value)
{
    const struct sock_filter insn = {opcode, if_true, if_false, value};
    buf_put(code, &insn, sizeof insn);
}

static void emit_newer(struct buf *code, int largest)
{
    emit(code, BPF_JMP | BPF_JGT | BPF_K, 0, 1, (uint32_t)largest);
    emit(code, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ENOSYS);
}

static int largest_of(const struct profile *p, uint32_t token)
{
    for (unsigned i = 0; i < p->count; i++)
        if (p->architectures[i] == token)
            return p->largest[i];
    return -1;
}

/* One architecture; x32 calls are x86-64 calls with a high bit, so they share a block. */
static void emit_block(const struct profile *p, unsigned index, struct buf *code)
{
    bool x86_64 = p->architectures[index] == SCMP_ARCH_X86_64;
    int x32 = x86_64 ? largest_of(p, SCMP_ARCH_X32) : -1;
    uint8_t len = (uint8_t)(3 + x86_64 + (x32 >= 0 ? 2 : 0));

    emit(code, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
    emit(code, BPF_JMP | BPF_JEQ | BPF_K, 0, len, p->architectures[index]);
    emit(code, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
    if (x86_64)
        emit(code, BPF_JMP | BPF_JGE | BPF_K, 2, 0, X32_BIT);
    emit_newer(code, p->largest[index]);
    if (x32 >= 0)
        emit_newer(code, (int)(X32_BIT | (uint32_t)x32));
}

/* A default such as EPERM was meant for the calls that the author knew of. A later kernel's call has to look absent (ENOSYS),
 * or the C library will not fall back to an older one: numbers above all that the profile names. As runc does. */
static void emit_newer_calls(const struct profile *p, struct buf *code)
{
    uint32_t action = p->default_action & SECCOMP_RET_ACTION_FULL;

    if (action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG || action == SECCOMP_RET_TRACE ||
        p->default_action == (SECCOMP_RET_ERRNO | ENOSYS))
        return;
    for (unsigned i = 0; i < p->count; i++)
        if (p->architectures[i] != SCMP_ARCH_X32 && p->largest[i] >= 0)
            emit_block(p, i, code);
}

/* --- the answer ------------------------------------------------------------------------------------------------------ */

/* Which library this is, so that a filter is not used any more once another one is installed. */
static void describe_library(struct seccomp_file *f)
{
    Dl_info info;
    struct stat st;
    char *path;

    if (dladdr((void *)seccomp_init, &info) == 0 || (path = realpath(info.dli_fname, NULL)) == NULL ||
        stat(path, &st) < 0 || strlen(path) >= sizeof f->library)
        fail("cannot find the file of libseccomp");
    memcpy(f->library, path, strlen(path) + 1);
    f->library_inode = st.st_ino;
    f->library_size_bytes = (uint64_t)st.st_size;
    f->library_mtime_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec;
    free(path);
}

static void write_filter(const struct profile *p)
{
    struct seccomp_file f = {.magic = SECCOMP_FILE_MAGIC};
    cleanup_fd int exported = memfd_create("filter", MFD_CLOEXEC);
    struct buf code = {0}, folded = {0};
    const struct buf *answer = &code;
    int ret = exported < 0 ? -errno : seccomp_export_bpf(p->filter, exported);

    if (ret < 0)
        fail("cannot compile the profile: %s", strerror(-ret));
    emit_newer_calls(p, &code);
    if (lseek(exported, 0, SEEK_SET) < 0 || fd_read_to_end(exported, &code, PROFILE_BYTES_MAX) < 0)
        fail("cannot read the compiled profile: %s", strerror(errno));
    if (seccomp_fold(&code, &folded) && folded.len < code.len)
        answer = &folded;
    f.count = (uint32_t)(answer->len / sizeof(struct sock_filter));
    if (f.count > BPF_MAXINSNS)
        fail("the profile makes a filter of %u instructions; the kernel takes %d", f.count, BPF_MAXINSNS);
    describe_library(&f);
    if (fd_write_all(1, &f, sizeof f) < 0 || fd_write_all(1, answer->data, answer->len) < 0)
        fail("cannot write the filter: %s", strerror(errno));
    buf_done(&folded);
    buf_done(&code);
}

static int seccomp_main(void)
{
    struct buf text = {0};
    struct profile p = {0};

    if (fd_read_to_end(0, &text, PROFILE_BYTES_MAX) < 0)
        fail("cannot read the profile: %s", strerror(errno));
    buf_put_u8(&text, 0);
    read_profile((char *)text.data, &p);
    write_filter(&p);
    seccomp_release(p.filter);
    buf_done(&text);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "unit") == 0)
        return unit_main(argv[2]);
    if (argc == 2 && strcmp(argv[1], "seccomp") == 0)
        return seccomp_main();
    fail("this program is part of wherry and not run by hand");
}
