#!/bin/bash
# A Wasm container under containerd, and what shims for Wasm are known to lack: the end of standard input, a terminal, exec,
# pids, pause, the reason and code of a trap, SIGTERM, EROFS, metrics, OOM events, no capabilities for an ordinary user.
# CONTAINERD=2.3.7 chooses another containerd than Debian's.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
shim=$BUILD/containerd-shim-wherry-v1
if [ "${WASM_TEST_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in jq script; do command -v $tool >/dev/null || why="$tool is not installed"; done
    for program in "$shim" "$BUILD/guests/hello.wasm" "$BUILD/guests/trap.wasm"; do [ -e "$program" ] || why="$program is not built"; done
    if [ -z "$why" ]; then WASM_TEST_INSIDE=1 exec unshare -m -n --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "wasm under containerd" "$why"
. tests/containerd.sh
dir=$BUILD/e2e/shim-wasm
rm -rf "$dir"
mkdir -p "$dir/rootfs" "$dir/data"
containerd_programs "${CONTAINERD:-debian}" || skip_all "wasm under containerd" "$why"
ctr() { timeout -k 1 30 "$ctr_program" -a /run/test/containerd.sock -n wherry-wasm "$@"; }
containerd_private && containerd_start || { tap_fail "containerd starts" "$(tail -5 "$dir/containerd.log")"; finish; exit 1; }
cp "$BUILD/guests/hello.wasm" "$BUILD/guests/trap.wasm" "$dir/rootfs/"
mkdir "$dir/rootfs/tmp" "$dir/rootfs/data"
chmod 777 "$dir/rootfs/tmp"
image localhost/hello:1 "$dir/rootfs" '{"Entrypoint": ["/hello.wasm"]}'
ok "image" $? "$(cat "$dir/import.log")"

run() { ctr run --rm --runtime "$shim" "$@" 2>&1; }
# started ID [OPTION...]: a module that waits for a signal
started() {
    local id=$1
    shift
    ctr run -d --runtime "$shim" "$@" localhost/hello:1 "$id" /hello.wasm --sleep > "$dir/started.log" 2>&1
    ok "$id is started" $? "$(cat "$dir/started.log")"
}
status_of() { ctr task ls | awk -v id="$1" '$1 == id { print $3 }'; }
wait_for() { eventually '[ "$(status_of "$1")" = "$2" ]' "$@"; }
pid_of() { ctr task ls | awk -v id="$1" '$1 == id { print $2 }'; }
gone() {
    ctr task kill -s SIGKILL "$1" > /dev/null 2>&1
    wait_for "$1" STOPPED
    ctr task rm "$1" > /dev/null 2>&1
    ctr c rm "$1" > /dev/null 2>&1
}
# typed ID EXEC TEXT: TEXT once the process is there; before that ctr does not pass the end on
typed() {
    eventually 'ctr task ps "$1" 2> /dev/null | grep -q "${2:-^[0-9]}"' "$@"
    sleep 0.2
    printf %s "$3"
}
# on_terminal ID EXEC COMMAND...: types "abc", a line's end and the end of file once the process is there
on_terminal() {
    local id=$1 exec=$2
    shift 2
    { typed "$id" "$exec" $'abc\n\004'; sleep 1; } |
        script -qec "$ctr_program -a /run/test/containerd.sock -n wherry-wasm $*" /dev/null 2>&1 | tr -d '\r'
}

is "stdin and its end" "$(typed w1 '' hello | run localhost/hello:1 w1 /hello.wasm --stdin)" "stdin: 5 bytes, then end of file"
like "a terminal" "$(on_terminal w1 '' run --rm -t --runtime "$shim" localhost/hello:1 w1 /hello.wasm --stdin)" '^stdin: 4 bytes, then end of file$'

started w2 --memory-limit 64000000
like "exec: another module of the image" "$(ctr task exec --exec-id x1 w2 /hello.wasm second 'with words' 2>&1)" 'argument 2: with words'
ctr task exec --exec-id x1 w2 /hello.wasm --exit 5 > /dev/null 2>&1
is "exec: its exit code" $? 5
is "exec: stdin and its end" "$(typed w2 x1 abc | ctr task exec --exec-id x1 w2 /hello.wasm --stdin 2>&1)" "stdin: 3 bytes, then end of file"
like "exec with a terminal" "$(on_terminal w2 x1 task exec -t --exec-id x1 w2 /hello.wasm --stdin)" '^stdin: 4 bytes, then end of file$'
like "exec of what the image does not have" "$(ctr task exec --exec-id x1 w2 /bin/sh 2>&1)" '/bin/sh.*no such file'
like "pids" "$(ctr task ps w2 2>&1)" "^$(pid_of w2)"
ctr task pause w2
is "paused" "$(status_of w2)" PAUSED
ctr task resume w2
is "resumed" "$(status_of w2)" RUNNING
metrics=$(ctr task metrics --format json w2 2>&1)
number='^[1-9][0-9]*$'
like "metrics: cpu" "$(printf %s "$metrics" | jq '[.cpu.usage.total?, .cpu.usage_usec?] | map(select(. != null))[0]')" "$number"
like "metrics: memory in use" "$(printf %s "$metrics" | jq '.memory.usage | if type == "object" then .usage else . end')" "$number"
is "metrics: memory limit" "$(printf %s "$metrics" | jq '[.memory.usage_limit?, (.memory.usage | objects | .limit)] | map(select(. != null))[0] | . / 4096 | floor')" "$((64000000 / 4096))"
like "metrics: pids" "$(printf %s "$metrics" | jq .pids.current)" "$number"
ctr task kill -s SIGTERM w2
wait_for w2 STOPPED
like "SIGTERM ends it, as pid 1 too" "$(ctr task rm w2 2>&1)" 'exit code 143'
ctr c rm w2

for how in unreachable memory divide; do
    out=$(run localhost/hello:1 w3 /trap.wasm $how)
    is "trap $how: exit code" $? 134
    like "trap $how: reason" "$out" 'wherry: trap: '
done
out=$(run --mount "type=bind,src=$dir/data,dst=/data,options=rbind:ro" localhost/hello:1 w4 /hello.wasm --write /data/file text)
is "a read-only mount: the guest's exit code" $? 1
like "a read-only mount: EROFS" "$out" 'Read-only file system'
out=$(run --mount "type=bind,src=$dir/data,dst=/data,options=rbind:rw" localhost/hello:1 w4 /hello.wasm --write /data/file text)
is "a writable mount" "$(cat "$dir/data/file" 2>&1)" text

ctr events > "$dir/events.log" 2>&1 &
events=$!
eventually 'ctr images label localhost/hello:1 heard=$RANDOM > /dev/null; [ -s "$dir/events.log" ]'
run --memory-limit 20000000 localhost/hello:1 w5 /hello.wasm --grow 100 > /dev/null
is "over its memory limit it is killed" $? 137
eventually 'grep -q /tasks/delete "$dir/events.log"'
kill $events
wait $events 2> /dev/null
is "events: OOM before exit" "$(grep -o '/tasks/[a-z]*' "$dir/events.log" | uniq | tr '\n' ' ')" "/tasks/create /tasks/start /tasks/oom /tasks/exit /tasks/delete "

image localhost/hello:user "$dir/rootfs" '{"Entrypoint": ["/hello.wasm"], "User": "1000:1000"}'
ctr run -d --runtime "$shim" localhost/hello:user w6 /hello.wasm --sleep
is "an ordinary user: no capabilities" "$(sed -n 's/^Cap\(Eff\|Prm\|Inh\|Amb\):\t//p' "/proc/$(pid_of w6)/status" | sort -u)" 0000000000000000
is "an ordinary user: its id" "$(awk '/^Uid/ { print $2 }' "/proc/$(pid_of w6)/status")" 1000
gone w6
out=$(run localhost/hello:user w7 /hello.wasm --write /hello.wasm text)
like "an ordinary user does not write into root's directories" "$out" 'Permission denied'
is "nothing is left" "$(ctr task ls -q)$(ls /run/containerd/wherry/wherry-wasm 2> /dev/null)" ""
containerd_stop
finish
