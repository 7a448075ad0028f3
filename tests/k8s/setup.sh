# Sourced at the top of a script that needs the node, from the top of the tree, with "$@" the script's arguments and $title what it is:
# checks that all is there (else prints a skipped test and exits), enters namespaces of the script's own (where it is process 1, as
# the node's init is), brings the node up (node.sh)
# with images localhost/{pause,busybox,hello}:1, and defines what cases share.
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
shim=${SHIM:-$BUILD/containerd-shim-wherry-v1}
if [ "${K8S_TEST_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq ip openssl; do command -v $tool > /dev/null || why="$tool is not installed"; done
    for program in "$shim" "$BUILD/guests/hello.wasm"; do [ -e "$program" ] || why="$program is not built"; done
    if [ -z "$why" ]; then programs=$(tests/k8s/build -n 2>&1) || why=$(echo "$programs" | tail -1); fi
    # systemd knows processes by its own numbers for them
    pids='-p --fork --mount-proc --kill-child'
    [ "${K8S_CGROUP_DRIVER:-}" != systemd ] || pids=
    if [ -z "$why" ]; then programs=$programs K8S_TEST_INSIDE=$$ exec unshare -m -n -u $pids --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "$title" "$why"
. tests/containerd.sh
. tests/k8s/node.sh
dir=$BUILD/k8s
rm -rf "$dir"
mkdir -p "$dir"
containerd_programs "${CONTAINERD:-2.3.7}" || skip_all "$title" "$why"
ctr() { timeout -k 1 $((30 * patience)) "$ctr_program" -a /run/test/containerd.sock -n k8s.io "$@"; }
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
for name in sandbox ${peers:+crun}; do
    kubectl apply -f - <<< "{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: $name}, handler: $name}" > /dev/null
done
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
ready() { kubectl wait --for=condition=Ready "pod/$1" --timeout="$((${2:-60} * patience))s"; }
# field POD CONTAINER JQ: of the container's status
field() { kubectl get pod "$1" -o json | jq -r --arg c "$2" ".status.containerStatuses[] | select(.name == \$c) | $3"; }
# remove NAME...: pods, and waits until they are gone
remove() { kubectl delete pod "$@" --wait=true --timeout=$((60 * patience))s > "$dir/delete.log" 2>&1; }
# HANDLERS: the runtime classes that every native row is compared over
HANDLERS="wherry sandbox${runc_shim:+ runc}"

