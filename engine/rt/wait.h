/* memory.atomic.wait and notify: threads that wait on an address of a shared memory until another one wakes them. */
#ifndef WHERRY_ENGINE_RT_WAIT_H
#define WHERRY_ENGINE_RT_WAIT_H

#include <stdbool.h>
#include <stdint.h>

/* What the instructions give back. */
enum wait_result { WAIT_WOKEN = 0, WAIT_NOT_EQUAL = 1, WAIT_TIMED_OUT = 2 };

/* Waits until ADDRESS is notified, unless its 32 bits (WIDE: 64) are not EXPECTED when the wait begins. At most
 * TIMEOUT_NS from now; negative: for ever. */
enum wait_result wait_on(const void *address, bool wide, uint64_t expected, int64_t timeout_ns);

/* Wakes at most COUNT of those that wait on ADDRESS, the longest waiting first. Returns how many. */
uint32_t wait_notify(const void *address, uint32_t count);

#endif
