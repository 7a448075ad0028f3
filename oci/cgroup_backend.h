/* What cgroup.c needs from the two generations of control groups. */
#ifndef WHERRY_OCI_CGROUP_BACKEND_H
#define WHERRY_OCI_CGROUP_BACKEND_H

#include "oci/cgroup.h"
#include "oci/config.h"

/* The hierarchy with CONTROLLER ("memory"), or NULL. On v2 it is always the only one; "" names v2 itself. */
const struct cgroup_hierarchy *cgroup_controller(const struct cgroup *c, const char *controller);

/* Sets everything in RESOURCES but the device rules. 0 or a negative errno with *E, which names file and value. */
int cgroup_v1_set(const struct cgroup *c, const struct config_resources *resources, struct err *e);
int cgroup_v2_set(const struct cgroup *c, const struct config_resources *resources, struct err *e);

/* Lets the container reach only what RULES, in their order, and then the devices that every container has, allow. */
int cgroup_v1_devices(const struct cgroup *c, const struct config_device_rule *rules, unsigned count, struct err *e);
int cgroup_v2_devices(const struct cgroup *c, const struct config_device_rule *rules, unsigned count, struct err *e);

/* The INDEXth of the rules that always hold, NULL behind the last. */
const struct config_device_rule *cgroup_default_device_rule(unsigned index);

/* A new v1 cpuset takes nobody in before it has CPUs and memory nodes: copies the parent's. */
int cgroup_v1_seed_cpuset(const char *directory, struct err *e);

/* Hands all controllers of the v2 cgroup DIRECTORY on to its children, as far as the kernel lets it. */
void cgroup_v2_enable(const char *directory);

/* The spec's cpu.shares and blockIO.weight in v2's terms. */
uint64_t cgroup_v2_cpu_weight(uint64_t shares);
uint64_t cgroup_v2_io_weight(uint64_t weight);

void cgroup_v1_stats(const struct cgroup *c, struct cgroup_stats *out);
void cgroup_v2_stats(const struct cgroup *c, struct cgroup_stats *out);

#endif
