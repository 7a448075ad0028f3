/* The floor: the least that create + start + delete of one container can cost on this kernel.
 *
 *     floor --root DIR create --bundle B [--pid-file P] ID | floor --root DIR start ID | floor --root DIR delete ID
 *
 * It does the kernel work of an ordinary container (all namespaces, the standard mounts, devices, masked and read-only
 * paths, cgroup, capabilities, seccomp when B/seccomp.bpf is there) with everything else left out: no config.json is
 * read, the program is /bin/true in B/rootfs, nothing is checked that the kernel does not check. So it is no runtime; it
 * is the number that `make bench` divides by. Verbs and options are those of the runtimes, so that one driver runs all.
 *
 * On a v2 (or v2-only) view the child is cloned into its cgroup. On v1 the first write to cgroup.procs waits for an RCU
 * grace period, which the parent overlaps with the child's mounts. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define CGROUPS "/sys/fs/cgroup"

static const char *const v1_controllers[] = {"memory", "blkio",   "cpu",     "cpuset", "cpuacct",
                                             "pids",   "devices", "freezer", "systemd"};

/* The default capabilities of docker and podman: chown dac_override fowner fsetid kill setgid setuid setpcap
 * net_bind_service net_raw sys_chroot mknod audit_write setfcap. */
static const uint64_t kept_capabilities = 0xa80425fb;

static struct sock_filter filter[4096];
static struct sock_fprog program = {.filter = filter};

static void check(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
        _exit(1);
    }
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    check(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), path);
    close(fd);
}

/* --- cgroups ----------------------------------------------------------------------------------------------------- */

static int cgroup_is_v2(void)
{
    struct statfs fs;
    return statfs(CGROUPS, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* The CPUs and memory nodes of a new v1 cpuset are empty, and no process may enter it until they are set. */
static void cpuset_fill(const char *id)
{
    static const char *const names[] = {"cpuset.cpus", "cpuset.mems"};
    char from[PATH_MAX], to[PATH_MAX], value[256];
    for (int i = 0; i < 2; i++) {
        snprintf(from, sizeof from, CGROUPS "/cpuset/%s", names[i]);
        snprintf(to, sizeof to, CGROUPS "/cpuset/%s/%s", id, names[i]);
        int fd = open(from, O_RDONLY | O_CLOEXEC);
        ssize_t len = fd < 0 ? -1 : read(fd, value, sizeof value - 1);
        check(len > 0, from);
        close(fd);
        value[len] = 0;
        write_file(to, value);
    }
}

static void v1_each(const char *id, void (*visit)(const char *directory, const char *id, const char *text),
                    const char *text)
{
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof v1_controllers / sizeof v1_controllers[0]; i++) {
        snprintf(path, sizeof path, CGROUPS "/%s", v1_controllers[i]);
        if (access(path, F_OK) != 0)
            continue;
        snprintf(path, sizeof path, CGROUPS "/%s/%s", v1_controllers[i], id);
        visit(path, id, text);
    }
}

static void v1_make(const char *directory, const char *id, const char *text)
{
    check(mkdir(directory, 0755) == 0, directory);
    if (strstr(directory, "/cpuset/") != NULL)
        cpuset_fill(id);
}

static void v1_attach(const char *directory, const char *id, const char *pid)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/cgroup.procs", directory);
    write_file(path, pid);
}

static void v1_remove(const char *directory, const char *id, const char *text)
{
    rmdir(directory);
}

/* --- what the child does ------------------------------------------------------------------------------------------- */

static void child_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)
{
    check(mount(source, target, type, flags, data) == 0, target);
}

static void child_devices(void)
{
    static const struct {
        const char *path;
        int major, minor;
    } nodes[] = {{"dev/null", 1, 3},   {"dev/zero", 1, 5},    {"dev/full", 1, 7},
                 {"dev/random", 1, 8}, {"dev/urandom", 1, 9}, {"dev/tty", 5, 0}};
    static const char *const links[][2] = {{"/proc/self/fd", "dev/fd"},
                                           {"/proc/self/fd/0", "dev/stdin"},
                                           {"/proc/self/fd/1", "dev/stdout"},
                                           {"/proc/self/fd/2", "dev/stderr"},
                                           {"pts/ptmx", "dev/ptmx"}};
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++)
        check(mknod(nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)) == 0, nodes[i].path);
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
        check(symlink(links[i][0], links[i][1]) == 0, links[i][1]);
}

/* Expects the root file system as working directory. */
static void child_mounts(int v2)
{
    const unsigned long safe = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    umask(0);
    child_mount("proc", "proc", "proc", safe, NULL);
    child_mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
    check(mkdir("dev/pts", 0755) == 0 && mkdir("dev/shm", 0755) == 0 && mkdir("dev/mqueue", 0755) == 0, "dev");
    child_mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620");
    child_mount("shm", "dev/shm", "tmpfs", safe, "mode=1777,size=65536k");
    child_mount("mqueue", "dev/mqueue", "mqueue", safe, NULL);
    child_mount("sysfs", "sys", "sysfs", safe | MS_RDONLY, NULL);
    if (v2)
        child_mount("cgroup", "sys/fs/cgroup", "cgroup2", safe | MS_RDONLY, NULL);
    child_devices();
    umask(022);
}

static void child_mask(const char *empty_directory)
{
    static const char *const masked[] = {
        "/proc/acpi",       "/proc/asound",      "/proc/kcore",       "/proc/keys",    "/proc/latency_stats",
        "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"};
    static const char *const readonly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
    const unsigned long safe = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    struct stat st;
    int shared = 0;
    for (size_t i = 0; i < sizeof masked / sizeof masked[0]; i++) {
        if (stat(masked[i], &st) != 0)
            continue;
        if (!S_ISDIR(st.st_mode)) {
            child_mount("/dev/null", masked[i], NULL, MS_BIND, NULL);
        } else if (!shared) {
            child_mount("tmpfs", masked[i], "tmpfs", MS_RDONLY, "size=0k,nr_inodes=2");
            empty_directory = masked[i];
            shared = 1;
        } else {
            child_mount(empty_directory, masked[i], NULL, MS_BIND, NULL);
        }
    }
    for (size_t i = 0; i < sizeof readonly / sizeof readonly[0]; i++) {
        if (mount(readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL) == 0)
            child_mount(NULL, readonly[i], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | safe, NULL);
    }
}

static void child_enter_root(const char *rootfs, int v2)
{
    int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    check(old >= 0, "/");
    child_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    child_mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL);
    check(chdir(rootfs) == 0, rootfs);
    child_mounts(v2);
    check(syscall(SYS_pivot_root, ".", ".") == 0, "pivot_root");
    check(fchdir(old) == 0 && umount2(".", MNT_DETACH) == 0 && chdir("/") == 0, "the old root");
    close(old);
}

static void child_loopback_up(void)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    request.ifr_flags = IFF_UP;
    check(fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0, "lo");
    close(fd);
}

static void child_drop_rights(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};
    struct rlimit files = {1024, 1024};
    for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
        if (((kept_capabilities >> cap) & 1) == 0)
            prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
    }
    check(setrlimit(RLIMIT_NOFILE, &files) == 0, "RLIMIT_NOFILE");
    check(syscall(SYS_setgroups, 0, NULL) == 0 && syscall(SYS_setresgid, 0, 0, 0) == 0 &&
              syscall(SYS_setresuid, 0, 0, 0) == 0,
          "user");
    data[0].effective = data[0].permitted = (uint32_t)kept_capabilities;
    check(syscall(SYS_capset, &header, data) == 0, "capset");
    check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
    if (program.len != 0)
        check(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0, "seccomp");
}

/* Tells the parent through READY, waits for `start` at the fifo (held by the path descriptor FIFO, since the state
 * directory is out of sight by now) and becomes the program. */
__attribute__((noreturn)) static void child_run(const char *rootfs, int v2, int attached, int ready, int fifo)
{
    char path[64], byte = 0;
    char *argv[] = {"true", NULL}, *environment[] = {"PATH=/bin", "HOME=/", NULL};
    setsid();
    check(sethostname("floor", 5) == 0, "hostname");
    child_loopback_up();
    child_enter_root(rootfs, v2);
    child_mask(NULL);
    if (!v2) {
        check(read(attached, &byte, 1) == 1, "waiting for the cgroup");
        /* only now: a cgroup namespace is rooted where its maker is at that moment */
        check(unshare(CLONE_NEWCGROUP) == 0, "cgroup namespace");
    }
    child_drop_rights();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fifo);
    check(write(ready, "r", 1) == 1, "ready");
    close(ready);
    int gate = open(path, O_WRONLY | O_CLOEXEC);
    check(gate >= 0 && write(gate, "s", 1) == 1, "waiting for start");
    execve("/bin/true", argv, environment);
    check(0, "/bin/true");
    _exit(1);
}

/* --- verbs --------------------------------------------------------------------------------------------------------- */

static void load_filter(const char *bundle)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/seccomp.bpf", bundle);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t len = read(fd, filter, sizeof filter);
    check(len > 0, path);
    program.len = (unsigned short)((size_t)len / sizeof filter[0]);
    close(fd);
}

static int clone_child(const char *id, int v2)
{
    char path[PATH_MAX];
    struct clone_args args = {.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET,
                              .exit_signal = SIGCHLD};
    if (v2) {
        snprintf(path, sizeof path, CGROUPS "/%s", id);
        check(mkdir(path, 0755) == 0, path);
        int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        check(fd >= 0, path);
        args.flags |= CLONE_NEWCGROUP | CLONE_INTO_CGROUP;
        args.cgroup = (uint64_t)fd;
    } else {
        v1_each(id, v1_make, NULL);
    }
    int pid = (int)syscall(SYS_clone3, &args, sizeof args);
    check(pid >= 0, "clone3");
    return pid;
}

static void create(const char *root, const char *bundle, const char *pid_file, const char *id)
{
    char rootfs[PATH_MAX], path[PATH_MAX], renamed[PATH_MAX], text[32];
    int ready[2], attached[2], v2 = cgroup_is_v2();
    check(snprintf(path, sizeof path, "%s/rootfs", bundle) > 0 && realpath(path, rootfs) != NULL, path);
    load_filter(bundle);
    snprintf(path, sizeof path, "%s/%s", root, id);
    check(mkdir(path, 0700) == 0, path);
    snprintf(path, sizeof path, "%s/%s/fifo", root, id);
    check(mkfifo(path, 0600) == 0, path);
    int fifo = open(path, O_PATH | O_CLOEXEC);
    check(fifo >= 0 && pipe2(ready, O_CLOEXEC) == 0 && pipe2(attached, O_CLOEXEC) == 0, path);

    int pid = clone_child(id, v2);
    if (pid == 0)
        child_run(rootfs, v2, attached[0], ready[1], fifo);
    close(ready[1]);
    snprintf(text, sizeof text, "%d", pid);
    if (!v2) {
        v1_each(id, v1_attach, text);
        check(write(attached[1], "a", 1) == 1, "cgroup");
    }
    snprintf(path, sizeof path, "%s/%s/.pid", root, id);
    snprintf(renamed, sizeof renamed, "%s/%s/pid", root, id);
    write_file(path, text);
    check(rename(path, renamed) == 0, path);
    if (pid_file != NULL)
        write_file(pid_file, text);
    check(read(ready[0], path, 1) == 1, "the container's init");
}

static void start(const char *root, const char *id)
{
    char path[PATH_MAX], byte;
    snprintf(path, sizeof path, "%s/%s/fifo", root, id);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    check(fd >= 0 && read(fd, &byte, 1) == 1, path);
}

static void delete (const char *root, const char *id)
{
    char path[PATH_MAX];
    static const char *const names[] = {"pid", "fifo", ""};
    if (cgroup_is_v2()) {
        snprintf(path, sizeof path, CGROUPS "/%s", id);
        check(rmdir(path) == 0, path);
    } else {
        v1_each(id, v1_remove, NULL);
    }
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s/%s", root, id, names[i]);
        check((names[i][0] != 0 ? unlink(path) : rmdir(path)) == 0, path);
    }
}

int main(int argc, char **argv)
{
    const char *root = "/run/floor", *bundle = ".", *pid_file = NULL, *words[2] = {"", ""};
    int count = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--root") == 0 && i + 1 < argc)
            root = argv[++i];
        else if (strcmp(argv[i], "--bundle") == 0 && i + 1 < argc)
            bundle = argv[++i];
        else if (strcmp(argv[i], "--pid-file") == 0 && i + 1 < argc)
            pid_file = argv[++i];
        else if (count < 2)
            words[count++] = argv[i];
    }
    if (strcmp(words[0], "create") == 0)
        create(root, bundle, pid_file, words[1]);
    else if (strcmp(words[0], "start") == 0)
        start(root, words[1]);
    else if (strcmp(words[0], "delete") == 0)
        delete (root, words[1]);
    else
        return fprintf(stderr, "floor: create, start or delete\n"), 2;
    return 0;
}
