#!/bin/sh
# Programs on the aarch64 back end, under qemu-user: compiled and run there in one process, WASI and all.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
. tests/tap.sh
run() { qemu-aarch64-static "$BUILD/aarch64/tests/a64/command" "$@" 2>&1; }
guests=$BUILD/guests
command -v qemu-aarch64-static > /dev/null || skip_all guests "qemu-user-static is not installed"
[ -x "$BUILD/aarch64/tests/a64/command" ] || skip_all guests "Debian's gcc-aarch64-linux-gnu is not installed"
[ -e "$guests/hello.wasm" ] || skip_all guests "no guests (clang, wasi-libc)"
scratch=$(mktemp -d) && trap 'rm -rf "$scratch"' EXIT

for checks in "" -b; do
    with=${checks:+, explicit bounds checks}
    like "hello${with}" "$(run $checks "$guests/hello.wasm" one two)" "one"
    like "growing a memory${with}" "$(run $checks "$guests/hello.wasm" --grow 20)" "touched 20 MiB"
done
run "$guests/hello.wasm" --exit 7 > /dev/null; is "an exit status" $? 7
is "standard input" "$(printf 12345 | run "$guests/hello.wasm" --stdin)" "stdin: 5 bytes, then end of file"
run -d "$scratch" "$guests/hello.wasm" --write /note "from aarch64" > /dev/null
is "a file is written" "$(cat "$scratch/note")" "from aarch64"
is "and read" "$(run -d "$scratch" "$guests/hello.wasm" --read /note)" "from aarch64"

trap_of() { run "$guests/trap.wasm" "$1"; }
for checks in "" -b; do
    like "a trap by a load${checks:+, explicit bounds checks}" "$(run $checks "$guests/trap.wasm" memory)" "out of bounds memory access"
done
like "a trap by unreachable" "$(trap_of unreachable)" "unreachable"
like "a division by zero" "$(trap_of divide)" "integer divide by zero"
like "the backtrace has names" "$(trap_of divide | tr '\n' ' ')" "sail_into_the_rocks.*leave_harbour.*main"
run "$guests/trap.wasm" divide > /dev/null; is "a trap's status" $? 134

# what no instruction reaches in one step
for x in 0 1 7; do
    "$BUILD/tests/a64/far" $x > "$scratch/far.wasm"
    run "$scratch/far.wasm"; ok "far jumps and constants, way $x" $?
done
run -o "$scratch/far.wasm"; ok "and by the optimizing compiler" $?
"$BUILD/tests/a64/far" 5 > "$scratch/far.wasm"
like "a far trap" "$(run "$scratch/far.wasm")" "integer divide by zero"

look=$(qemu-aarch64-static "$BUILD/aarch64/tests/a64/look"); ok "functions that can be replaced" $? "$look"

like "C by the optimizing compiler" "$(run -o "$guests/hello.wasm" one)" "one"
if [ -e "$guests/cxx.wasm" ]; then
    "$BUILD/wherry" wasm run "$guests/cxx.wasm" > "$scratch/wanted" 2>&1
    is "C++, as on this machine" "$(run "$guests/cxx.wasm")" "$(cat "$scratch/wanted")"
else
    skip "C++" "no guest cxx.wasm"
fi
if [ -e "$guests/greet.wasm" ]; then like "Rust" "$(run "$guests/greet.wasm")" "Hello, World"; else skip "Rust" "no guest greet.wasm"; fi
finish
