#!/bin/bash
# Kubernetes: API server, scheduler, controllers and a kubelet of a current release over containerd 2.x, all private to this
# test (node.sh), with RuntimeClass wherry of k8s/runtimeclass.yaml. Each tests/k8s/case_*.sh is about one topic. Which are run: those
# that arguments name, all with K8S_CASES=all (`make check-k8s`), else the short ones (`make check`). What the node needs is built
# once by `make check-k8s` (tests/k8s/build); where that has not been done, this is skipped.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
shim=${SHIM:-$BUILD/containerd-shim-wherry-v1}
if [ "${K8S_TEST_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq ip openssl; do command -v $tool > /dev/null || why="$tool is not installed"; done
    for program in "$shim" "$BUILD/guests/hello.wasm"; do [ -e "$program" ] || why="$program is not built"; done
    if [ -z "$why" ]; then programs=$(tests/k8s/build -n 2>&1) || why=$(echo "$programs" | tail -1); fi
    if [ -z "$why" ]; then programs=$programs K8S_TEST_INSIDE=1 exec unshare -m -n -u --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "Kubernetes" "$why"
. tests/containerd.sh
. tests/k8s/node.sh
dir=$BUILD/k8s
rm -rf "$dir"
mkdir -p "$dir"
containerd_programs "${CONTAINERD:-2.3.7}" || skip_all "Kubernetes" "$why"
ctr() { timeout -k 1 30 "$ctr_program" -a /run/test/containerd.sock -n k8s.io "$@"; }
runc_shim=$(dirname "$containerd")/containerd-shim-runc-v2 # of the same release, else the rows for runc are left out
runc_program=$(type -P runc) && [ -x "$runc_shim" ] || runc_shim=

give_up() {
    tap_fail "$1" "$(tail -20 "$dir/$2.log")"
    finish
    exit 1
}
trap node_stop EXIT
node_prepare || give_up "the node's namespaces" mounts
node_containerd || give_up "containerd starts" containerd
node_control_plane || give_up "the API server is ready" apiserver
node_kubelet || give_up "the node is Ready" kubelet
tap_pass "a node with API server, scheduler, controllers and kubelet is Ready"

# images NAME... are localhost/NAME:1
mkdir -p "$dir"/busybox/{bin,tmp,etc,www} "$dir/hello/tmp"
cp "$(type -P busybox)" "$dir/busybox/bin/busybox"
for applet in $(busybox --list); do [ "$applet" = busybox ] || ln "$dir/busybox/bin/busybox" "$dir/busybox/bin/$applet"; done
echo "welcome" > "$dir/busybox/www/index.html"
cp "$BUILD"/guests/{hello,trap,serve}.wasm "$dir/hello/"
printf '\0asm\1\0\0\0 and then nothing that decodes' > "$dir/hello/bad.wasm"
# imports the function "nowhere" of "env"
printf '\0asm\1\0\0\0\1\4\1\140\0\0\2\17\1\3env\7nowhere\0\0' > "$dir/hello/import.wasm"
image localhost/pause:1 "$dir/busybox" '{"Entrypoint": ["/bin/sleep", "1000000"]}' &&
    image localhost/busybox:1 "$dir/busybox" '{"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]}' &&
    image localhost/hello:1 "$dir/hello" '{"Entrypoint": ["/hello.wasm"]}'
ok "images" $? "$(cat "$dir/import.log")"
[ -z "$runc_shim" ] ||
    kubectl apply -f - <<< '{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: runc}, handler: runc}' > /dev/null
kubectl apply -f k8s/runtimeclass.yaml > "$dir/apply.log" 2>&1
ok "RuntimeClass wherry is applied" $? "$(cat "$dir/apply.log")"

# --- what the cases share
# pod NAME RUNTIME-CLASS SPEC: a pod object (SPEC as jq writes it: keys need no quotes) of one or more containers, restartPolicy Never unless SPEC says otherwise
pod() {
    jq -n --arg name "$1" --arg class "$2" --argjson spec "$(jq -nc "$3")" '
        {apiVersion: "v1", kind: "Pod", metadata: {name: $name, labels: {app: $name}, annotations: ($spec.annotations // {})},
         spec: ({runtimeClassName: $class, restartPolicy: "Never", automountServiceAccountToken: false, terminationGracePeriodSeconds: 10,
                 enableServiceLinks: false} + ($spec | del(.annotations)))}' |
        kubectl apply -f - 2>&1
}
phase() { kubectl get pod "$1" -o 'jsonpath={.status.phase}'; }
phase_is() { [ "$(phase "$1")" = "$2" ]; }
ended() { case $(phase "$1") in Succeeded | Failed) ;; *) return 1 ;; esac; }
ready() { kubectl wait --for=condition=Ready "pod/$1" --timeout="${2:-60}s"; }
# field POD CONTAINER JQ: of the container's status
field() { kubectl get pod "$1" -o json | jq -r --arg c "$2" ".status.containerStatuses[] | select(.name == \$c) | $3"; }
# remove NAME...: pods, and waits until they are gone
remove() { kubectl delete pod "$@" --wait=true --timeout=60s > "$dir/delete.log" 2>&1; }
# HANDLERS: the runtime classes that every native row is compared over
HANDLERS="wherry${runc_shim:+ runc}"

cases=("$@")
[ $# -gt 0 ] || cases=(tests/k8s/case_{pod,end,serve}.sh)
[ "${K8S_CASES:-}" != all ] || cases=(tests/k8s/case_*.sh)
for case in "${cases[@]}"; do . "$case"; done

kubectl delete pods --all --wait=true --timeout=60s > "$dir/delete.log" 2>&1
ok "all pods are deleted" $? "$(cat "$dir/delete.log")"
no_shim() { ! pgrep -f "$shim -namespace k8s.io"; }
until_true 30 no_shim
is "nothing is left: shims" "$(pgrep -fa "$shim -namespace k8s.io")" ""
is "nothing is left: runtime state" "$(ls /run/containerd/wherry/k8s.io 2> /dev/null)" ""
is "nothing is left: mounts of containers" "$(grep '/rootfs \|/run/containerd.*/shm \|/kubelet/pods/' /proc/self/mountinfo)" ""
is "nothing is left: cgroups of pods" "$(find $(node_cgroups) -mindepth 2 -type d -name 'pod*' 2> /dev/null)" ""
is "nothing is left: network namespaces" "$(ls /run/netns 2> /dev/null)" ""
node_stop
trap - EXIT
finish
