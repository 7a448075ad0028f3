#!/bin/bash
# Crash safety: the runtime killed at each of its system calls in turn, and each of them failing in turn. Whatever state
# that leaves, `delete --force` removes all of it: processes, cgroups, the state directory. And 1,000 containers made and
# removed leave nothing either. STRIDE=N takes every N-th call only (the guest is slow); CYCLES=N containers.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
if [ "${WALK_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq; do command -v $tool > /dev/null || why="$tool is not installed"; done
    [ -x "$BUILD/tests/e2e/kill_walk" ] || why="build/tests/e2e/kill_walk is not built"
    [ "$(uname -m)" = x86_64 ] || why="it reads x86-64 registers"
    if [ -z "$why" ]; then WALK_INSIDE=1 exec unshare -m --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "killed at every system call" "$why"

dir=$BUILD/e2e/kill_walk
rm -rf "$dir"
mkdir -p "$dir/state" "$dir/rootfs/bin" "$dir/rootfs/proc" "$dir/rootfs/dev" "$dir/rootfs/sys"
mount -t tmpfs state "$dir/state"
cp "$(command -v busybox)" "$dir/rootfs/bin/busybox"
ln "$dir/rootfs/bin/busybox" "$dir/rootfs/bin/sleep"
cp "$BUILD/guests/hello.wasm" "$dir/rootfs/" 2> /dev/null
id=wherry-walk-$$
tests/bundle "$dir/native" "$dir/rootfs" --cgroup "/$id" --memory 64000000 --seccomp -- /bin/sleep 100 2> /dev/null ||
    tests/bundle "$dir/native" "$dir/rootfs" --cgroup "/$id" --memory 64000000 -- /bin/sleep 100
tests/bundle "$dir/wasm" "$dir/rootfs" --cgroup "/$id" -- /hello.wasm
hook() { jq -n --arg path /bin/busybox --arg word "$1" '[{path: $path, args: ["busybox", $word]}]'; }
jq --argjson true "$(hook true)" '.hooks = {createRuntime: $true, poststart: $true, poststop: $true}' "$dir/native/config.json" \
    > "$dir/with-hooks" && mv "$dir/with-hooks" "$dir/native/config.json"
sed -i 's#"/bin/busybox"#"'"$dir"'/rootfs/bin/busybox"#' "$dir/native/config.json"

rt="$BUILD/wherry --root $dir/state/rt"
create="$rt create --bundle $dir/native $id"
delete="$rt delete --force $id"
absent=("$dir/state/rt/$id" "/sys/fs/cgroup/$id")
for hierarchy in /sys/fs/cgroup/*/; do absent+=("$hierarchy$id"); done
# walk NAME OPTIONS... -- BEFORE COMMAND: AFTER is always delete --force
walk() {
    local name=$1 options=() out
    shift
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    out=$("$BUILD/tests/e2e/kill_walk" -s "${STRIDE:-1}" "${options[@]}" "$2" "$3" "$delete" "${absent[@]}" 2>&1)
    if [ $? = 0 ]; then tap_pass "$name ($out)"; else
        tap_fail "$name" "$out"
        $delete > /dev/null 2>&1
    fi
}
EIO=5 ENOSYS=38
$create < /dev/null > "$dir/out" 2>&1 && $delete # fills the caches, so that each run does the same
if [ -e "$dir/rootfs/hello.wasm" ]; then
    $rt create --bundle "$dir/wasm" "$id" < /dev/null >> "$dir/out" 2>&1 && $delete
fi
walk "create, killed" kill -- "" "$create"
walk "create, its init killed" -f kill -- "" "$create"
walk "create, a call failing" $EIO -- "" "$create"
walk "create, a call of its init failing" -f $EIO -- "" "$create"
walk "create, a call missing" $ENOSYS -- "" "$create"
walk "start, killed" kill -- "$create" "$rt start $id"
walk "start, a call failing" $EIO -- "$create" "$rt start $id"
walk "delete, killed" kill -- "$create" "$rt delete $id"
walk "delete, a call failing" $EIO -- "$create" "$rt delete $id"
walk "run --detach, killed" kill -- "" "$rt run --detach --bundle $dir/native $id"
if [ -e "$dir/rootfs/hello.wasm" ]; then
    walk "create of a module, killed" kill -- "" "$rt create --bundle $dir/wasm $id"
    walk "create of a module, its init killed" -f kill -- "" "$rt create --bundle $dir/wasm $id"
else
    skip "create of a module" "the guests are not built"
fi

mounts() { wc -l < /proc/self/mountinfo; }
before=$(mounts)
for ((i = 0; i < ${CYCLES:-1000}; i++)); do
    $rt create --bundle "$dir/native" "$id" < /dev/null > "$dir/out" 2>&1 && $rt delete "$id" > "$dir/out" 2>&1 || break
done
is "${CYCLES:-1000} containers made and removed" "$i" "${CYCLES:-1000}"
left=
for path in "${absent[@]}"; do [ ! -e "$path" ] || left="$left $path"; done
is "nothing is left of them" "$left" ""
is "no mount is left of them" "$(mounts)" "$before"
finish
