#!/bin/bash
# Docker runs native and Wasm containers with wherry as a runtime of its daemon. Everything is private: a dockerd with its own
# root, state, socket and containerd, in its own mount and network namespace; nothing else of the machine is touched.
# RUNTIME=/path/of/another runs the native cases with that one.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
runtime=${RUNTIME:-$BUILD/wherry}
if [ "${DOCKER_TEST_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in dockerd docker containerd busybox jq; do command -v $tool > /dev/null || why="$tool is not installed"; done
    [ -x "$runtime" ] || why="$runtime is not built"
    if [ -z "$why" ]; then DOCKER_TEST_INSIDE=1 exec unshare -m -n --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "Docker with wherry" "$why"
busybox ifconfig lo up

dir=$BUILD/e2e/docker name=wherry-docker-$$
rm -rf "$dir"
mkdir -p "$dir/images" "$dir/run"
mount -t tmpfs run "$dir/run"
# a path of a socket is at most 107 bytes long
socket=/run/$name.sock
wasm=
case $(basename "$runtime") in wherry) [ -e "$BUILD/guests/hello.wasm" ] && wasm=1 ;; esac
jq -n --arg runtime "$runtime" '{runtimes: {tested: {path: $runtime}}, "default-runtime": "tested", "storage-driver": "vfs",
    bridge: "none", iptables: false, "exec-opts": ["native.cgroupdriver=cgroupfs"], "cgroup-parent": $parent}' \
    --arg parent "/$name" > "$dir/daemon.json"
daemon=
stop_daemon() {
    [ -z "$daemon" ] || { kill "$daemon" 2> /dev/null && wait "$daemon" 2> /dev/null; }
    rm -f "$socket"
}
trap stop_daemon EXIT
dockerd --config-file "$dir/daemon.json" --data-root "$dir/root" --exec-root "$dir/run/exec" --pidfile "$dir/run/pid" \
    --host "unix://$socket" > "$dir/dockerd.log" 2>&1 &
daemon=$!
docker_() { timeout 120 docker --host "unix://$socket" "$@" < /dev/null; }
for _ in $(seq 600); do
    docker_ version > /dev/null 2>&1 && break
    kill -0 $daemon 2> /dev/null || break
    sleep 0.2
done
docker_ version > "$dir/version" 2>&1 || { daemon=; skip_all "Docker with wherry" "dockerd does not start here: $(grep -v level=info "$dir/dockerd.log" | tail -1)"; }
echo "# dockerd $(docker_ version --format '{{.Server.Version}}')"

run() { docker_ run --rm --network none "$@" 2>&1; }
# expect NAME STATUS PATTERN COMMAND...
expect() {
    local name=$1 status=$2 pattern=$3 out got
    shift 3
    out=$("$@" 2>&1)
    got=$?
    [ $got = "$status" ] || { tap_fail "$name" "exit status $got, wanted $status; output: $out"; return; }
    like "$name" "$out" "$pattern"
}
# image NAME ENTRYPOINT-JSON ROOTFS [OPTION...]
image() {
    tar -C "$3" -c . | timeout 120 docker --host "unix://$socket" import --change "ENTRYPOINT $2" "${@:4}" - "$1" > "$dir/import.log" 2>&1
    ok "image $1" $? "$(cat "$dir/import.log")"
}
mkdir -p "$dir/images/busybox/bin" "$dir/images/busybox/tmp"
cp "$(command -v busybox)" "$dir/images/busybox/bin/busybox"
for applet in sh echo cat sleep true id; do ln "$dir/images/busybox/bin/busybox" "$dir/images/busybox/bin/$applet"; done
cp "$BUILD/guests/hello-native" "$dir/images/busybox/bin/hello"
image busybox '[]' "$dir/images/busybox"
if [ -n "$wasm" ]; then
    mkdir -p "$dir/images/hello"
    cp "$BUILD/guests/hello.wasm" "$dir/images/hello/"
    image hello '["/hello.wasm"]' "$dir/images/hello"
fi

wait_for_log() { eventually 'docker_ logs "$1" 2> /dev/null | grep -q "$2"' "$@"; }
value() { docker_ inspect --format "$2" "$1" 2>&1; }

# the cases that hold for both kinds; $1 says which, the rest is image and command of the program "hello"
both_kinds() {
    local kind=$1 id
    shift
    expect "$kind: output and arguments" 0 'argument 2: two words' run "$@" one "two words"
    expect "$kind: exit code" 3 '' run "$@" --exit 3
    expect "$kind: --env" 0 'environment: FLAVOUR=salt' run --env FLAVOUR=salt "$@"
    expect "$kind: --read-only root is EROFS" 1 'Read-only file system' run --read-only "$@" --write /new x
    expect "$kind: user 1000:1000 cannot write what root owns" 1 'Permission denied' run --user 1000:1000 "$@" --write /new x
    expect "$kind: --tmpfs is writable" 0 'wrote /scratch/x' run --tmpfs /scratch "$@" --write /scratch/x y
    id=$(docker_ run -d --network none --memory 64m --pids-limit 50 "$@" --sleep 2> "$dir/error") || { tap_fail "$kind: run -d" "$(cat "$dir/error")"; return; } # where it warns, too
    wait_for_log "$id" waiting
    is "$kind: logs" "$(docker_ logs "$id" 2>&1)" waiting
    is "$kind: it runs" "$(value "$id" '{{.State.Status}}')" running
    expect "$kind: exec" 4 '' docker_ exec "$id" "${2:-/hello.wasm}" --exit 4
    like "$kind: stats" "$(docker_ stats --no-stream --format '{{.MemUsage}} {{.PIDs}}' "$id" 2>&1)" '/ 64MiB [1-9]'
    if ps -ef > /dev/null 2>&1; then like "$kind: top" "$(docker_ top "$id" 2>&1)" 'hello'; else skip "$kind: top" "ps -ef itself does not work here"; fi
    expect "$kind: pause" 0 '' docker_ pause "$id"
    is "$kind: it is paused" "$(value "$id" '{{.State.Status}}')" paused
    expect "$kind: unpause" 0 '' docker_ unpause "$id"
    expect "$kind: update --memory" 0 '' docker_ update --memory 96m --memory-swap 96m "$id"
    like "$kind: and stats say so" "$(docker_ stats --no-stream --format '{{.MemUsage}}' "$id" 2>&1)" '/ 96MiB'
    expect "$kind: stop" 0 '' docker_ stop --time 1 "$id"
    like "$kind: its exit code" "$(value "$id" '{{.State.ExitCode}}')" '^\(137\|143\)$'
    expect "$kind: start again" 0 '' docker_ start "$id"
    expect "$kind: restart" 0 '' docker_ restart --time 0 "$id"
    expect "$kind: kill" 0 '' docker_ kill "$id"
    is "$kind: wait" "$(docker_ wait "$id" 2>&1)" 137
    expect "$kind: rm" 0 '' docker_ rm "$id"
}
both_kinds native busybox hello
expect "native: a program that is not there is named" 127 'nowhere' run busybox /bin/nowhere
is "native: healthcheck" "$(id=$(docker_ run -d --network none --health-cmd true --health-interval 1s busybox sleep 100)
    eventually '[ "$(value "$id" "{{.State.Health.Status}}")" != starting ]'
    value "$id" '{{.State.Health.Status}}'; docker_ rm -f "$id" > /dev/null)" healthy
if [ -z "$wasm" ]; then
    skip "wasm: all cases" "$(basename "$runtime") is not wherry, or build/guests/hello.wasm could not be built here"
else
    both_kinds wasm hello
    # 20.10 imports for other platforms and, as long as it is not told to run for one, asks no question
    tar -C "$dir/images/hello" -c . | timeout 120 docker --host "unix://$socket" import --platform wasi/wasm --change 'ENTRYPOINT ["/hello.wasm"]' - platform > "$dir/import.log" 2>&1
    if docker_ image inspect --format '{{.Os}}/{{.Architecture}}' platform 2> /dev/null | grep -q wasi/wasm; then
        expect "an image of platform wasi/wasm" 0 'argument 1: one' run --platform wasi/wasm platform one
    else
        skip "an image of platform wasi/wasm" "this Docker imports none: $(tail -1 "$dir/import.log")"
    fi
fi
is "nothing is left: containers" "$(docker_ ps -aq)" ""
stop_daemon
daemon=
is "nothing is left: cgroups" "$(find /sys/fs/cgroup -maxdepth 2 -name "$name" -exec find {} -mindepth 1 -type d \; 2> /dev/null)" ""
find /sys/fs/cgroup -maxdepth 2 -name "$name" -exec rmdir {} \; 2> /dev/null
finish
