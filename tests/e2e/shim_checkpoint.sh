#!/bin/bash
# Checkpoints through a containerd that has them for every runtime, 2.x (ctr task checkpoint, ctr container checkpoint and restore): a container that counts goes on where it
# stopped. CRIU=PROGRAM, else criu by PATH; CONTAINERD="2.3.7 2.4.2" chooses versions.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
shim=$BUILD/containerd-shim-wherry-v1
criu=$(type -P "${CRIU:-criu}")
if [ "${SHIM_TEST_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    command -v busybox > /dev/null || why="busybox is not installed"
    [ -x "$shim" ] || why="$shim is not built"
    if [ -z "$why" ]; then SHIM_TEST_INSIDE=1 exec unshare -m --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "checkpoints through containerd" "$why"
. tests/containerd.sh
ctr() { timeout -k 1 60 "$ctr_program" -a /run/test/containerd.sock -n wherry-shim "$@"; }
PATH=$(dirname "${criu:-/usr/bin/criu}"):$PATH # the shim looks for it there

count='i=0; while true; do i=$((i+1)); echo $i > /volume/n; sleep 0.1; done'
number() { local n; n=$(cat "$dir/volume/n" 2> /dev/null); echo "${n:-0}"; } # it may just be written
counts_from() { eventually '[ "$(number)" -gt "$1" ]' "$@"; }
status_of() { ctr task ls | awk -v id="$1" '$1 == id { print $3 }'; }
remove() {
    ctr task kill -s SIGKILL "$1" > /dev/null 2>&1
    eventually 'case $(status_of "$1") in STOPPED | "") ;; *) false ;; esac' "$@"
    ctr task rm "$1" > /dev/null 2>&1
    ctr c rm "$1" > /dev/null 2>&1
}
begin() {
    rm -f "$dir/volume/n"
    ctr run -d --runtime "$shim" --mount "type=bind,src=$dir/volume,dst=/volume,options=rbind" localhost/busybox:1 c1 sh -c "$count" > "$dir/out" 2>&1
    counts_from 2
    ok "$version: a container counts" $? "$(cat "$dir/out" "$dir/containerd.log" | tail -5)"
}

checkpoints() {
    begin
    ctr task checkpoint --image-path "$dir/images" c1 > "$dir/out" 2>&1
    ok "$version: task checkpoint" $? "$(cat "$dir/out")"
    like "$version: its images" "$(ls "$dir/images" 2> /dev/null)" 'inventory.img'
    is "$version: it runs" "$(status_of c1)" RUNNING
    counts_from "$(number)"
    ok "$version: and goes on" $?
    sleep 1.1 # ctr names an image by the second
    ctr task checkpoint --exit --image-path "$dir/images2" c1 > "$dir/out" 2>&1
    ok "$version: task checkpoint --exit" $? "$(cat "$dir/out")"
    eventually '[ "$(status_of c1)" = STOPPED ]'
    is "$version: ends it" "$(status_of c1)" STOPPED
    remove c1
    is "$version: and nothing of it is left" "$(ctr c ls -q; ls /run/containerd/wherry/wherry-shim)" ""
}

restores() {
    local before
    begin
    ctr c checkpoint --image --task c1 localhost/checkpoint:1 > "$dir/out" 2>&1
    ok "$version: container checkpoint" $? "$(cat "$dir/out")"
    remove c1
    before=$(number)
    ctr c restore --live c1 localhost/checkpoint:1 > "$dir/restored" 2>&1 &
    counts_from "$before"
    ok "$version: container restore: it counts on" $? "$(cat "$dir/restored"; tail -3 "$dir/containerd.log")"
    is "$version: from where it was" "$(($(number) - before < 100))" 1
    is "$version: its state" "$(status_of c1)" RUNNING
    like "$version: exec in it" "$(ctr task exec --exec-id x1 c1 cat /volume/n 2>&1)" '^[0-9]'
    ctr task kill -s SIGKILL c1
    wait $!
    remove c1
    mv "$dir/volume" "$dir/gone"
    like "$version: a restore that fails" "$(ctr c restore --live c2 localhost/checkpoint:1 2>&1)" "mount '$dir/volume'"
    mv "$dir/gone" "$dir/volume"
    remove c2
    is "$version: leaves nothing" "$(ctr task ls -q; ctr c ls -q; pgrep -f "$shim -namespace wherry-shim"; ls /run/containerd/wherry/wherry-shim)" ""
    ctr image rm localhost/checkpoint:1 > /dev/null 2>&1
}

refusals() {
    ctr run -d --runtime "$shim" --annotation wherry.wasm.listen=8080 localhost/serve:1 w1 > "$dir/out" 2>&1
    like "$version: a Wasm container" "$(ctr task checkpoint --image-path "$dir/images3" w1 2>&1)" 'a Wasm container cannot be checkpointed'
    remove w1
}

for version in ${CONTAINERD:-2.3.7}; do
    dir=$BUILD/e2e/shim-checkpoint/$version
    rm -rf "$dir"
    mkdir -p "$dir/volume" "$dir/busybox/bin" "$dir/serve"
    why=
    containerd_programs "$version" || { skip "$version: checkpoints" "$why"; continue; }
    "${criu:-criu}" check > "$dir/check" 2>&1 || { skip "$version: checkpoints" "criu does not work here: $(tail -1 "$dir/check")"; continue; }
    cp "$(command -v busybox)" "$dir/busybox/bin/busybox"
    for applet in sh cat sleep; do ln "$dir/busybox/bin/busybox" "$dir/busybox/bin/$applet"; done
    containerd_private
    containerd_start || { tap_fail "$version: containerd starts" "$(tail -5 "$dir/containerd.log")"; umount /run; continue; }
    image localhost/busybox:1 "$dir/busybox" '{"Cmd": ["sh"], "Env": ["PATH=/bin"]}'
    ok "$version: image busybox" $? "$(cat "$dir/import.log")"
    checkpoints
    restores
    if cp "$BUILD/guests/serve.wasm" "$dir/serve/" 2> /dev/null; then
        image localhost/serve:1 "$dir/serve" '{"Entrypoint": ["/serve.wasm"]}'
        refusals
    fi
    containerd_stop
    umount /run
done
finish
