#!/bin/bash
# A pod through CRI, as a kubelet would make it: an init container, a Wasm container and a native sidecar, all in one shim.
# Needs containerd 2.x and crictl, built beforehand (tests/containerd.sh); pods are on the host's network, so no CNI.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
shim=${SHIM:-$BUILD/containerd-shim-wherry-v1}
version=${CONTAINERD:-2.3.7}
crictl_program=${XDG_CACHE_HOME:-$HOME/.cache}/wherry-tests/cri-tools-1.36.0/crictl
if [ "${POD_TEST_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq; do command -v $tool >/dev/null || why="$tool is not installed"; done
    for program in "$shim" "$BUILD/guests/hello.wasm"; do [ -e "$program" ] || why="$program is not built"; done
    [ -x "$crictl_program" ] || why="crictl 1.36.0 is not in ${XDG_CACHE_HOME:-~/.cache}/wherry-tests"
    if [ -z "$why" ]; then POD_TEST_INSIDE=1 exec unshare -m -n -u --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "a pod through CRI" "$why"
. tests/containerd.sh
dir=$BUILD/e2e/shim-pod${SANDBOXER:+-$SANDBOXER}
rm -rf "$dir"
mkdir -p "$dir/logs"
containerd_programs "$version" || skip_all "a pod through CRI" "$why"
ctr() { timeout -k 1 30 "$ctr_program" -a /run/test/containerd.sock -n k8s.io "$@"; }
printf 'runtime-endpoint: unix:///run/test/containerd.sock\nimage-endpoint: unix:///run/test/containerd.sock\n' > "$dir/crictl.yaml"
crictl() { timeout -k 1 60 "$crictl_program" -c "$dir/crictl.yaml" "$@"; }

mount --make-rshared /
containerd_private
containerd_cri wherry "$shim" localhost/pause:1
containerd_start || { tap_fail "containerd starts" "$(tail -5 "$dir/containerd.log")"; finish; exit 1; }
mkdir -p "$dir/busybox/bin" "$dir/busybox/tmp" "$dir/busybox/etc" "$dir/hello"
cp "$(type -P busybox)" "$dir/busybox/bin/busybox"
for applet in sh echo cat sleep true ps wc; do ln "$dir/busybox/bin/busybox" "$dir/busybox/bin/$applet"; done
cp "$BUILD/guests/hello.wasm" "$dir/hello/"
image localhost/pause:1 "$dir/busybox" '{"Entrypoint": ["/bin/sleep", "1000000"]}'
ok "image pause" $? "$(cat "$dir/import.log")"
image localhost/busybox:1 "$dir/busybox" '{"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]}'
image localhost/hello:1 "$dir/hello" '{"Entrypoint": ["/hello.wasm"]}'
ok "image hello" $? "$(cat "$dir/import.log")"

cat > "$dir/pod.json" <<END
{"metadata": {"name": "pod", "uid": "pod-uid", "namespace": "default"}, "log_directory": "$dir/logs",
 "linux": {"cgroup_parent": "/wherry-pod-$$", "security_context": {"namespace_options": {"network": 2, "pid": 1}}}}
END
# container NAME IMAGE COMMAND-JSON [MORE-JSON]: made and started in the pod; its id
container() {
    jq -n --arg name "$1" --arg image "$2" --argjson command "$3" --argjson more "${4:-{\}}" '
        {metadata: {name: $name}, image: {image: $image}, log_path: ($name + ".log"),
         linux: {security_context: {namespace_options: {network: 2, pid: 1}}}}
        + (if $command == [] then {} else {command: $command} end) * $more' > "$dir/$1.json"
    id=$(crictl create "$pod" "$dir/$1.json" "$dir/pod.json" 2> "$dir/error") && crictl start "$id" > /dev/null 2>> "$dir/error" && echo "$id" || cat "$dir/error"
}
state_of() { crictl inspect "$1" 2>/dev/null | jq -r '.status.state'; }
wait_for() { eventually '[ "$(state_of "$1")" = "$2" ]' "$@"; }
log() { cut -d' ' -f4- "$dir/logs/$1.log" 2>&1; }

pod=$(crictl runp -r wherry "$dir/pod.json" 2>&1)
like "the pod's sandbox runs" "$pod" '^[0-9a-f]\{64\}$'
first=$(container first localhost/busybox:1 '["/bin/sh", "-c", "echo prepared; exit 0"]')
wait_for "$first" CONTAINER_EXITED
is "init container: its output" "$(log first)" prepared
is "init container: its exit code" "$(crictl inspect "$first" | jq .status.exitCode)" 0
side=$(container side localhost/busybox:1 '["/bin/sh", "-c", "echo side; trap \"exit 5\" TERM; while :; do sleep 0.1; done"]')
like "native sidecar is started" "$side" '^[0-9a-f]\{64\}$'
wasm=$(container wasm localhost/hello:1 '["/hello.wasm", "--sleep"]' '{"args": []}')
like "wasm container is started" "$wasm" '^[0-9a-f]\{64\}$'
is "both run" "$(state_of "$side") $(state_of "$wasm")" "CONTAINER_RUNNING CONTAINER_RUNNING"
once=$(container once localhost/hello:1 '["/hello.wasm", "one", "two words"]')
wait_for "$once" CONTAINER_EXITED
like "wasm: its log" "$(log once)" 'argument 2: two words'
eventually '[ "$(pgrep -fc "$shim -namespace k8s.io")" = 1 ]' # a worker of it looks like it until it is done
is "one shim serves the whole pod" "$(pgrep -fc "$shim -namespace k8s.io")" 1
like "exec in the sidecar" "$(crictl exec -s "$side" echo in the sidecar 2>&1)" 'in the sidecar'
crictl exec -s "$side" sh -c 'exit 4' > /dev/null 2>&1
ok "exec: a failure is a failure" $(($? == 0))
like "stats of the wasm container" "$(crictl stats -o json "$wasm" | jq -r '.stats[0].memory.workingSetBytes.value')" '^[1-9]'
like "stats of the sidecar: cpu" "$(crictl stats -o json "$side" | jq -r '.stats[0].cpu.usageCoreNanoSeconds.value')" '^[1-9]'
like "logs through crictl" "$(crictl logs "$side" 2>&1)" side
like "update of limits" "$(crictl update --memory 50000000 "$side" 2>&1)" "$side"
is "and the limit is there" "$(cat /sys/fs/cgroup{/memory,}/wherry-pod-$$/"$side"/memory.{limit_in_bytes,max} 2>/dev/null)" "$((50000000 / 4096 * 4096))"
# modules that are layers by themselves, which containerd hands to nobody
layer_image() { # NAME FILE LAYER-TYPE CONFIG-TYPE
    LAYER_TYPE=$3 CONFIG_TYPE=$4 image "localhost/$1:1" "$2" '{}' wasm wasip1
    ok "image $1" $? "$(cat "$dir/import.log")"
}
layer_image artifact "$BUILD/guests/hello.wasm" application/wasm application/vnd.wasm.config.v0+json
layer_image layered "$BUILD/guests/hello.wasm" application/vnd.wasm.content.layer.v1+wasm application/vnd.oci.image.config.v1+json
printf '\0asm\015\0\001\0' > "$dir/component.wasm"
layer_image component "$dir/component.wasm" application/wasm application/vnd.wasm.config.v0+json
once=$(container artifact localhost/artifact:1 '["/", "from", "an artifact"]')
wait_for "$once" CONTAINER_EXITED
like "a CNCF artifact runs" "$(log artifact)" 'argument 2: an artifact'
once=$(container layered localhost/layered:1 '["/hello.wasm", "from", "a layer"]')
wait_for "$once" CONTAINER_EXITED
like "an image with a Wasm layer runs" "$(log layered)" 'argument 2: a layer'
once=$(container debugged localhost/layered:1 '["/hello.wasm", "--sleep"]')
like "exec of the module that is a layer" "$(crictl exec -s "$once" /hello.wasm by exec 2>&1)" 'argument 2: exec'
like "exec of what such an image does not have" "$(crictl exec -s "$once" /bin/sh 2>&1)" 'no such program, and none of the image.s Wasm layers'
crictl stop -t 0 "$once" > /dev/null
layer_image several "$BUILD/guests/hello.wasm:$BUILD/guests/trap.wasm" application/wasm application/vnd.oci.image.config.v1+json
once=$(container several localhost/several:1 '["/hello.wasm", "--sleep"]')
like "several modules: the one of that title runs" "$(tr '\0' ' ' < "/proc/$(crictl inspect "$once" | jq .info.pid)/cmdline")" '^/hello.wasm --sleep'
like "exec of another module of the image" "$(crictl exec -s "$once" /trap.wasm divide 2>&1)" 'wherry: trap: .*divi'
crictl stop -t 0 "$once" > /dev/null
like "a title that none has" "$(container untitled localhost/several:1 '["/other.wasm"]')" 'none of the image.s Wasm layers has this title: hello.wasm trap.wasm'
INDEX=1 LAYER_TYPE=application/wasm image localhost/index:1 "$BUILD/guests/hello.wasm" '{}' amd64 linux
ok "image index" $? "$(cat "$dir/import.log")"
once=$(container index localhost/index:1 '["/hello.wasm", "from", "an index"]')
wait_for "$once" CONTAINER_EXITED
like "an index leads to its module" "$(log index)" 'argument 2: an index'
layer_image trap "$BUILD/guests/trap.wasm" application/wasm application/vnd.wasm.config.v0+json
: > "$dir/termination-log"
chmod 666 "$dir/termination-log"
once=$(container trap localhost/trap:1 '["/", "unreachable"]' '{"mounts": [{"host_path": "'"$dir/termination-log"'", "container_path": "/dev/termination-log"}]}')
wait_for "$once" CONTAINER_EXITED
is "a trap: its exit code" "$(crictl inspect "$once" | jq .status.exitCode)" 134
like "a trap: its reason in the log" "$(log trap)" 'wherry: trap: '
like "a trap: its reason in the termination message" "$(cat "$dir/termination-log")" '^wherry: trap: '
like "a component is refused by that word" "$(container component localhost/component:1 '["/"]')" 'component'
blob=$dir/root/io.containerd.content.v1.content/blobs/sha256/$(sha256sum < "$BUILD/guests/hello.wasm" | cut -d' ' -f1)
[ -e "$blob" ] && chmod u+w "$blob" && printf x | dd of="$blob" bs=1 seek=100 conv=notrunc 2> /dev/null
like "a damaged blob is refused" "$(container damaged localhost/artifact:1 '["/"]')" 'the module is damaged'

began=$(date +%s)
crictl stop -t 10 "$wasm" > /dev/null
[ $(($(date +%s) - began)) -lt 5 ]
ok "the wasm container stops within its grace period" $?
is "by SIGTERM" "$(crictl inspect "$wasm" | jq .status.exitCode)" 143
crictl stop -t 10 "$side" > /dev/null
is "the sidecar's handler of SIGTERM decides its exit code" "$(crictl inspect "$side" | jq .status.exitCode)" 5
crictl stopp "$pod" > /dev/null 2>&1
crictl rmp "$pod" > /dev/null 2>&1
is "nothing is left: pods" "$(crictl pods -q)" ""
eventually '! pgrep -f "$shim -namespace k8s.io" > /dev/null' # a pod's shim lets its last answer be read
is "nothing is left: shims" "$(pgrep -f "$shim -namespace k8s.io")" ""
is "nothing is left: states" "$(ls /run/containerd/wherry/k8s.io 2>/dev/null)" ""
containerd_stop
find /sys/fs/cgroup -depth -path "*/wherry-pod-$$*" -type d -exec rmdir {} \; 2>/dev/null
finish
