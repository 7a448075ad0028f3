#!/bin/bash
# The shim under real containerds: Debian's, and a 2.x where it was built beforehand (tests/containerd.sh).
# SHIM=/path/of/another shim runs the native cases with that one: the reference. CONTAINERD="debian 2.3.7" chooses versions.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
shim=${SHIM:-$BUILD/containerd-shim-wherry-v1}
if [ "${SHIM_TEST_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq; do command -v $tool >/dev/null || why="$tool is not installed"; done
    [ -x "$shim" ] || why="$shim is not built"
    if [ -z "$why" ]; then SHIM_TEST_INSIDE=1 exec unshare -m -n --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "shim under containerd" "$why"
. tests/containerd.sh

run() { ctr run --rm --runtime "$shim" "$@"; }
# with a limit, since what hangs here would hang the whole suite
soon() { timeout -k 1 20 "$@"; }

# expect NAME STATUS PATTERN COMMAND...
expect() {
    local name=$1 status=$2 pattern=$3 out got
    shift 3
    out=$("$@" 2>&1 < /dev/null)
    got=$?
    [ $got = "$status" ] || { tap_fail "$name" "exit status $got, wanted $status; output: $out
$(tail -5 "$dir/containerd.log")"; return; }
    like "$name" "$out" "$pattern"
}

make_images() {
    local applet
    mkdir -p "$dir/busybox/bin" "$dir/busybox/tmp" "$dir/busybox/proc"
    cp "$(command -v busybox)" "$dir/busybox/bin/busybox"
    for applet in sh echo cat sleep true id ps kill tty stty head dd wc; do ln -f "$dir/busybox/bin/busybox" "$dir/busybox/bin/$applet"; done
    image localhost/busybox:1 "$dir/busybox" '{"Cmd": ["sh"], "Env": ["PATH=/bin"]}'
    ok "$version: image busybox" $? "$(cat "$dir/import.log")"
    if [ -e "$BUILD/guests/hello.wasm" ]; then
        mkdir -p "$dir/hello"
        cp "$BUILD/guests/hello.wasm" "$dir/hello/"
        image localhost/hello:1 "$dir/hello" '{"Entrypoint": ["/hello.wasm"]}'
        ok "$version: image hello" $? "$(cat "$dir/import.log")"
    fi
}

basics() {
    expect "$version: output" 0 '^hello$' run localhost/busybox:1 c1 echo hello
    expect "$version: exit code" 7 'from sh' run localhost/busybox:1 c1 sh -c 'echo from sh; exit 7'
    expect "$version: stderr" 0 'to stderr' run localhost/busybox:1 c1 sh -c 'echo to stderr >&2'
    expect "$version: environment" 0 'salt' run --env FLAVOUR=salt localhost/busybox:1 c1 sh -c 'echo $FLAVOUR'
    expect "$version: more output than a pipe holds" 0 '^1000000$' sh -c "'$ctr_program' -a /run/test/containerd.sock -n test run --rm --runtime '$shim' localhost/busybox:1 c1 dd if=/dev/zero bs=1000 count=1000 2>/dev/null | wc -c"
    expect "$version: no such program" 1 'nowhere' run localhost/busybox:1 c1 /nowhere
    expect "$version: no such program leaves no task" 0 '' ctr task ls -q
}

# started ID COMMAND...: a detached container
started() {
    local id=$1
    shift
    ctr run -d --runtime "$shim" localhost/busybox:1 "$id" "$@" > "$dir/started.log" 2>&1
    ok "$version: $id is started" $? "$(cat "$dir/started.log")"
}
status_of() { ctr task ls | awk -v id="$1" '$1 == id { print $3 }'; }
gone() {
    soon ctr task kill -s SIGKILL "$1" > /dev/null 2>&1
    for _ in $(seq 100); do [ "$(status_of "$1")" = STOPPED ] && break; sleep 0.02; done
    ctr task rm "$1" > /dev/null 2>&1
    ctr c rm "$1" > /dev/null 2>&1
}

life() {
    local pid
    started c2 sleep 1000
    is "$version: task ls" "$(status_of c2)" RUNNING
    pid=$(ctr task ls | awk '$1 == "c2" { print $2 }')
    is "$version: the pid is that of the program" "$(tr '\0' ' ' < "/proc/$pid/cmdline")" "sleep 1000 "
    like "$version: task ps" "$(ctr task ps c2 2>&1)" "^$pid"
    like "$version: task metrics" "$(ctr task metrics c2 2>&1)" 'pids.current *1\|current'
    like "$version: a running task cannot be deleted" "$(ctr task rm c2 2>&1)" 'must be stopped\|cannot\|failed precondition'
    ctr task kill -s SIGTERM c2
    sleep 0.2
    is "$version: pid 1 without a handler ignores SIGTERM" "$(status_of c2)" RUNNING
    ctr task kill -s SIGKILL c2
    for _ in $(seq 100); do [ "$(status_of c2)" = STOPPED ] && break; sleep 0.02; done
    is "$version: killed" "$(status_of c2)" STOPPED
    expect "$version: the exit status is 137" 0 'exit code 137' ctr task rm c2
    ctr c rm c2
}

events() {
    local pid
    ctr events > "$dir/events.log" 2>&1 &
    pid=$!
    sleep 0.3
    run localhost/busybox:1 c3 true
    sleep 0.3
    kill $pid
    wait $pid 2>/dev/null
    is "$version: events in order" "$(grep -o '/tasks/[a-z]*' "$dir/events.log" | tr '\n' ' ')" \
        "/tasks/create /tasks/start /tasks/exit /tasks/delete "
}

streams() {
    is "$version: stdin and its end" "$({ sleep 0.5; printf hello; } | soon "$ctr_program" -a /run/test/containerd.sock -n test run --rm --runtime "$shim" localhost/busybox:1 c4 wc -c 2>&1)" 5
    like "$version: a terminal" "$(script -qec "$ctr_program -a /run/test/containerd.sock -n test run --rm -t --runtime $shim localhost/busybox:1 c4 sh -c 'tty; stty size'" /dev/null 2>&1 < /dev/null)" '/dev/'
}

wasm() {
    [ -e "$dir/hello" ] || { skip "$version: wasm" "build/guests/hello.wasm could not be built here"; return; }
    case $(basename "$shim") in *wherry*) ;; *) return ;; esac
    expect "$version: wasm: output and arguments" 0 'Hello from C!' run localhost/hello:1 w1
    expect "$version: wasm: exit code" 3 '' run localhost/hello:1 w1 /hello.wasm --exit 3
}

nothing_left() {
    sleep 0.3
    is "$version: nothing is left: tasks" "$(ctr task ls -q)" ""
    is "$version: nothing is left: shims" "$(pgrep -f "$shim -namespace test" | tr '\n' ' ')" ""
    is "$version: nothing is left: sockets" "$(ls /run/containerd/s 2>/dev/null)" ""
    is "$version: nothing is left: states" "$(ls /run/containerd/wherry/test 2>/dev/null)" ""
    is "$version: nothing is left: mounts" "$(grep -c rootfs /proc/self/mountinfo)" 0
    is "$version: nothing is left: cgroups" "$(find /sys/fs/cgroup -path '*/test/*' -type d 2>/dev/null)" ""
}

for version in ${CONTAINERD:-debian 2.3.7}; do
    why=
    dir=$BUILD/e2e/shim-$version
    rm -rf "$dir"
    mkdir -p "$dir"
    containerd_programs "$version" || { skip "containerd $version" "$why"; continue; }
    containerd_private && containerd_start || { tap_fail "containerd $version starts" "$(tail -5 "$dir/containerd.log")"; continue; }
    make_images
    basics
    life
    events
    streams
    wasm
    nothing_left
    containerd_stop
    umount /run
done
finish
