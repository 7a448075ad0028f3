#!/bin/bash
# The systemd cgroup driver against a real systemd: the system's own where that is pid 1, else a user's manager that is
# started here, in a mount namespace and cgroup of its own. Scope, slice, limits as unit properties, update, delete, errors.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
systemd=$(command -v /lib/systemd/systemd)
if [ "${SYSTEMD_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq systemctl; do command -v $tool > /dev/null || why="$tool is not installed"; done
    [ -n "$systemd" ] || why="systemd is not installed"
    [ -x "$BUILD/wherry" ] || why="build/wherry is not built"
    if [ -z "$why" ]; then SYSTEMD_INSIDE=1 exec unshare -m --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "systemd driver" "$why"

dir=$BUILD/e2e/systemd id=wherry-sd-$$ user=
rm -rf "$dir"
mkdir -p "$dir/state" "$dir/rootfs/bin" "$dir/rootfs/proc" "$dir/rootfs/dev" "$dir/rootfs/sys"
mount -t tmpfs state "$dir/state"
# systemd as pid 1 is used as it is; a manager of our own needs a cgroup of its own to work in
if [ "$(cat /proc/1/comm)" != systemd ]; then
    user=--user own=wherry-manager-$$
    mount -t tmpfs run /run && mkdir -p /run/systemd/system /run/user/systemd/user
    export XDG_RUNTIME_DIR=/run/user
    chmod 700 /run/user
    trees=
    for tree in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
        [ -e "$tree/cgroup.procs" ] && mkdir -p "$tree/$own" && echo $$ > "$tree/$own/cgroup.procs" && trees="$trees $tree"
    done
    printf '[Unit]\nDefaultDependencies=no\n' > /run/user/systemd/user/idle.target
    "$systemd" --user --unit=idle.target --show-status=0 --log-target=console > "$dir/manager.log" 2>&1 < /dev/null &
    manager=$!
    end_manager() {
        kill -KILL $manager
        wait $manager 2> /dev/null
        for tree in $trees; do echo $$ > "$tree/cgroup.procs"; done
        for tree in /sys/fs/cgroup /sys/fs/cgroup/*/; do # the slices' directories in the other hierarchies too
            [ ! -d "$tree/$own" ] || find "$tree/$own" -depth -type d -exec rmdir {} \;
        done
    }
    trap end_manager EXIT
    eventually '[ -S /run/user/systemd/private ]'
fi
if ! systemctl $user list-units > "$dir/units" 2>&1; then
    skip "systemd driver" "no systemd manager runs here: $(head -1 "$dir/units")"
    finish
    exit
fi

cp "$(command -v busybox)" "$dir/rootfs/bin/busybox"
for applet in sh sleep true cat; do ln "$dir/rootfs/bin/busybox" "$dir/rootfs/bin/$applet"; done
cp "$BUILD/guests/"*.wasm "$dir/rootfs/" 2> /dev/null
rt() { "$BUILD/wherry" --root "$dir/state/rt" "$@"; }
quiet() { rt "$@" > "$dir/out" 2>&1 < /dev/null; }
unit=wherrytest-$id.scope
show() { systemctl $user show -P "$1" "$unit" 2> /dev/null; }
# bundle NAME JQ OPTION... -- ARGUMENT...
bundle() {
    local filter=$2
    tests/bundle "$dir/$1" "$dir/rootfs" --cgroup "wherrytest.slice:wherrytest:$id" "${@:3}" || return
    jq "$filter" "$dir/$1/config.json" > "$dir/new" && mv "$dir/new" "$dir/$1/config.json"
}
await_gone() { eventually '[ "$(show LoadState)" = not-found ]'; }
limits='.linux.resources = {memory: {limit: 64000000}, pids: {limit: 50}, cpu: {shares: 512, quota: 50000, period: 100000}}'

life() {
    local kind=$1 pid cgroup
    bundle "$kind" "$limits"' | .annotations = {
        "org.systemd.property.TimeoutStopUSec": "uint64 5000000", "org.systemd.property.Documentation": "['"'man:x(1)'"']",
        "org.systemd.property.RuntimeMaxSec": "77"}' "${@:2}"
    quiet --systemd-cgroup create --bundle "$dir/$kind" --pid-file "$dir/pid" "$id"
    ok "$kind: create" $? "$(cat "$dir/out")"
    pid=$(cat "$dir/pid")
    is "$kind: the scope is active" "$(show ActiveState)" active
    is "$kind: in its slice" "$(show Slice)" wherrytest.slice
    is "$kind: delegated" "$(show Delegate)" yes
    like "$kind: the init is in the scope" "$(cat /proc/"$pid"/cgroup)" "wherrytest.slice/$unit\$"
    cgroup=$(show ControlGroup)
    is "$kind: nobody else is" "$(for t in /sys/fs/cgroup /sys/fs/cgroup/systemd; do cat "$t$cgroup/cgroup.procs" 2> /dev/null; done | sort -u)" "$pid"
    is "$kind: pids" "$(show TasksMax)" 50
    is "$kind: CPU quota" "$(show CPUQuotaPerSecUSec)" 500ms
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        is "$kind: memory" "$(show MemoryMax)" 64000000
        is "$kind: memory as the kernel has it" "$(cat "/sys/fs/cgroup$cgroup/memory.max")" $((64000000 / 4096 * 4096))
        is "$kind: pids as the kernel has it" "$(cat "/sys/fs/cgroup$cgroup/pids.max")" 50
    else
        is "$kind: memory" "$(show MemoryLimit)" 64000000
        is "$kind: pids as the kernel has it" "$(cat "/sys/fs/cgroup/pids$cgroup/pids.max")" 50
    fi
    is "$kind: property by annotation" "$(show TimeoutStopUSec)" 5s
    is "$kind: array by annotation" "$(show Documentation)" '"man:x(1)"'
    is "$kind: seconds by annotation" "$(show RuntimeMaxUSec)" "1min 17s"
    quiet start "$id"
    ok "$kind: start" $? "$(cat "$dir/out")"
    if [ "$kind" = native ]; then
        rt update --pids-limit 60 --cpu-quota 25000 --cpu-period 100000 "$id" > "$dir/out" 2>&1
        ok "$kind: update" $? "$(cat "$dir/out")"
        is "$kind: the unit has the new limit" "$(show TasksMax) $(show CPUQuotaPerSecUSec)" "60 250ms"
        like "$kind: exec is in the scope" "$(rt exec "$id" cat /proc/self/cgroup 2>&1 < /dev/null)" /
        systemctl $user daemon-reload
        is "$kind: a reload of systemd changes nothing" "$(show TasksMax) $(show ActiveState)" "60 active"
    fi
    quiet delete --force "$id"
    ok "$kind: delete" $? "$(cat "$dir/out")"
    await_gone
    is "$kind: the unit is gone" "$(show LoadState)" not-found
    is "$kind: no cgroup is left" "$(find /sys/fs/cgroup -name "*$id*" 2> /dev/null)" ""
    is "$kind: no state is left" "$(ls "$dir/state/rt")" ""
}
life native -- /bin/sleep 100
if [ -e "$dir/rootfs/hello.wasm" ]; then life wasm -- /hello.wasm; else skip "wasm" "the guests are not built"; fi

# --- names
bundle default 'del(.linux.cgroupsPath)' -- /bin/sleep 100
quiet --cgroup-manager systemd create --bundle "$dir/default" "$id"
ok "without a cgroupsPath: create" $? "$(cat "$dir/out")"
is "without a cgroupsPath: a scope of that name" "$(systemctl $user show -P ActiveState "wherry-$id.scope")" active
quiet create --bundle "$dir/default" "$id-2"
quiet delete --force "$id-2"
bundle twice "." -- /bin/sleep 100
jq ".linux.cgroupsPath = \"system.slice:wherry:$id\"" "$dir/twice/config.json" > "$dir/new" && mv "$dir/new" "$dir/twice/config.json"
like "a unit that exists is refused" "$(rt --systemd-cgroup create --bundle "$dir/twice" "$id-3" 2>&1 < /dev/null)" "wherry-$id.scope.*already"
quiet delete --force "$id"
is "and nothing of it is left" "$(ls "$dir/state/rt")" ""

# --- refused before anything is made
refused() {
    bundle bad "$2" -- /bin/true
    like "refused: $1" "$(rt --systemd-cgroup create --bundle "$dir/bad" "$id" 2>&1 < /dev/null)" "$3"
    is "refused: $1, nothing is left" "$(ls "$dir/state/rt")$(find /sys/fs/cgroup -name "*$id*" 2> /dev/null)" ""
}
refused "a path" '.linux.cgroupsPath = "/a/b"' "slice:prefix:name"
refused "no slice" '.linux.cgroupsPath = "a:b:c"' "not the name of a slice"
refused "a value that is none" '.annotations = {"org.systemd.property.X": "{1}"}' "GVariant"
refused "a name that is none" '.annotations = {"org.systemd.property.X=1": "1"}' "not the name of a property"
refused "a property that systemd does not know" '.annotations = {"org.systemd.property.Nonsense": "true"}' "systemd: .*Nonsense"

# --- the runtime killed while systemd is at work
bundle killed . -- /bin/sleep 100
for delay in 0 0.002 0.005 0.01 0.02 0.04; do
    "$BUILD/wherry" --root "$dir/state/rt" --systemd-cgroup create --bundle "$dir/killed" "$id" > "$dir/out" 2>&1 < /dev/null &
    sleep $delay
    kill -KILL $! 2> /dev/null
    wait $! 2> /dev/null
    quiet delete --force "$id" || break
    await_gone
done
is "killed anywhere: delete --force leaves no unit" "$(show LoadState)" not-found
is "and no cgroup or state" "$(find /sys/fs/cgroup -name "*$id*" 2> /dev/null; ls "$dir/state/rt")" ""
finish
