/* One table of option names: which flag each sets or clears, on the mount or on the whole tree. */
#include "oci/mount_options.h"
#include "oci/sys.h"
#include <assert.h>
#include <unistd.h>

enum option_kind { OPTION_SET, OPTION_CLEAR, OPTION_TREE_SET, OPTION_TREE_CLEAR, OPTION_PROPAGATION, OPTION_OTHER };
enum { OTHER_COPY_UP, OTHER_ID_MAP, OTHER_ID_MAP_TREE };

struct option {
    const char *name;
    enum option_kind kind;
    uint64_t value;
};

/* Sorted by name. "norelatime" and "nostrictatime" name what is not wanted; the kernel's default is then relatime.
 * MOUNT_ATTR_RELATIME is 0: "rrelatime" works by clearing the other modes, see mount_options_read. */
static const struct option options[] = {
    {"acl", OPTION_SET, MS_POSIXACL},
    {"async", OPTION_CLEAR, MS_SYNCHRONOUS},
    {"atime", OPTION_CLEAR, MS_NOATIME},
    {"bind", OPTION_SET, MS_BIND},
    {"defaults", OPTION_SET, 0},
    {"dev", OPTION_CLEAR, MS_NODEV},
    {"diratime", OPTION_CLEAR, MS_NODIRATIME},
    {"dirsync", OPTION_SET, MS_DIRSYNC},
    {"exec", OPTION_CLEAR, MS_NOEXEC},
    {"idmap", OPTION_OTHER, OTHER_ID_MAP},
    {"iversion", OPTION_SET, MS_I_VERSION},
    {"lazytime", OPTION_SET, MS_LAZYTIME},
    {"loud", OPTION_CLEAR, MS_SILENT},
    {"mand", OPTION_SET, MS_MANDLOCK},
    {"noacl", OPTION_CLEAR, MS_POSIXACL},
    {"noatime", OPTION_SET, MS_NOATIME},
    {"nodev", OPTION_SET, MS_NODEV},
    {"nodiratime", OPTION_SET, MS_NODIRATIME},
    {"noexec", OPTION_SET, MS_NOEXEC},
    {"noiversion", OPTION_CLEAR, MS_I_VERSION},
    {"nolazytime", OPTION_CLEAR, MS_LAZYTIME},
    {"nomand", OPTION_CLEAR, MS_MANDLOCK},
    {"norelatime", OPTION_CLEAR, MS_RELATIME},
    {"nostrictatime", OPTION_CLEAR, MS_STRICTATIME},
    {"nosuid", OPTION_SET, MS_NOSUID},
    {"nosymfollow", OPTION_SET, MS_NOSYMFOLLOW},
    {"private", OPTION_PROPAGATION, MS_PRIVATE},
    {"ratime", OPTION_TREE_CLEAR, MOUNT_ATTR_NOATIME},
    {"rbind", OPTION_SET, MS_BIND | MS_REC},
    {"rdev", OPTION_TREE_CLEAR, MOUNT_ATTR_NODEV},
    {"rdiratime", OPTION_TREE_CLEAR, MOUNT_ATTR_NODIRATIME},
    {"relatime", OPTION_SET, MS_RELATIME},
    {"remount", OPTION_SET, MS_REMOUNT},
    {"rexec", OPTION_TREE_CLEAR, MOUNT_ATTR_NOEXEC},
    {"ridmap", OPTION_OTHER, OTHER_ID_MAP_TREE},
    {"rnoatime", OPTION_TREE_SET, MOUNT_ATTR_NOATIME},
    {"rnodev", OPTION_TREE_SET, MOUNT_ATTR_NODEV},
    {"rnodiratime", OPTION_TREE_SET, MOUNT_ATTR_NODIRATIME},
    {"rnoexec", OPTION_TREE_SET, MOUNT_ATTR_NOEXEC},
    {"rnorelatime", OPTION_TREE_CLEAR, MOUNT_ATTR_RELATIME},
    {"rnostrictatime", OPTION_TREE_CLEAR, MOUNT_ATTR_STRICTATIME},
    {"rnosuid", OPTION_TREE_SET, MOUNT_ATTR_NOSUID},
    {"rnosymfollow", OPTION_TREE_SET, MOUNT_ATTR_NOSYMFOLLOW},
    {"ro", OPTION_SET, MS_RDONLY},
    {"rprivate", OPTION_PROPAGATION, MS_PRIVATE | MS_REC},
    {"rrelatime", OPTION_TREE_SET, MOUNT_ATTR_RELATIME},
    {"rro", OPTION_TREE_SET, MOUNT_ATTR_RDONLY},
    {"rrw", OPTION_TREE_CLEAR, MOUNT_ATTR_RDONLY},
    {"rshared", OPTION_PROPAGATION, MS_SHARED | MS_REC},
    {"rslave", OPTION_PROPAGATION, MS_SLAVE | MS_REC},
    {"rstrictatime", OPTION_TREE_SET, MOUNT_ATTR_STRICTATIME},
    {"rsuid", OPTION_TREE_CLEAR, MOUNT_ATTR_NOSUID},
    {"rsymfollow", OPTION_TREE_CLEAR, MOUNT_ATTR_NOSYMFOLLOW},
    {"runbindable", OPTION_PROPAGATION, MS_UNBINDABLE | MS_REC},
    {"rw", OPTION_CLEAR, MS_RDONLY},
    {"shared", OPTION_PROPAGATION, MS_SHARED},
    {"silent", OPTION_SET, MS_SILENT},
    {"slave", OPTION_PROPAGATION, MS_SLAVE},
    {"strictatime", OPTION_SET, MS_STRICTATIME},
    {"suid", OPTION_CLEAR, MS_NOSUID},
    {"symfollow", OPTION_CLEAR, MS_NOSYMFOLLOW},
    {"sync", OPTION_SET, MS_SYNCHRONOUS},
    {"tmpcopyup", OPTION_OTHER, OTHER_COPY_UP},
    {"unbindable", OPTION_PROPAGATION, MS_UNBINDABLE},
};
enum { OPTION_COUNT = sizeof options / sizeof options[0] };

static int option_compare(const void *name, const void *option)
{
    return strcmp(name, ((const struct option *)option)->name);
}

static void option_apply_other(struct mount_options *m, uint64_t which)
{
    m->copy_up |= which == OTHER_COPY_UP;
    m->id_map |= which == OTHER_ID_MAP || which == OTHER_ID_MAP_TREE;
    m->id_map_tree |= which == OTHER_ID_MAP_TREE;
}

/* Later options win over earlier ones, as with mount(8). */
static int option_apply(struct mount_options *m, const struct option *o, struct err *e)
{
    switch (o->kind) {
    case OPTION_SET:
        m->flags |= o->value;
        m->cleared &= ~o->value;
        break;
    case OPTION_CLEAR:
        m->flags &= ~o->value;
        m->cleared |= o->value;
        break;
    case OPTION_TREE_SET:
        if ((o->value & MOUNT_ATTR__ATIME) != 0 || o->value == MOUNT_ATTR_RELATIME) {
            m->recursive_set &= ~(uint64_t)MOUNT_ATTR__ATIME;
            m->recursive_clear |= MOUNT_ATTR__ATIME; /* the kernel wants the whole field cleared to set a mode in it */
        }
        m->recursive_set |= o->value;
        m->recursive_clear &= ~(o->value & ~(uint64_t)MOUNT_ATTR__ATIME);
        break;
    case OPTION_TREE_CLEAR:
        m->recursive_set &= ~o->value;
        m->recursive_clear |= (o->value & MOUNT_ATTR__ATIME) != 0 ? (uint64_t)MOUNT_ATTR__ATIME : o->value;
        break;
    case OPTION_PROPAGATION:
        if (m->propagation_count == MOUNT_PROPAGATION_MAX)
            return err_set(e, EINVAL, "more than %d propagation options", MOUNT_PROPAGATION_MAX);
        m->propagation[m->propagation_count++] = o->value;
        break;
    case OPTION_OTHER: option_apply_other(m, o->value); break;
    }
    return 0;
}

int mount_options_read(const char *const *strings, size_t count, struct arena *arena, struct mount_options *out,
                       struct err *e)
{
    struct mount_options m = {.data = ""};

    for (size_t i = 0; i < count; i++) {
        const struct option *o = bsearch(strings[i], options, OPTION_COUNT, sizeof options[0], option_compare);
        int ret = 0;
        if (o != NULL)
            ret = option_apply(&m, o, e);
        else if (strings[i][0] != 0)
            m.data = m.data[0] == 0 ? strings[i] : arena_printf(arena, "%s,%s", m.data, strings[i]);
        if (ret < 0)
            return ret;
    }
    if (strlen(m.data) >= (size_t)sysconf(_SC_PAGESIZE))
        return err_set(e, EINVAL, "the options for the file system are longer than the page that the kernel reads");
    *out = m;
    return 0;
}

const char *mount_option_name(size_t index)
{
    return index < OPTION_COUNT ? options[index].name : NULL;
}

uint64_t mount_attributes(unsigned long flags)
{
    static const struct {
        unsigned long flag;
        uint64_t attribute;
    } pairs[] = {
        {MS_RDONLY, MOUNT_ATTR_RDONLY},         {MS_NOSUID, MOUNT_ATTR_NOSUID},
        {MS_NODEV, MOUNT_ATTR_NODEV},           {MS_NOEXEC, MOUNT_ATTR_NOEXEC},
        {MS_NOATIME, MOUNT_ATTR_NOATIME},       {MS_STRICTATIME, MOUNT_ATTR_STRICTATIME},
        {MS_NODIRATIME, MOUNT_ATTR_NODIRATIME}, {MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW},
    };
    uint64_t attributes = 0;

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if ((flags & pairs[i].flag) != 0)
            attributes |= pairs[i].attribute;
    return attributes;
}
