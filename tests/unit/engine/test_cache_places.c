/* Directories that are no good place for a cache, and file systems and kernels that lack something: the start works
 * from a private copy, and nothing that others could have written is run. */
#include "cache_test.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define must(x) ((x) ? (void)0 : (void)(fprintf(stderr, "%d: %s\n", __LINE__, #x), _exit(1)))

/* What became of a start: "cached", "made" (and is cached now), "private", or the error. */
static const char *start(void)
{
    cleanup_fd int fd = module_fd(module_a, sizeof module_a), artifact = -1;
    static struct err err;
    bool was_cached;

    if (cache_open_artifact(fd, &options, &settings, &artifact, &was_cached, &err) != 0)
        return err.text;
    if (engine_artifact_check(artifact, NULL, &options, &err) != 0)
        return err.text;
    return !cache_holds(artifact) ? "private" : was_cached ? "cached" : "made";
}

static bool starts(const char *how)
{
    const char *got = start();
    if (strcmp(got, how) == 0)
        return true;
    fprintf(stderr, "wanted %s, got: %s\n", how, got);
    return false;
}

static void in_child(void (*test)(void))
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        test();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* A file system of our own at DIRECTORY/place, in a mount namespace of our own. */
static void mount_place(unsigned long flags, const char *mount_options)
{
    static char place[300];

    if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        _exit(77);
    snprintf(place, sizeof place, "%s/place", directory);
    must(mkdir(place, 0700) == 0 && mount("cache", place, "tmpfs", flags, mount_options) == 0);
    settings.directory = place;
}

static void test_symbolic_link(void **state)
{
    char link[300], behind[310];

    snprintf(link, sizeof link, "%s/link", directory);
    assert_int_equal(symlink(directory, link), 0);
    settings.directory = link;
    assert_true(starts("private"));
    snprintf(behind, sizeof behind, "%s//", link);
    settings.directory = behind;
    assert_true(starts("private"));
    assert_int_equal(count_files(""), 0);
}

static void test_no_directory(void **state)
{
    char path[300];
    cleanup_fd int fd = -1;

    snprintf(path, sizeof path, "%s/file", directory);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    settings.directory = path;
    assert_true(starts("private"));
}

static void test_other_owner(void **state)
{
    if (geteuid() != 0)
        skip();
    assert_int_equal(chown(directory, 12345, 0), 0);
    assert_true(starts("private"));
    assert_int_equal(count_files(""), 0);
}

static void test_group_writable(void **state)
{
    assert_int_equal(chmod(directory, 0770), 0);
    assert_true(starts("private"));
    assert_int_equal(chmod(directory, 0755), 0);
    assert_true(starts("made"));
}

static void made_with_its_parents(void)
{
    char path[300];

    snprintf(path, sizeof path, "%s/a/b/c", directory);
    settings.directory = path;
    must(starts("made"));
    must(starts("cached"));
}

static void test_made_with_its_parents(void **state)
{
    in_child(made_with_its_parents);
}

static void read_only_disk(void)
{
    mount_place(0, "mode=700");
    must(starts("made"));
    must(mount(NULL, settings.directory, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0);
    must(starts("cached"));
    must(mount(NULL, settings.directory, NULL, MS_REMOUNT | MS_BIND, NULL) == 0);
    {
        struct cache_prune all = {.limit_bytes = UINT64_MAX, .all = true};
        must(cache_prune(&settings, &all, NULL) == 0 && all.removed == 1);
    }
    must(mount(NULL, settings.directory, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0);
    must(starts("private"));
}

static void test_read_only_disk(void **state)
{
    in_child(read_only_disk);
}

static void full_disk(void)
{
    char path[400];
    uint8_t block[4096] = {1};
    int fd;

    mount_place(0, "mode=700,size=256k");
    snprintf(path, sizeof path, "%s/filler", settings.directory);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    while (write(fd, block, sizeof block) == sizeof block)
        ;
    must(errno == ENOSPC);
    must(starts("private"));
    must(ftruncate(fd, 0) == 0);
    must(starts("made"));
    must(starts("cached"));
}

static void test_full_disk(void **state)
{
    in_child(full_disk);
}

/* Not one inode left, so that not even a lock can be made. */
static void no_inodes(void)
{
    char path[400];

    mount_place(0, "mode=700,nr_inodes=8");
    for (int i = 0;; i++) {
        snprintf(path, sizeof path, "%s/filler%d", settings.directory, i);
        if (mknod(path, S_IFREG | 0600, 0) != 0)
            break;
    }
    must(errno == ENOSPC);
    must(starts("private"));
}

static void test_no_inodes(void **state)
{
    in_child(no_inodes);
}

/* The read-only mount that containers get is not noexec; one's own use of the directory then goes that way too. */
static void noexec_disk(void)
{
    mount_place(MS_NOEXEC, "mode=700");
    must(starts("made"));
    must(starts("cached"));
    settings.kept_private = true;
    must(starts("cached"));
}

static void test_noexec_disk(void **state)
{
    in_child(noexec_disk);
}

/* From here on the system call NUMBER fails with ERROR in this process and its children. */
static void forbid(int number, int error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof code / sizeof code[0], code};

    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(77);
}

static void noexec_disk_of_an_old_kernel(void)
{
    mount_place(MS_NOEXEC, "mode=700");
    forbid(SYS_mount_setattr, ENOSYS);
    must(starts("private"));
    settings.kept_private = true;
    must(starts("private"));
}

static void test_noexec_disk_of_an_old_kernel(void **state)
{
    in_child(noexec_disk_of_an_old_kernel);
}

static const struct missing {
    int number, error;
    const char *first, *second;
} missing[] = {
    {SYS_flock, EOPNOTSUPP, "private", "private"}, {SYS_flock, ENOLCK, "private", "private"},
    {SYS_renameat, EPERM, "private", "private"},   {SYS_open_tree, ENOSYS, "made", "cached"},
    {SYS_open_tree, EPERM, "made", "cached"},      {SYS_mount_setattr, ENOSYS, "made", "cached"},
    {SYS_symlinkat, EPERM, "made", "cached"},      {SYS_utimensat, EPERM, "made", "cached"},
    {SYS_readlinkat, ENOSYS, "made", "cached"},    {SYS_clone3, ENOSYS, "made", "cached"},
    {SYS_mkdirat, EPERM, "made", "cached"},
};
static const struct missing *now_missing;

static void missing_call(void)
{
    forbid(now_missing->number, now_missing->error);
    must(starts(now_missing->first));
    must(starts(now_missing->second));
}

static void test_missing_calls(void **state)
{
    for (unsigned i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        now_missing = &missing[i];
        in_child(missing_call);
        tear_down(state);
        assert_int_equal(set_up(state), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cache_test(test_symbolic_link),
        cache_test(test_no_directory),
        cache_test(test_other_owner),
        cache_test(test_group_writable),
        cache_test(test_made_with_its_parents),
        cache_test(test_read_only_disk),
        cache_test(test_full_disk),
        cache_test(test_no_inodes),
        cache_test(test_noexec_disk),
        cache_test(test_noexec_disk_of_an_old_kernel),
        cache_test(test_missing_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
