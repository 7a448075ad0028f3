/* What the engine calls between its own exec and the first instruction of any module, and at its end: a filter that refuses
 * one of these makes every module fail, late and without a word. Calls that only some modules lead to are not here: those
 * fail for the module as the filter wants. */
#include "wherry/engine.h"
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

const struct engine_call engine_needed_calls[] = {
    {"execveat", SYS_execveat, {[4] = AT_EMPTY_PATH}},
#ifdef SYS_arch_prctl
    {"arch_prctl", SYS_arch_prctl, {0x1002}}, /* ARCH_SET_FS: the C library's thread pointer */
#endif
    {"mmap", SYS_mmap, {[2] = PROT_READ | PROT_WRITE, [3] = MAP_PRIVATE | MAP_ANONYMOUS}},
    {"munmap", SYS_munmap, {0}},
    {"mprotect", SYS_mprotect, {[2] = PROT_READ | PROT_EXEC}},
    {"read", SYS_read, {ENGINE_GRANT_FD}},
    {"close", SYS_close, {ENGINE_GRANT_FD}},
    {"fstat", SYS_fstat, {ENGINE_ARTIFACT_FD}},
    {"rt_sigaction", SYS_rt_sigaction, {0}},
    {"rt_sigprocmask", SYS_rt_sigprocmask, {0}},
    {"rt_sigreturn", SYS_rt_sigreturn, {0}},
    {"sigaltstack", SYS_sigaltstack, {0}},
    {"prctl", SYS_prctl, {PR_SET_SECCOMP, SECCOMP_MODE_FILTER}},
    {"exit_group", SYS_exit_group, {0}},
    {0},
};
