/* What the CPU at hand has beyond Armv8.0. A file of its own: what only runs artifacts needs no assembler. */
#include "engine/gen/artifact.h"
#include "engine/gen/target.h"
#include <linux/audit.h>

const uint32_t target_native_architecture = ARTIFACT_AARCH64;
const uint32_t target_native_audit_architecture = AUDIT_ARCH_AARCH64;

/* Nothing that the macro assembler makes use of. */
uint32_t target_native_features(void)
{
    return 0;
}
