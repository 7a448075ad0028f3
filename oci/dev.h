/* What a container finds in /dev: device nodes and the customary links. All of it is made below the root's descriptor,
 * so a /dev that is a link in the image leads nowhere else, and is refused (CVE-2026-41579, CVE-2026-47766). A node that
 * cannot be made, in a user namespace, is one that the runtime has made outside or that of the host; owner and mode of a
 * host device are never touched. */
#ifndef WHERRY_OCI_DEV_H
#define WHERRY_OCI_DEV_H

#include "base/err.h"
#include <stdbool.h>
#include <sys/types.h>

struct device {
    const char *path; /* inside the container */
    mode_t mode;      /* type (S_IFCHR, S_IFBLK, S_IFIFO) and permissions */
    dev_t number;     /* 0 for a FIFO */
    uid_t uid;
    gid_t gid;
};

/* The INDEXth of the devices that every container has (runtime-spec, config-linux, default devices), NULL behind the
 * last. /dev/console and /dev/ptmx are made elsewhere (tty.h, dev_make_links). */
const struct device *dev_default(size_t index);

/* True for one that dev_default returned. */
bool dev_is_default(const struct device *device);

/* Makes one device below ROOT. One that is there already with the same number is left as it is. ELSEWHERE: a file system
 * from dev_make_elsewhere to take it from where we may not make it, -1: none. Returns 0 or a negative errno with *E. */
int dev_make(int root, const struct device *device, int elsewhere, struct err *e);

/* Makes DEVICE on a file system of its own, mounted nowhere, for a container in a user namespace, where nobody can. The
 * caller has CAP_MKNOD in the initial one; uid and gid are the host's. Returns a descriptor or a negative errno with *E. */
int dev_make_elsewhere(const struct device *device, struct err *e);

/* Makes /dev/fd, stdin, stdout, stderr and ptmx, and core where the kernel has /proc/kcore. What exists stays, but for
 * ptmx, which has to lead to the container's own devpts. */
int dev_make_links(int root, struct err *e);

#endif
