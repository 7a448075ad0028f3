/* Fuzzes what is read of the kernel's texts, parts of which a container chooses: names of processes, cgroups and mount points.
 * The first byte chooses the reader. The files are one in memory, opened through /proc/self/fd. */
#define read_mounts read_mounts_of
#include "engine/cache/layer.c"
#undef read_mounts
#include "oci/cgroup_file.h"
#include "oci/cgroup_find.c"
#include "oci/state.h"
#include "shim/cgroup_path.h"
#include "tests/fuzz/fuzz.h"
#include <sys/mman.h>

/* Every file that the readers open is the input. */
static const uint8_t *content;
static size_t content_size;

static void find_mount_of_overlay(struct buf *text)
{
    struct mount_line line;
    char inside[PATH_MAX], option[OPTIONS_BYTES_MAX], layer[PATH_MAX];

    if (!find_line(text, 36, &line))
        return;
    path_in_file_system(&line, "/a/b/module.wasm", inside, sizeof inside);
    is_unusual(line.options);
    for (const char *at = line.options; *at != 0 && next_option(&at, option, sizeof option);) {
        const char *value = value_of(option, "lowerdir");
        while (value != NULL && *value != 0 && next_layer(&value, layer, sizeof layer))
            ;
    }
}

/* Half of it is mountinfo, the other /proc/self/cgroup. */
static void find_cgroups(char *text, size_t size, struct arena *arena)
{
    struct mountinfo mounts[CGROUP_HIERARCHIES_MAX * 2];
    struct cgroup cgroup = {0};
    char *own = memchr(text, 0, size), *next;
    unsigned count;

    own = own != NULL && own < text + size ? own + 1 : text + size;
    count = read_mounts(text, mounts, sizeof mounts / sizeof mounts[0]);
    for (unsigned i = 0; i < count; i++)
        own_place(&mounts[i], own);
    for (char *line = own; line != NULL && *line != 0; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = 0;
        container_place(line, "a/b", "id", true, arena);
        add_hierarchy(&cgroup, line, mounts, 0, "a/b", "id", arena);
    }
    check_path(text, &(struct err){0});
}

static void read_file(void)
{
    static int fd = -1;
    char name[16], text[256];

    if (fd < 0)
        fd = memfd_create("file", MFD_CLOEXEC);
    if (ftruncate(fd, (off_t)content_size) != 0 || pwrite(fd, content, content_size, 0) < 0)
        abort();
    snprintf(name, sizeof name, "%d", fd);
    cgroup_read("/proc/self/fd", name, text, sizeof text);
    cgroup_read_u64("/proc/self/fd", name);
    cgroup_read_key("/proc/self/fd", name, "oom_kill");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct buf mounts = {0};
    char *text, path[PATH_MAX];

    if (size == 0)
        return 0;
    content = data + 1;
    content_size = size - 1;
    text = fuzz_text(content, content_size);
    switch (data[0] % 5) {
    case 0:
        buf_put(&mounts, content, content_size);
        find_mount_of_overlay(&mounts);
        buf_done(&mounts);
        break;
    case 1: find_cgroups(text, content_size, &arena); break;
    case 2: cgroup_text_value(text, "oom_kill"); break;
    case 3: cgroup_path_of(text, "memory", "memory.stat", path); break;
    default: read_file();
    }
    free(text);
    arena_free(&arena);
    return 0;
}
