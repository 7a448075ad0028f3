/* See lsm.h. */
#include "oci/lsm.h"
#include "base/fd.h"
#include "oci/path.h"
#include <linux/magic.h>
#include <sys/vfs.h>

bool lsm_has_selinux(void)
{
    struct statfs fs;
    return statfs("/sys/fs/selinux", &fs) == 0 && fs.f_type == SELINUX_MAGIC;
}

bool lsm_has_apparmor(void)
{
    cleanup_fd int fd = open("/sys/module/apparmor/parameters/enabled", O_RDONLY | O_CLOEXEC);
    char answer = 'N';

    return fd >= 0 && read(fd, &answer, 1) == 1 && answer == 'Y' && access("/sys/kernel/security/apparmor", F_OK) == 0;
}

static bool is_given(const char *label)
{
    return label != NULL && label[0] != 0;
}

int lsm_check(const char *selinux_label, const char *apparmor_profile, struct err *e)
{
    if (is_given(selinux_label) && !lsm_has_selinux())
        return err_set(e, ENOTSUP, "process.selinuxLabel is '%s', but SELinux is not enabled on this host",
                       selinux_label);
    if (is_given(apparmor_profile) && !lsm_has_apparmor())
        return err_set(e, ENOTSUP, "process.apparmorProfile is '%s', but AppArmor is not enabled on this host",
                       apparmor_profile);
    return 0;
}

/* Writes TEXT to attr/NAME of the calling thread. */
static int write_attribute(int proc, const char *name, const char *text, struct err *e)
{
    char path[64];

    snprintf(path, sizeof path, "attr/%s", name);
    cleanup_fd int fd = path_open_proc_self(proc, path, O_WRONLY, e);
    if (fd < 0)
        return fd;
    if (write(fd, text, strlen(text)) < 0)
        return err_sys(e, "write to /proc/thread-self/attr/%s", name);
    return 0;
}

static int set_apparmor(int proc, const char *profile, struct err *e)
{
    char text[1024];
    int ret;

    if (snprintf(text, sizeof text, "exec %s", profile) >= (int)sizeof text)
        return err_set(e, ENAMETOOLONG, "it is too long");
    ret = write_attribute(proc, "apparmor/exec", text, e); /* 5.8: not shared with other modules */
    return ret == -ENOENT ? write_attribute(proc, "exec", text, e) : ret;
}

int lsm_set(int proc, const char *selinux_label, const char *apparmor_profile, struct err *e)
{
    if (is_given(selinux_label) && write_attribute(proc, "exec", selinux_label, e) < 0)
        return err_prefix(e, "process.selinuxLabel '%s'", selinux_label);
    if (is_given(apparmor_profile) && set_apparmor(proc, apparmor_profile, e) < 0)
        return err_prefix(e, "process.apparmorProfile '%s'", apparmor_profile);
    return 0;
}
