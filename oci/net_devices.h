/* linux.netDevices (runtime-spec 1.3): network devices of the host's that become the container's. */
#ifndef WHERRY_OCI_NET_DEVICES_H
#define WHERRY_OCI_NET_DEVICES_H

#include "base/err.h"
#include "oci/config.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Moves each device of CONFIG from the caller's network namespace to that of PID, under its new name ("NAME%d": with the first
 * free number) and with its permanent global addresses, and sets it up. NETLINK is a route socket of PID's namespace, made by
 * somebody with rights over it. Returns 0 or a negative errno with *E; what has been moved then goes with the namespace. */
int net_devices_move(const struct config *config, pid_t pid, int netlink, struct err *e);

/* Whether the kernel would take NAME for a device; a TEMPLATE may have one "%d". Pure. */
bool net_devices_name_is_valid(const char *name, bool template);

#endif
