#!/bin/bash
# seccomp beyond a plain filter: calls that an agent answers (SCMP_ACT_NOTIFY), the filter's flags, and a filter that would
# not let the Wasm engine run. RUNTIME=/path/of/another runs the native cases with that one: the reference.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
runtime=${RUNTIME:-$BUILD/wherry}
agent=$BUILD/tests/e2e/seccomp_agent
if [ "${SECCOMP_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq; do command -v $tool > /dev/null || why="$tool is not installed"; done
    for program in "$runtime" "$agent"; do [ -x "$program" ] || why="$program is not built"; done
    if [ -z "$why" ]; then SECCOMP_INSIDE=1 exec unshare -m --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "seccomp" "$why"

dir=$BUILD/e2e/seccomp
rm -rf "$dir"
mkdir -p "$dir/state" "$dir/rootfs/bin" "$dir/rootfs/proc" "$dir/rootfs/dev" "$dir/rootfs/sys" "$dir/rootfs/tmp"
mount -t tmpfs state "$dir/state"
cp "$(command -v busybox)" "$dir/rootfs/bin/busybox"
for applet in sh sleep true id cat ls grep mkdir uname; do ln "$dir/rootfs/bin/busybox" "$dir/rootfs/bin/$applet"; done
cp "$BUILD/guests/"*.wasm "$dir/rootfs/" 2> /dev/null
id=wherry-seccomp-$$
rt() { "$runtime" --root "$dir/state/rt" "$@"; }
quiet() { rt "$@" > "$dir/out" 2>&1 < /dev/null; }
bundle() { tests/bundle "$dir/$1" "$dir/rootfs" --cgroup "/$id" "${@:2}"; }
inside() { bundle inside "$@" && rt run --bundle "$dir/inside" "$id" 2>&1 < /dev/null; }
await() { eventually 'grep -qs "$1" "$2"' "$@"; }

# --- calls that an agent answers
socket=$dir/state/agent
"$agent" "$socket" "$dir/states" > "$dir/ready" &
agent_pid=$!
await ready "$dir/ready"
notify() {
    echo '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"], listenerPath: "'"$socket"'", listenerMetadata: "what the agent wants to know",
        syscalls: [{names: ["mkdir", "mkdirat", "uname"], action: "SCMP_ACT_NOTIFY"}]}'
}
for new in true false; do
    is "the agent answers (noNewPrivileges: $new)" "$(inside --edit "$(notify) | .process.noNewPrivileges = $new" -- /bin/sh -c 'mkdir /tmp/x; uname')" \
        "mkdir: can't create directory '/tmp/x': No medium found
Linux"
done
is "it is told of the process" "$(jq -r '[.fds[0], .metadata, .state.id, .state.status, .state.bundle, (.pid == .state.pid), (.ociVersion | length > 0)] | map(tostring) | join("|")' "$dir/states" | sort -u)" \
    "seccompFd|what the agent wants to know|$id|creating|$dir/inside|true|true"
bundle life --edit "$(notify)" -- /bin/sleep 100
quiet run --detach --bundle "$dir/life" "$id"
is "exec has a listener too" "$(rt exec "$id" mkdir /tmp/x 2>&1)" "mkdir: can't create directory '/tmp/x': No medium found"
is "of which the agent hears, with the exec's own pid" "$(tail -1 "$dir/states" | jq -r '[.state.status, .pid != .state.pid] | map(tostring) | join(" ")')" "running true"
rt delete --force "$id"
is "with all the flags" "$(inside --edit "$(notify) | .linux.seccomp.flags = [\"SECCOMP_FILTER_FLAG_TSYNC\", \"SECCOMP_FILTER_FLAG_LOG\", \"SECCOMP_FILTER_FLAG_SPEC_ALLOW\", \"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"]" \
    -- /bin/uname)" Linux
is "the flags of a filter without listener" "$(inside --seccomp --edit '.linux.seccomp.flags = ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"]' \
    -- /bin/uname)" Linux
like "an agent that is not there fails create" "$(inside --edit "$(notify) | .linux.seccomp.listenerPath = \"$dir/nowhere\"" -- /bin/true)" "linux.seccomp.listenerPath: .*nowhere"
like "no agent at all" "$(inside --edit "$(notify) | del(.linux.seccomp.listenerPath, .linux.seccomp.listenerMetadata)" -- /bin/true)" "listenerPath"
like "as the default action it is refused" "$(inside --edit "$(notify) | .linux.seccomp.defaultAction = \"SCMP_ACT_NOTIFY\"" -- /bin/true)" 'SCMP_ACT_NOTIFY cannot be used as'
is "nothing is left" "$(find /sys/fs/cgroup -maxdepth 3 -name "$id*"; ls "$dir/state/rt")" ""

if [ "$(basename "$runtime")" != wherry ] || [ ! -e "$BUILD/guests/hello.wasm" ]; then
    skip "wasm: all cases" "$(basename "$runtime") is not wherry, or build/guests/hello.wasm could not be built here"
    kill $agent_pid
    finish
    exit
fi
like "the call by which the listener is handed over must be allowed" "$(inside --edit "$(notify) | .linux.seccomp.syscalls[0].names += [\"sendmsg\"]" -- /bin/true)" 'with SCMP_ACT_NOTIFY sendmsg must be allowed'
is "wasm: the agent is heard" "$(inside --edit "$(notify)" -- /hello.wasm --exit 5; echo $?)" 5
kill $agent_pid
# --- a filter that forbids what the engine needs
for call in mmap mprotect rt_sigaction execveat; do
    like "wasm: a filter that refuses $call fails create" \
        "$(inside --edit ".linux.seccomp = {defaultAction: \"SCMP_ACT_ALLOW\", architectures: [\"SCMP_ARCH_X86_64\"], syscalls: [{names: [\"$call\"], action: \"SCMP_ACT_ERRNO\"}]}" -- /hello.wasm)" \
        "^wherry: exec: \"/hello.wasm\": linux.seccomp refuses $call, without which the Wasm engine cannot run"
done
is "nothing is left" "$(find /sys/fs/cgroup -maxdepth 3 -name "$id*"; ls "$dir/state/rt")" ""
finish
