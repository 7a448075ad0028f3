#!/bin/bash
# Time and mount namespaces, and what the kernel's scheduler is told about a container's process; native and Wasm.
# RUNTIME=/path/of/another runs the native cases with that one: the reference for what is expected.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
runtime=${RUNTIME:-$BUILD/wherry}
if [ "${NAMESPACES_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq; do command -v $tool > /dev/null || why="$tool is not installed"; done
    [ -x "$runtime" ] || why="$runtime is not built"
    if [ -z "$why" ]; then NAMESPACES_INSIDE=1 exec unshare -m --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "namespaces" "$why"

dir=$BUILD/e2e/namespaces
rm -rf "$dir"
mkdir -p "$dir/state" "$dir/volume" "$dir/rootfs/bin" "$dir/rootfs/proc" "$dir/rootfs/dev" "$dir/rootfs/sys" "$dir/rootfs/tmp"
mount -t tmpfs state "$dir/state"
cp "$(command -v busybox)" "$dir/rootfs/bin/busybox"
for applet in sh sleep true id cat ls grep; do ln "$dir/rootfs/bin/busybox" "$dir/rootfs/bin/$applet"; done
cp "$BUILD/guests/"*.wasm "$dir/rootfs/" 2> /dev/null
id=wherry-ns-$$
rt() { "$runtime" --root "$dir/state/rt" "$@"; }
quiet() { rt "$@" > "$dir/out" 2>&1 < /dev/null; }
bundle() { tests/bundle "$dir/$1" "$dir/rootfs" --cgroup "/$id" "${@:2}"; }
inside() { bundle inside "$@" && rt run --bundle "$dir/inside" "$id" 2>&1 < /dev/null; }
left() {
    find /sys/fs/cgroup -maxdepth 3 -name "$id*" 2> /dev/null
    ls "$dir/state/rt" 2> /dev/null
    grep -F "$dir/" /proc/self/mountinfo | grep -vF " $dir/state "
}
wasm=
[ "$(basename "$runtime")" = wherry ] && [ -e "$BUILD/guests/hello.wasm" ] && wasm=1

# --- time
offsets='.linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {boottime: {secs: 100000000, nanosecs: 5}, monotonic: {secs: 1000}}'
if [ ! -e /proc/self/ns/time ]; then
    skip "time namespaces" "this kernel has none"
else
    is "the offsets are set" "$(inside --edit "$offsets" -- /bin/cat /proc/self/timens_offsets | tr -s ' ')" \
        "monotonic 1000 0
boottime 100000000 5"
    uptime=$(inside --edit "$offsets" -- /bin/cat /proc/uptime | cut -d. -f1)
    ok "the uptime is the shifted one" "$([ "$uptime" -gt 100000000 ]; echo $?)" "$uptime"
    bundle life --edit "$offsets" -- /bin/sleep 100
    quiet run --detach --bundle "$dir/life" "$id"
    pid=$(rt state "$id" | jq .pid)
    is "exec is in it" "$(rt exec "$id" busybox readlink /proc/self/ns/time 2>&1)" "$(readlink "/proc/$pid/ns/time")"
    tests/bundle "$dir/second" "$dir/rootfs" --cgroup "/$id-second" --edit ".linux.namespaces += [{type: \"time\", path: \"/proc/$pid/ns/time\"}]" -- /bin/busybox readlink /proc/self/ns/time
    is "a second container joins it" "$(rt run --bundle "$dir/second" "$id-second" 2>&1 < /dev/null)" "$(readlink "/proc/$pid/ns/time")"
    rt delete --force "$id"
    like "a clock before its beginning is refused" "$(inside --edit '.linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {monotonic: {secs: -1000000000}}' -- /bin/true)" 'linux.timeOffsets.monotonic'
    like "offsets without a namespace are refused" "$(inside --edit '.linux.timeOffsets = {monotonic: {secs: 1}}' -- /bin/true)" 'time offsets need a time namespace'
    unshare -U true 2> /dev/null &&
        is "with a user namespace" "$(chown -R 100000:100000 "$dir/rootfs"; inside --userns 100000 --edit "$offsets" -- /bin/sh -c 'id -u; cut -d. -f1 /proc/uptime | busybox wc -c' 2>&1; chown -R 0:0 "$dir/rootfs")" "0
10"
    [ -n "$wasm" ] && is "wasm: runs in one" "$(inside --edit "$offsets" -- /hello.wasm --exit 9; echo $?)" 9
fi
is "nothing is left" "$(left)" ""

# --- mounts
none='.linux.namespaces |= map(select(.type != "mount")) | .linux.maskedPaths = [] | .linux.readonlyPaths = []'
is "without a mount namespace: sees its root" "$(inside --edit "$none" -- /bin/sh -c 'ls -d /bin/busybox; busybox readlink /proc/self/ns/mnt')" "/bin/busybox
$(readlink /proc/self/ns/mnt)"
is "and nothing of it stays mounted" "$(left)" ""
is "nor when create fails" "$(inside --edit "$none | .process.args = [\"/nowhere\"]" -- x > "$dir/out"; left)" ""
bundle life --edit "$none" -- /bin/sleep 100
quiet run --detach --bundle "$dir/life" "$id"
is "exec sees the same root" "$(rt exec "$id" ls -d /bin/busybox 2>&1)" /bin/busybox
rt delete --force "$id"
is "nothing of it either" "$(left)" ""
unshare -m --propagation private sleep 100 &
holder=$!
eventually '[ "$(readlink /proc/$holder/ns/mnt)" != "$(readlink /proc/self/ns/mnt)" ]'
joined="(.linux.namespaces[] | select(.type == \"mount\")).path = \"/proc/$holder/ns/mnt\""
is "joins a mount namespace" "$(inside --edit "$joined" -- /bin/sh -c 'ls -d /bin/busybox; busybox readlink /proc/self/ns/mnt')" "/bin/busybox
$(readlink /proc/$holder/ns/mnt)"
is "and leaves nothing in it" "$(grep -F "$dir/" /proc/$holder/mountinfo | grep -vF " $dir/state ")" ""
[ -n "$wasm" ] && is "wasm: joins a mount namespace" "$(inside --edit "$joined" -- /hello.wasm --exit 9; echo $?)" 9
[ -n "$wasm" ] && is "wasm: without a mount namespace" "$(inside --edit "$none" -- /hello.wasm --exit 9; echo $?)" 9
is "the namespace's own processes keep their root" "$(busybox readlink /proc/$holder/root)" /
kill $holder
is "nothing is left" "$(left)" ""

# --- the scheduler
is "scheduler: SCHED_BATCH with a nice value" "$(inside --edit '.process.scheduler = {policy: "SCHED_BATCH", nice: 7}' -- /bin/sh -c 'busybox cut -d" " -f19,41 /proc/self/stat')" "7 3"
like "scheduler: a policy that does not exist" "$(inside --edit '.process.scheduler = {policy: "SCHED_NOTHING"}' -- /bin/true)" 'process.scheduler.policy'
is "I/O priority" "$(inside --edit '.process.ioPriority = {class: "IOPRIO_CLASS_IDLE", priority: 0}' -- /bin/busybox ionice -p 0)" "idle"
is "personality" "$(inside --edit '.linux.personality = {domain: "LINUX32"}' -- /bin/busybox uname -m)" "$(setarch linux32 uname -m)"
is "oom score" "$(inside --edit '.process.oomScoreAdj = 321' -- /bin/cat /proc/self/oom_score_adj)" 321
bundle life -- /bin/sleep 100
quiet run --detach --bundle "$dir/life" "$id"
jq '.process | .args = ["/bin/grep", "Cpus_allowed_list", "/proc/self/status"] | .execCPUAffinity = {initial: "0", final: "0"}' "$dir/life/config.json" > "$dir/process"
is "execCPUAffinity" "$(rt exec --process "$dir/process" "$id" 2>&1 | tr -d '\t')" Cpus_allowed_list:0
jq '.execCPUAffinity.final = "0-x"' "$dir/process" > "$dir/p" && mv "$dir/p" "$dir/process"
like "execCPUAffinity that is no list" "$(rt exec --process "$dir/process" "$id" 2>&1)" "'0-x' is not a list of CPUs"
rt delete --force "$id"
if [ -n "$wasm" ]; then
    bundle life --edit '.process.scheduler = {policy: "SCHED_IDLE"} | .process.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 6}' -- /hello.wasm --sleep
    quiet run --detach --bundle "$dir/life" "$id"
    pid=$(rt state "$id" | jq .pid)
    is "wasm: scheduler and I/O priority" "$(cut -d' ' -f41 "/proc/$pid/stat"; busybox ionice -p "$pid")" "5
best-effort: prio 6"
    rt delete --force "$id"
fi
is "nothing is left" "$(left)" ""
finish
