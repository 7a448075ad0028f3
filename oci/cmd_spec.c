/* wherry spec: a config.json to begin with. */
#include "base/fd.h"
#include "oci/cgroup.h"
#include "oci/cmd.h"
#include "oci/version.h"

/* What `runc spec` writes, field by field, because tutorials and tools edit that: the parts that an ordinary user's differs in
 * stand between those that are the same. */
static const char beginning[] =
    "{\n"
    "  \"ociVersion\": \"" WHERRY_SPEC_VERSION "\",\n"
    "  \"process\": {\n"
    "    \"terminal\": true,\n"
    "    \"user\": {\"uid\": 0, \"gid\": 0},\n"
    "    \"args\": [\"sh\"],\n"
    "    \"env\": [\n"
    "      \"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\",\n"
    "      \"TERM=xterm\"\n"
    "    ],\n"
    "    \"cwd\": \"/\",\n"
    "    \"capabilities\": {\n"
    "      \"bounding\": [\"CAP_AUDIT_WRITE\", \"CAP_KILL\", \"CAP_NET_BIND_SERVICE\"],\n"
    "      \"effective\": [\"CAP_AUDIT_WRITE\", \"CAP_KILL\", \"CAP_NET_BIND_SERVICE\"],\n"
    "      \"permitted\": [\"CAP_AUDIT_WRITE\", \"CAP_KILL\", \"CAP_NET_BIND_SERVICE\"]\n"
    "    },\n"
    "    \"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"hard\": 1024, \"soft\": 1024}],\n"
    "    \"noNewPrivileges\": true\n"
    "  },\n"
    "  \"root\": {\"path\": \"rootfs\", \"readonly\": true},\n"
    "  \"hostname\": \"wherry\",\n"
    "  \"mounts\": [\n"
    "    {\"destination\": \"/proc\", \"type\": \"proc\", \"source\": \"proc\"},\n"
    "    {\"destination\": \"/dev\", \"type\": \"tmpfs\", \"source\": \"tmpfs\",\n"
    "     \"options\": [\"nosuid\", \"strictatime\", \"mode=755\", \"size=65536k\"]},\n"
    "    {\"destination\": \"/dev/pts\", \"type\": \"devpts\", \"source\": \"devpts\",\n"
    "     \"options\": [\"nosuid\", \"noexec\", \"newinstance\", \"ptmxmode=0666\", \"mode=0620\"";
static const char terminal_group[] = ", \"gid=5\"";
static const char middle[] =
    "]},\n"
    "    {\"destination\": \"/dev/shm\", \"type\": \"tmpfs\", \"source\": \"shm\",\n"
    "     \"options\": [\"nosuid\", \"noexec\", \"nodev\", \"mode=1777\", \"size=65536k\"]},\n"
    "    {\"destination\": \"/dev/mqueue\", \"type\": \"mqueue\", \"source\": \"mqueue\", \"options\": [\"nosuid\", "
    "\"noexec\", \"nodev\"]},\n";
static const char root_part[] =
    "    {\"destination\": \"/sys\", \"type\": \"sysfs\", \"source\": \"sysfs\", \"options\": [\"nosuid\", \"noexec\", "
    "\"nodev\", \"ro\"]},\n"
    "    {\"destination\": \"/sys/fs/cgroup\", \"type\": \"cgroup\", \"source\": \"cgroup\",\n"
    "     \"options\": [\"nosuid\", \"noexec\", \"nodev\", \"relatime\", \"ro\"]}\n"
    "  ],\n"
    "  \"linux\": {\n"
    "    \"resources\": {\"devices\": [{\"allow\": false, \"access\": \"rwm\"}]},\n"
    "    \"namespaces\": [\n"
    "      {\"type\": \"pid\"}, {\"type\": \"network\"}, {\"type\": \"ipc\"}, {\"type\": \"uts\"}, {\"type\": "
    "\"mount\"}%s\n"
    "    ],\n";
/* the network is the host's, and a sysfs of that can only be bound */
static const char rootless_part[] =
    "    {\"destination\": \"/sys\", \"type\": \"none\", \"source\": \"/sys\", \"options\": [\"rbind\", \"nosuid\", "
    "\"noexec\", \"nodev\", \"ro\"]}\n"
    "  ],\n"
    "  \"linux\": {\n"
    "    \"uidMappings\": [{\"containerID\": 0, \"hostID\": %u, \"size\": 1}],\n"
    "    \"gidMappings\": [{\"containerID\": 0, \"hostID\": %u, \"size\": 1}],\n"
    "    \"namespaces\": [\n"
    "      {\"type\": \"pid\"}, {\"type\": \"ipc\"}, {\"type\": \"uts\"}, {\"type\": \"mount\"}, {\"type\": "
    "\"user\"}%s\n"
    "    ],\n";
static const char end[] =
    "    \"maskedPaths\": [\n"
    "      \"/proc/acpi\", \"/proc/asound\", \"/proc/kcore\", \"/proc/keys\", \"/proc/latency_stats\", "
    "\"/proc/timer_list\",\n"
    "      \"/proc/timer_stats\", \"/proc/sched_debug\", \"/sys/firmware\", \"/proc/scsi\"\n"
    "    ],\n"
    "    \"readonlyPaths\": [\"/proc/bus\", \"/proc/fs\", \"/proc/irq\", \"/proc/sys\", \"/proc/sysrq-trigger\"]\n"
    "  }\n"
    "}\n";

/* As with runc only on v2: with v1 the paths in /proc/self/cgroup are what programs look for their limits by. */
static void compose(bool for_ordinary_user, struct buf *out)
{
    const char *cgroup = cgroup_host_is_unified() ? ", {\"type\": \"cgroup\"}" : "";

    buf_put_str(out, beginning);
    if (!for_ordinary_user)
        buf_put_str(out, terminal_group);
    buf_put_str(out, middle);
    if (for_ordinary_user)
        buf_printf(out, rootless_part, (unsigned)geteuid(), (unsigned)getegid(), cgroup);
    else
        buf_printf(out, root_part, cgroup);
    buf_put_str(out, end);
}

int cmd_spec(struct cmd *cmd, int argc, char **argv)
{
    const char *bundle = ".", *file = "config.json", *path;
    bool ordinary = false;
    struct buf text = {0};
    const struct option_spec specs[] = {
        {"bundle", 'b', OPTION_TEXT, &bundle, "directory to write it to"},
        {"config", 'f', OPTION_TEXT, &file, "name of the file"},
        {"file", 0, OPTION_TEXT, &file, "the same, as crun calls it"},
        {"rootless", 0, OPTION_FLAG, &ordinary, "for an ordinary user: a user namespace, the host's network"},
        {0}};
    int status, ret = 0;

    if (cmd_options(cmd, argc, argv, specs, "spec [options]", 0, 0, &status) < 0)
        return status;
    path = file[0] == '/' ? file : arena_printf(&cmd->arena, "%s/%s", bundle, file);
    cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 && errno == EEXIST) {
        err_set(&cmd->err, EEXIST, "file %s exists: remove it first", path);
        return cmd_fail(cmd, 1);
    }
    compose(ordinary, &text);
    if (fd < 0 || fd_write_all(fd, text.data, text.len) < 0)
        ret = err_sys(&cmd->err, "cannot write '%s'", path);
    buf_done(&text);
    return ret < 0 ? cmd_fail(cmd, 1) : 0;
}
