#!/bin/bash
# Limits that bite: not only what stands in the kernel's files, but what becomes of a container that goes beyond. Both views of
# cgroups; a controller that this machine lacks skips by name. No clock: the kernel's own counters say what was held back.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
if [ "${LIMITS_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq; do command -v $tool > /dev/null || why="$tool is not installed"; done
    [ -x "$BUILD/wherry" ] || why="build/wherry is not built"
    if [ -z "$why" ]; then LIMITS_INSIDE=1 exec unshare -m --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "limits" "$why"

dir=$BUILD/e2e/limits id=wherry-limits-$$
rm -rf "$dir"
mkdir -p "$dir/state" "$dir/rootfs/bin" "$dir/rootfs/proc" "$dir/rootfs/dev" "$dir/rootfs/sys" "$dir/rootfs/tmp"
mount -t tmpfs state "$dir/state"
cp "$(command -v busybox)" "$dir/rootfs/bin/busybox"
for applet in sh sleep cat dd tail head yes grep; do ln "$dir/rootfs/bin/busybox" "$dir/rootfs/bin/$applet"; done
rt() { timeout 60 "$BUILD/wherry" --root "$dir/state/rt" "$@"; }
begin() { # RESOURCES PROGRAM...
    rt delete --force "$id" 2> /dev/null
    tests/bundle "$dir" "$dir/rootfs" --cgroup "/$id" --edit ".linux.resources = $1" -- "${@:2}"
    rt run --detach --bundle "$dir" "$id" > "$dir/out" 2>&1 < /dev/null || cat "$dir/out"
}
if [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; then
    has() { grep -qw "$1" /sys/fs/cgroup/cgroup.controllers; }
    file() { echo "/sys/fs/cgroup/$id/$2"; } # CONTROLLER NAME
    throttled=nr_throttled memory_events=memory.events
else
    has() { case $1 in io) test -d /sys/fs/cgroup/blkio ;; *) test -d "/sys/fs/cgroup/$1" ;; esac; }
    file() { echo "/sys/fs/cgroup/$1/$id/$2"; }
    throttled=nr_throttled memory_events=memory.oom_control
fi
stopped() { eventually '[ "$(rt state "$id" | jq -r .status)" = stopped ]'; }
# counts: waits until COUNTER of FILE is above WANTED, for as long as a slow machine may take
count_of() { awk -v n="$2" '$1 == n {print $2}' "$1"; }
counts() { eventually '[ "$(count_of "$1" "$2")" -gt "$3" ] 2> /dev/null' "$@"; }

# --- memory
if has memory; then
    begin '{memory: {limit: 33554432, swap: 33554432}}' /bin/sh -c \
        'until [ -e /tmp/go ]; do sleep 0.1; done; head -c 200000000 /dev/zero | tail -c 150000000 > /dev/null; sleep 1000'
    rt events --interval 1s "$id" > "$dir/events" 2>&1 &
    eventually '[ -s "$dir/events" ]'
    touch "$dir/rootfs/tmp/go"
    ok "memory: more than the limit is an out-of-memory kill" "$(counts "$(file memory $memory_events)" oom_kill 0; echo $?)"
    eventually 'grep -q oom "$dir/events"'
    like "memory: events tells of it" "$(cat "$dir/events")" "{\"type\":\"oom\",\"id\":\"$id\""
    is "memory: of the one process, the container goes on" "$(rt state "$id" | jq -r .status)" running
    is "memory: events --stats has the limit" "$(rt events --stats "$id" | jq .data.memory.usage.limit)" 33554432
    rt update --memory 67108864 --memory-swap 67108864 "$id"
    is "memory: update while it runs" "$(rt events --stats "$id" | jq .data.memory.usage.limit)" 67108864
    rt delete --force "$id"
    wait
    begin '{memory: {limit: 33554432, swap: 33554432}}' /bin/dd if=/dev/zero of=/dev/null bs=200000000 count=1
    stopped
    ok "memory: an init beyond the limit ends the container" $?
else
    skip "memory" "this machine has no memory controller"
fi

# --- processes
if has pids; then
    begin '{pids: {limit: 5}}' /bin/sleep 1000
    like "pids: beyond the limit nothing is forked" \
        "$(rt exec "$id" sh -c 'for n in 1 2 3 4 5 6 7 8 9; do sleep 1000 > /dev/null 2>&1 & done' 2>&1 < /dev/null)" "can't fork"
    ok "pids: the kernel counts what was refused" "$(counts "$(file pids pids.events)" max 0; echo $?)"
    is "pids: no more than the limit" "$(($(cat "$(file pids pids.current)") <= 5))" 1
    rt update --pids-limit 50 "$id"
    is "pids: after update there is room again" "$(rt exec "$id" sh -c 'for n in 1 2 3 4 5 6; do sleep 0 & done; wait; echo room' 2>&1 < /dev/null)" room
    rt delete --force "$id"
else
    skip "pids" "this machine has no pids controller"
fi

# --- CPU
if has cpu; then
    begin '{cpu: {quota: 5000, period: 100000}}' /bin/sh -c 'while true; do :; done'
    ok "cpu: a busy loop is held back" "$(counts "$(file cpu cpu.stat)" $throttled 2; echo $?)"
    rt update --cpu-quota -1 --cpu-period 100000 "$id"
    before=$(awk -v n=$throttled '$1 == n {print $2}' "$(file cpu cpu.stat)")
    sleep 1
    is "cpu: without a quota no longer" "$(($(awk -v n=$throttled '$1 == n {print $2}' "$(file cpu cpu.stat)") - before <= 1))" 1
    rt pause "$id"
    is "freeze: it is paused" "$(rt state "$id" | jq -r .status)" paused
    used() { rt events --stats "$id" | jq .data.cpu.usage.total; }
    before=$(used)
    sleep 0.5
    is "freeze: and uses no CPU time" "$(used)" "$before"
    rt resume "$id"
    eventually '[ "$(used)" != "$before" ]'
    is "freeze: resumed it does" "$([ "$(used)" != "$before" ]; echo $?)" 0
    rt delete --force "$id"
else
    skip "cpu" "this machine has no cpu controller"
fi

# --- CPUs
if has cpuset && [ "$(nproc)" -gt 1 ]; then
    begin '{cpu: {cpus: "1"}}' /bin/sh -c 'grep Cpus_allowed_list /proc/self/status > /tmp/cpus; sleep 1000'
    is "cpuset: only these CPUs" "$(rt exec "$id" grep Cpus_allowed_list /proc/self/status < /dev/null | tr -dc 0-9-)" 1
    rt update --cpuset-cpus 0 "$id"
    is "cpuset: after update others" "$(rt exec "$id" grep Cpus_allowed_list /proc/self/status < /dev/null | tr -dc 0-9-)" 0
    rt delete --force "$id"
else
    skip "cpuset" "this machine has no cpuset controller, or one CPU"
fi
# --- block devices: of two who read the same, the one with a limit began first and is not done when the other is
# the guest's disk, else a loop device
disk=/dev/ubda
if [ ! -b $disk ]; then
    truncate -s 64M "$dir/state/disk"
    disk=$(losetup --find --show "$dir/state/disk" 2> /dev/null)
fi
read_disk() { echo "dd if=$1 of=/dev/null bs=64k count=512 iflag=direct 2> /dev/null"; } # 32 MiB
if has io && [ -b "$disk" ] && sh -c "$(read_disk "$disk")"; then
    major=$((0x$(stat -c %t "$disk"))) minor=$((0x$(stat -c %T "$disk")))
    limit() { echo "{blockIO: {throttleReadBpsDevice: [{major: $major, minor: $minor, rate: $1}]}}"; }
    mknod "$dir/rootfs/disk" b $major $minor
    jq -n "$(limit 65536) + {devices: [{allow: false, access: \"rwm\"},
        {allow: true, type: \"b\", major: $major, minor: $minor, access: \"r\"}]}" > "$dir/limited"
    begin "$(cat "$dir/limited")" /bin/sh -c "echo begun > /tmp/begun; $(read_disk /disk); echo done > /tmp/done; sleep 1000"
    eventually '[ -e "$dir/rootfs/tmp/begun" ]'
    sh -c "$(read_disk "$disk")"
    is "io: who has a limit is behind who has none" "$(ls "$dir/rootfs/tmp/begun" "$dir/rootfs/tmp/done" 2>&1 | grep -c 'No such')" 1
    jq -n "$(limit 0)" | rt update --resources - "$id"
    eventually '[ -e "$dir/rootfs/tmp/done" ]'
    is "io: after update there is none" "$(cat "$dir/rootfs/tmp/done")" done
    rt delete --force "$id"
else
    skip "io" "this machine has no io controller, or no block device for the test"
fi
case $disk in /dev/loop*) losetup -d "$disk" ;; esac
is "nothing is left" "$(ls "$dir/state/rt" 2> /dev/null; find /sys/fs/cgroup -maxdepth 3 -name "$id*")" ""
umount "$dir/state"
finish
