#!/bin/bash
# sd_notify: what a service manager hears of a container that runs in its unit, detached and in the foreground, native and Wasm.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
peer=$BUILD/tests/e2e/notify_peer
if [ "${NOTIFY_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    command -v jq > /dev/null || why="jq is not installed"
    [ -x "$BUILD/wherry" ] || why="build/wherry is not built"
    [ -x "$peer" ] || why="build/tests/e2e/notify_peer is not built"
    if [ -z "$why" ]; then NOTIFY_INSIDE=1 exec unshare -m --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "sd_notify" "$why"

dir=$BUILD/e2e/notify id=wherry-notify-$$
rm -rf "$dir"
mkdir -p "$dir/state" "$dir/rootfs/bin" "$dir/rootfs/proc" "$dir/rootfs/dev" "$dir/rootfs/sys"
mount -t tmpfs state "$dir/state"
cp "$peer" "$dir/rootfs/bin/peer"
cp "$BUILD/guests/"*.wasm "$dir/rootfs/" 2> /dev/null
rt() { NOTIFY_SOCKET=$socket "$BUILD/wherry" --root "$dir/state/rt" "$@"; }
# bundle JQ PROGRAM...
bundle() { tests/bundle "$dir" "$dir/rootfs" --cgroup "/$id" --edit "$1" -- "${@:2}"; }
manager=
listen() { # SOCKET
    [ -z "$manager" ] || { kill "$manager"; wait "$manager"; } 2> /dev/null
    socket=$1 heard=$dir/heard
    rm -f "$dir/heard"
    "$peer" manager "$1" >> "$heard" 2>&1 & # it is emptied between the cases
    manager=$!
    eventually 'grep -q "$1" /proc/net/unix' "$@"
}
heard() { tr '\n' ' ' < "$heard"; }
await() { eventually 'grep -q -- "$1" "$2"' "$@"; }
pid_of() { rt state "$id" | jq .pid; }

# --- detached: create and start, as a manager does; start returns when the container is ready, with its init as main process
listen "$dir/state/manager"
# after READY nobody listens any more, as with runc: a message that came too late for `start` would end the peer
hostile='["/bin/peer", "say", "STATUS=loading", "MAINPID=1\nFDSTORE=1\nREADY=1\nBUSERROR=x"]'
bundle ".process.args = $hostile | .process.env += [\"NOTIFY_SOCKET=/run/systemd/notify\"]" x
rt create --bundle "$dir" "$id" > "$dir/out" 2>&1 < /dev/null
ok "create" $? "$(cat "$dir/out")"
is "nothing is said before start" "$(heard)" ""
timeout 120 env NOTIFY_SOCKET="$socket" "$BUILD/wherry" --root "$dir/state/rt" start "$id" > "$dir/out" 2>&1
ok "start returns when the container is ready" $? "$(cat "$dir/out")"
is "start: the container's state, READY with its init, a barrier; nothing that it may not say" "$(heard)" \
    "STATUS=loading READY=1|MAINPID=$(pid_of) [fd]BARRIER=1 "
rt delete --force "$id"
is "delete leaves nothing" "$(ls "$dir/state/rt")" ""

# --- a container that ends without a word does not hold up its manager
bundle '.process.args = ["/bin/peer", "nonsense"]' x
timeout 120 env NOTIFY_SOCKET="$socket" "$BUILD/wherry" --root "$dir/state/rt" run --detach --bundle "$dir" "$id" > "$dir/out" 2>&1 < /dev/null
ok "run --detach returns when the container has ended" $? "$(cat "$dir/out")"
is "and READY is not said for it" "$(grep -c READY "$heard")" 1
rt delete --force "$id"

# --- in the foreground: the runtime stays the main process, and later news come through
listen "@wherry-notify-$$"
bundle '.process.args = ["/bin/peer", "say", "READY=1", "WATCHDOG=1", "STOPPING=1"]' x
NOTIFY_SOCKET=$socket "$BUILD/wherry" --root "$dir/state/rt" run --bundle "$dir" "$id" > "$dir/out" 2>&1 < /dev/null &
runtime=$!
await STOPPING "$heard"
is "run: READY with the runtime as main process, then what follows (abstract socket)" "$(heard)" \
    "READY=1|MAINPID=$runtime [fd]BARRIER=1 WATCHDOG=1 STOPPING=1 "
kill -TERM "$runtime"
rt kill "$id" KILL
wait "$runtime"
is "run: signals are still passed on" $? 137

# --- other users, other namespaces
listen "$dir/state/manager2"
for case in ".process.user = {uid: 1000, gid: 1000}" ".root.readonly = true" \
    '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'; do
    : > "$heard"
    bundle "$case | .process.args = [\"/bin/peer\", \"say\", \"READY=1\"]" x
    timeout 120 env NOTIFY_SOCKET="$socket" "$BUILD/wherry" --root "$dir/state/rt" run --detach --bundle "$dir" "$id" > "$dir/out" 2>&1 < /dev/null
    like "also with ${case:0:40}..." "$(cat "$heard" "$dir/out")" READY=1
    rt delete --force "$id"
done

# --- a Wasm module cannot speak for itself
if [ -e "$dir/rootfs/hello.wasm" ]; then
    : > "$heard"
    bundle '.process.args = ["/hello.wasm"]' x
    NOTIFY_SOCKET=$socket "$BUILD/wherry" --root "$dir/state/rt" run --bundle "$dir" "$id" > "$dir/out" 2>&1 < /dev/null
    ok "wasm: runs" $? "$(cat "$dir/out")"
    like "wasm: the runtime says READY" "$(heard)" "^READY=1|MAINPID=[0-9]* \[fd\]BARRIER=1 $"
    : > "$heard"
    rt create --bundle "$dir" "$id" > "$dir/out" 2>&1 < /dev/null
    pid=$(pid_of)
    rt start "$id"
    is "wasm: start says READY" "$(heard)" "READY=1|MAINPID=$pid [fd]BARRIER=1 "
    rt delete --force "$id"
else
    skip "wasm: the runtime says READY" "there is no compiler for the guest"
fi

# --- without the variable there is no socket, and a manager that is gone is said
socket=
bundle '.process.args = ["/bin/peer", "say", "READY=1"]' x
like "without NOTIFY_SOCKET the container has none" "$("$BUILD/wherry" --root "$dir/state/rt" run --bundle "$dir" "$id" 2>&1 < /dev/null)" "no NOTIFY_SOCKET"
like "a manager's socket that is not there" "$(NOTIFY_SOCKET=/nowhere/notify "$BUILD/wherry" --root "$dir/state/rt" run --bundle "$dir" "$id" 2>&1 < /dev/null)" \
    "NOTIFY_SOCKET '/nowhere/notify'"
is "nothing is left" "$(ls "$dir/state/rt"; find /sys/fs/cgroup -maxdepth 3 -name "$id*")" ""
kill "$manager"
umount "$dir/state"
finish
