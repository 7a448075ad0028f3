#!/bin/bash
# The shim without containerd: what goes wrong is answered with a proper error, soon, and disturbs no other container of
# the pod; after each fault nothing is left of the container: no process, mount, cgroup, state, socket.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
shim=$BUILD/containerd-shim-wherry-v1 client=$BUILD/tests/e2e/shim_client
if [ "${FAULTS_TEST_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq; do command -v $tool >/dev/null || why="$tool is not installed"; done
    for program in "$shim" "$client"; do [ -x "$program" ] || why="$program is not built"; done
    if [ -z "$why" ]; then FAULTS_TEST_INSIDE=1 exec unshare -m --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "shim: faults" "$why"
mount -t tmpfs tmpfs /run
dir=$BUILD/e2e/shim-faults
rm -rf "$dir"
mkdir -p "$dir/rootfs/bin" "$dir/rootfs/proc" "$dir/rootfs/tmp"
cp "$(type -P busybox)" "$dir/rootfs/bin/busybox"
for applet in sh sleep dd true echo cat; do ln "$dir/rootfs/bin/busybox" "$dir/rootfs/bin/$applet"; done
group=wherry-faults-$$

# bundle ID POD ARGUMENT...
bundle() {
    local id=$1 pod=$2
    shift 2
    mkdir -p "$dir/$id"
    tests/bundle "$dir/$id" "$dir/rootfs" --env PATH=/bin --cgroup "/$group/$id" -- "$@"
    change "$id" '.annotations["io.containerd.runc.v2.group"] = "'"$pod"'" | .linux.namespaces |= map(select(.type != "network"))
        | .mounts |= map(select(.type != "sysfs" and .type != "cgroup"))'
}
change() { jq "$2" "$dir/$1/config.json" > "$dir/$1/new" && mv "$dir/$1/new" "$dir/$1/config.json"; }
# start ID: runs `start` for it, sets $address
start() { address=$(cd "$dir/$1" && "$shim" -namespace test -address /none -publish-binary /none -id "$1" start < /dev/null); }
call() { "$client" "$address" call "$@" 2>&1; }
create() { local id=$1; shift; call Create id="$id" bundle="$dir/$id" "$@"; }
shim_pid() { call Connect id=x | sed -n 's/shim_pid=//p'; }
status() { call State id="$1" | sed -n 's/^status=//p'; }
pid_of() { call State id="$1" | sed -n 's/^pid=//p'; }
children() { cat "/proc/$1/task/$1/children" 2>/dev/null; }

# left ID: what is there of it, one word each; nothing is the empty string
left() {
    local what=
    [ -e "/run/containerd/wherry/test/$1" ] && what="$what state"
    [ -n "$(find /sys/fs/cgroup -path "*/$group/$1" -type d 2>/dev/null)" ] && what="$what cgroup"
    grep -q " $dir/$1/" /proc/self/mountinfo && what="$what mount"
    grep -lsz "MARK=$1\$" /proc/[0-9]*/environ | grep -q . && what="$what process"
    echo "${what# }"
}
clean() { eventually "[ -z \"\$(left $1)\" ]"; is "$2: nothing is left" "$(left "$1")" ""; }
witness() { is "$1: the pod's other container runs on" "$(status witness)" 2; }

bundle witness pod sleep 1000
start witness
like "a container of the pod is created" "$(create witness)" 'pid=[1-9]'
like "and started" "$(call Start id=witness)" 'pid=[1-9]'

[ -w "$shim" ] && [ ! -w "/proc/$(shim_pid)/exe" ]
ok "CVE-2019-5736: the shim's program is read-only to whoever gets hold of it" $?

is "its socket is root's alone" "$(stat -c %a "${address#unix://}" "$(dirname "${address#unix://}")" | tr '\n' ' ')" "600 700 "
is "and so are its states" "$(stat -c %a /run/containerd/wherry/test)" 700

# --- what clients send ------------------------------------------------------------------------------------------------
printf 'GET / HTTP/1.1\r\nHost: x\r\n\r\n' | timeout 60 "$client" "$address" raw > "$dir/raw" 2>&1
ok "bytes that are no frames end in a closed connection, not a hang" $(($? == 124))
witness "bytes that are no frames"
printf '\0\0\0\003\0\0\0\001\001\0\377\377\377' | timeout 60 "$client" "$address" raw > "$dir/raw" 2>&1
like "a request that is no message is answered" "$(tr -d '\0' < "$dir/raw")" 'not a valid message'
{ printf '\0\100\0\001\0\0\0\001\001\0'; head -c 4194305 /dev/zero; } | timeout 60 "$client" "$address" raw > "$dir/raw" 2>&1
like "a message above 4 MiB is answered" "$(tr -d '\0' < "$dir/raw")" 'larger than'
is "an unknown method" "$(call Frobnicate)" "error 12 method Frobnicate of containerd.task.v2.Task is not served here"
like "an unknown container" "$(call State id=nobody)" 'error 5'
like "an unknown exec" "$(call State id=witness exec_id=nobody)" 'error 5'
# what a failed exec left as a zombie in the container's pid namespace would keep its init from ever ending
for i in 1 2 3 4 5 6 7 8 9 10; do
    call Exec id=witness exec_id="absent$i" spec='{"args": ["/absent"], "cwd": "/", "env": [], "user": {"uid": 0, "gid": 0}}' > "$dir/exec"
    call Start id=witness exec_id="absent$i" > "$dir/started"
    call Delete id=witness exec_id="absent$i" > "$dir/deleted"
done
like "an exec that fails says why" "$(cat "$dir/exec" "$dir/started")" 'absent.*no such file'
is "and leaves no zombie" "$(ps --no-headers -o stat= --ppid "$(shim_pid)" | grep -c Z)" 0
like "a signal that is none" "$(call Kill id=witness signal=9999)" 'error 3'
like "no such id as .." "$(call Create id=.. bundle="$dir/witness")" 'error 3'
witness "wrong requests"

# --- what is missing --------------------------------------------------------------------------------------------------
bundle c1 pod sleep 1000
change c1 '.process.env += ["MARK=c1"]'
like "no bundle" "$(call Create id=c1 bundle="$dir/nowhere")" 'error .*nowhere'
clean c1 "no bundle"
like "no fifo" "$(create c1 stdout="$dir/no-fifo")" 'error .*no-fifo'
clean c1 "no fifo"
cp "$dir/c1/config.json" "$dir/c1/good"
echo '{"ociVersion": ' > "$dir/c1/config.json"
like "broken config.json" "$(create c1)" 'error .*config'
mv "$dir/c1/good" "$dir/c1/config.json"
clean c1 "broken config.json"
mkdir -p /run/containerd/wherry
mount -t tmpfs -o size=4k,nr_inodes=3 tmpfs /run/containerd/wherry
like "a full disk below the states" "$(create c1)" 'error .*No space left'
umount /run/containerd/wherry
clean c1 "a full disk"
witness "what is missing"

# --- the root file system ----------------------------------------------------------------------------------------------
bundle l1 pod cat /bottom /top
change l1 '.process.env += ["MARK=l1"] | .root.path = "rootfs"'
layers=$dir/layers-$(printf %050d 0)
mkdir -p "$dir/l1/rootfs" "$layers"/{upper,work}
for i in $(seq 80); do mkdir -p "$layers/$i/fs"; lower="${lower:-}${lower:+:}$layers/$i/fs"; done
cp -al "$dir/rootfs/." "$layers/40/fs"
echo bottom > "$layers/80/fs/bottom"
echo top > "$layers/1/fs/top"
[ ${#lower} -gt 4096 ]
ok "eighty layers are longer than a page" $?
like "and are mounted" "$(create l1 stdout="file://$dir/l1.out" rootfs="overlay overlay lowerdir=$lower upperdir=$layers/upper workdir=$layers/work")" 'pid='
call Start id=l1 > /dev/null
call Wait id=l1 > /dev/null
is "with what is in the first and the last" "$(cat "$dir/l1.out")" "bottom
top"
call Delete id=l1 > /dev/null
clean l1 "many layers"
change l1 '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
    | .linux.gidMappings = .linux.uidMappings | .process.args = ["cat", "/bottom", "/proc/self/uid_map"]'
rm -rf "$layers"/{upper,work}
mkdir -p "$layers"/{upper,work}
chown 100000:100000 "$layers/upper"
chmod 600 "$layers/80/fs/bottom"
mapped=$(create l1 stdout="file://$dir/l1.mapped" stderr="file://$dir/l1.mapped" rootfs="overlay overlay lowerdir=$lower upperdir=$layers/upper workdir=$layers/work uidmap=0:100000:65536 gidmap=0:100000:65536")
case $mapped in
*'cannot id-map the image'*'Invalid argument') skip "layers in a user namespace" "this kernel cannot id-map the file system of $layers" ;;
*)
like "layers in a user namespace" "$mapped" 'pid='
call Start id=l1 > /dev/null
call Wait id=l1 > /dev/null
is "its root reads what the layers' root owns" "$(tr -s ' ' < "$dir/l1.mapped")" "bottom
 0 100000 65536"
call Delete id=l1 > /dev/null ;;
esac
clean l1 "layers in a user namespace"
like "a mapping that is none" "$(create l1 rootfs="overlay overlay lowerdir=$layers/1/fs uidmap=zero gidmap=0:1:1")" "error .*'zero'"
like "a root file system that cannot be mounted" "$(create l1 rootfs="nosuchfs none ro")" 'error .*nosuchfs'
clean l1 "a root file system that cannot be mounted"

# --- states and clients at once ----------------------------------------------------------------------------------------
for i in 1 2; do create c1 > "$dir/create$i" & done
wait
is "two creates at once: one wins" "$(cat "$dir/create1" "$dir/create2" | grep -c pid=)" 1
like "and the other is told" "$(cat "$dir/create1" "$dir/create2")" 'error 6'
like "pause before start" "$(call Pause id=c1)" 'error 9'
for i in 1 2; do call Start id=c1 > "$dir/start$i" & done
wait
is "two starts at once: one wins" "$(cat "$dir/start1" "$dir/start2" | grep -c pid=)" 1
like "delete of a running container" "$(call Delete id=c1)" 'error 9'
call Wait id=c1 > "$dir/wait" &
kill -9 "$(pid_of c1)"
wait $!
is "the init killed from outside: Wait says 137" "$(cat "$dir/wait")" "exit_status=137"
like "kill of what has ended" "$(call Kill id=c1 signal=15)" 'error 5'
for i in 1 2; do call Delete id=c1 > "$dir/delete$i" & done
wait
is "two deletes at once: one wins" "$(cat "$dir/delete1" "$dir/delete2" | grep -c exit_status=137)" 1
clean c1 "two clients"
create c1 > /dev/null
is "delete of a created container" "$(call Delete id=c1 | grep exit_status)" "exit_status=137"
clean c1 "delete of a created container"
witness "two clients"

# --- streams -----------------------------------------------------------------------------------------------------------
bundle c1 pod dd if=/dev/zero bs=1M count=1
change c1 '.process.env += ["MARK=c1"]'
mkfifo "$dir/never-read"
create c1 stdout="$dir/never-read" > /dev/null
call Start id=c1 > /dev/null
sleep 0.2
is "a reader that never reads: the container waits" "$(status c1)" 2
call Kill id=c1 signal=9 > /dev/null
is "and can be killed" "$(call Wait id=c1)" "exit_status=137"
like "and deleted" "$(call Delete id=c1)" 'exit_status=137'
clean c1 "a reader that never reads"
bundle c1 pod true
change c1 '.process.env += ["MARK=c1"]'
mkfifo "$dir/late"
create c1 stdout="$dir/late" > /dev/null
call Start id=c1 > /dev/null
call Wait id=c1 > /dev/null
timeout 60 cat "$dir/late"
ok "a reader that comes after the end is not left waiting for a writer" $?
call Delete id=c1 > /dev/null
clean c1 "a reader that comes late"

# --- workers -----------------------------------------------------------------------------------------------------------
bundle c1 pod sleep 1000
change c1 '.process.env += ["MARK=c1"] | .hooks.createRuntime = [{path: "/bin/sleep", args: ["sleep", "10"]}]'
daemon=$(shim_pid)
before=$(children "$daemon")
create c1 > "$dir/create" &
eventually '[ "$(children "$daemon")" != "$before" ]'
# the worker is the copy of the shim that has a child of its own, the hook
worker_with_hook() {
    for child in $(children "$daemon"); do
        [ "$(cat "/proc/$child/comm")" = containerd-shim ] && [ -n "$(children "$child")" ] && echo "$child"
    done
}
eventually '[ -n "$(worker_with_hook)" ]'
witness "a slow hook"
kill -9 $(worker_with_hook)
wait $!
like "a killed worker is a failed call" "$(cat "$dir/create")" 'error .*died'
eventually '[ "$(children "$daemon" | wc -w)" = 1 ]'
is "its init is gone" "$(children "$daemon" | wc -w)" 1
clean c1 "a killed worker"
witness "a killed worker"
change c1 'del(.hooks)'
like "and the id is free again" "$(create c1)" 'pid='
call Delete id=c1 > /dev/null

# a worker that waits for a slow logger, for an exec of what runs, and one that waits for a slow hook, in delete
printf '#!/bin/sh\nfor i in $(seq 300); do [ ! -e %s/go-on ] || exit; sleep 0.1; done\n' "$dir" > "$dir/slow"
chmod +x "$dir/slow"
create c1 > /dev/null
call Start id=c1 > /dev/null
process='{"args": ["sleep", "999"], "cwd": "/", "user": {"uid": 0, "gid": 0}, "env": ["PATH=/bin", "MARK=c1"]}'
call Exec id=c1 exec_id=x1 spec="$process" stdout="binary://$dir/slow" > /dev/null
before=$(children "$daemon")
call Start id=c1 exec_id=x1 > "$dir/start" &
worker_of_call() { # the copy of the shim among its new children
    for child in $(children "$daemon"); do
        case " $before " in *" $child "*) continue ;; esac
        [ "$(cat "/proc/$child/comm" 2> /dev/null)" = containerd-shim ] && echo "$child"
    done
}
eventually '[ -n "$(worker_of_call)" ]'
witness "a slow logger"
kill -9 $(worker_of_call)
wait $!
like "a worker killed in exec is a failed call" "$(cat "$dir/start")" 'error .*died'
is "and the container runs on" "$(status c1)" 2
like "its exec can be deleted" "$(call Delete id=c1 exec_id=x1)" 'exit_status'
call Kill id=c1 signal=9 > /dev/null
call Wait id=c1 > /dev/null
call Delete id=c1 > /dev/null
clean c1 "a worker killed in exec"
change c1 '.hooks.poststop = [{path: "'"$dir/slow"'"}]'
create c1 > /dev/null
before=$(children "$daemon")
call Delete id=c1 > "$dir/delete" &
eventually '[ -n "$(worker_of_call)" ]'
sleep 0.3
kill -9 $(worker_of_call)
wait $!
like "a worker killed in delete is a failed call" "$(cat "$dir/delete")" 'error .*died'
touch "$dir/go-on"
like "and a second delete succeeds" "$(call Delete id=c1)" 'exit_status=137'
change c1 'del(.hooks)'
clean c1 "a worker killed in delete"
witness "workers killed"

# --- the shim killed at each call --------------------------------------------------------------------------------------
bundle k1 alone sleep 1000
change k1 '.process.env += ["MARK=k1"]'
killed_at() {
    local pid=$(shim_pid)
    kill -9 "$pid"
    eventually "[ ! -e /proc/$pid ]" # containerd too runs \`delete\` when the shim is gone
    (cd "$dir/k1" && "$shim" -namespace test -address /none -publish-binary /none -id k1 -bundle "$dir/k1" delete > "$dir/deleted" 2>&1)
    ok "shim killed $1: delete succeeds" $? "$(cat "$dir/deleted")"
    clean k1 "shim killed $1"
    [ ! -e "${address#unix://}" ]
    ok "shim killed $1: no socket" $?
}
pod_address=$address
start k1
killed_at "before create"
start k1
change k1 '.hooks.createRuntime = [{path: "/bin/sleep", args: ["sleep", "1"]}]'
create k1 > /dev/null 2>&1 &
sleep 0.4
killed_at "in create"
change k1 'del(.hooks)'
start k1
create k1 > /dev/null
killed_at "after create"
start k1
create k1 > /dev/null
call Start id=k1 > /dev/null
call Wait id=k1 > /dev/null 2>&1 &
killed_at "in wait"
start k1
create k1 > /dev/null
call Start id=k1 > /dev/null
call Kill id=k1 signal=9 > /dev/null
killed_at "after kill"
start k1
create k1 > /dev/null
call Start id=k1 > /dev/null
call Pause id=k1 > /dev/null
killed_at "after pause"
start k1
create k1 > /dev/null
call Start id=k1 > /dev/null
call Exec id=k1 exec_id=x1 spec="${process//MARK=c1/MARK=k1}" > /dev/null
call Start id=k1 exec_id=x1 > /dev/null
killed_at "after exec"
change k1 '.hooks.poststop = [{path: "/bin/sleep", args: ["sleep", "1"]}]'
start k1
create k1 > /dev/null
call Delete id=k1 > /dev/null 2>&1 &
sleep 0.4
killed_at "in delete"
wait
address=$pod_address
witness "other shims killed"

# --- many --------------------------------------------------------------------------------------------------------------
descriptors() { ls "/proc/$daemon/fd" | wc -l; }
idle=$(descriptors)
private_kib() { awk '/^Private_Dirty/ { print $2 }' "/proc/$daemon/smaps_rollup"; }
for i in 0 1 2 3 4 5 6 7; do bundle "cycle$i" pod sleep 1000; bundles="${bundles:-} $dir/cycle$i"; done
"$client" "$address" cycles 5 8 $bundles > "$dir/cycles" 2>&1
eventually '[ "$(descriptors)" -le "$idle" ]' # the shim has seen the clients go
before_kib=$(private_kib) before_fds=$(descriptors)
"$client" "$address" cycles "${CYCLES:-125}" 8 $bundles > "$dir/cycles" 2>&1
ok "$((${CYCLES:-125} * 8)) cycles over 8 connections" $? "$(cat "$dir/cycles")"
eventually '[ "$(descriptors)" -le "$idle" ]'
after_kib=$(private_kib)
[ "$after_kib" -le $((before_kib + 16)) ]
ok "the shim's private memory is flat ($before_kib KiB before, $after_kib after)" $?
is "CVE-2022-23471, CVE-2025-64329: and its descriptors" "$(descriptors)" "$before_fds"
is "and its children" "$(children "$daemon" | wc -w)" 1
witness "many cycles"

call Kill id=witness signal=9 > /dev/null
call Wait id=witness > /dev/null
call Delete id=witness > /dev/null
call Shutdown id=witness > /dev/null
eventually '[ ! -e "${address#unix://}" ]'
ok "the shim ends and removes its socket" $?
eventually '[ ! -e "/proc/$daemon" ]'
ok "and its process" $?
find /sys/fs/cgroup -depth -path "*/$group" -type d -exec rmdir {} \; 2>/dev/null
is "no cgroup" "$(find /sys/fs/cgroup -path "*/$group*" -type d)" ""
finish
