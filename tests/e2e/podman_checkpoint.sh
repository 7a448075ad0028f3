#!/bin/bash
# podman container checkpoint and restore with wherry: in place, exported and imported, left running. CRIU=PROGRAM, else criu by PATH;
# RUNTIME=/path/of/another is the reference.
# Everything is private: own storage below build/, own mount namespace, cgroups by cgroupfs. (criu does not work in a new network namespace.)
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
runtime=${RUNTIME:-$BUILD/wherry}
criu=$(type -P "${CRIU:-criu}")
if [ "${PODMAN_TEST_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in podman conmon busybox; do command -v $tool > /dev/null || why="$tool is not installed"; done
    [ -x "$runtime" ] || why="$runtime is not built"
    [ -n "$why" ] || "${criu:-criu}" check > /dev/null 2>&1 || why="no criu that works here"
    if [ -z "$why" ]; then PODMAN_TEST_INSIDE=1 exec unshare -m --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
. tests/podman.sh
[ -z "${why:-}" ] || skip_all "podman's checkpoints" "$why"
PATH=$(dirname "$criu"):$PATH

dir=$BUILD/e2e/podman-checkpoint
rm -rf "$dir"
mkdir -p "$dir/volume" "$dir/image/bin" "$dir/image/tmp"
podman_config "$dir/networks" > "$dir/containers.conf"
export CONTAINERS_CONF=$dir/containers.conf PODMAN_IGNORE_CGROUPSV1_WARNING=1
podman_in_test() {
    timeout -k 5 120 podman --root "$dir/root" --runroot "$dir/runroot" --storage-driver vfs --tmpdir "$dir/tmp" --runtime "$runtime" "$@"
}
# works NAME ARGUMENT...: podman's command
works() {
    podman_in_test "${@:2}" > "$dir/out" 2>&1 < /dev/null
    ok "$1" $? "$(cat "$dir/out")"
}
number() { local n; n=$(cat "$dir/volume/n" 2> /dev/null); echo "${n:-0}"; } # it may just be written
counts_from() { eventually '[ "$(number)" -gt "$1" ]' "$@"; }
goes_on() { counts_from "$2"; ok "$1: it counts on" $?; is "$1: from where it was" "$(($(number) - $2 < 100))" 1; }
state_of() { podman_in_test inspect --format '{{.State.Status}}' counter 2>&1; }

cp "$(command -v busybox)" "$dir/image/bin/busybox"
for applet in sh sleep cat; do ln "$dir/image/bin/busybox" "$dir/image/bin/$applet"; done
tar -C "$dir/image" -c . | podman_in_test import - localhost/busybox > "$dir/out" 2>&1
ok "the image" $? "$(cat "$dir/out")"
works "run" run -d --name counter --network none -v "$dir/volume:/volume" localhost/busybox \
    sh -c 'i=0; while true; do i=$((i+1)); echo $i > /volume/n; sleep 0.1; done'
counts_from 3
works "checkpoint --leave-running" container checkpoint --leave-running counter
is "it runs" "$(state_of)" running
goes_on "left running" "$(number)"
works "checkpoint" container checkpoint --keep counter
is "it is stopped" "$(state_of)" exited
before=$(number)
works "restore" container restore --keep counter
goes_on "restored" "$before"
is "its state" "$(state_of)" running
like "exec in it" "$(podman_in_test exec counter cat /volume/n 2>&1)" '^[0-9]'
like "its cgroups" "$(podman_in_test exec counter cat /proc/self/cgroup 2>&1)" ':/'
works "checkpoint --export" container checkpoint --export "$dir/checkpoint.tar" counter
before=$(number)
works "rm" rm counter
works "restore --import" container restore --import "$dir/checkpoint.tar"
goes_on "imported" "$before"
works "stop" stop -t 0 counter
works "rm" rm counter
is "nothing is left" "$(podman_in_test ps -aq)" ""
finish
