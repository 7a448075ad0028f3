#!/bin/sh
# tests/vm/run.sh [TEST...]: runs tests (else those of tests/e2e without containerd) in a guest that has cgroup v2 only (this machine
# may be v1 or hybrid).
#
# The guest is user-mode Linux, an ordinary process: its root is this machine's own root, read-only through hostfs, so
# there is no disk image to make. tests/vm/init is its pid 1; it works on a copy of build/ in the guest's memory and
# hands the logs out through one writable folder. System calls are some five times slower there: no timing in it, a
# script has half an hour, and cycles.sh makes 200 lives instead of 1,000 (CYCLES=N), which its output says.
# VM_INIT=systemd: systemd is pid 1 there, so that the systemd cgroup driver has its manager.
# Prints what the guest's tests/run printed; its last line is the count. Skipped, with the reason, where it cannot run.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
# containerd works there, but its tests outlast their limits; one may be named: tests/vm/run.sh tests/e2e/shim.sh
[ $# -gt 0 ] || set -- $(ls tests/e2e/*.sh | grep -v /shim)
skip() { echo "ok 1 - tests in the cgroup v2 guest # SKIP $1"; exit 0; }
case $(uname -m) in x86_64) ;; *) skip "user-mode Linux exists for x86 only" ;; esac
[ "${VM_INIT:-}" != systemd ] || [ -x /lib/systemd/systemd ] || skip "systemd is not installed"
linux=$(command -v linux.uml) || skip "the package user-mode-linux is not installed"
out=$(pwd)/$BUILD/vm
mkdir -p "$BUILD" && exec 9> "$BUILD/vm.lock" && flock -n 9 || skip "another guest of this build runs"
rm -rf "$out" && mkdir -p "$out/logs" || exit 1
printf '%s\n' "$@" > "$out/tests"
truncate -s 64M "$out/disk" # a block device for limits.sh
# The guest's memory is a sparse file there; on a disk it would be slow.
memory=$out
[ "$(df --output=avail /dev/shm 2>/dev/null | tail -1)" -gt 2000000 ] 2>/dev/null && memory=/dev/shm
TMPDIR=$memory timeout -k 10 "${VM_TIMEOUT_S:-7000}" "$linux" mem="${VM_MEMORY:-1536M}" root=/dev/root rootfstype=hostfs \
    rootflags=/ ro quiet init="$(pwd)/tests/vm/init" ubda="$out/disk" XDG_CACHE_HOME="${XDG_CACHE_HOME:-$HOME/.cache}" WHERRY_TOP="$(pwd)" \
    WHERRY_BUILD="$BUILD" ${VM_INIT:+"WHERRY_INIT=$VM_INIT"} ${VM_ENVIRONMENT:-} ${RUNTIME:+"RUNTIME=$RUNTIME"} \
    GUEST_TEST_TIMEOUT_S="${GUEST_TEST_TIMEOUT_S:-1800}" CYCLES="${CYCLES:-200}" \
    con=null con0=null,fd:1 ssl=null < /dev/null > "$out/console" 2>&1
if [ ! -s "$out/result" ]; then
    sed 's/^/# /' "$out/console" | tail -40
    echo "not ok 1 - the guest gave no result within ${VM_TIMEOUT_S:-7000} s (console: $out/console)"
    exit 1
fi
cat "$out/result"
