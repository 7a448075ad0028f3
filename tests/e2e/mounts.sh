#!/bin/bash
# mounts add and remove: mounts of a container that runs, also of one that would like them to go elsewhere.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
if [ "${MOUNTS_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq; do command -v $tool > /dev/null || why="$tool is not installed"; done
    [ -x "$BUILD/wherry" ] || why="build/wherry is not built"
    if [ -z "$why" ]; then MOUNTS_INSIDE=1 exec unshare -m --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "mounts in a running container" "$why"

dir=$BUILD/e2e/mounts id=wherry-mounts-$$
rm -rf "$dir"
mkdir -p "$dir/state" "$dir/host/below" "$dir/rootfs/bin" "$dir/rootfs/proc" "$dir/rootfs/dev" "$dir/rootfs/sys"
mount -t tmpfs state "$dir/state"
mount -t tmpfs below "$dir/host/below"
echo precious > "$dir/host/file"
echo deep > "$dir/host/below/file"
cp "$(command -v busybox)" "$dir/rootfs/bin/busybox"
for applet in sh sleep cat ls grep touch mount umount ln rm mkdir mv stat true; do ln "$dir/rootfs/bin/busybox" "$dir/rootfs/bin/$applet"; done
cp "$BUILD/guests/"*.wasm "$dir/rootfs/" 2> /dev/null
rt() { "$BUILD/wherry" --root "$dir/state/rt" "$@"; }
begin() { # JQ PROGRAM...
    rt delete --force "$id" 2> /dev/null
    tests/bundle "$dir" "$dir/rootfs" --cgroup "/$id" --edit "$1" -- "${@:2}"
    rt run --detach --bundle "$dir" "$id" > "$dir/out" 2>&1 < /dev/null || cat "$dir/out"
}
mounts() { jq -n "$2" > "$dir/mounts.json"; rt mounts "$1" "$id" "$dir/mounts.json" 2>&1; } # add|remove JQ
in_it() { rt exec "$id" "$@" 2>&1 < /dev/null; }
bind="{destination: \"/foo/bar\", type: \"bind\", source: \"$dir/host\", options: [\"bind\", \"ro\"]}"

for userns in "" '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
    | .linux.gidMappings = .linux.uidMappings'; do
    name=${userns:+"user namespace: "}
    begin "${userns:-.}" /bin/sleep 1000
    [ -z "$userns" ] || chmod 777 "$dir/rootfs" # it makes the mount points itself
    is "${name}add a bind mount and a tmpfs" \
        "$(mounts add "[$bind, {destination: \"/foo/tmpfs\", type: \"tmpfs\", source: \"tmpfs\", options: [\"size=1m\", \"noexec\", \"mode=711\"]}]")" ""
    is "${name}the bind mount is there" "$(in_it cat /foo/bar/file)" precious
    like "${name}read-only" "$(in_it touch /foo/bar/new)" "Read-only file system"
    is "${name}without what is mounted below it" "$(in_it ls /foo/bar/below)" ""
    like "${name}the tmpfs with its options" "$(in_it grep /foo/tmpfs /proc/self/mountinfo)" "noexec.* tmpfs .*size=1024k"
    is "${name}it is the container's own root's" "$(in_it stat -c '%u %a' /foo/tmpfs)" "0 711"
    is "${name}the host does not see it" "$(ls -A "$dir/rootfs/foo/bar")" ""
    is "${name}remove" "$(mounts remove "[{destination: \"/foo/bar\"}, {destination: \"/foo/tmpfs\"}]")" ""
    is "${name}they are gone" "$(in_it grep -c /foo/ /proc/self/mountinfo)" 0
    is "${name}add with rbind" "$(mounts add "[{destination: \"/tree\", source: \"$dir/host\", options: [\"rbind\", \"rro\", \"rslave\"]}]")" ""
    is "${name}brings what is mounted below" "$(in_it cat /tree/below/file)" deep
    like "${name}read-only, too" "$(in_it touch /tree/below/new)" "Read-only file system"
    is "${name}a second procfs" "$(mounts add '[{destination: "/mnt/proc", type: "proc", source: "proc"}]'; in_it cat /mnt/proc/1/comm)" sleep
    chmod 755 "$dir/rootfs"
done

# --- destinations that lead out, or over the kernel's
begin . /bin/sleep 1000
mkdir -p "$dir/outside/in"
ln -sfn "../../../../../../../..$dir/outside" "$dir/rootfs/link"
is "CVE-2021-30465: a destination behind a link is made inside" \
    "$(mounts add "[{destination: \"/link/in\", type: \"tmpfs\", source: \"t\"}]"; grep -c "$dir/outside" /proc/self/mountinfo)" 0
like "CVE-2019-19921: not over a part of /proc" "$(mounts add '[{destination: "/proc/sys", type: "tmpfs", source: "t"}]')" "/proc"
for destination in /link/in /bin /; do
    out=$(mounts remove "[{destination: \"$destination\"}]")
    [ -n "$out" ] || [ "$destination" = /link/in ] || tap_fail "remove of $destination" "was done"
done
is "remove takes only what is a mount point" "$(in_it cat /proc/1/comm)" sleep
# CVE-2025-52881: the container's /proc is its own: what it has put there must not lead the runtime anywhere
begin '.process.capabilities |= map_values(. + ["CAP_SYS_ADMIN"])' \
    /bin/sh -c 'mkdir -p /fake/self/fd; for n in 0 1 2 3 4 5 6 7 8 9 10 11 12; do ln -s /bin /fake/self/fd/$n; done; mount -o bind /fake /proc; sleep 1000'
eventually 'in_it ls /proc/self/fd/12/busybox > /dev/null'
out=$(mounts add '[{destination: "/made", type: "tmpfs", source: "t", options: ["rprivate"]}]')
is "CVE-2025-52881: a made-up /proc in the container is not gone by" "$out$(in_it ls /bin/busybox)" "/bin/busybox"
in_it touch /made/here
is "and the mount is where it should be" "$(in_it ls /made)$(ls -A "$dir/rootfs/made")" here

# --- who may not
like "what a container that runs cannot have" "$(mounts add '[{destination: "/x", type: "tmpfs", source: "t", options: ["remount"]}]')" "mounts\[0\]: remount is only possible"
like "no such source" "$(mounts add '[{destination: "/x", source: "/nowhere/volume", options: ["bind"]}]')" "/nowhere/volume"
like "no array" "$(mounts add '{}')" "array"
like "no such file" "$(rt mounts add "$id" /nowhere/mounts.json 2>&1)" "/nowhere/mounts.json"
like "neither add nor remove" "$(rt mounts list "$id" - 2>&1)" "add or remove"
rt kill "$id" KILL
eventually '[ "$(rt state "$id" | jq -r .status)" = stopped ]'
like "a container that has stopped" "$(mounts add '[]')" "container not running"
rt delete "$id"
if [ -e "$dir/rootfs/hello.wasm" ]; then
    tests/bundle "$dir" "$dir/rootfs" --cgroup "/$id" -- /hello.wasm
    rt create --bundle "$dir" "$id" > /dev/null 2>&1 < /dev/null
    like "wasm: refused" "$(mounts add '[]')" "a Wasm module sees the mounts that were there"
    rt delete --force "$id"
fi
is "nothing is left" "$(ls "$dir/state/rt"; find /sys/fs/cgroup -maxdepth 3 -name "$id*")" ""
umount "$dir/host/below" "$dir/state"
finish
