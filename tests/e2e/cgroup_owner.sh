#!/bin/bash
# Who owns a container's cgroup on v2: its user, if it has a cgroup namespace and a mount that it can write to, else root.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
if [ "${CGROUP_OWNER_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq; do command -v $tool > /dev/null || why="$tool is not installed"; done
    [ -x "$BUILD/wherry" ] || why="build/wherry is not built"
    if [ -z "$why" ]; then CGROUP_OWNER_INSIDE=1 exec unshare -m --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
# a view of v2 alone, in this mount namespace
if [ -z "${why:-}" ] && [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
    umount -l /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup 2> /dev/null || why="there is no cgroup v2"
fi
[ -z "${why:-}" ] || skip_all "ownership of cgroups" "$why"

dir=$BUILD/e2e/cgroup_owner id=wherry-owner-$$
rm -rf "$dir"
mkdir -p "$dir/state" "$dir/rootfs/bin" "$dir/rootfs/proc" "$dir/rootfs/dev" "$dir/rootfs/sys"
mount -t tmpfs state "$dir/state"
cp "$(command -v busybox)" "$dir/rootfs/bin/busybox"
ln "$dir/rootfs/bin/busybox" "$dir/rootfs/bin/sh"
ln "$dir/rootfs/bin/busybox" "$dir/rootfs/bin/sleep"
rt() { "$BUILD/wherry" --root "$dir/state/rt" "$@"; }
user='.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
writable='(.mounts[] | select(.type == "cgroup")).options -= ["ro"]'
owner() { # JQ: owner of the cgroup, and of three of its files
    tests/bundle "$dir" "$dir/rootfs" --cgroup "/$id" --edit "$1" -- /bin/sleep 1000
    rt run --detach --bundle "$dir" "$id" > "$dir/out" 2>&1 < /dev/null || cat "$dir/out"
    (cd "/sys/fs/cgroup/$id" && stat -c %u . cgroup.procs cgroup.subtree_control cgroup.max.depth | tr '\n' ' ')
}
is "its root's, with a mount that it can write to" "$(owner "$user | $writable")" "100000 100000 100000 0 "
is "it can make one below, and move there" \
    "$(rt exec "$id" sh -c 'busybox mkdir /sys/fs/cgroup/below && echo $$ > /sys/fs/cgroup/below/cgroup.procs && busybox tail -1 /proc/self/cgroup' 2>&1 < /dev/null)" "0::/below"
rt delete --force "$id"
is "its user's, if that is another" "$(owner "$user | $writable | .process.user = {uid: 7, gid: 7}")" "100007 100007 100007 0 "
rt delete --force "$id"
is "also without a user namespace" "$(owner "$writable | .process.user = {uid: 7, gid: 7}")" "7 7 7 0 "
rt delete --force "$id"
is "not with a read-only mount" "$(owner "$user")" "0 0 0 0 "
rt delete --force "$id"
is "nor without a cgroup namespace (CVE-2023-25809)" "$(owner "$user | $writable | .linux.namespaces |= map(select(.type != \"cgroup\"))")" "0 0 0 0 "
rt delete --force "$id"
is "nothing is left" "$(ls "$dir/state/rt"; find /sys/fs/cgroup -maxdepth 2 -name "$id*")" ""
umount "$dir/state"
finish
