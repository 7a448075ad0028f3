/* libexec/wherry/system: what needs a shared library that Debian does not offer statically. The only dynamically linked
 * program of wherry, run when it is needed and not before.
 *
 * `system seccomp`: reads a profile in the form of seccomp_encode on standard input, compiles it with libseccomp and writes
 * a struct seccomp_file with the filter to standard output. A sentence on standard error and status 1 if it cannot. */
#include "base/fd.h"
#include "oci/seccomp_file.h"
#include <dlfcn.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/stat.h>

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

static void add_arch(scmp_filter_ctx filter, const char *name)
{
    uint32_t token = seccomp_arch_resolve_name(name);
    int ret;

    if (token == 0)
        fail("libseccomp does not know the architecture '%s'", name);
    ret = seccomp_arch_add(filter, token);
    if (ret < 0 && ret != -EEXIST)
        fail("cannot add the architecture '%s': %s", name, strerror(-ret));
}

/* "ACTION SYSCALL [INDEX OPERATOR VALUE VALUE2]...". A system call that libseccomp does not know is left to the default
 * action, as runc and crun do: profiles are written for kernels newer than the library. */
static void add_rule(scmp_filter_ctx filter, char *p)
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
    ret = seccomp_rule_add_array(filter, action, number, count, arguments);
    if (ret < 0 && ret != -EEXIST)
        fail("cannot add the rule for '%s': %s", name, strerror(-ret));
}

static void add_line(scmp_filter_ctx filter, char *line)
{
    if (strncmp(line, "arch ", 5) == 0)
        add_arch(filter, line + 5);
    else if (strncmp(line, "rule ", 5) == 0)
        add_rule(filter, line + 5);
    else
        fail("damaged profile at '%.40s'", line);
}

static scmp_filter_ctx read_profile(char *text)
{
    char *line = text, *next = strchr(text, '\n'), *number = text + 8;
    scmp_filter_ctx filter;

    if (next == NULL || strncmp(text, "default ", 8) != 0)
        fail("damaged profile");
    filter = seccomp_init((uint32_t)read_number(&number));
    if (filter == NULL)
        fail("libseccomp refuses the default action");
    /* A tree instead of a list: a system call costs 10 comparisons instead of 400, and the filter loads 3 times faster */
    if (seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) < 0)
        fail("libseccomp is too old: it cannot make trees (2.5.0 can)");
    while (line = next + 1, *line != 0) {
        next = line + strcspn(line, "\n");
        if (*next == 0)
            fail("damaged profile at '%.40s'", line);
        *next = 0;
        add_line(filter, line);
    }
    return filter;
}

/* Which library this is, so that a filter is not used any more once another one is installed. */
static void describe_library(struct seccomp_file *f)
{
    Dl_info info;
    struct stat st;
    char *path;

    if (dladdr((void *)seccomp_init, &info) == 0 || (path = realpath(info.dli_fname, NULL)) == NULL || stat(path, &st) < 0 ||
        strlen(path) >= sizeof f->library)
        fail("cannot find the file of libseccomp");
    memcpy(f->library, path, strlen(path) + 1);
    f->library_inode = st.st_ino;
    f->library_size_bytes = (uint64_t)st.st_size;
    f->library_mtime_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec;
    free(path);
}

static void write_filter(scmp_filter_ctx filter)
{
    struct seccomp_file f = {.magic = SECCOMP_FILE_MAGIC};
    cleanup_fd int exported = memfd_create("filter", MFD_CLOEXEC);
    struct buf code = {0};
    int ret = exported < 0 ? -errno : seccomp_export_bpf(filter, exported);

    if (ret < 0)
        fail("cannot compile the profile: %s", strerror(-ret));
    if (lseek(exported, 0, SEEK_SET) < 0 || fd_read_to_end(exported, &code, PROFILE_BYTES_MAX) < 0)
        fail("cannot read the compiled profile: %s", strerror(errno));
    f.count = (uint32_t)(code.len / sizeof(struct sock_filter));
    if (f.count > BPF_MAXINSNS)
        fail("the profile makes a filter of %u instructions; the kernel takes %d", f.count, BPF_MAXINSNS);
    describe_library(&f);
    if (fd_write_all(1, &f, sizeof f) < 0 || fd_write_all(1, code.data, code.len) < 0)
        fail("cannot write the filter: %s", strerror(errno));
    buf_done(&code);
}

static int seccomp_main(void)
{
    struct buf text = {0};
    scmp_filter_ctx filter;

    if (fd_read_to_end(0, &text, PROFILE_BYTES_MAX) < 0)
        fail("cannot read the profile: %s", strerror(errno));
    buf_put_u8(&text, 0);
    filter = read_profile((char *)text.data);
    write_filter(filter);
    seccomp_release(filter);
    buf_done(&text);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "seccomp") == 0)
        return seccomp_main();
    fail("this program is part of wherry and not run by hand");
}
