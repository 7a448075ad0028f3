#!/bin/bash
# CRI-O with wherry as the runtime of a handler, driven through CRI as the kubelet does: ordinary and Wasm containers in one pod, and which
# forms of Wasm images it takes. Its drop-in is the one that k8s/node/wherry-node writes. Images come from tests/cri/registry.
#
# Needs crio and pinns of CRI-O, in PATH or in the newest crio-VERSION of the cache folder, crictl (tests/containerd.sh says where), and
# Debian's conmon and containernetworking-plugins. RUNTIME=PATH: the ordinary cases with another runtime, for reference.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
cache=${XDG_CACHE_HOME:-$HOME/.cache}/wherry-tests
crictl_program=$cache/cri-tools-1.36.0/crictl
PATH=$PATH:$(ls -d "$cache"/crio-* 2> /dev/null | sort -V | tail -1)
title="CRI-O with wherry"
if [ "${CRIO_TEST_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq ip conmon; do command -v $tool > /dev/null || why="$tool is not installed"; done
    for program in "$BUILD/wherry" "$BUILD/tests/cri/registry" "$BUILD/guests/hello.wasm"; do [ -e "$program" ] || why="$program is not built"; done
    [ -x /usr/lib/cni/bridge ] || why="containernetworking-plugins is not installed"
    [ -x "$crictl_program" ] || why="crictl 1.36.0 is not in $cache"
    [ -e /proc/irq/default_smp_affinity ] || why="this kernel has no /proc/irq/default_smp_affinity (user-mode Linux), without which CRI-O ends"
    for program in crio pinns; do command -v $program > /dev/null || why="$program of CRI-O is neither in PATH nor in $cache"; done
    if [ -z "$why" ]; then CRIO_TEST_INSIDE=1 exec unshare -m -n -u --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "$title" "$why"
dir=$BUILD/e2e/crio parent=wherry-crio-$$
rm -rf "$dir"
mkdir -p "$dir"/{logs,crio.conf.d,cni,hello,busybox/{bin,tmp,etc}}
printf 'runtime-endpoint: unix:///run/test/crio.sock\nimage-endpoint: unix:///run/test/crio.sock\ntimeout: 30\n' > "$dir/crictl.yaml"
crictl() { timeout -k 1 60 "$crictl_program" -c "$dir/crictl.yaml" "$@"; }
until_true() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@" > /dev/null 2>&1; do [ $SECONDS -lt $end ] || return 1; sleep 0.1; done
}

# --- the node: nothing of the machine's is touched
hostname wherry-node
mount --make-rshared /
mount -t tmpfs run /run
mkdir -p /run/test /run/lock
echo nameserver 127.0.0.1 > "$dir/resolv.conf" && mount --bind "$dir/resolv.conf" /etc/resolv.conf
ip link set lo up
cat > "$dir/cni/10-test.conflist" <<END
{"cniVersion": "1.0.0", "name": "test", "plugins": [
 {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false,
  "ipam": {"type": "host-local", "dataDir": "/run/cni", "ranges": [[{"subnet": "10.98.0.0/16"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
 {"type": "loopback"}]}
END
echo '{"default": [{"type": "insecureAcceptAnything"}]}' > "$dir/policy.json"
printf '[[registry]]\nlocation = "127.0.0.1:5000"\ninsecure = true\n' > "$dir/registries.conf"
export CONTAINER_REGISTRIES_CONF=$dir/registries.conf CONTAINER_REGISTRIES_CONF_DIR=$dir/none CONTAINERS_STORAGE_CONF=/dev/null
cat > "$dir/crio.conf" <<END
[crio]
root = "$dir/storage"
runroot = "/run/crio-test/storage"
storage_driver = "overlay"
log_dir = "$dir/logs"
version_file = "/run/crio-test/version"
clean_shutdown_file = "$dir/clean"
[crio.api]
listen = "/run/test/crio.sock"
[crio.runtime]
conmon_cgroup = "pod"
cgroup_manager = "cgroupfs"
default_runtime = "wherry"
container_exits_dir = "/run/crio-test/exits"
container_attach_socket_dir = "/run/crio-test/attach"
namespaces_dir = "/run/crio-test/namespaces"
enable_criu_support = false
hooks_dir = []
[crio.image]
pause_image = "127.0.0.1:5000/pause:1"
pause_command = ""
signature_policy = "$dir/policy.json"
[crio.network]
network_dir = "$dir/cni"
plugin_dirs = ["/usr/lib/cni"]
[crio.nri]
enable_nri = false
END
node() { k8s/node/wherry-node "$1" --from "$BUILD" --prefix "$dir/prefix" --config "$dir/crio.conf.d/50-wherry.conf" --restart true 2>&1; }
echo 'no TOML' > "$dir/crio.conf.d/99-bad.conf"
like "wherry-node asks CRI-O first" "$(node install)" 'crio does not accept'
is "and then leaves its folder alone" "$(ls "$dir/crio.conf.d")" 99-bad.conf
rm "$dir/crio.conf.d/99-bad.conf"
node install > "$dir/installer.log"
ok "wherry-node writes a drop-in that this CRI-O accepts" $? "$(cat "$dir/installer.log")"
[ -z "${RUNTIME:-}" ] || sed -i "s,^runtime_path.*,runtime_path = '$RUNTIME'," "$dir/crio.conf.d/50-wherry.conf"
echo 'monitor_cgroup = "pod"' >> "$dir/crio.conf.d/50-wherry.conf" # conmon's place, where there is no systemd

crio_start() {
    crio --config "$dir/crio.conf" --config-dir "$dir/crio.conf.d" >> "$dir/crio.log" 2>&1 < /dev/null &
    crio_pid=$!
    until_true 20 crictl version
}
finish_crio() {
    kill "$crio_pid" "$registry_pid" 2> /dev/null
    wait "$crio_pid" "$registry_pid" 2> /dev/null
    find /sys/fs/cgroup -depth -path "*/$parent*" -type d -exec rmdir {} \; 2> /dev/null
}
trap finish_crio EXIT
"$BUILD/tests/cri/registry" "$dir/images" 5000 > "$dir/registry.log" 2>&1 < /dev/null &
registry_pid=$!
crio_start
started=$? version=$(crio version 2> /dev/null | sed -n 's/^Version: *//p')
ok "CRI-O $version starts with it" $started "$(tail -5 "$dir/crio.log")"

# --- images
cp "$(type -P busybox)" "$dir/busybox/bin/busybox"
for applet in sh echo cat sleep true ps wc id hostname; do ln "$dir/busybox/bin/busybox" "$dir/busybox/bin/$applet"; done
cp "$BUILD"/guests/{hello,serve,trap}.wasm "$dir/hello/"
made() { # NAME ROOTFS CONFIG [ARCHITECTURE OS]: 127.0.0.1:5000/NAME:1
    tests/image "$dir/image.tar" "127.0.0.1:5000/$1:1" "${@:2}" && tests/cri/put "$dir/images" "$dir/image.tar" "$1:1"
}
pulled() { crictl pull "127.0.0.1:5000/$1:1" 2>&1; }
made pause "$dir/busybox" '{"Entrypoint": ["/bin/sleep", "1000000"]}'
made busybox "$dir/busybox" '{"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]}'
made hello "$dir/hello" '{"Entrypoint": ["/hello.wasm"]}'
made platform "$dir/hello" '{"Entrypoint": ["/hello.wasm"]}' wasm wasi
INDEX=1 made index "$dir/hello" '{"Entrypoint": ["/hello.wasm"]}'
INDEX=1 made platform-index "$dir/hello" '{"Entrypoint": ["/hello.wasm"]}' wasm wasi
LAYER_TYPE=application/wasm CONFIG_TYPE=application/vnd.wasm.config.v0+json made artifact "$BUILD/guests/hello.wasm" '{}' wasm wasip1
LAYER_TYPE=application/wasm made layered "$BUILD/guests/hello.wasm" '{}' wasm wasip1
like "pull: an ordinary image" "$(pulled busybox)" 'up to date'
like "pull: an image with a module in it" "$(pulled hello)" 'up to date'

# --- a pod
sandbox() { # NAME [LINUX-JSON [ANNOTATIONS]]: configuration of a pod, into $dir/NAME.pod
    jq -n --arg name "$1" --arg parent "/$parent" --arg logs "$dir/logs" --argjson linux "${2:-{\}}" --argjson annotations "${3:-{\}}" '
        {metadata: {name: $name, uid: $name, namespace: "default"}, hostname: $name, log_directory: $logs, annotations: $annotations,
         linux: ({cgroup_parent: $parent, security_context: {namespace_options: {pid: 1}}} * $linux)}' > "$dir/$1.pod"
    pod_config=$dir/$1.pod
    pod=$(crictl runp -r wherry "$pod_config" 2>&1)
}
container() { # NAME IMAGE COMMAND-JSON [MORE-JSON]: made and started in $pod; its id, or the error
    local id
    jq -n --arg name "$1" --arg image "127.0.0.1:5000/$2:1" --argjson command "$3" --argjson more "${4:-{\}}" '
        {metadata: {name: $name}, image: {image: $image}, log_path: ($name + ".log"), linux: {security_context: {namespace_options: {pid: 1}}}}
        + (if $command == [] then {} else {command: $command} end) * $more' > "$dir/$1.json"
    id=$(crictl create "$pod" "$dir/$1.json" "$pod_config" 2> "$dir/error") && crictl start "$id" > /dev/null 2>> "$dir/error" && echo "$id" || cat "$dir/error"
}
state_of() { crictl inspect "$1" 2> /dev/null | jq -r .status.state; }
exited() { [ "$(state_of "$1")" = CONTAINER_EXITED ]; }
log() { cut -d' ' -f4- "$dir/logs/$1.log" 2>&1; }
runs() { # NAME IMAGE COMMAND [MORE]: to its end; what it logged
    local id
    id=$(container "$@")
    case $id in *[!0-9a-f]*) echo "$id"; return ;; esac
    until_true 10 exited "$id"
    log "$1"
}

sandbox pod
like "a pod's sandbox" "$pod" '^[0-9a-f]\{64\}$'
case $pod in *[!0-9a-f]*) finish; exit ;; esac
is "an init container" "$(runs first busybox '["/bin/sh", "-c", "echo prepared"]')" prepared
native=$(container native busybox '["/bin/sh", "-c", "echo beside; trap \"exit 5\" TERM; while :; do sleep 0.1; done"]')
like "an ordinary container" "$native" '^[0-9a-f]\{64\}$'
like "exec" "$(crictl exec -s "$native" echo in it 2>&1)" 'in it'
crictl exec -s "$native" sh -c 'exit 4' > "$dir/exec.log" 2>&1
like "exec: its exit code" "$(cat "$dir/exec.log")" 'exit.*4'
like "exec by streaming, input and its end" "$(printf 12345 | crictl exec -i "$native" wc -c 2>&1)" '^5'
like "logs" "$(crictl logs "$native" 2>&1)" beside
like "the pod has an address of its own" "$(crictl inspectp "$pod" | jq -r .status.network.ip)" '^10.98.'
is "and its host's name" "$(crictl exec -s "$native" hostname 2>&1)" pod
like "statistics" "$(crictl stats -o json "$native" | jq -r '.stats[0].memory.workingSetBytes.value')" '^[1-9]'
like "update of limits" "$(crictl update --memory 50000000 "$native" 2>&1)" "$native"
is "reaches the cgroup" "$(find /sys/fs/cgroup/ -path "*$parent*$native*" \( -name memory.max -o -name memory.limit_in_bytes \) -exec cat {} + 2> /dev/null | sort -n | head -1)" $((50000000 / 4096 * 4096))
if [ -z "${RUNTIME:-}" ]; then
    wasm=$(container wasm hello '["/hello.wasm", "--sleep"]')
    like "wasm: a container in the same pod" "$wasm" '^[0-9a-f]\{64\}$'
    like "wasm: its output" "$(runs once hello '["/hello.wasm", "one", "two words"]')" 'argument 2: two words'
    like "wasm: exec of another module" "$(crictl exec -s "$wasm" /hello.wasm by exec 2>&1)" 'argument 2: exec'
    like "wasm: statistics" "$(crictl stats -o json "$wasm" | jq -r '.stats[0].memory.workingSetBytes.value')" '^[1-9]'
    like "wasm: a trap is told in the log" "$(runs trap hello '["/trap.wasm", "unreachable"]')" 'wherry: trap: '
    like "wasm: a program that is not there: one sentence" "$(container absent hello '["/absent.wasm"]')" 'absent.wasm'
    # forms of images, and no annotation
    like "pull: an image of platform wasi/wasm" "$(pulled platform)" 'up to date'
    like "wasm: an image of platform wasi/wasm" "$(runs platform platform '[]' '{"args": ["of", "a platform"]}')" 'argument 2: a platform'
    like "pull: an index with one for this machine" "$(pulled index)" 'up to date'
    like "wasm: of an index" "$(runs index index '["/hello.wasm", "of", "an index"]')" 'argument 2: an index'
    like "pull: an index with wasi/wasm only is refused" "$(pulled platform-index)" 'no image found in.*index'
    like "pull: a module that is a layer of an image is refused" "$(pulled layered)" 'invalid tar header'
    # an artifact makes no container, but is a volume with the module in it
    like "pull: a CNCF artifact" "$(pulled artifact)" 'up to date'
    like "wasm: which is no image to CRI-O, which says so" "$(container artifact artifact '["/hello.wasm"]')" "artifact:1.*does not resolve to an image"
    like "wasm: as an image volume it runs" "$(runs volume busybox '["/app/hello.wasm", "from", "a volume"]' \
        '{"mounts": [{"container_path": "/app", "image": {"image": "127.0.0.1:5000/artifact:1"}, "readonly": true}]}')" 'argument 2: a volume'
    crictl stop -t 10 "$wasm" > "$dir/stop.log" 2>&1
    is "wasm: stop is SIGTERM" "$(crictl inspect "$wasm" | jq .status.exitCode)" 143
fi
crictl stop -t 10 "$native" > "$dir/stop.log" 2>&1
is "stop: the program's handler decides its exit code" "$(crictl inspect "$native" | jq .status.exitCode)" 5
kill -9 $crio_pid
wait $crio_pid 2> /dev/null
again=$pod
crio_start
ok "CRI-O, killed, starts again" $? "$(tail -3 "$dir/crio.log")"
is "and knows the pod" "$(crictl pods -q)" "$again"
pod=$again
crictl rmp -f "$pod" > "$dir/rmp.log" 2>&1
ok "the pod is removed" $? "$(cat "$dir/rmp.log")"

if [ -z "${RUNTIME:-}" ]; then
    sandbox serving '{}' '{"wherry.wasm.listen": "8080"}'
    serving=$(container serving hello '["/serve.wasm"]')
    address=$(crictl inspectp "$pod" | jq -r .status.network.ip)
    until_true 5 busybox wget -q -O "$dir/answer" "http://$address:8080/"
    like "wasm: a pod's annotation reaches it: a listening socket" "$(cat "$dir/answer"; crictl logs "$serving" 2>&1)" 'served by a Wasm'
    crictl rmp -f "$pod" > "$dir/rmp.log" 2>&1
fi
# its pause container gets an oom_score_adj below zero
if [ $((0x$(sed -n 's/^CapEff:\t//p' /proc/self/status) >> 24 & 1)) = 0 ]; then
    skip "a shared PID namespace" "root has no CAP_SYS_RESOURCE here, which CRI-O's pause container needs"
else
    sandbox shared '{"security_context": {"namespace_options": {"pid": 0}}}'
    native=$(container processes busybox '["/bin/sh", "-c", "sleep 100"]' '{"linux": {"security_context": {"namespace_options": {"pid": 0}}}}')
    like "a shared PID namespace has CRI-O's pause container as its init" "$(crictl exec -s "$native" ps 2>&1)" ' 1 .*sleep 1000000'
    crictl rmp -f "$pod" > "$dir/rmp.log" 2>&1
fi
is "nothing is left: pods" "$(crictl pods -q)" ""
sed -i '/^monitor_cgroup/d' "$dir/crio.conf.d/50-wherry.conf"
node uninstall > "$dir/installer.log"
is "wherry-node takes its drop-in and its programs away" "$(find "$dir/crio.conf.d" "$dir/prefix" -type f)" ""
is "nothing is left: state" "$(ls /run/wherry 2> /dev/null)" ""
no_monitor() { ! pgrep -f "conmon .*$dir"; }
until_true 5 no_monitor
is "nothing is left: processes" "$(pgrep -fa "conmon .*$dir")" ""
is "nothing is left: cgroups" "$(find /sys/fs/cgroup/*/"$parent" -mindepth 1 -type d 2> /dev/null)" ""
finish
