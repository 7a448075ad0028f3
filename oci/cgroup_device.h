/* Device rules as a program for the kernel (cgroup v2, BPF_PROG_TYPE_CGROUP_DEVICE). */
#ifndef WHERRY_OCI_CGROUP_DEVICE_H
#define WHERRY_OCI_CGROUP_DEVICE_H

#include "base/buf.h"
#include "oci/config.h"

/* Appends to OUT (struct bpf_insn) the program that answers an access by RULES, later rules winning bit by bit: an access
 * is allowed when each of its bits (read, write, make) is allowed by the last rule that says something about it. */
void cgroup_device_compile(const struct config_device_rule *rules, unsigned count, struct buf *out);

/* True if RULES allow everything, so that no program is needed. */
bool cgroup_device_allows_all(const struct config_device_rule *rules, unsigned count);

#endif
