#include "engine/worker_cgroup.h"
#include "base/fd.h"
#include <dirent.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define BASE "/sys/fs/cgroup"

enum { MEBIBYTE = 1 << 20 };

/* CPU weights, by which groups share what is not enough for all; by default one has 100 (v2) and 1024 (v1). */
static const struct kind {
    const char *parent;
    unsigned weight, shares;
} kinds[] = {
    /* A container waits for the worker: at the lowest weight there is, it waits on a busy machine a hundred times as long as
     * at the default one (docs/RATIONALE.md). */
    {"wherry-compile", 10, 102},
    {"wherry-optimize", 1, 10},
};

static const struct kind *kind_of(unsigned slot)
{
    return &kinds[slot == WORKER_BACKGROUND];
}

uint64_t worker_cgroup_memory_bytes(void)
{
    uint64_t quarter = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 4;
    const uint64_t least = UINT64_C(256) * MEBIBYTE, most = UINT64_C(8192) * MEBIBYTE;
    return quarter < least ? least : quarter > most ? most : quarter;
}

static bool is_file_system(const char *path, long magic)
{
    struct statfs fs;
    return statfs(path, &fs) == 0 && (long)fs.f_type == magic;
}

static bool write_file(const char *directory, const char *name, const char *text)
{
    char path[320];
    cleanup_fd int fd = -1;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && fd_write_all(fd, text, strlen(text)) == 0;
}

static bool write_number(const char *directory, const char *name, uint64_t number)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    return write_file(directory, name, text);
}

static int open_file(const char *directory, const char *name, int flags)
{
    char path[320];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return open(path, flags | O_CLOEXEC);
}

/* Returns whether the directory is there; LIMIT is written only when it is new: an operator may have changed it since. */
static bool make_directory(const char *path, const char *limit_name, uint64_t limit)
{
    if (mkdir(path, 0755) != 0)
        return errno == EEXIST;
    if (limit_name == NULL || write_number(path, limit_name, limit))
        return true;
    rmdir(path);
    return false;
}

static void open_v2(unsigned slot, struct worker_cgroup *out)
{
    const struct kind *kind = kind_of(slot);
    char parent[64];

    snprintf(parent, sizeof parent, BASE "/%s", kind->parent);
    snprintf(out->path, sizeof out->path, "%s/slot-%u", parent, slot == WORKER_BACKGROUND ? 0 : slot);
    out->directory = open(out->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (out->directory < 0) {
        write_file(BASE, "cgroup.subtree_control", "+cpu +memory");
        if (!make_directory(parent, "memory.max", 2 * worker_cgroup_memory_bytes()) ||
            !write_file(parent, "cgroup.subtree_control", "+memory") ||
            !make_directory(out->path, "memory.max", worker_cgroup_memory_bytes()))
            return;
        write_number(parent, "cpu.weight", kind->weight);
        out->directory = open(out->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (out->directory < 0)
        return;
    out->procs[0] = open_file(out->path, "cgroup.procs", O_WRONLY);
    out->oom_events = open_file(out->path, "memory.events", O_RDONLY);
}

static void open_v1(unsigned slot, struct worker_cgroup *out)
{
    const struct kind *kind = kind_of(slot);
    char memory[64], cpu[64];

    snprintf(memory, sizeof memory, BASE "/memory/%s", kind->parent);
    snprintf(cpu, sizeof cpu, BASE "/cpu/%s", kind->parent);
    if (is_file_system(BASE "/cpu", CGROUP_SUPER_MAGIC) && make_directory(cpu, "cpu.shares", kind->shares))
        out->procs[1] = open_file(cpu, "cgroup.procs", O_WRONLY);
    if (!is_file_system(BASE "/memory", CGROUP_SUPER_MAGIC))
        return;
    snprintf(out->path, sizeof out->path, "%s/slot-%u", memory, slot == WORKER_BACKGROUND ? 0 : slot);
    if (!make_directory(memory, "memory.limit_in_bytes", 2 * worker_cgroup_memory_bytes()) ||
        !make_directory(out->path, "memory.limit_in_bytes", worker_cgroup_memory_bytes()))
        return;
    out->procs[0] = open_file(out->path, "cgroup.procs", O_WRONLY);
    out->oom_events = open_file(out->path, "memory.oom_control", O_RDONLY);
}

void worker_cgroup_open(unsigned slot, struct worker_cgroup *out)
{
    *out = (struct worker_cgroup){.directory = -1, .procs = {-1, -1}, .oom_events = -1};
    if (geteuid() != 0)
        return;
    if (is_file_system(BASE, CGROUP2_SUPER_MAGIC))
        open_v2(slot, out);
    else
        open_v1(slot, out);
    if (out->procs[0] < 0)
        out->path[0] = 0;
}

void worker_cgroup_close(struct worker_cgroup *cgroup)
{
    fd_close(&cgroup->directory);
    fd_close(&cgroup->procs[0]);
    fd_close(&cgroup->procs[1]);
    fd_close(&cgroup->oom_events);
}

void worker_cgroup_attach(const struct worker_cgroup *cgroup, pid_t pid)
{
    char text[16];
    int len = snprintf(text, sizeof text, "%d", (int)pid);

    for (int i = 0; i < 2; i++)
        if (cgroup->procs[i] >= 0) /* the worker may have ended already: then there is nothing to attach */
            (void)!write(cgroup->procs[i], text, (size_t)len);
}

/* To the root of each hierarchy of cgroup v1; those of the background group are entered after that. */
static void leave_v1(void)
{
    DIR *hierarchies = opendir(BASE);

    if (hierarchies == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(hierarchies)) != NULL;) {
        char path[sizeof BASE + sizeof entry->d_name];
        snprintf(path, sizeof path, BASE "/%s", entry->d_name);
        if (entry->d_name[0] != '.' &&
            (is_file_system(path, CGROUP_SUPER_MAGIC) || is_file_system(path, CGROUP2_SUPER_MAGIC)))
            write_file(path, "cgroup.procs", "0");
    }
    closedir(hierarchies);
}

void worker_cgroup_leave_callers(void)
{
    struct worker_cgroup cgroup;

    if (geteuid() != 0)
        return;
    if (!is_file_system(BASE, CGROUP2_SUPER_MAGIC))
        leave_v1();
    worker_cgroup_open(WORKER_BACKGROUND, &cgroup);
    worker_cgroup_attach(&cgroup, 0);
    worker_cgroup_close(&cgroup);
}

uint64_t worker_cgroup_kills(const struct worker_cgroup *cgroup)
{
    char text[512];
    unsigned long long count = 0;
    ssize_t len = cgroup->oom_events < 0 ? -1 : pread(cgroup->oom_events, text, sizeof text - 1, 0);
    const char *at;

    text[len < 0 ? 0 : len] = 0;
    at = strstr(text, "oom_kill ");
    return at != NULL && sscanf(at, "oom_kill %llu", &count) == 1 ? count : 0;
}
