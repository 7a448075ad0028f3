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

# each with a limit, since what hangs here would hang the whole suite
ctr() { timeout -k 1 30 "$ctr_program" -a /run/test/containerd.sock -n wherry-shim "$@"; }
run() { ctr run --rm --runtime "$shim" "$@"; }

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
    expect "$version: more output than a pipe holds" 0 '^1000000$' eval 'run localhost/busybox:1 c1 dd if=/dev/zero bs=1000 count=1000 2> /dev/null | wc -c'
    # a client that hears of the exit closes its end of the fifo
    expect "$version: output that is read late" 0 '^150000$' eval 'run localhost/busybox:1 c1 dd if=/dev/zero bs=1000 count=150 2> /dev/null | { sleep 0.5; wc -c; }'
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
    ctr task kill -s SIGKILL "$1" > /dev/null 2>&1
    eventually '[ "$(status_of "$1")" = STOPPED ]' "$@"
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
    eventually '[ "$(status_of c2)" = STOPPED ]'
    is "$version: killed" "$(status_of c2)" STOPPED
    expect "$version: the exit status is 137" 0 'exit code 137' ctr task rm c2
    ctr c rm c2
}

# listens LOG: waits until `ctr events` writes into LOG, of which it says nothing by itself
listens() { eventually 'ctr images label localhost/busybox:1 heard=$RANDOM > /dev/null; [ -s "$1" ]' "$@"; }
events() {
    local pid
    ctr events > "$dir/events.log" 2>&1 &
    pid=$!
    listens "$dir/events.log"
    run localhost/busybox:1 c3 true
    eventually 'grep -q /tasks/delete "$dir/events.log"'
    kill $pid
    wait $pid 2>/dev/null
    is "$version: events in order" "$(grep -o '/tasks/[a-z]*' "$dir/events.log" | tr '\n' ' ')" \
        "/tasks/create /tasks/start /tasks/exit /tasks/delete "
}

execs() {
    local pid
    started e1 sleep 1000
    expect "$version: exec" 5 'in there' ctr task exec --exec-id x1 e1 sh -c 'echo in there; exit 5'
    like "$version: exec is in the pid namespace" "$(ctr task exec --exec-id x1 e1 ps 2>&1)" ' 1 .*sleep 1000'
    is "$version: exec: stdin and its end" "$(typed e1 x1 hello | ctr task exec --exec-id x1 e1 wc -c 2>&1)" 5
    like "$version: exec with a terminal" "$(script -qec "$ctr_program -a /run/test/containerd.sock -n wherry-shim task exec -t --exec-id x1 e1 tty" /dev/null 2>&1 < /dev/null)" '/dev/pts'
    expect "$version: exec of what is not there" 1 'nowhere' ctr task exec --exec-id x1 e1 /nowhere
    ctr task pause e1
    is "$version: paused" "$(status_of e1)" PAUSED
    expect "$version: no exec in a paused container" 1 'paused' ctr task exec --exec-id x1 e1 true
    ctr task resume e1
    is "$version: resumed" "$(status_of e1)" RUNNING
    expect "$version: and exec works again" 0 '' ctr task exec --exec-id x1 e1 true
    ctr task exec --exec-id x2 e1 sleep 500 &
    pid=$!
    eventually 'ctr task ps e1 | grep -q x2'
    like "$version: task ps knows the exec" "$(ctr task ps e1)" 'x2'
    ctr task kill -s SIGKILL e1
    wait $pid
    is "$version: the container's end ends the exec" $? 137
    gone e1
    started e2 sleep 1000
    ctr task pause e2
    gone e2
    is "$version: a paused container can be killed" "$(ctr task ls -q)" ""
}

# typed ID EXEC TEXT: TEXT once the process is there; before that ctr does not pass the end on
typed() {
    eventually 'ctr task ps "$1" 2> /dev/null | grep -q "${2:-^[0-9]}"' "$@"
    sleep 0.2
    printf %s "$3"
}

streams() {
    is "$version: stdin and its end" "$(typed c4 '' hello | run localhost/busybox:1 c4 wc -c 2>&1)" 5
    like "$version: a terminal" "$(script -qec "$ctr_program -a /run/test/containerd.sock -n wherry-shim run --rm -t --runtime $shim localhost/busybox:1 c4 sh -c 'tty; stty size'" /dev/null 2>&1 < /dev/null)" '/dev/'
}

# a logger: the shell, which writes what it gets and who it is for
loggers() {
    local log=$dir/logged
    cat > "$dir/logger" <<'END'
#!/bin/sh
exec 5>&-
{ cat <&3 & cat <&4; wait; echo "of $CONTAINER_NAMESPACE $CONTAINER_ID"; } > "$2"
END
    chmod +x "$dir/logger"
    ctr run --log-uri "binary://$dir/logger?file=$log" --runtime "$shim" -d localhost/busybox:1 g2 sh -c 'echo out; echo err >&2' > "$dir/started.log" 2>&1
    ok "$version: a container with a logger is started" $? "$(cat "$dir/started.log")"
    eventually '[ "$(status_of g2)" = STOPPED ] && grep -q "^of" "$log"'
    is "$version: the logger got both streams and their end" "$(sort "$log" 2>&1 | tr '\n' ' ')" "err of wherry-shim g2 out "
    gone g2
    ctr run --log-uri "binary:///nowhere/logger" --runtime "$shim" -d localhost/busybox:1 g3 true > "$dir/started.log" 2>&1
    like "$version: no such logger" "$(cat "$dir/started.log")" 'cannot run the logger /nowhere/logger'
    ctr c rm g3
    ctr run --log-uri "file://$dir/new/log" --runtime "$shim" -d localhost/busybox:1 g4 sh -c 'echo out; echo err >&2' > "$dir/started.log" 2>&1
    eventually '[ "$(status_of g4)" = STOPPED ]'
    is "$version: a file as log" "$(sort "$dir/new/log" 2>&1 | tr '\n' ' ')" "err out "
    gone g4
}

config_path() {
    printf 'Root = "%s/other"\n' "$dir" > "$dir/options.toml"
    ctr run --runtime-config-path "$dir/options.toml" --runtime "$shim" -d localhost/busybox:1 f1 sleep 1000 > "$dir/started.log" 2>&1
    ok "$version: options in a file of their own" $? "$(cat "$dir/started.log")"
    is "$version: and they hold" "$(ls "$dir/other/wherry-shim" 2>&1)" f1
    gone f1
    like "$version: no such file of options" "$(ctr run --runtime-config-path /nowhere.toml --runtime "$shim" -d localhost/busybox:1 f2 true 2>&1)" 'ConfigPath, /nowhere.toml'
    ctr c rm f2 2> /dev/null
    is "$version: nothing is left there" "$(ls "$dir/other/wherry-shim")" ""
}

wasm() {
    [ -e "$dir/hello" ] || { skip "$version: wasm" "build/guests/hello.wasm could not be built here"; return; }
    case $(basename "$shim") in *wherry*) ;; *) return ;; esac
    expect "$version: wasm: output and arguments" 0 'Hello from C!' run localhost/hello:1 w1
    expect "$version: wasm: exit code" 3 '' run localhost/hello:1 w1 /hello.wasm --exit 3
}

# twenty containers live through a containerd that is killed and comes back, and their ends while it is away are not lost
restart() {
    local i good=0
    for i in $(seq 20); do
        ctr run -d --runtime "$shim" localhost/busybox:1 "r$i" sh -c "echo ready; while [ ! -e /go ]; do sleep 0.1; done; exit $i" > "$dir/r$i.log" 2>&1 ||
            tap_fail "$version: r$i is started" "$(cat "$dir/r$i.log")"
    done
    is "$version: twenty containers" "$(ctr task ls | grep -c RUNNING)" 20
    containerd_kill
    inits=
    for i in $(seq 20); do inits="$inits /proc/$(pid_of_container "r$i")/comm"; done
    for i in $(seq 10); do touch "/proc/$(pid_of_container "r$i")/root/go"; done
    eventually '[ "$(cat $inits 2> /dev/null | wc -l)" = 10 ]'
    containerd_start
    is "$version: after containerd was killed and restarted all are there" "$(ctr task ls -q | wc -l)" 20
    is "$version: ten of them run" "$(ctr task ls | grep -c RUNNING)" 10
    for i in $(seq 11 20); do touch "/proc/$(pid_of_container "r$i")/root/go"; done
    eventually '[ "$(ctr task ls | grep -c STOPPED)" = 20 ]'
    for i in $(seq 20); do
        ctr task rm "r$i" 2>&1 | grep -q "exit code $i\"" && good=$((good + 1))
        ctr c rm "r$i"
    done
    is "$version: each has its own exit code" $good 20
}
# the init's pid as the shim's state file has it, which needs no containerd
pid_of_container() { sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' "/run/containerd/wherry/wherry-shim/$1/state.json" | head -1; }

shim_of() { pgrep -of "$shim -namespace wherry-shim .*-id $1( |\$)"; } # the oldest: its workers look like it

# what a shim's death leaves is removed by containerd running \`delete\`
shim_killed() {
    local pid
    started k1 sleep 1000
    pid=$(pid_of_container k1)
    kill -9 "$(shim_of k1)"
    eventually '[ -z "$(ctr task ls -q)" ]'
    is "$version: shim killed: no task" "$(ctr task ls -q)" ""
    is "$version: shim killed: the container is ended" "$(tr '\0' ' ' < "/proc/$pid/cmdline" 2>/dev/null)" ""
    ctr c rm k1
}

oom() {
    ctr events > "$dir/oom.log" 2>&1 &
    local pid=$!
    listens "$dir/oom.log"
    expect "$version: over its memory limit it is killed" 137 '' run --memory-limit 20000000 localhost/busybox:1 o1 \
        sh -c 'dd if=/dev/zero of=/dev/null bs=200M count=1; exit 137'
    eventually 'grep -q /tasks/delete "$dir/oom.log"'
    kill $pid
    wait $pid 2>/dev/null
    is "$version: OOM before exit" "$(grep -o '/tasks/\(oom\|exit\)' "$dir/oom.log" | uniq | tr '\n' ' ')" "/tasks/oom /tasks/exit "
}

bad_input() {
    local pid
    ctr c create --runtime "$shim" localhost/busybox:1 b1 sh > /dev/null 2>&1
    like "$version: unknown runtime options are refused by name" \
        "$(printf '\012\007unknown' | "$shim" -namespace wherry-shim -address x -publish-binary x -id b1 start 2>&1)" 'unknown\|config.json'
    like "$version: start without a bundle says so" "$(cd "$dir" && "$shim" -namespace wherry-shim -address x -id b1 start 2>&1 < /dev/null)" 'config.json'
    like "$version: no verb" "$("$shim" 2>&1)" 'run by containerd'
    like "$version: -v" "$("$shim" -v)" 'containerd-shim-wherry-v1'
    like "$version: -info" "$("$shim" -info < /dev/null | tr -d '\000-\037')" 'io.containerd.wherry.v1'
    like "$version: -info claims what there is" "$("$shim" -info < /dev/null | grep -ao '{.*}' | jq -r '.linux.namespaces | join(" ")')" 'mount'
    ctr c rm b1
    is "$version: delete of what never was" "$(mkdir -p "$dir/empty"; cd "$dir/empty" && "$shim" -namespace wherry-shim -address x -id nobody -bundle "$dir/empty" delete > /dev/null 2>&1; echo $?)" 0
}

cycles() {
    local pid
    started p1 sleep 1000
    gone p1
    is "$version: the shim ends with its last container" "$(eventually '[ -z "$(shim_of p1)" ]'; shim_of p1)" ""
}

nothing_left() {
    eventually '[ -z "$(pgrep -f "$shim -namespace wherry-shim")" ]'
    is "$version: nothing is left: tasks" "$(ctr task ls -q)" ""
    is "$version: nothing is left: shims" "$(pgrep -f "$shim -namespace wherry-shim" | tr '\n' ' ')" ""
    is "$version: nothing is left: sockets" "$(ls /run/containerd/s 2>/dev/null)" ""
    is "$version: nothing is left: states" "$(ls /run/containerd/wherry/wherry-shim 2>/dev/null)" ""
    is "$version: nothing is left: mounts" "$(grep -c rootfs /proc/self/mountinfo)" 0
    is "$version: nothing is left: cgroups" "$(find /sys/fs/cgroup -path '*/wherry-shim/*' -type d 2>/dev/null)" ""
}

for version in ${CONTAINERD:-debian 1.7.34 2.3.7 2.4.2}; do
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
    execs
    streams
    wasm
    case $(basename "$shim") in *wherry*) loggers; config_path; restart; shim_killed; bad_input ;; esac
    oom
    cycles
    nothing_left
    containerd_stop
    umount /run
done
finish
