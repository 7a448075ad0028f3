#!/bin/bash
# Conduct that callers of runc count on and no field of config.json asks for: what the outside suites (tests/oci) look at
# beyond our other tests, written afresh. Native and Wasm where the case has both.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
if [ "${CONDUCT_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq taskset; do command -v $tool > /dev/null || why="$tool is not installed"; done
    [ -x "$BUILD/wherry" ] || why="build/wherry is not built"
    if [ -z "$why" ]; then CONDUCT_INSIDE=1 exec unshare -m --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "conduct" "$why"

dir=$BUILD/e2e/conduct id=wherry-conduct-$$
rm -rf "$dir"
mkdir -p "$dir/state" "$dir/rootfs/bin" "$dir/rootfs/proc" "$dir/rootfs/dev" "$dir/rootfs/sys" "$dir/rootfs/tmp"
mount -t tmpfs state "$dir/state"
cp "$(command -v busybox)" "$dir/rootfs/bin/busybox"
for applet in sh sleep true cat echo id grep ls stat mount unshare mkdir env; do ln "$dir/rootfs/bin/busybox" "$dir/rootfs/bin/$applet"; done
cp "$BUILD/guests/hello.wasm" "$dir/rootfs/" 2> /dev/null
rt() { "$BUILD/wherry" --root "$dir/state/rt" "$@"; }
quiet() { rt "$@" > "$dir/out" 2>&1 < /dev/null; }
# bundle NAME JQ ARGUMENT...
bundle() {
    tests/bundle "$dir/$1" "$dir/rootfs" --cgroup "/$id" -- "${@:3}"
    jq "$2" "$dir/$1/config.json" > "$dir/new" && mv "$dir/new" "$dir/$1/config.json"
}
run() { timeout 120 "$BUILD/wherry" --root "$dir/state/rt" run --bundle "$dir/$1" "${@:2}" "$id" 2>&1 < /dev/null; }
# start NAME: in the background, until deleted
start() { quiet run --detach --bundle "$dir/$1" "$id"; }
inside() { rt exec "$id" "$@" 2>&1 < /dev/null; }
gone() { quiet delete --force "$id"; }
status() { rt state "$id" 2> /dev/null | jq -r .status; }
wait_for() { eventually '[ "$(status)" = "$1" ]' "$@"; }

# --- capabilities: what cannot be granted is a warning (runtime-spec, config)
bundle unknown '.process.capabilities.bounding += ["CAP_SAIL", "CAP_ANCHOR"]' /bin/echo hello
like "an unknown capability is warned of" "$(run unknown)" "warning: .*'CAP_SAIL'.*'CAP_ANCHOR'"
like "and the container runs" "$(run unknown)" "^hello$"
bundle ambient '.process.capabilities = {bounding: ["CAP_KILL", "CAP_CHOWN"], permitted: ["CAP_KILL"], effective: ["CAP_KILL"],
    inheritable: ["CAP_KILL"], ambient: ["CAP_KILL", "CAP_CHOWN"]}' /bin/grep CapAmb /proc/self/status
out=$(run ambient)
like "an ambient capability that is not permitted is warned of" "$out" "can't raise ambient capability CAP_CHOWN: "
like "and the others are raised" "$out" "CapAmb:.*0000000000000020"
bundle added '.process.capabilities = {bounding: ["CAP_KILL", "CAP_SYSLOG"], permitted: ["CAP_KILL"], effective: ["CAP_KILL"],
    inheritable: ["CAP_SYSLOG"], ambient: []}' /bin/sleep 100
start added
like "exec --cap raises as ambient what is inheritable" "$(rt exec --cap CAP_SYSLOG "$id" grep CapAmb /proc/self/status)" "0000000400000000"
like "and adds nothing to what is not" "$(rt exec --cap CAP_KILL "$id" grep CapAmb /proc/self/status)" "0000000000000000"
gone

# --- CPUs: which of them the caller is kept to is not the container's business
if [ "$(nproc)" -gt 1 ]; then
    all=$(grep Cpus_allowed_list /proc/self/status)
    bundle cpus . /bin/grep Cpus_allowed_list /proc/self/status
    is "run: all CPUs, whatever the caller's affinity" "$(taskset -c 0 "$BUILD/wherry" --root "$dir/state/rt" run --bundle "$dir/cpus" "$id" 2>&1)" "$all"
    bundle sleeper . /bin/sleep 100
    start sleeper
    is "exec: the same" "$(taskset -c 0 "$BUILD/wherry" --root "$dir/state/rt" exec "$id" grep Cpus_allowed_list /proc/self/status 2>&1)" "$all"
    gone
else
    skip "CPU affinity" "one CPU"
fi

# --- the environment: one value for each name, the last one
bundle environment '.process.env = ["A=1", "PATH=/bin", "A=2", "HOME=/x", "HOME=", "AB=3"]' /bin/env
is "native: the last value of a name counts" "$(run environment | sort | tr '\n' ' ')" "A=2 AB=3 HOME=/ PATH=/bin "
if [ -e "$dir/rootfs/hello.wasm" ]; then
    bundle wasm-environment '.process.env = ["A=1", "PATH=/bin", "A=2"]' /hello.wasm
    is "wasm: the same" "$(run wasm-environment | grep -o 'A=.*')" "A=2"
else
    skip "wasm: the same" "build/guests/hello.wasm could not be built here"
fi

# --- devices
link=$dir/link
mkdir -p "$link/outside"
cp -r "$dir/rootfs" "$link/"
rmdir "$link/rootfs/dev"
ln -s "$link/outside" "$link/rootfs/dev"
tests/bundle "$link" "$link/rootfs" --cgroup "/$id" -- /bin/true
jq '.mounts |= map(select(.destination | startswith("/dev") | not))' "$link/config.json" > "$dir/new" && mv "$dir/new" "$link/config.json"
like "a /dev that is a link is refused" "$(run link)" "cannot make '/dev'"
is "and nothing is made where it leads" "$(ls -A "$link/outside")" ""
whole='[{containerID: 0, hostID: 0, size: 4294967295}]'
bundle nodes ".linux.namespaces += [{type: \"user\"}] | .linux.uidMappings = $whole | .linux.gidMappings = $whole |
    .linux.devices = [{path: \"/dev/foo\", type: \"b\", major: 1, minor: 5, uid: 10, gid: 11, fileMode: 111}]" \
    /bin/sh -c 'stat -c "%t:%T %u:%g %a" /dev/foo; grep " /dev/[fnuzrt]" /proc/self/mountinfo | grep -v nosuid,noexec'
if unshare -U true 2> /dev/null; then
    out=$(run nodes)
    like "user namespace: a device that the host lacks, with its owner and mode" "$out" "^1:5 10:11 157$"
    is "user namespace: bound devices are nosuid and noexec" "$(printf '%s\n' "$out" | sed 1d)" ""
else
    skip "devices in a user namespace" "the kernel makes no user namespaces here"
fi

# --- a config.json without a process: runtime-spec requires it for start only
bundle without 'del(.process)'
quiet create --bundle "$dir/without" "$id"
is "a container can be created without a process" "$?" 0
is "then it is created" "$(status)" created
like "but not started" "$(rt start "$id" 2>&1)" "process: it is missing"
wait_for stopped
is "it has ended then" "$(status)" stopped
gone

# --- pids.limit: 0 is the least that there can be
bundle one '.linux.resources.pids.limit = 0' /bin/sleep 100
start one
is "pids.limit 0 is one process" "$(cat "/sys/fs/cgroup/pids/$id/pids.max" "/sys/fs/cgroup/$id/pids.max" 2> /dev/null)" 1
quiet update --pids-limit 7 "$id" && quiet update --pids-limit 0 "$id"
is "update: the same" "$(cat "/sys/fs/cgroup/pids/$id/pids.max" "/sys/fs/cgroup/$id/pids.max" 2> /dev/null)" 1
gone

# --- without a pid namespace the end of the init ends nothing else, so SIGKILL is for all
bundle shared '.linux.namespaces |= map(select(.type != "pid"))' /bin/sleep 100
left() { cat "/sys/fs/cgroup/pids/$id/cgroup.procs" "/sys/fs/cgroup/$id/cgroup.procs" 2> /dev/null | wc -l; }
wait_empty() { eventually '[ "$(left)" = 0 ]'; }
start shared
quiet exec --detach "$id" sleep 100
is "a second process" "$(left)" 2
quiet kill "$id" KILL
wait_empty
is "host's pid namespace: kill KILL ends both" "$(left)" 0
quiet kill "$id" KILL
is "nothing left to kill is an error" "$?" 1
gone
start shared
quiet exec --detach "$id" sleep 100
kill -9 "$(rt state "$id" | jq .pid)"
wait_for stopped
is "the init gone, one left" "$(left)" 1
quiet kill "$id" KILL
is "kill KILL is for that one then" "$?" 0
wait_empty
is "and ends it" "$(left)" 0
gone

# --- created and not started: it ends as asked, though the first process of a pid namespace ignores what it has no handler for
for kind in native wasm; do
    program="/bin/sleep 100"
    [ $kind = native ] || program=/hello.wasm
    [ $kind = native ] || [ -e "$dir/rootfs/hello.wasm" ] || continue
    bundle created . $program
    quiet create --bundle "$dir/created" "$id"
    quiet kill "$id" TERM
    wait_for stopped
    is "$kind: TERM ends a created container" "$(status)" stopped
    if ps -ef > /dev/null 2>&1; then
        is "$kind: ps of a stopped one is a heading" "$(rt ps "$id" | wc -l)" 1
    else
        skip "$kind: ps of a stopped one is a heading" "ps does not work here: $(ps -ef 2>&1 | head -1)"
    fi
    gone
done
bundle deaf . /bin/sleep 100
start deaf
quiet kill "$id" TERM
sleep 0.2
is "its program has no such handler" "$(status)" running
gone

# --- what the state notes is what the file is, not how it is called
noted() { bundle noted . "$1"; quiet create --bundle "$dir/noted" "$id"; jq -c .wasm "$dir/state/rt/$id/state.json"; gone; }
ln "$dir/rootfs/bin/busybox" "$dir/rootfs/bin/native.wasm"
is "an ELF program named .wasm is native" "$(noted /bin/native.wasm)" null
if [ -e "$dir/rootfs/hello.wasm" ]; then
    ln "$dir/rootfs/hello.wasm" "$dir/rootfs/module"
    is "a module is one" "$(noted /hello.wasm)" true
    is "whatever its name" "$(noted /module)" true
fi

# --- hooks
hook() { jq -c -n --arg text "$1" '{startContainer: [{path: "/bin/sh", args: ["sh", "-c", $text]}]}'; }
bundle hooked ".process.env += [\"ONE=two\"] | .hooks = $(hook 'test "$ONE" = two')" /bin/true
quiet run --bundle "$dir/hooked" "$id"
is "native: a startContainer hook has the process's environment" "$?" 0
if [ -e "$dir/rootfs/hello.wasm" ]; then
    bundle hooked ".process.env += [\"ONE=two\"] | .hooks = $(hook 'test "$ONE" = two')" /hello.wasm
    quiet run --bundle "$dir/hooked" "$id"
    is "wasm: the same" "$?" 0
fi
bundle made ".hooks = {createContainer: [{path: \"/bin/sh\", args: [\"sh\", \"-c\", \"echo made > ./tmp/made\"]}]}" /bin/cat /tmp/made
is "a createContainer hook works in the container's root" "$(run made)" made
rm -f "$dir/rootfs/tmp/made"
filter='{defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 1}]}'
bundle filtered ".linux.seccomp = $filter | .hooks = $(hook 'mkdir /dev/shm/x')" /bin/true
like "it runs under the container's filter" "$(run filtered)" "error running startContainer hook #0: .*Operation not permitted"

# --- --no-pivot leaves the host's mounts below: none of its procfs may let a user namespace mount a whole one
bundle moved '.process.capabilities.bounding += ["CAP_SETFCAP"]' /bin/unshare -mrpf sh -c "mount -t proc none /proc && echo mounted"
like "--no-pivot: no procfs without the masks" "$(run moved --no-pivot)" "ermission denied\|not permitted"

# --- paths
bundle twice '.linux.maskedPaths = ["/tmp", "/tmp"]' /bin/grep -c " /tmp " /proc/self/mountinfo
is "a path that is masked twice is one mount" "$(run twice)" 1
echo content > "$dir/file"
bundle prefixed ".mounts += [{destination: \"$dir/rootfs/data\", type: \"bind\", source: \"$dir/file\", options: [\"bind\"]}]" /bin/cat /data
is "a destination as the host sees it" "$(run prefixed)" content
mkdir -p "$dir/tree/sub"
echo below > "$dir/tree/sub/file"
again=".mounts += [{destination: \"/a\", type: \"bind\", source: \"$dir/tree\", options: [\"rbind\"]},
    {destination: \"/b\", type: \"bind\", source: \"$dir/rootfs/a/sub\", options: [\"rbind\"]}]"
bundle again "$again" /bin/cat /b/file
is "a source that the container has mounted" "$(run again)" below
if unshare -U true 2> /dev/null; then
    bundle again "$again | .linux.namespaces += [{type: \"user\"}] | .linux.uidMappings = $whole | .linux.gidMappings = $whole" /bin/cat /b/file
    is "user namespace: the same" "$(run again)" below
fi
mkdir "$dir/rootfs/roots"
cp "$dir/rootfs/bin/busybox" "$dir/rootfs/roots/echo"
chmod 700 "$dir/rootfs/roots/echo"
can='["CAP_DAC_OVERRIDE"]'
bundle roots '.process.user = {uid: 1000, gid: 1000} | .process.capabilities = {}' /roots/echo hello
like "another's program" "$(run roots)" "permission denied"
bundle roots ".process.user = {uid: 1000, gid: 1000} | .process.capabilities =
    {bounding: $can, permitted: $can, effective: $can, inheritable: $can, ambient: $can}" /roots/echo hello
is "another's program, with CAP_DAC_OVERRIDE" "$(run roots)" hello

# --- exec --cgroup on v1: a sub cgroup of one controller
if [ -d /sys/fs/cgroup/pids ]; then
    bundle sub . /bin/sleep 100
    start sub
    mkdir "/sys/fs/cgroup/pids/$id/below"
    like "exec --cgroup: where it exists" "$(rt exec --cgroup below "$id" grep pids: /proc/self/cgroup 2>&1)" "/below$"
    like "exec --cgroup: nowhere" "$(rt exec --cgroup nowhere "$id" true 2>&1)" "adding pid to a cgroup that the container does not have: No such file"
    like "exec --cgroup: no such controller" "$(rt exec --cgroup harbour:/ "$id" true 2>&1)" "unknown controller"
    gone
else
    skip "exec --cgroup on v1" "the host has v2"
fi

# --- SCHED_DEADLINE: what the kernel would only call invalid
for wrong in '{deadline: 20000000}|requires `runtime`' '{runtime: 100, deadline: 20000000}|100 must be between 1024' \
    '{runtime: 30000000, deadline: 20000000}|must be <= its deadline' '{runtime: 1000000, deadline: 3000000, period: 2000000}|must be <= its period'; do
    bundle deadline ".process.scheduler = (${wrong%|*} + {policy: \"SCHED_DEADLINE\"})" /bin/true
    like "SCHED_DEADLINE ${wrong%|*}" "$(run deadline)" "process.scheduler: .*${wrong#*|}"
done
finish
