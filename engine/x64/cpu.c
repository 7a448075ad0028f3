/* What the CPU at hand has beyond x86-64-v2. A file of its own: what only runs artifacts needs no assembler. */
#include "engine/gen/target.h"
#include <cpuid.h>

uint32_t target_native_features(void)
{
    unsigned a, b, c, d;
    uint32_t features = 0;

    if (__get_cpuid(0x80000001, &a, &b, &c, &d) && (c & bit_ABM) != 0)
        features |= TARGET_X64_LZCNT;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d))
        features |= ((b & bit_BMI) != 0 ? TARGET_X64_BMI1 : 0) | ((b & bit_BMI2) != 0 ? TARGET_X64_BMI2 : 0);
    return features;
}
