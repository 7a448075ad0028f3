/* See seccomp.h. */
#include "oci/seccomp.h"
#include "base/fd.h"
#include "oci/seccomp_check.h"
#include "oci/seccomp_file.h"
#include "oci/seccomp_notify.h"
#include "oci/sys.h"
#include "wherry/worker.h"
#include <dirent.h>
#include <limits.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>

enum {
    ENTRIES_MAX = 512,        /* of the cache: a few KB each; above it all are dropped */
    FILE_BYTES_MAX = 1 << 20, /* BPF_MAXINSNS sock_filters are 32 KB */
    NAME_BYTES = 17,
};

/* --- the profile as text -------------------------------------------------------------------------------------------- */

static bool is_word(const char *s)
{
    const char *p = s;

    while ((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_')
        p++;
    return p > s && *p == 0;
}

/* As printf does it, but four hundred times at every start. */
static void put_hex(uint64_t value, struct buf *out)
{
    unsigned digits = value != 0 ? (64 - (unsigned)__builtin_clzll(value) + 3) / 4 : 1;

    while (digits-- > 0)
        buf_put_u8(out, (uint8_t) "0123456789abcdef"[value >> 4 * digits & 15]);
}

static void encode_argument(const struct config_seccomp_arg *a, struct buf *out)
{
    const uint64_t words[] = {a->index, a->op, a->value, a->value_two};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        buf_put_u8(out, ' ');
        put_hex(words[i], out);
    }
}

static bool has_twice(const struct config_seccomp_rule *r)
{
    unsigned seen = 0;

    for (uint32_t i = 0; i < r->arg_count; i++) {
        unsigned bit = 1u << (r->args[i].index & 31);
        if ((seen & bit) != 0)
            return true;
        seen |= bit;
    }
    return false;
}

static void encode_head(const struct config_seccomp_rule *r, const char *name, struct buf *out)
{
    buf_put_str(out, "rule ");
    put_hex(r->action, out);
    buf_put_u8(out, ' ');
    buf_put_str(out, name);
}

/* All arguments must match; but if one argument is named twice, as in runc any one may, since libseccomp takes one
 * comparison per argument and rule. */
static void encode_rule(const struct config_seccomp_rule *r, const char *name, struct buf *out)
{
    bool separate = has_twice(r);

    if (!separate)
        encode_head(r, name, out);
    for (uint32_t i = 0; i < r->arg_count; i++) {
        if (separate)
            encode_head(r, name, out);
        encode_argument(&r->args[i], out);
        if (separate)
            buf_put_u8(out, '\n');
    }
    if (!separate)
        buf_put_u8(out, '\n');
}

int seccomp_encode(const struct config_seccomp *p, struct buf *out, struct err *e)
{
    buf_printf(out, "default %" PRIx32 "\n", p->default_action);
    for (uint32_t i = 0; i < p->architectures.count; i++) {
        if (!is_word(p->architectures.data[i]))
            return err_set(e, EINVAL, "linux.seccomp.architectures: '%s' is no architecture", p->architectures.data[i]);
        buf_printf(out, "arch %s\n", p->architectures.data[i]);
    }
    for (uint32_t i = 0; i < p->rule_count; i++)
        for (uint32_t n = 0; n < p->rules[i].names.count; n++) {
            const char *name = p->rules[i].names.data[n];
            if (!is_word(name))
                return err_set(e, EINVAL, "linux.seccomp.syscalls: '%s' is no system call", name);
            if (p->rules[i].action != p->default_action) /* libseccomp refuses what changes nothing */
                encode_rule(&p->rules[i], name, out);
        }
    return 0;
}

/* --- the file of a filter ------------------------------------------------------------------------------------------- */

/* True if the library that made the filter is the one that would make it now. */
static bool is_current(const struct seccomp_file *f)
{
    struct stat st;

    return memchr(f->library, 0, sizeof f->library) != NULL && stat(f->library, &st) == 0 &&
           st.st_ino == f->library_inode && (uint64_t)st.st_size == f->library_size_bytes &&
           (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec == f->library_mtime_ns;
}

/* Appends the filter in the file BYTES to FILTER if it is whole, current and of KEY. */
static bool take_filter(const struct buf *bytes, const struct buf *key, struct buf *filter)
{
    struct seccomp_file f;
    size_t filter_bytes;

    if (bytes->len < sizeof f)
        return false;
    memcpy(&f, bytes->data, sizeof f);
    filter_bytes = f.count * sizeof(struct sock_filter);
    if (memcmp(f.magic, SECCOMP_FILE_MAGIC, sizeof f.magic) != 0 || f.count == 0 || f.count > BPF_MAXINSNS ||
        f.key_bytes != key->len || bytes->len != sizeof f + filter_bytes + key->len ||
        (key->len != 0 && memcmp(bytes->data + sizeof f + filter_bytes, key->data, key->len) != 0) || !is_current(&f))
        return false;
    buf_put(filter, bytes->data + sizeof f, filter_bytes);
    return true;
}

/* --- the cache ------------------------------------------------------------------------------------------------------ */

/* What the filter depends on: the profile, and the kernel, which libseccomp asks what it can do. */
static void make_key(const struct buf *profile, struct buf *key)
{
    struct utsname host;

    memset(&host, 0, sizeof host);
    uname(&host);
    buf_put_str(key, host.release);
    buf_put_u8(key, ' ');
    buf_put_str(key, host.machine);
    buf_put_u8(key, '\n');
    buf_put(key, profile->data, profile->len);
}

/* Need not be unique, since the file holds the key itself: two that share a name take turns. */
static void entry_name(const struct buf *key, char name[NAME_BYTES])
{
    uint64_t mixed = key->len, word;

    for (size_t at = 0; at < key->len; at += sizeof word) {
        size_t left = key->len - at;
        word = 0;
        memcpy(&word, key->data + at, left < sizeof word ? left : sizeof word);
        mixed = (mixed ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        mixed ^= mixed >> 32;
    }
    snprintf(name, NAME_BYTES, "%016" PRIx64, mixed);
}

/* Only its owner, us, may write to what decides which system calls are allowed. */
static bool is_ours_alone(int fd, mode_t type)
{
    struct stat st;
    return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type && st.st_uid == geteuid() && (st.st_mode & 022) == 0;
}

static int open_cache(const char *cache)
{
    cleanup_fd int base = -1, fd = -1;

    if (cache == NULL)
        cache = "/var/lib/wherry";
    if (mkdir(cache, 0700) < 0 && errno != EEXIST)
        return -1;
    base = open(cache, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (base < 0 || (sys.mkdirat(base, "seccomp", 0700) < 0 && errno != EEXIST))
        return -1;
    fd = openat(base, "seccomp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 && is_ours_alone(fd, S_IFDIR) ? fd_take(&fd) : -1;
}

static bool cache_read(int cache, const char *name, const struct buf *key, struct buf *filter)
{
    cleanup_fd int fd = openat(cache, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct buf bytes = {0};
    bool ok = fd >= 0 && is_ours_alone(fd, S_IFREG) && fd_read_to_end(fd, &bytes, FILE_BYTES_MAX) == 0 &&
              take_filter(&bytes, key, filter);

    buf_done(&bytes);
    return ok;
}

static void cache_trim(int cache)
{
    int fd = openat(cache, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), count = 0;
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (dir == NULL) {
        fd_close(&fd);
        return;
    }
    while (readdir(dir) != NULL)
        count++;
    rewinddir(dir);
    for (struct dirent *d; count > ENTRIES_MAX && (d = readdir(dir)) != NULL;)
        if (d->d_name[0] != '.')
            unlinkat(cache, d->d_name, 0);
    closedir(dir);
}

/* BYTES are as the compiler wrote them. Under another name first: a reader sees a whole file or none. A failure only costs the
 * next start its time. */
static void cache_write(int cache, const char *name, const struct buf *key, struct buf *bytes)
{
    char temporary[32];

    cache_trim(cache);
    ((struct seccomp_file *)bytes->data)->key_bytes = (uint32_t)key->len;
    buf_put(bytes, key->data, key->len);
    snprintf(temporary, sizeof temporary, "new-%d", (int)getpid());
    unlinkat(cache, temporary, 0); /* of a process of the same id that died here */
    cleanup_fd int fd = openat(cache, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    if (fd_write_all(fd, bytes->data, bytes->len) < 0 || renameat(cache, temporary, cache, name) < 0)
        unlinkat(cache, temporary, 0);
}

/* --- the compiler --------------------------------------------------------------------------------------------------- */

_Noreturn static void exec_compiler(const char *program, int input, int output, int errors)
{
    char *const args[] = {"system", "seccomp", NULL}, *const environment[] = {NULL};

    if (dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(errors, 2) < 0)
        _exit(126);
    sys.close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    execve(program, args, environment);
    dprintf(2, "cannot run %s: %s", program, strerror(errno));
    _exit(127);
}

static int wait_compiler(pid_t pid, int errors, struct err *e)
{
    char text[512] = "";
    int status;
    ssize_t n;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_sys(e, "cannot wait for the seccomp compiler");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    n = pread(errors, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = 0;
    text[strcspn(text, "\n")] = 0;
    return err_set(e, EINVAL, "linux.seccomp: %s", text[0] != 0 ? text : "the compiler was killed");
}

static int compile(const char *libexec, const struct buf *profile, struct buf *bytes, struct err *e)
{
    char program[PATH_MAX];
    cleanup_fd int input = memfd_create("profile", MFD_CLOEXEC), output = memfd_create("filter", MFD_CLOEXEC),
                   errors = memfd_create("errors", MFD_CLOEXEC);
    int ret = libexec_find(libexec, "system", program, sizeof program, e);
    pid_t pid;

    if (ret < 0)
        return ret;
    if (input < 0 || output < 0 || errors < 0 || fd_write_all(input, profile->data, profile->len) < 0 ||
        lseek(input, 0, SEEK_SET) < 0)
        return err_sys(e, "cannot prepare the input of the seccomp compiler");
    pid = fork();
    if (pid == 0)
        exec_compiler(program, input, output, errors);
    if (pid < 0)
        return err_sys(e, "cannot start the seccomp compiler");
    ret = wait_compiler(pid, errors, e);
    if (ret == 0 && (lseek(output, 0, SEEK_SET) < 0 || fd_read_to_end(output, bytes, FILE_BYTES_MAX) < 0))
        ret = err_sys(e, "cannot read the compiled seccomp filter");
    return ret;
}

static int prepare(const struct buf *profile, const char *libexec, int cache, struct buf *filter, struct err *e)
{
    struct buf bytes = {0}, key = {0};
    char name[NAME_BYTES];
    int ret = 0;

    make_key(profile, &key);
    entry_name(&key, name);
    if (cache < 0 || !cache_read(cache, name, &key, filter)) {
        ret = compile(libexec, profile, &bytes, e);
        if (ret == 0 && !take_filter(&bytes, &(struct buf){0}, filter))
            ret = err_set(e, EINVAL, "linux.seccomp: the compiler's answer is damaged");
        if (ret == 0 && cache >= 0)
            cache_write(cache, name, &key, &bytes);
    }
    buf_done(&key);
    buf_done(&bytes);
    return ret;
}

int seccomp_prepare(const struct config_seccomp *profile, const char *libexec, const char *cache, struct buf *filter,
                    struct err *e)
{
    cleanup_fd int directory = open_cache(cache);
    struct buf text = {0};
    int ret = seccomp_encode(profile, &text, e);

    if (ret == 0)
        ret = prepare(&text, libexec, directory, filter, e);
    if (ret == 0 && seccomp_notifies(profile))
        ret = seccomp_check_listener(filter, e);
    buf_done(&text);
    return ret;
}

/* Two flags are bound to the listener: with it TSYNC must report otherwise (5.7), WAIT_KILLABLE_RECV means nothing without. */
static uint64_t load_flags(uint64_t flags, bool listener)
{
    if (!listener)
        return flags & ~(uint64_t)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    if ((flags & SECCOMP_FILTER_FLAG_TSYNC) != 0)
        flags |= SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
    return flags | SECCOMP_FILTER_FLAG_NEW_LISTENER;
}

int seccomp_load(const struct buf *filter, uint64_t flags, int *listener, struct err *e)
{
    struct sock_fprog program = {.len = (unsigned short)(filter->len / sizeof(struct sock_filter)),
                                 .filter = (struct sock_filter *)filter->data};
    long ret = sys.seccomp(SECCOMP_SET_MODE_FILTER, (unsigned)load_flags(flags, listener != NULL), &program);

    if (ret < 0)
        return err_sys(e, "cannot load the seccomp filter%s",
                       errno != EINVAL    ? ""
                       : listener != NULL ? " (SCMP_ACT_NOTIFY needs Linux 5.0)"
                                          : " (a flag that this kernel does not know?)");
    if (listener != NULL)
        *listener = (int)ret;
    return 0;
}
