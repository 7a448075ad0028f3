/* See userns.h. */
#include "oci/userns.h"
#include "base/fd.h"
#include "oci/sys.h"
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { MAP_BYTES_MAX = 64 << 10, PROC_PATH_BYTES = 64 };

static int open_proc(pid_t pid, const char *file, int flags)
{
    char path[PROC_PATH_BYTES];

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    return open(path, flags | O_CLOEXEC);
}

/* The kernel takes a map in one write or not at all. */
static int write_map(pid_t pid, const char *file, const struct config_id_maps *maps, struct err *e)
{
    cleanup_fd int fd = open_proc(pid, file, O_WRONLY);
    struct buf text = {0};
    int ret = 0;

    for (uint32_t i = 0; i < maps->count; i++)
        buf_printf(&text, "%" PRIu32 " %" PRIu32 " %" PRIu32 "\n", maps->data[i].container_id, maps->data[i].host_id,
                   maps->data[i].size);
    if (fd < 0 || write(fd, text.data, text.len) != (ssize_t)text.len)
        ret = err_sys(e, "cannot write the %s of the user namespace", file);
    buf_done(&text);
    return ret;
}

/* What an ordinary user may map alone: himself. Everything else is for newuidmap and newgidmap (shadow's uidmap), which
 * look into /etc/subuid and /etc/subgid. */
static bool is_only(const struct config_id_maps *maps, uint32_t id)
{
    return maps->count == 1 && maps->data[0].size == 1 && maps->data[0].host_id == id;
}

static int deny_setgroups(pid_t pid, struct err *e)
{
    cleanup_fd int fd = open_proc(pid, "setgroups", O_WRONLY);
    return fd < 0 || fd_write_all(fd, "deny", 4) < 0 ? err_sys(e, "cannot deny setgroups in the user namespace") : 0;
}

/* Runs the set-user-ID helper PROGRAM for PID with MAPS; its words are for the caller of the runtime, on standard error. */
static int run_helper(const char *program, pid_t pid, const struct config_id_maps *maps, struct err *e)
{
    char(*numbers)[16] = calloc(maps->count * 3 + 1, sizeof *numbers);
    const char **args = calloc(maps->count * 3 + 3, sizeof *args);
    int status = -1, count = 0, ret = 0;
    pid_t child;

    snprintf(numbers[0], sizeof numbers[0], "%d", (int)pid);
    args[count++] = program;
    args[count++] = numbers[0];
    for (uint32_t i = 0; i < maps->count; i++) {
        const uint32_t fields[] = {maps->data[i].container_id, maps->data[i].host_id, maps->data[i].size};
        for (int field = 0; field < 3; field++, count++) {
            snprintf(numbers[count - 1], sizeof numbers[0], "%" PRIu32, fields[field]);
            args[count] = numbers[count - 1];
        }
    }
    child = fork();
    if (child == 0) {
        execvp(program, (char *const *)args);
        _exit(127);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (child < 0)
        ret = err_sys(e, "cannot start %s", program);
    else if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        ret =
            err_set(e, ENOENT,
                    "mapping more than the own id needs %s, which is not installed (Debian's package uidmap)", program);
    else if (status != 0)
        ret = err_set(e, EPERM, "%s refuses the mappings of linux.%cidMappings: is there a range for this user in %s?",
                      program, program[3], program[3] == 'u' ? "/etc/subuid" : "/etc/subgid");
    free(numbers);
    free(args);
    return ret;
}

int userns_write_maps(pid_t pid, const struct config_id_maps *uids, const struct config_id_maps *gids, struct err *e)
{
    bool all = geteuid() == 0, own_group = is_only(gids, getegid());
    int ret;

    if (all || is_only(uids, geteuid()))
        ret = write_map(pid, "uid_map", uids, e);
    else
        ret = run_helper("newuidmap", pid, uids, e);
    if (ret == 0 && !all && own_group)
        ret = deny_setgroups(
            pid, e); /* user_namespaces(7): who could drop a group could pass a file's mode that denies it */
    if (ret < 0)
        return ret;
    return all || own_group ? write_map(pid, "gid_map", gids, e) : run_helper("newgidmap", pid, gids, e);
}

int userns_open(pid_t pid, struct err *e)
{
    int fd = open_proc(pid, "ns/user", O_RDONLY);
    return fd < 0 ? err_sys(e, "cannot open the user namespace of process %d", (int)pid) : fd;
}

/* A namespace lives as long as a descriptor of it, so its first process may go as soon as that is open. */
int userns_make(const struct config_id_maps *uids, const struct config_id_maps *gids, struct err *e)
{
    const struct clone_args args = {.flags = CLONE_NEWUSER};
    pid_t pid = (pid_t)sys.clone3(&args, sizeof args);
    int ret;

    if (pid == 0)
        for (;;)
            pause();
    if (pid < 0)
        return err_sys(e, "cannot make a user namespace");
    ret = userns_write_maps(pid, uids, gids, e);
    if (ret == 0)
        ret = userns_open(pid, e);
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
        ;
    return ret;
}

/* --- reading maps ---------------------------------------------------------------------------------------------------- */

/* Reads the next line of a map; false at the end. */
static bool next_line(const char **p, struct config_id_map *map)
{
    int used = 0;

    if (sscanf(*p, " %" SCNu32 " %" SCNu32 " %" SCNu32 "%n", &map->container_id, &map->host_id, &map->size, &used) != 3)
        return false;
    *p += used;
    return true;
}

static int read_map(pid_t pid, const char *file, struct buf *text, struct err *e)
{
    cleanup_fd int fd = open_proc(pid, file, O_RDONLY);

    if (fd < 0 || fd_read_to_end(fd, text, MAP_BYTES_MAX) < 0)
        return err_sys(e, "cannot read the %s of the container's user namespace", file);
    return 0;
}

int userns_host_id(pid_t pid, const char *file, uint32_t id, uint32_t *host_id, struct err *e)
{
    struct buf text = {0};
    struct config_id_map map;
    int ret = read_map(pid, file, &text, e);
    const char *p = ret == 0 ? buf_cstr(&text) : "";

    if (ret == 0)
        ret = err_set(e, ENOENT, "the container's id %" PRIu32 " is not in the %s of its user namespace", id, file);
    while (next_line(&p, &map))
        if (id >= map.container_id && id - map.container_id < map.size) {
            *host_id = map.host_id + (id - map.container_id);
            ret = 0;
        }
    buf_done(&text);
    return ret;
}

/* The kernel sorts longer maps, so the order says nothing. */
static int check_map(pid_t pid, const char *file, const struct config_id_maps *wanted, struct err *e)
{
    struct buf text = {0};
    struct config_id_map map;
    uint32_t lines = 0, found = 0;
    int ret = wanted->count != 0 ? read_map(pid, file, &text, e) : 0;
    const char *p = ret == 0 ? buf_cstr(&text) : "";

    for (; next_line(&p, &map); lines++)
        for (uint32_t i = 0; i < wanted->count; i++)
            found += memcmp(&map, &wanted->data[i], sizeof map) == 0;
    if (ret == 0 && wanted->count != 0 && (found != wanted->count || lines != found))
        ret = err_set(e, EINVAL, "config.json: linux: the mappings are not those of the user namespace to join (%s)",
                      file);
    buf_done(&text);
    return ret;
}

int userns_check_maps(pid_t pid, const struct config_id_maps *uids, const struct config_id_maps *gids, struct err *e)
{
    int ret = check_map(pid, "uid_map", uids, e);
    return ret < 0 ? ret : check_map(pid, "gid_map", gids, e);
}

/* --- inside ------------------------------------------------------------------------------------------------------------ */

int userns_become_root(struct err *e)
{
    if (sys.setresgid(0, 0, 0) < 0 || sys.setresuid(0, 0, 0) < 0)
        return err_sys(e, "cannot become root of the container's user namespace");
    return 0;
}
