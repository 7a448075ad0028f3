#!/bin/bash
# 1,000 lives of containers by the command line (CYCLES=N), native and Wasm in turn, some of them killed, exec'd into or failed at
# create: afterwards no process, mount, cgroup, file or descriptor is left. (kill_walk.sh kills the runtime itself.)
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
if [ "${CYCLES_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq; do command -v $tool > /dev/null || why="$tool is not installed"; done
    [ -x "$BUILD/wherry" ] || why="build/wherry is not built"
    if [ -z "$why" ]; then CYCLES_INSIDE=$$ exec unshare -m -p --fork --mount-proc --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "cycles of create and delete" "$why"

cycles=${CYCLES:-1000}
dir=$BUILD/e2e/cycles id=wherry-cycles-$CYCLES_INSIDE
rm -rf "$dir"
mkdir -p "$dir/state" "$dir/rootfs/bin" "$dir/rootfs/proc" "$dir/rootfs/dev" "$dir/rootfs/sys" "$dir/rootfs/tmp"
mount -t tmpfs state "$dir/state"
cp "$(command -v busybox)" "$dir/rootfs/bin/busybox"
for applet in sleep true; do ln "$dir/rootfs/bin/busybox" "$dir/rootfs/bin/$applet"; done
cp "$BUILD/guests/hello.wasm" "$dir/rootfs/" 2> /dev/null
bundle() { tests/bundle "$dir/$1" "$dir/rootfs" --cgroup "/$id" -- "${@:2}"; }
bundle true /bin/true
bundle sleep /bin/sleep 100
bundle missing /bin/nowhere
if [ -e "$dir/rootfs/hello.wasm" ]; then bundle wasm /hello.wasm; else bundle wasm /bin/true; fi
quiet() { "$BUILD/wherry" --root "$dir/state/rt" "$@" > "$dir/state/out" 2>&1 < /dev/null; }
# all that is not this script: its pid namespace is its own
processes() { cat /proc/[0-9]*/comm 2> /dev/null | grep -vxE 'cycles\.sh|cat|grep'; }
files() { find "$dir" /dev/shm -mindepth 1 2> /dev/null | sort; }
# what is open in this process or lies in memory without a name
memory() { ipcs -m 2> /dev/null | wc -l; ls /proc/$$/fd | wc -l; }
quiet run --bundle "$dir/true" "$id" # makes the directory of states
mounts=$(cat /proc/self/mountinfo) had=$(files) kept=$(memory)
failed=
life() {
    case $(($1 % 5)) in
    0) quiet run --bundle "$dir/true" "$id" ;;
    1) quiet run --bundle "$dir/wasm" "$id" ;;
    2) quiet create --bundle "$dir/sleep" "$id" && quiet start "$id" && quiet exec "$id" true && quiet delete --force "$id" ;;
    3) quiet create --bundle "$dir/true" "$id" && quiet delete "$id" ;;
    4) ! quiet run --bundle "$dir/missing" "$id" ;;
    esac
}
for ((i = 0; i < cycles; i++)); do
    life $i || { failed="number $i: $(cat "$dir/state/out")"; break; }
done
is "$cycles containers" "$failed" ""
eventually '[ -z "$(processes)" ]'
is "no process is left" "$(processes)" ""
is "no mount is left" "$(cat /proc/self/mountinfo)" "$mounts"
is "no cgroup is left" "$(find /sys/fs/cgroup -maxdepth 3 -name "$id*" 2> /dev/null)" ""
is "no file is left" "$(diff <(printf '%s\n' "$had") <(files) | grep -v 'state/out$')" ""
is "no descriptor and no shared memory is left" "$(memory)" "$kept"
finish
