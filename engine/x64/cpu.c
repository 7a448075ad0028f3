/* What the CPU at hand has beyond x86-64-v2. A file of its own: what only runs artifacts needs no assembler.
 *
 * Every cpuid instruction traps in a virtual machine (7 µs or more here), and every start from the cache asks. So it is asked
 * once a process and by as few of them as will do. glibc has executed them all before main. */
#include "engine/gen/artifact.h"
#include "engine/gen/target.h"
#include <linux/audit.h>
#ifdef __GLIBC__
#include <sys/platform/x86.h>
#else
#include <cpuid.h>
#endif

const uint32_t target_native_architecture = ARTIFACT_X86_64;
const uint32_t target_native_audit_architecture = AUDIT_ARCH_X86_64;

#ifdef __GLIBC__
uint32_t target_native_features(void)
{
    return (CPU_FEATURE_PRESENT(LZCNT) ? TARGET_X64_LZCNT : 0) | (CPU_FEATURE_PRESENT(BMI1) ? TARGET_X64_BMI1 : 0) |
           (CPU_FEATURE_PRESENT(BMI2) ? TARGET_X64_BMI2 : 0);
}
#else
/* What announces 64-bit mode (leaf 0x80000001) is there; whether leaf 7 is has to be asked. */
static uint32_t ask(void)
{
    unsigned a, b, c, d;
    uint32_t features = 0;

    __cpuid(0x80000001, a, b, c, d);
    if ((c & bit_ABM) != 0)
        features |= TARGET_X64_LZCNT;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d))
        features |= ((b & bit_BMI) != 0 ? TARGET_X64_BMI1 : 0) | ((b & bit_BMI2) != 0 ? TARGET_X64_BMI2 : 0);
    return features;
}

uint32_t target_native_features(void)
{
    static const uint32_t asked = UINT32_C(1) << 31;
    static uint32_t known; /* threads that ask at once get one answer */
    uint32_t features = __atomic_load_n(&known, __ATOMIC_RELAXED);

    if (features == 0) {
        features = ask() | asked;
        __atomic_store_n(&known, features, __ATOMIC_RELAXED);
    }
    return features & ~asked;
}
#endif
