#!/bin/bash
# Modules with threads: on the command line, and in containers, where a limit on processes bounds them and the end of one
# thread ends the container.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
. tests/tap.sh
wherry=$BUILD/wherry guest=$BUILD/guests/threads.wasm
[ -x "$wherry" ] || skip_all "threads" "$wherry is not built"
[ -e "$guest" ] || skip_all "threads" "no clang for wasm32 on this machine"
dir=$BUILD/e2e/threads
rm -rf "$dir"
mkdir -p "$dir/rootfs/etc" "$dir/state"
cp "$guest" "$dir/rootfs/threads.wasm"

# alone ARG...: the module's output and status
alone() {
    timeout -k 5 60 "$wherry" wasm run --confined --dir "$dir/rootfs::/" "$guest" "$@" 2>&1 < /dev/null
    echo "status $?"
}
is "a bounded queue" "$(alone queue)" "sum: 50010000
status 0"
is "a mutex and a counter" "$(alone counter)" "under the mutex: 160000
by addition: 720000
status 0"
is "files from all threads" "$(alone files)" "threads done: 8
status 0"
is "memory grown by all threads" "$(alone grow)" "threads done: 8
status 0"
# Each thread's store reserves 4 GiB of addresses, and a process of user-mode Linux has 512 GiB of them (others 128 TiB): some 130
# threads fit there, the next is refused, which the module is told. The stack lies at the top.
top=$(awk '/\[stack\]/ { sub(/-.*/, "", $1); print length($1) }' /proc/self/maps)
if [ "${top:-12}" -le 10 ]; then
    like "the first thread's return ends the others (as many as 512 GiB of addresses hold)" "$(alone many | tr '\n' ' ')" \
        '^threads started: 1[0-9][0-9] status 0 $'
else
    is "the first thread's return ends the others" "$(alone many)" "threads started: 200
status 0"
fi
trapped=$(alone trap)
like "a trap in a thread ends the process" "$trapped" '^status 134$'
is "the trap is told once" "$(printf '%s\n' "$trapped" | grep -c 'trap: unreachable')" 1
like "with the thread's own backtrace" "$trapped" ' wasi_thread_start (at '
is "proc_exit in a thread ends the process" "$(alone exit)" "status 42"

if [ "$(id -u)" != 0 ] || ! command -v jq > /dev/null; then
    skip "threads in a container" "needs root and jq"
    finish
    exit
fi
# contained FILTER ARG...: the same in a container whose configuration jq's FILTER has changed
contained() {
    filter=$1
    shift
    tests/bundle "$dir/bundle" "$dir/rootfs" --cgroup "/wherry-threads-$$" -- /threads.wasm "$@"
    jq "$filter" "$dir/bundle/config.json" > "$dir/config.json" && mv "$dir/config.json" "$dir/bundle/config.json"
    timeout -k 5 60 "$wherry" --root "$dir/state" run --bundle "$dir/bundle" "wherry-threads-$$" 2>&1 < /dev/null
    echo "status $?"
}
is "in a container: a bounded queue" "$(contained . queue)" "sum: 50010000
status 0"
is "in a container: files" "$(contained . files)" "threads done: 8
status 0"
like "in a container: a trap in a thread" "$(contained . trap)" '^status 134$'
is "in a container: proc_exit in a thread" "$(contained . exit)" "status 42"
is "in a container: a limit on processes" "$(contained '.linux.resources.pids.limit = 20' many)" "threads started: 19
status 0"
finish
