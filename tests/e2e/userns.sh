#!/bin/bash
# Containers in a user namespace, new or joined, native and Wasm; id-mapped mounts.
# RUNTIME=/path/of/another runs the native cases with that one: the reference for what is expected.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
runtime=${RUNTIME:-$BUILD/wherry}
if [ "${USERNS_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq; do command -v $tool > /dev/null || why="$tool is not installed"; done
    [ -x "$runtime" ] || why="$runtime is not built"
    unshare -U true 2> /dev/null || why="the kernel makes no user namespaces here"
    if [ -z "$why" ]; then USERNS_INSIDE=1 exec unshare -m --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "user namespaces" "$why"

dir=$BUILD/e2e/userns
rm -rf "$dir"
mkdir -p "$dir/state" "$dir/volume/sub" "$dir/secret/volume"
mount -t tmpfs state "$dir/state"
mount -t tmpfs volume "$dir/volume" # a file system that can be id-mapped on every kernel that can id-map at all
mkdir -p "$dir/volume/sub"
mount -t tmpfs sub "$dir/volume/sub"
chmod 700 "$dir/secret"
make_rootfs() {
    mkdir -p "$1/bin" "$1/proc" "$1/dev" "$1/sys" "$1/tmp"
    cp "$(command -v busybox)" "$1/bin/busybox"
    for applet in sh sleep true id cat ls grep; do ln "$1/bin/busybox" "$1/bin/$applet"; done
    cp "$BUILD/guests/"*.wasm "$1/" 2> /dev/null
    chown -R "$2:$2" "$1"
}
make_rootfs "$dir/rootfs" 100000
make_rootfs "$dir/plain" 0
id=wherry-userns-$$
rt() { "$runtime" --root "$dir/state/rt" "$@"; }
quiet() { rt "$@" > "$dir/out" 2>&1 < /dev/null; }
bundle() { tests/bundle "$dir/$1" "$dir/rootfs" --cgroup "/$id" --userns 100000 "${@:2}"; }
plain() { tests/bundle "$dir/$1" "$dir/plain" --cgroup "/$id" "${@:2}"; }
run() { rt run --bundle "$dir/$1" "$id" 2>&1 < /dev/null; }
inside() { bundle inside "$@" && run inside; }
outside() { plain outside "$@" && run outside; }
left() {
    find /sys/fs/cgroup -maxdepth 3 -name "$id*" 2> /dev/null
    ls "$dir/state/rt" 2> /dev/null
    grep -F "$dir/" /proc/self/mountinfo | grep -vE " $dir/(state|volume|volume/sub) "
}

# --- what a container sees of it
is "uid and gid 0, mapped" "$(inside -- /bin/sh -c 'id -u; id -g; busybox tr -s " " < /proc/self/uid_map; busybox tr -s " " < /proc/self/gid_map')" "0
0
 0 100000 65536
 0 100000 65536"
is "the rootfs and new file systems are its root's" "$(inside -- /bin/sh -c 'for f in / /bin/busybox /dev /dev/shm /dev/pts /tmp; do busybox stat -c %u:%g $f; done' | sort | uniq -c | tr -s ' ')" " 6 0:0"
is "devices are there, the host's" "$(inside -- /bin/sh -c 'echo x > /dev/null && busybox head -c 3 /dev/zero | busybox wc -c; ls /dev | busybox grep -v core | busybox tr "\n" " "')" "3
fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero "
is "paths are masked and read-only" "$(inside -- /bin/sh -c 'cat /proc/timer_list | busybox wc -c; ls /proc/acpi 2>/dev/null | busybox wc -l; (echo x > /proc/sys/kernel/hostname) 2>/dev/null || echo refused')" "0
0
refused"
is "its user" "$(inside --user 1000:1001 -- /bin/sh -c 'id -u; id -g; grep CapEff /proc/self/status' | tr '\n\t' '  ')" "1000 1001 CapEff: 0000000000000000 "
like "on the host it is a mapped user" "$(
    bundle mapped -- /bin/sleep 100
    quiet run --detach --bundle "$dir/mapped" "$id"
    grep ^Uid "/proc/$(rt state "$id" | jq .pid)/status" | tr -s '\t' ' '
    rt delete --force "$id")" "^Uid: 100000 100000"
is "its user may open its standard output again" "$(inside --user 1000:1000 -- /bin/sh -c 'echo again > /dev/stdout')" again
is "a volume below a directory of root's alone" "$(echo within > "$dir/secret/volume/file"; inside --mount "$dir/secret/volume:/data:ro" -- /bin/cat /data/file)" within
is "an oom score that only the host's root may set" "$(inside --edit '.process.oomScoreAdj = 0' -- /bin/cat /proc/self/oom_score_adj)" 0
is "a sysctl of its network namespace" "$(inside --edit '.linux.sysctl = {"net.ipv4.ip_forward": "1"}' -- /bin/cat /proc/sys/net/ipv4/ip_forward)" 1
is "a network namespace that is the host's to give, joined" "$(
    unshare -n sleep 100 & holder=$!
    eventually '[ "$(readlink /proc/$holder/ns/net)" != "$(readlink /proc/self/ns/net)" ]'
    inside --edit "(.linux.namespaces[] | select(.type == \"network\")).path = \"/proc/$holder/ns/net\"
        | .mounts |= map(select(.type != \"sysfs\")) | .linux.maskedPaths = []" -- /bin/busybox readlink /proc/self/ns/net > "$dir/got" 2>&1
    [ "$(cat "$dir/got")" = "$(readlink /proc/$holder/ns/net)" ] && echo joined || cat "$dir/got"
    kill $holder)" joined
is "seccomp" "$(inside --seccomp -- /bin/grep '^Seccomp:' /proc/self/status | tr -d '\t ')" Seccomp:2
hook() { echo "[{path: \"/bin/sh\", args: [\"sh\", \"-c\", \"id -u > $dir/rootfs/tmp/$1\"], env: [\"PATH=/bin:/usr/bin\"]}]"; }
inside --edit ".hooks = {createRuntime: $(hook beside), createContainer: $(hook inner)}" -- /bin/true > "$dir/out"
is "hooks beside the container and in it" "$(stat -c %u "$dir/rootfs/tmp/beside" "$dir/rootfs/tmp/inner" 2>&1; cat "$dir/rootfs/tmp/inner" "$dir/out")" "0
100000
0"

# --- further processes, and a second container in the same user namespace
bundle life -- /bin/sleep 100
quiet run --detach --bundle "$dir/life" "$id"
ok "run --detach" $? "$(cat "$dir/out")"
pid=$(rt state "$id" | jq .pid)
is "exec is in its namespaces" "$(rt exec "$id" sh -c 'for n in user pid mnt net ipc uts cgroup; do busybox readlink /proc/self/ns/$n; done' 2>&1)" \
    "$(for n in user pid mnt net ipc uts cgroup; do readlink "/proc/$pid/ns/$n"; done)"
is "exec as root and as another" "$(rt exec "$id" id -u; rt exec --user 7:8 "$id" sh -c 'id -u; id -g')" "0
7
8"
is "exec: exit code, input and output" "$(echo through | rt exec "$id" sh -c 'cat; exit 5'; echo $?)" "through
5"
is "exec has the container's cgroup" "$(rt exec "$id" cat /proc/self/cgroup | sort)" "$(rt exec "$id" cat /proc/1/cgroup | sort)"
tests/bundle "$dir/second" "$dir/rootfs" --cgroup "/$id-second" --userns 100000 --edit "
    (.linux.namespaces[] | select(.type == \"user\" or .type == \"network\" or .type == \"ipc\")) |= (.path = \"/proc/$pid/ns/\" + {user: \"user\", network: \"net\", ipc: \"ipc\"}[.type])" \
    -- /bin/sh -c 'for n in user net ipc; do busybox readlink /proc/self/ns/$n; done; echo $$'
is "a second container joins its user namespace" "$(rt run --bundle "$dir/second" "$id-second" 2>&1 < /dev/null)" \
    "$(for n in user net ipc; do readlink "/proc/$pid/ns/$n"; done)
1"
jq '.linux.uidMappings[0].hostID = 200000' "$dir/second/config.json" > "$dir/c" && mv "$dir/c" "$dir/second/config.json"
like "which must have the mappings that the config says" "$(rt run --bundle "$dir/second" "$id-second" 2>&1 < /dev/null)" 'mappings are not those of the user namespace'
is "pause and resume" "$(rt pause "$id" 2>&1; rt state "$id" | jq -r .status; rt resume "$id" 2>&1; rt state "$id" | jq -r .status)" "paused
running"
rt kill "$id" KILL
eventually '[ "$(rt state "$id" | jq -r .status)" = stopped ]'
ok "delete" "$(rt delete "$id" > "$dir/out" 2>&1; echo $?)" "$(cat "$dir/out")"
is "nothing is left" "$(left)" ""

# --- id-mapped mounts
echo mine > "$dir/volume/file"
echo below > "$dir/volume/sub/file"
chown 5000:5000 "$dir/volume" "$dir/volume/file"
mapped='.mounts += [{destination: "/data", source: $v, type: "bind", options: ["rbind"], uidMappings: [{containerID: 5000, hostID: 0, size: 10}], gidMappings: [{containerID: 5000, hostID: 7, size: 10}]}]'
mapped=${mapped//\$v/\"$dir/volume\"}
if ! outside --edit "$mapped" -- /bin/true > "$dir/out" 2>&1 && grep -q 'Linux 5.12' "$dir/out"; then
    skip "id-mapped mounts" "this kernel has none"
elif [ "$(stat -f -c %T "$dir/volume")" = tmpfs ] && grep -q 'its file system cannot be id-mapped' "$dir/out"; then
    skip "id-mapped mounts" "this kernel has none of a tmpfs (Linux 6.3)"
else
    is "a mount with mappings of its own" "$(outside --edit "$mapped" -- /bin/busybox stat -c %u:%g /data/file)" 0:7
    is "a file made there has the other id on the disk" "$(outside --user 0:7 --edit "$mapped" -- /bin/sh -c 'echo new > /data/new' && stat -c %u "$dir/volume/new")" 5000
    option='.mounts += [{destination: "/data", source: $v, type: "bind", options: ["rbind", $o]}]'
    option=${option//\$v/\"$dir/volume\"}
    chown 3:3 "$dir/volume/file" "$dir/volume/sub/file"
    is "idmap takes the container's mappings, of the top alone" "$(inside --edit "${option//\$o/\"idmap\"}" -- /bin/busybox stat -c %u:%g /data/file /data/sub/file)" "3:3
65534:65534"
    is "ridmap those of all below it too" "$(inside --edit "${option//\$o/\"ridmap\"}" -- /bin/busybox stat -c %u:%g /data/file /data/sub/file)" "3:3
3:3"
    like "idmap without any mappings" "$(outside --edit "${option//\$o/\"idmap\"}" -- /bin/true)" "'idmap' needs uidMappings and gidMappings, or a user namespace"
    like "a file system that cannot" "$(outside --edit "${mapped//$dir\/volume//proc/sys}" -- /bin/true)" "mount '/proc/sys' at '/data': its file system cannot be id-mapped"
fi
is "rro reaches what lies below" "$(inside --edit '.mounts += [{destination: "/data", source: "'"$dir/volume"'", type: "bind", options: ["rbind", "rro"]}]' -- /bin/sh -c 'for f in /data/x /data/sub/x; do (echo x > $f) 2>/dev/null || echo refused; done')" "refused
refused"

# --- what is refused, in one sentence
like "no mapping of root" "$(inside --edit '.linux.uidMappings[0].containerID = 1' -- /bin/true)" 'config.json: linux.uidMappings: a user namespace needs a mapping of containerID 0'
like "ranges that overlap" "$(inside --edit '.linux.gidMappings += [{containerID: 65535, hostID: 1, size: 1}]' -- /bin/true)" 'linux.gidMappings\[1\].containerID: the range overlaps'
like "a user that is not mapped" "$(inside --user 70000:0 -- /bin/true)" 'user 70000'
like "a sysfs of the host's network" "$(inside --edit '.linux.namespaces |= map(select(.type != "network"))' -- /bin/true)" "sysfs"
is "nothing is left" "$(left)" ""

if [ "$(basename "$runtime")" != wherry ] || [ ! -e "$BUILD/guests/hello.wasm" ]; then
    skip "wasm: all cases" "$(basename "$runtime") is not wherry, or build/guests/hello.wasm could not be built here"
    finish
    exit
fi
is "wasm: exit code" "$(inside -- /hello.wasm --exit 42; echo $?)" 42
is "wasm: a second time, from the cache" "$(inside -- /hello.wasm --exit 43; echo $?)" 43
is "wasm: a volume below a directory of root's alone" "$(inside --mount "$dir/secret/volume:/data:ro" -- /hello.wasm --read /data/file)" within
is "wasm: writes as the mapped root" "$(mkdir "$dir/rootfs/out" && chown 100000 "$dir/rootfs/out" && inside -- /hello.wasm --write /out/new x > "$dir/out"; stat -c %u "$dir/rootfs/out/new")" 100000
is "wasm: docker's seccomp profile" "$(inside --seccomp -- /hello.wasm --exit 3; echo $?)" 3
is "wasm: as another user" "$(inside --user 1000:1000 -- /hello.wasm --exit 4; echo $?)" 4
bundle wasm -- /hello.wasm --sleep
quiet run --detach --bundle "$dir/wasm" "$id"
like "wasm: on the host it is a mapped user" "$(grep ^Uid "/proc/$(rt state "$id" | jq .pid)/status" | tr -s '\t' ' ')" "^Uid: 100000 100000"
is "wasm: exec of a module" "$(rt exec "$id" /hello.wasm --exit 6; echo $?)" 6
is "wasm: exec of a program" "$(rt exec "$id" id -u)" 0
rt delete --force "$id"
is "wasm: nothing is left" "$(left)" ""
finish
