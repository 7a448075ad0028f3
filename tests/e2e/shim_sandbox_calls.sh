#!/bin/bash
# The sandbox service without containerd: every method, its refusals, and that the pod's namespaces, files and process are gone at the end.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
shim=$BUILD/containerd-shim-wherry-v1 client=$BUILD/tests/e2e/shim_client
if [ "${SANDBOX_TEST_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq; do command -v $tool > /dev/null || why="$tool is not installed"; done
    for program in "$shim" "$client"; do [ -x "$program" ] || why="$program is not built"; done
    if [ -z "$why" ]; then SANDBOX_TEST_INSIDE=1 exec unshare -m --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "shim: sandbox service" "$why"
mount -t tmpfs tmpfs /run
dir=$BUILD/e2e/shim-sandbox-calls
rm -rf "$dir"
mkdir -p "$dir/rootfs/bin" "$dir/rootfs/etc" /run/netns
cp "$(type -P busybox)" "$dir/rootfs/bin/busybox"
for applet in sh sleep cat hostname readlink; do ln "$dir/rootfs/bin/busybox" "$dir/rootfs/bin/$applet"; done
touch /run/netns/pod
unshare -n mount --bind /proc/self/ns/net /run/netns/pod

# start ID: as containerd does for a sandbox, whose bundle has a fifo for the log and no config.json; sets $address
start() {
    mkdir -p "/run/$1/rootfs"
    [ -p "/run/$1/log" ] || mkfifo "/run/$1/log"
    address=$(cd "/run/$1" && "$shim" -namespace test -address /none -publish-binary /none -id "$1" start < /dev/null)
}
call() { timeout 60 "$client" "$address" call "$@" 2>&1; }
sandbox() { local method=$1 id=$2; shift 2; call "$method" sandbox_id="$id" "$@"; }
state() { sandbox SandboxStatus "$1" | sed -n 's/^state=//p'; }
namespace() { readlink "/proc/$1/ns/$2"; }
gone() { eventually '! [ -e "/proc/$1" ]' "$@"; }

start one
pid=$(call Connect id=one | sed -n 's/shim_pid=//p')
like "an unknown sandbox" "$(sandbox StartSandbox one)" '^error 5 .*not known'
like "a pod whose containers have their own PID namespaces" "$(sandbox CreateSandbox one bundle_path=/run/one netns_path=/run/netns/pod options='1 0 0'; echo made)" '^made$'
like "a second one" "$(sandbox CreateSandbox two bundle_path=/run/one)" '^error 6 '
is "is not ready before its start" "$(state one)" SANDBOX_NOTREADY
like "another's id" "$(sandbox StartSandbox two)" '^error 5 '
like "its process is the shim" "$(sandbox StartSandbox one)" "^pid=$pid\$"
is "it is ready" "$(state one)" SANDBOX_READY
like "a second start" "$(sandbox StartSandbox one)" '^error 9 '
like "ping" "$(sandbox PingSandbox one; echo pong)" '^pong$'
like "platform" "$(sandbox Platform one; echo asked)" '^asked$'
like "figures need a container" "$(sandbox SandboxMetrics one)" '^error 5 .*no running container'
for kind in net ipc uts; do
    [ "$(namespace "$pid" $kind)" != "$(namespace self $kind)" ]
    ok "the shim is in the pod's $kind namespace" $?
done
is "its network namespace is the given one" "$(namespace "$pid" net)" "net:[$(stat -L -c %i /run/netns/pod)]"
is "the mount, PID and user namespaces are the host's" "$(namespace "$pid" mnt) $(namespace "$pid" pid) $(namespace "$pid" user)" "$(namespace self mnt) $(namespace self pid) $(namespace self user)"
# a container of the pod, as containerd's CRI describes one
mkdir -p "$dir/c"
tests/bundle "$dir/c" "$dir/rootfs" --env PATH=/bin --cgroup "/wherry-sandbox-$$/c" -- sleep 1000
jq '.annotations["io.kubernetes.cri.sandbox-id"] = "one" | .linux.namespaces |= map(if .type == "network" then .path = "/proc/'"$pid"'/ns/net"
    elif .type == "ipc" then .path = "/proc/'"$pid"'/ns/ipc" elif .type == "uts" then .path = "/proc/'"$pid"'/ns/uts" else . end) | del(.hostname)
    | .mounts |= map(select(.type != "sysfs" and .type != "cgroup"))' "$dir/c/config.json" > "$dir/new" && mv "$dir/new" "$dir/c/config.json"
init=$(call Create id=c bundle="$dir/c" | sed -n 's/^pid=//p')
like "a container joins the pod" "$init $(call Start id=c)" '^[0-9]* pid='
is "its host name is the pod's" "$(nsenter -t "$init" -u hostname)" pod-name
is "and so are its IPC and network" "$(namespace "$init" ipc) $(namespace "$init" net)" "$(namespace "$pid" ipc) $(namespace "$pid" net)"
is "it has the pod's files and /dev/shm" "$(cat "/proc/$init/root/etc/hostname") $(stat -c %d "/proc/$init/root/dev/shm")" "pod-name $(stat -c %d /run/one/shm)"
like "figures: of the cgroup above the container's" "$(sandbox SandboxMetrics one; echo told)" '^told$'
call Shutdown id=c > /dev/null
is "the task service does not shut a pod down" "$(state one)" SANDBOX_READY
sandbox WaitSandbox one > "$dir/wait" &
like "stop, beside a container that runs" "$(sandbox StopSandbox one; echo stopped)" '^stopped$'
wait $!
is "who waits hears of the end" "$(cat "$dir/wait")" "exit_status=0"
is "it is not ready any more" "$(state one)" SANDBOX_NOTREADY
is "the shim is back in the host's namespaces" "$(namespace "$pid" net) $(namespace "$pid" ipc)" "$(namespace self net) $(namespace self ipc)"
call Kill id=c signal=9 > /dev/null
call Wait id=c > /dev/null
call Delete id=c > /dev/null
gone "$pid"
ok "with its last container the shim ends" $?
is "nothing is mounted" "$(grep -c '/run/one/' /proc/self/mountinfo)" 0

# a pod that shares a PID namespace: a process of its own
start shared
pid=$(call Connect id=x | sed -n 's/shim_pid=//p')
sandbox CreateSandbox shared bundle_path=/run/shared options='0 2 0' > /dev/null
process=$(sandbox StartSandbox shared | sed -n 's/^pid=//p')
like "a shared PID namespace has a process of its own" "$(tr '\0' ' ' < "/proc/$process/cmdline")" '^/pause pause'
is "without any capability" "$(sed -n 's/^CapBnd:\t//p' "/proc/$process/status")" 0000000000000000
is "the shim is not in the pod's namespaces" "$(namespace "$pid" ipc)" "$(namespace self ipc)"
[ "$(namespace "$process" ipc)" != "$(namespace self ipc)" ]
ok "its process is" $?
sandbox WaitSandbox shared > "$dir/wait" &
sleep 0.3
kill -9 "$process"
wait $!
is "its end is the pod's" "$(cat "$dir/wait")" "exit_status=137"
gone "$pid"
ok "and the shim's" $?
is "the root of its process is unmounted and empty" "$(grep -c '/run/shared/' /proc/self/mountinfo) $(ls -A /run/shared/rootfs)" "0 "
start shared2
pid=$(call Connect id=x | sed -n 's/shim_pid=//p')
sandbox CreateSandbox shared2 bundle_path=/run/shared2 options='0 2 0' > /dev/null
process=$(sandbox StartSandbox shared2 | sed -n 's/^pid=//p')
like "shutdown of a pod that runs" "$(sandbox ShutdownSandbox shared2; echo down)" '^down$'
gone "$pid" && gone "$process"
ok "ends both" $?
is "nothing is left of them" "$(grep -c '/run/shared' /proc/self/mountinfo) $(ls /run/containerd/wherry/test 2> /dev/null)" "0 "

# what cannot be
start bad
pid=$(call Connect id=x | sed -n 's/shim_pid=//p')
sandbox CreateSandbox bad bundle_path=/run/bad netns_path=/run/netns/absent options='1 0 0' > /dev/null
like "a network namespace that is not there" "$(sandbox StartSandbox bad)" '^error 2 .*/run/netns/absent'
gone "$pid"
ok "its shim does not stay" $?
start unmade # as containerd does when CreateSandbox was refused
pid=$(call Connect id=x | sed -n 's/shim_pid=//p')
like "shutdown of a sandbox that was never made" "$(sandbox ShutdownSandbox unmade; echo down)" '^down$'
gone "$pid"
ok "ends its shim" $?
find /sys/fs/cgroup -depth -path "*/wherry-sandbox-$$*" -type d -exec rmdir {} \; 2> /dev/null
finish
