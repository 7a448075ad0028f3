#!/bin/bash
# Each allocation of the shim's daemon fails once (tests/e2e/shim_memory.c says how).
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
program=$BUILD/tests/e2e/shim_memory
if [ "${MEMORY_TEST_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq; do command -v $tool >/dev/null || why="$tool is not installed"; done
    [ -x "$program" ] || why="$program is not built"
    if [ -z "$why" ]; then MEMORY_TEST_INSIDE=1 exec unshare -m --propagation private "$0" "$@"; fi
fi
. tests/tap.sh > /dev/null
[ -z "${why:-}" ] || skip_all "shim: allocations that fail" "$why"
mount -t tmpfs tmpfs /run
dir=$BUILD/e2e/shim-memory group=wherry-memory-$$
rm -rf "$dir"
mkdir -p "$dir/rootfs/bin" "$dir/bundle" /run/test
cp "$(type -P busybox)" "$dir/rootfs/bin/sleep"
ln "$dir/rootfs/bin/sleep" "$dir/rootfs/bin/true"
tests/bundle "$dir/bundle" "$dir/rootfs" --env PATH=/bin --cgroup "/$group/m1" -- sleep 1000
cp -r "$dir/bundle" "$dir/terminal"
jq '.process.terminal = true' "$dir/bundle/config.json" > "$dir/terminal/config.json"
LIBEXEC=$BUILD/libexec/wherry "$program" "$dir/bundle" "$dir/terminal" /run/test "$@" 2> "$dir/log"
status=$?
find /sys/fs/cgroup -depth -path "*/$group" -type d -exec rmdir {} \; 2>/dev/null
[ -z "$(find /sys/fs/cgroup -path "*/$group*" -type d)" ] && [ -z "$(ls /run/containerd/wherry/memory 2> /dev/null)" ] ||
    echo "not ok - cgroups or states are left"
exit $status
