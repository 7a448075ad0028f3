#!/bin/bash
# The runtime by its command line, as a manager drives it: every verb, what a container sees and is limited to, both kinds.
# RUNTIME=/path/of/another runs the native cases with that one: the reference for what is expected.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
runtime=${RUNTIME:-$BUILD/wherry}
if [ "${LIFECYCLE_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq; do command -v $tool > /dev/null || why="$tool is not installed"; done
    [ -x "$runtime" ] || why="$runtime is not built"
    if [ -z "$why" ]; then LIFECYCLE_INSIDE=1 exec unshare -m --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "life of a container" "$why"

dir=$BUILD/e2e/lifecycle
rm -rf "$dir"
mkdir -p "$dir/state" "$dir/rootfs/bin" "$dir/rootfs/proc" "$dir/rootfs/dev" "$dir/rootfs/sys" "$dir/rootfs/tmp" "$dir/volume"
mount -t tmpfs state "$dir/state"
cp "$(command -v busybox)" "$dir/rootfs/bin/busybox"
for applet in sh sleep true id cat hostname ls mount grep; do ln "$dir/rootfs/bin/busybox" "$dir/rootfs/bin/$applet"; done
cp "$BUILD/guests/"*.wasm "$dir/rootfs/" 2> /dev/null
id=wherry-life-$$
rt() { "$runtime" --root "$dir/state/rt" "$@"; }
# create and detached run leave a container that holds their stdio: into a file, or a $(...) would wait for it for ever
quiet() { rt "$@" > "$dir/out" 2>&1 < /dev/null; }
bundle() { tests/bundle "$dir/$1" "$dir/rootfs" --cgroup "/$id" "${@:2}"; }
run() { rt run --bundle "$dir/$1" "$id" 2>&1 < /dev/null; }
status() { rt state "$id" 2> /dev/null | jq -r .status; }
await() { eventually '[ "$(status)" = "$1" ]' "$@"; }
left() {
    find /sys/fs/cgroup -maxdepth 3 -name "$id*" 2> /dev/null
    ls "$dir/state/rt" 2> /dev/null
    grep -F "$dir/" /proc/self/mountinfo | grep -vF " $dir/state "
}
# what a v1 or v2 cgroup file of the container says: controller, v1 name, v2 name
limit() { cat "/sys/fs/cgroup/$1/$id/$2" 2> /dev/null || cat "/sys/fs/cgroup/$id/$3" 2> /dev/null; }

# --- verbs that need no container
like "--version" "$(rt --version 2>&1)" "version"
mkdir "$dir/spec" && (cd "$dir/spec" && rt spec > /dev/null 2>&1)
is "spec writes a config.json" "$(jq -r '.root.path, .process.args[0]' "$dir/spec/config.json" 2>&1 | tr '\n' ' ')" "rootfs sh "
like "features is JSON" "$(rt features 2> /dev/null | jq -r .ociVersionMin)" '^1\.'
like "list of a state directory that is not there" "$(rt list --quiet 2>&1)" 'No such file\|no such file'

# --- the life of one
life() {
    local kind=$1 out pid
    bundle "life-$kind" "${@:2}"
    quiet create --bundle "$dir/life-$kind" --pid-file "$dir/pid" "$id"
    ok "$kind: create" $? "$(cat "$dir/out")"
    pid=$(cat "$dir/pid" 2>&1)
    is "$kind: state says created, with the pid and bundle" "$(rt state "$id" | jq -r '[.id, .status, (.pid | tostring), .bundle] | join(" ")')" \
        "$id created $pid $dir/life-$kind"
    like "$kind: it is in its cgroup when create returns" "$(cat "/proc/$pid/cgroup" 2>&1)" "/$id"
    out=$(rt start "$id" 2>&1)
    ok "$kind: start" $? "$out"
    is "$kind: running" "$(status)" running
    like "$kind: list" "$(rt list 2>&1)" "$id  *$pid  *running"
    is "$kind: list --quiet" "$(rt list -q 2>&1)" "$id"
    out=$(rt kill "$id" KILL 2>&1)
    ok "$kind: kill KILL" $? "$out"
    await stopped
    is "$kind: stopped" "$(status)" stopped
    out=$(rt delete "$id" 2>&1)
    ok "$kind: delete" $? "$out"
    is "$kind: nothing is left" "$(left)" ""
    quiet create --bundle "$dir/life-$kind" "$id"
    out=$(rt delete --force "$id" 2>&1)
    ok "$kind: delete --force of a created one" $? "$out"
    quiet run --detach --bundle "$dir/life-$kind" "$id"
    is "$kind: run --detach leaves it running" "$(status)" running
    out=$(rt delete --force "$id" 2>&1)
    ok "$kind: delete --force of a running one" $? "$out"
    is "$kind: nothing is left after it" "$(left)" ""
}
life native -- /bin/sleep 100

# --- what a native container sees
inside() { local name=$1; shift; bundle inside "$@"; run inside; }
is "native: pid 1" "$(inside x -- /bin/sh -c 'echo $$')" 1
is "native: exit code" "$(inside x -- /bin/sh -c 'exit 42'; echo $?)" 42
bundle killed -- /bin/sleep 100
rt run --bundle "$dir/killed" "$id" > "$dir/out" 2>&1 < /dev/null &
runner=$!
await running
rt kill --all "$id" SIGKILL
wait $runner
is "native: run ends with 128 + the signal" $? 137
is "native: hostname" "$(inside x -- /bin/hostname)" wherry
# runc adds HOME where it is missing
is "native: environment is the given" "$(inside x --env A=1 --env B='x y' -- /bin/busybox env | grep -v ^HOME=)" "PATH=/usr/bin:/bin
A=1
B=x y"
is "native: user" "$(inside x --user 1000:1000 -- /bin/sh -c 'echo $(id -u):$(id -g)')" 1000:1000
is "native: user 1000 has no effective capability, and no new privileges" \
    "$(inside x --user 1000:1000 -- /bin/grep -E 'CapEff|NoNewPrivs' /proc/self/status | tr -d '\n\t ')" CapEff:0000000000000000NoNewPrivs:1
is "native: root has the configured capabilities" "$(inside x -- /bin/grep CapEff /proc/self/status | tr -d '\t ')" CapEff:00000000a80405fb
is "native: rlimit" "$(inside x -- /bin/sh -c 'ulimit -n')" 1024
is "native: masked and read-only paths" "$(inside x -- /bin/sh -c 'cat /proc/timer_list | busybox wc -c; echo x 2>/dev/null > /proc/sys/kernel/hostname || echo refused' 2>&1)" "0
refused"
is "native: devices" "$(inside x -- /bin/sh -c 'echo x > /dev/null && busybox head -c 3 /dev/zero | busybox wc -c; ls /dev | busybox grep -v core | busybox tr "\n" " "')" \
    "3
fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero "
like "native: read-only root" "$(inside x --readonly -- /bin/sh -c 'echo x > /new')" 'Read-only file system'
echo "from the host" > "$dir/volume/file"
is "native: read-only volume" "$(inside x --mount "$dir/volume:/data:ro" -- /bin/sh -c 'cat /data/file; (echo x > /data/new) 2>/dev/null || echo refused')" "from the host
refused"
is "native: network namespace of its own" "$(inside x -- /bin/sh -c 'busybox wc -l < /proc/net/dev')" 3
is "native: seccomp filter" "$(inside x --seccomp -- /bin/grep '^Seccomp:' /proc/self/status | tr -d '\t ')" Seccomp:2
jq '.linux.sysctl = {"net.ipv4.ip_forward": "1", "kernel.shm_rmid_forced": "1"}' "$dir/inside/config.json" > "$dir/c" && mkdir -p "$dir/sysctl" &&
    jq '.process.args = ["/bin/cat", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/shm_rmid_forced"]' "$dir/c" > "$dir/sysctl/config.json"
is "native: sysctl" "$(run sysctl | tr '\n' ' ')" "1 1 "
bundle limits --memory 50331648 --pids 17 -- /bin/sleep 100
quiet create --bundle "$dir/limits" "$id"
is "native: memory limit" "$(limit memory memory.limit_in_bytes memory.max)" 50331648
is "native: pids limit" "$(limit pids pids.max pids.max)" 17
pid=$(rt state "$id" | jq .pid)
# a second container in the first one's namespaces
tests/bundle "$dir/join" "$dir/rootfs" --cgroup "/$id-join" -- /bin/sh -c 'busybox readlink /proc/self/ns/net; busybox readlink /proc/self/ns/ipc'
jq --arg pid "$pid" '.linux.namespaces |= map(if .type == "network" then .path = "/proc/\($pid)/ns/net" elif .type == "ipc" then .path = "/proc/\($pid)/ns/ipc" else . end)' \
    "$dir/join/config.json" > "$dir/c" && mv "$dir/c" "$dir/join/config.json"
is "native: joins namespaces by path" "$(rt run --bundle "$dir/join" "$id-join" 2>&1 < /dev/null)" \
    "$(readlink "/proc/$pid/ns/net")
$(readlink "/proc/$pid/ns/ipc")"
rt delete --force "$id" > /dev/null 2>&1
bundle fds -- /bin/sh -c 'cat <&3'
is "native: --preserve-fds" "$(rt run --preserve-fds 1 --bundle "$dir/fds" "$id" 2>&1 3<<< 'through three' < /dev/null)" "through three"
bundle term -- /bin/sh -c 'trap "exit 9" TERM; echo ready; while :; do sleep 0.05; done'
rt run --bundle "$dir/term" "$id" > "$dir/ready" 2>&1 < /dev/null &
runner=$!
eventually 'grep -qs ready "$dir/ready"'
rt kill "$id" 15
wait $runner
is "native: a handled SIGTERM, by number" $? 9
is "native: nothing is left" "$(left)" ""

if [ "$(basename "$runtime")" != wherry ] || [ ! -e "$BUILD/guests/hello.wasm" ]; then
    skip "wasm: all cases" "$(basename "$runtime") is not wherry, or build/guests/hello.wasm could not be built here"
    finish
    exit
fi
life wasm -- /hello.wasm --sleep
is "wasm: arguments and environment are exactly the given" "$(inside x --env A=1 -- /hello.wasm "two words")" "Hello from C!
argument 0: /hello.wasm
argument 1: two words
environment: PATH=/usr/bin:/bin
environment: A=1
environment: PWD=/"
is "wasm: exit code" "$(inside x -- /hello.wasm --exit 42; echo $?)" 42
echo "from the host" > "$dir/volume/file"
is "wasm: reads a volume" "$(inside x --mount "$dir/volume:/data:ro" -- /hello.wasm --read /data/file)" "from the host"
like "wasm: a read-only volume is EROFS" "$(inside x --mount "$dir/volume:/data:ro" -- /hello.wasm --write /data/new x)" 'Read-only file system'
like "wasm: /proc is not there" "$(inside x -- /hello.wasm --read /proc/self/status)" 'hello: /proc/self/status: '
is "wasm: with docker's seccomp profile" "$(inside x --seccomp -- /hello.wasm --exit 3; echo $?)" 3
for how in unreachable memory divide stack; do
    # baseline code: the optimizing compiler's, which a later start may run, names the caller where an inlined function trapped
    out=$(inside x --edit '.annotations["wherry.wasm.tier"] = "baseline"' -- /trap.wasm $how)
    is "wasm: trap ($how) is exit code 134" $? 134
    like "wasm: trap ($how), with a named backtrace" "$out" "$([ $how = stack ] && echo dive || echo sail_into_the_rocks)"
done
for signal in TERM INT HUP USR1; do
    rt run --bundle "$dir/life-wasm" "$id" > "$dir/$signal" 2>&1 < /dev/null &
    runner=$!
    eventually 'grep -qs waiting "$dir/$signal"'
    rt kill "$id" $signal
    wait $runner
    is "wasm: SIG$signal ends it with 128 + its number" $? $((128 + $(kill -l $signal)))
done
like "wasm: the process carries the module's name" "$(
    quiet run --detach --bundle "$dir/life-wasm" "$id"
    pid=$(rt state "$id" | jq .pid)
    eventually '[ "$(cat "/proc/$pid/comm")" != engine ]' # its first instruction is the engine's, which takes the name a moment later
    cat "/proc/$pid/comm"
    rt delete --force "$id")" '^hello'
is "wasm: nothing is left" "$(left)" ""
like "plan prints what a module is granted" "$(bundle plan --mount "$dir/volume:/data:ro" -- /hello.wasm && rt plan "$dir/plan" 2>&1)" '/data'
finish
