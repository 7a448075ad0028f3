#!/bin/bash
# The hostile module again, as root of a container with everything that managers mount: the kernel's file systems, /dev, a
# volume with links out of it, a read-only one, and device nodes that the image brought along.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
wherry=$BUILD/wherry
if [ "${ATTACK_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    command -v jq > /dev/null || why="jq is not installed"
    [ -e "$BUILD/guests/attack.wasm" ] || why="no clang for wasm32 on this machine"
    [ -x "$wherry" ] || why="$wherry is not built"
    if [ -z "$why" ]; then ATTACK_INSIDE=1 exec unshare -m --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "attacks in a container" "$why"

dir=$BUILD/e2e/attack
rm -rf "$dir"
mkdir -p "$dir/state" "$dir"/rootfs/{proc,dev,sys,etc,data,ro} "$dir/volume/sub" "$dir/ro" "$dir/outside"
mount -t tmpfs state "$dir/state"
cp "$BUILD/guests/attack.wasm" "$BUILD/guests/hello.wasm" "$dir/rootfs/"
echo secret > "$dir/outside/secret"
echo fixed > "$dir/ro/file"
echo inside > "$dir/volume/inside"
echo image > "$dir/rootfs/etc/image"
ln -s ../outside/secret "$dir/volume/out"
ln -s /etc/image "$dir/volume/absolute"
ln -s ../etc/image "$dir/volume/relative"
ln -s /proc/self/mem "$dir/rootfs/to-proc"
ln -s proc "$dir/rootfs/proc-link"
ln -s /dev/mem "$dir/rootfs/to-mem"
ln -s ../../../../../proc/1/environ "$dir/rootfs/far"
mknod "$dir/rootfs/mem" c 1 1
mknod "$dir/rootfs/kmsg" c 1 11

# guest ARG...: runs the module in a fresh container; its output
guest() {
    tests/bundle "$dir/bundle" "$dir/rootfs" --cgroup "/wherry-attack-$$" --mount "$dir/volume:/data" --mount "$dir/ro:/ro:ro" -- "$@"
    "$wherry" --root "$dir/state/wherry" run --bundle "$dir/bundle" "wherry-attack-$$" 2>&1 < /dev/null
}
paths="/proc /proc/self/mem /proc/self/maps /proc/self/exe /proc/self/fd/0 /proc/self/root /proc/1/environ /proc/1/mem /proc/kcore
 /proc/sysrq-trigger /proc/sys/kernel/core_pattern /proc/thread-self/mem /data/../proc/self/mem /proc-link/self/mem
 /sys /sys/kernel /sys/fs/cgroup /sys/fs/cgroup/cgroup.procs /dev/mqueue /dev/pts /dev/pts/ptmx
 /dev/mem /dev/kmsg /dev/port /dev/ptmx /dev/tty /dev/console /dev/fuse /dev/stdin /dev/fd/0 /dev/core"
got=$(guest /attack.wasm $paths)
for path in $paths; do
    is "in a container: $path" "$(printf '%s\n' "$got" | grep -F " $path" | grep -E " $path( |$)")" "refused $path"
done
# the links themselves are the guest's to read and rename; where they lead is not
for link in /to-proc /to-mem /far; do
    is "a link of the image: $link" "$(guest /attack.wasm $link | grep -E 'opening|reading|stat|truncate')" ""
done
for node in /mem /kmsg; do
    is "a device node of the image is not opened: $node" "$(guest /attack.wasm $node | grep -E 'opening|reading')" ""
done
# a link of a volume leads nowhere outside of it, not even to what the guest may see otherwise
for link in out absolute relative; do
    is "a link out of a volume: $link" "$(guest /attack.wasm /data/$link | grep -E 'opening|reading|stat|truncate')" ""
done
is "the harmless devices are there" "$(guest /hello.wasm --read /dev/null)" ""
like "a write to a read-only volume" "$(guest /hello.wasm --write /ro/new x)" 'Read-only file system'
like "a change of a read-only volume" "$(guest /hello.wasm --write /ro/file x)" 'Read-only file system'
is "what is granted is read" "$(guest /hello.wasm --read /data/inside)" inside
is "the image is read" "$(guest /hello.wasm --read /etc/image)" image
is "the secret and the read-only file are untouched" "$(cat "$dir/outside/secret" "$dir/ro/file")" "secret
fixed"
finish
