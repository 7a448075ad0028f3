#!/bin/sh
# The core specification's tests on the aarch64 back end, under qemu-user: make suite-spec-a64 [FILES="i32 br_table"].
# qemu-user keeps books on every page of a reservation, half a second for the 8 GiB of one memory, so all of the suite runs
# with explicit bounds checks and small memories, and then what shows the guard regions in the way that is usual.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
spec=$BUILD/aarch64/tests/spec/spec
none() { echo "ok 1 - specification tests on aarch64 # SKIP $1"; exit 0; }
command -v qemu-aarch64-static > /dev/null || none "qemu-user-static is not installed"
[ -x "$spec" ] || none "Debian's gcc-aarch64-linux-gnu is not installed"
dir=$(tests/suite-dir spec) || none "$dir"
compiler=${COMPILER:-baseline} status=0
echo "# explicit bounds checks"
qemu-aarch64-static "$spec" -b -m 0x8000000 -c "$compiler" ${VERBOSE:+-v} "$dir" ${FILES:-} || status=1
if [ -z "${FILES:-}" ]; then
    echo "# guard regions"
    qemu-aarch64-static "$spec" -c "$compiler" "$dir" address0 address1 float_memory0 memory_trap memory_trap0 memory_redundancy traps0 \
        endianness left-to-right || status=1
    echo "# the optimizing compiler"
    qemu-aarch64-static "$spec" -b -m 0x8000000 -c optimizing "$dir" i32 i64 f32 f64 conversions call br loop memory_ || status=1
fi
exit $status
