#!/bin/bash
# Older kernels: each newer system call is taken away in turn, then all that came after a kernel's version. Containers work as
# before; what a kernel cannot do is refused in one sentence.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
without=$BUILD/tests/e2e/without
if [ "${OLD_KERNELS_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq; do command -v $tool > /dev/null || why="$tool is not installed"; done
    [ -x "$BUILD/wherry" ] || why="build/wherry is not built"
    [ "$(uname -m)" = x86_64 ] || why="the numbers of the system calls are x86-64's"
    [ -n "$why" ] || "$without" openat2 true 2> /dev/null || why="build/tests/e2e/without does not run here"
    if [ -z "$why" ]; then OLD_KERNELS_INSIDE=1 exec unshare -m --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "older kernels" "$why"

dir=$BUILD/e2e/old_kernels id=wherry-old-$$
rm -rf "$dir"
mkdir -p "$dir/state" "$dir/volume" "$dir/rootfs/bin" "$dir/rootfs/proc" "$dir/rootfs/dev" "$dir/rootfs/sys" "$dir/rootfs/tmp"
mount -t tmpfs state "$dir/state"
echo cargo > "$dir/volume/file"
touch "$dir/leak"
cp "$(command -v busybox)" "$dir/rootfs/bin/busybox"
for applet in sh sleep cat echo touch ls; do ln "$dir/rootfs/bin/busybox" "$dir/rootfs/bin/$applet"; done
cp "$BUILD/guests/"*.wasm "$dir/rootfs/" 2> /dev/null
# bundle NAME JQ PROGRAM...
bundle() { tests/bundle "$dir/$1" "$dir/rootfs" --cgroup "/$id" --mount "$dir/volume:/volume:ro" --edit "$2" -- "${@:3}"; }
rt() { timeout 60 "$without" "$calls" "$BUILD/wherry" --root "$dir/state/rt" "$@" 2>&1 < /dev/null; }
await() { eventually '[ "$(rt state "$id" | jq -r .status 2> /dev/null)" = "$1" ]' "$@"; }

sleeper='while true; do sleep 1; done'
bundle native . /bin/sh -c "$sleeper"
bundle user '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
    | .linux.gidMappings = .linux.uidMappings' /bin/sh -c "$sleeper"
[ ! -e "$dir/rootfs/hello.wasm" ] || bundle wasm . /hello.wasm

# life NAME: what a manager does with a native container; prints what went wrong
life() {
    exec 9< "$dir/leak" # of the caller's
    rt create --bundle "$dir/$1" "$id" || { echo "create failed"; return; }
    readlink "/proc/$(rt state "$id" | jq .pid)"/fd/* | grep -F "$dir/leak"
    rt start "$id" || echo "start failed"
    [ "$(rt exec "$id" cat /volume/file)" = cargo ] || echo "exec: no volume"
    rt exec "$id" touch /volume/new | grep -q "Read-only" || echo "exec: the volume can be written to"
    rt exec "$id" touch /proc/sys/kernel/hostname | grep -q "Read-only" || echo "exec: /proc/sys can be written to"
    [ -z "$(rt exec "$id" cat /proc/keys /proc/timer_list)" ] || echo "exec: masked files can be read"
    rt exec "$id" sh -c 'ls -l /proc/self/fd' | grep -e "$dir" -e cgroup
    rt ps --format json "$id" | jq -e 'length > 0' > /dev/null || echo "ps: nothing"
    rt pause "$id" && rt resume "$id" || echo "pause failed"
    rt kill "$id" KILL || echo "kill failed"
    await stopped || echo "it does not stop"
    rt delete "$id" || echo "delete failed"
}
# refused NAME JQ PATTERN: or it works, which is as good
refused() {
    bundle refused "$2" /bin/echo works
    like "$name: $1 works or is refused in one sentence" "$(rt run --bundle "$dir/refused" "$id")" "^works\|^wherry: .*\($3\)"
}

after_4_18=seccomp-notify,pidfd_send_signal,open_tree,move_mount,fsopen,fsconfig,fsmount,pidfd_open,clone3,openat2,pidfd_getfd
after_5_10=epoll_pwait2,mount_setattr,landlock,process_mrelease,futex_waitv,fchmodat2
after_4_18=$after_4_18,time-namespace,faccessat2,close_range,$after_5_10
for calls in openat2 clone3 mount_setattr open_tree move_mount fsopen fsconfig fsmount pidfd_open pidfd_send_signal close_range statx \
    faccessat2 epoll_pwait2 landlock name_to_handle_at fchmodat2 "$after_5_10" "$after_4_18"; do
    case $calls in *,*,*,*,*,*,*,*,*) name="Linux 4.18" ;; *,*) name="Linux 5.10" ;; *) name="without $calls" ;; esac
    is "$name: create, start, exec, pause, kill, delete" "$(life native)" ""
    [ ! -e "$dir/wasm" ] || like "$name: wasm" "$(rt run --bundle "$dir/wasm" "$id")" "^[Hh]ello"
    case $calls in openat2 | clone3 | mount_setattr | open_tree | pidfd_open | close_range | *,*)
        is "$name: in a user namespace" "$(life user)" "" ;;
    esac
    is "$name: nothing is left" "$(ls "$dir/state/rt" 2> /dev/null; find /sys/fs/cgroup -maxdepth 3 -name "$id*"; grep -F "$dir/rootfs" /proc/self/mountinfo)" ""
done

calls=$after_4_18 name="Linux 4.18"
refused "options for a tree of mounts" '.mounts += [{destination: "/tree", source: "/proc/sys", options: ["rbind", "rro"]}]' "Linux 5.12"
refused "an id-mapped mount" '.mounts += [{destination: "/idmap", source: "'"$dir/volume"'", options: ["bind"],
    uidMappings: [{containerID: 0, hostID: 5, size: 9}], gidMappings: [{containerID: 0, hostID: 5, size: 9}]}]' "Linux 5.12\|Linux 5.2"
refused "a time namespace" '.linux.namespaces += [{type: "time"}]' "Linux 5.6"
refused "seccomp notify" '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/nowhere/agent",
    syscalls: [{names: ["mkdir"], action: "SCMP_ACT_NOTIFY"}]}' "Linux 5.0\|/nowhere/agent"
rt run --detach --bundle "$dir/native" "$id"
echo '[{"destination": "/made", "type": "tmpfs", "source": "t"}]' > "$dir/mounts.json"
like "mounts in a running container" "$(rt mounts add "$id" "$dir/mounts.json")" "Linux 5.2"
rt delete --force "$id"
umount "$dir/state"
finish
