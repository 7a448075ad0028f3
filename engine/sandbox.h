/* A seccomp filter from a list of what is allowed. x86-64 and aarch64 calls only; any other ABI's call kills. */
#ifndef WHERRY_ENGINE_SANDBOX_H
#define WHERRY_ENGINE_SANDBOX_H

#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

struct sandbox_rule {
    int number;              /* of the system call; allowed */
    uint8_t argument;        /* unless one of these bits is set in this argument, or not all of those: EPERM then */
    uint32_t forbidden_bits; /* 0: no such condition */
    uint32_t required_bits;  /* looked at only where some are forbidden */
};

/* clone for a thread of this process and nothing else: no namespace, no process, no signal at its end. */
extern const struct sandbox_rule sandbox_thread_rule;

enum sandbox_otherwise { SANDBOX_KILL, SANDBOX_EPERM };

/* Sets no_new_privs and installs the filter for the calling thread and what it starts. Returns 0 or a negative
 * errno. */
int sandbox_install(const struct sandbox_rule *rules, size_t count, enum sandbox_otherwise otherwise, struct err *err);

#endif
