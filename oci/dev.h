/* What a container finds in /dev: device nodes and the customary links. All of it is made below the root's descriptor,
 * so a /dev that is a link in the image leads nowhere else (CVE-2026-41579, CVE-2026-47766). A node that cannot be made
 * (user namespaces) is bound from the host; owner and mode of a host device are never touched. */
#ifndef WHERRY_OCI_DEV_H
#define WHERRY_OCI_DEV_H

#include "base/err.h"
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

/* Makes one device below ROOT. One that is there already with the same number is left as it is. Returns 0 or a negative
 * errno with *E. */
int dev_make(int root, const struct device *device, struct err *e);

/* Makes /dev/fd, stdin, stdout, stderr and ptmx, and core where the kernel has /proc/kcore. What exists stays, but for
 * ptmx, which has to lead to the container's own devpts. */
int dev_make_links(int root, struct err *e);

#endif
