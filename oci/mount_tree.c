/* See mount_tree.h. */
#include "oci/mount_tree.h"
#include "base/fd.h"
#include "oci/sys.h"
#include <linux/mount.h>

enum { OPTION_MAX_BYTES = 4096 };

static int put(int fs, const char *key, const char *value)
{
    return (int)sys.fsconfig(fs, value != NULL ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value, 0);
}

/* "size=1m,mode=755": one call each. */
static int put_options(int fs, const char *data)
{
    char option[OPTION_MAX_BYTES];

    for (; *data != 0; data += *data == ',') {
        size_t len = strcspn(data, ",");
        char *value;
        if (len >= sizeof option)
            return errno = EINVAL, -1;
        memcpy(option, data, len);
        option[len] = 0;
        data += len;
        value = strchr(option, '=');
        if (value != NULL)
            *value++ = 0;
        if (len != 0 && put(fs, option, value) < 0)
            return -1;
    }
    return 0;
}

int mount_tree_make(const struct mount_entry *m, struct err *e)
{
    cleanup_fd int fs = (int)sys.fsopen(m->type, FSOPEN_CLOEXEC);
    cleanup_fd int tree = -1;

    if (fs < 0 && errno == ENOSYS)
        return err_set(e, ENOTSUP, "mount at '%s' in a container that runs needs fsopen, Linux 5.2", m->destination);
    if (fs < 0)
        return err_sys(e, "mount '%s': cannot make a file system of type '%s'", m->destination, m->type);
    if ((m->source != NULL && put(fs, "source", m->source) < 0) || put_options(fs, m->options->data) < 0 ||
        (m->label != NULL && put(fs, "context", m->label) < 0))
        return err_sys(e, "mount '%s': a file system of type '%s' with options %s", m->destination, m->type,
                       m->options->data);
    if (sys.fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ||
        (tree = (int)sys.fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)mount_attributes(m->options->flags))) < 0)
        return err_sys(e, "mount '%s': cannot make a file system of type '%s'", m->destination, m->type);
    return fd_take(&tree);
}
