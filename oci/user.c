/* See user.h. The groups go first: afterwards the right to set them may be gone. */
#include "oci/user.h"
#include "oci/sys.h"

#define ID_MAX 0xfffffffeu /* (uid_t)-1 means "leave as it is" to the kernel */

int user_become(uid_t uid, gid_t gid, const gid_t *groups, size_t count, bool may_set_groups, struct err *e)
{
    if (!may_set_groups && count != 0)
        return err_set(e, EPERM, "additional groups cannot be set in a user namespace that denies setgroups");
    if (may_set_groups && sys.setgroups(count, groups) < 0)
        return err_sys(e, "cannot set the additional groups");
    if (sys.setresgid(gid, gid, gid) < 0)
        return err_sys(e, "cannot become group %u", gid);
    if (sys.setresuid(uid, uid, uid) < 0)
        return err_sys(e, "cannot become user %u", uid);
    return 0;
}

/* Reads a decimal number up to ID_MAX and moves *P behind it. */
static bool read_id(const char **p, unsigned *id)
{
    unsigned long long value = 0;
    const char *start = *p;

    for (; **p >= '0' && **p <= '9' && value <= ID_MAX; (*p)++)
        value = value * 10 + (unsigned)(**p - '0');
    if (*p == start || value > ID_MAX)
        return false;
    *id = (unsigned)value;
    return true;
}

int user_read(const char *text, uid_t *uid, gid_t *gid, bool *has_gid, struct err *e)
{
    const char *p = text;
    unsigned user, group = 0;
    bool ok = read_id(&p, &user), with_group = ok && *p == ':';

    if (with_group) {
        p++;
        ok = read_id(&p, &group);
    }
    if (!ok || *p != 0)
        return err_set(e, EINVAL, "'%s' is not UID or UID:GID in decimal numbers", text);
    *uid = user;
    *has_gid = with_group;
    if (with_group)
        *gid = group;
    return 0;
}
