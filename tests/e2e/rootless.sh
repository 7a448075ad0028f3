#!/bin/bash
# The runtime as an ordinary user: himself alone mapped, ranges of newuidmap, no cgroup of his own; by its command line and under
# podman; native and Wasm. RUNTIME=/path/of/another runs the native cases with that one: the reference.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
runtime=${RUNTIME:-$BUILD/wherry}
user=12345
if [ "${ROOTLESS_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root, to become an ordinary user"
    for tool in busybox jq setpriv; do command -v $tool > /dev/null || why="$tool is not installed"; done
    [ -x "$runtime" ] || why="$runtime is not built"
    [ -n "$why" ] || setpriv --reuid $user --regid $user --clear-groups test -x "$runtime" || why="other users cannot reach $runtime"
    [ -n "$why" ] || setpriv --reuid $user --regid $user --clear-groups unshare -U true 2> /dev/null || why="ordinary users may make no user namespaces here"
    if [ -z "$why" ]; then ROOTLESS_INSIDE=1 exec unshare -m --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
. tests/podman.sh
[ -z "${why:-}" ] || skip_all "rootless" "$why"

dir=$BUILD/e2e/rootless
rm -rf "$dir"
mkdir -p "$dir/home" "$dir/run" "$dir/volume"
mount -t tmpfs run "$dir/run"
mkdir "$dir/run/user"
make_rootfs() {
    mkdir -p "$1/bin" "$1/proc" "$1/dev" "$1/sys" "$1/tmp"
    cp "$(command -v busybox)" "$1/bin/busybox"
    for applet in sh sleep true id cat ls grep; do ln "$1/bin/busybox" "$1/bin/$applet"; done
    cp "$BUILD/guests/"*.wasm "$1/" 2> /dev/null
}
make_rootfs "$dir/bundle/rootfs"
chown -R $user:$user "$dir/home" "$dir/run/user" "$dir/bundle" "$dir/volume"
chmod 700 "$dir/run/user"
# a user with a name and ranges, for newuidmap and podman
printf 'root:x:0:0:root:/root:/bin/sh\nsailor:x:%s:%s::%s:/bin/sh\n' $user $user "$dir/home" > "$dir/run/passwd"
printf 'root:x:0:\nsailor:x:%s:\n' $user > "$dir/run/group"
echo sailor:400000:65536 > "$dir/run/subid"
for pair in passwd:passwd group:group subid:subuid subid:subgid; do
    [ -e "/etc/${pair#*:}" ] && mount --bind "$dir/run/${pair%:*}" "/etc/${pair#*:}"
done
id=wherry-rootless-$$
as_user() { (cd "$dir/bundle" && setpriv --reuid $user --regid $user --clear-groups --inh-caps=-all --bounding-set=-all,+setuid,+setgid,+sys_admin,+dac_override,+fowner,+setfcap \
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME="$dir/home" XDG_RUNTIME_DIR="$dir/run/user" USER=sailor "$@"); }
rt() { as_user "$runtime" "$@"; }
edit() { jq "$1" "$dir/bundle/config.json" > "$dir/c" && cat "$dir/c" > "$dir/bundle/config.json"; }
# fresh FILTER ARGUMENT...: what `spec --rootless` writes, with the program and FILTER
fresh() {
    local filter=$1
    shift
    rm -f "$dir/bundle/config.json"
    rt spec --rootless
    edit ".process.terminal = false | .process.args = $(jq -nc '$ARGS.positional' --args -- "$@") | $filter"
}
inside() { fresh "$@" && rt run "$id" 2>&1 < /dev/null; }
left() {
    rt list -q 2>&1
    find /sys/fs/cgroup -maxdepth 3 -name "$id*" 2> /dev/null
    ps -o stat=,pid=,args= -u $user | grep -v ^Z
}

# --- himself alone
fresh . /bin/true
is "spec --rootless" "$(jq -c '.linux.uidMappings, (.linux.namespaces | map(.type) | index("user") != null), (.linux.namespaces | map(.type) | index("network")), .linux.resources' "$dir/bundle/config.json")" \
    "[{\"containerID\":0,\"hostID\":$user,\"size\":1}]
true
null
null"
is "himself alone is mapped" "$(inside . /bin/sh -c 'id -u; busybox tr -s " " < /proc/self/uid_map; cat /proc/self/setgroups')" "0
 0 $user 1
deny"
is "what he may read is there" "$(echo his > "$dir/volume/file"; inside ".mounts += [{destination: \"/data\", source: \"$dir/volume\", options: [\"bind\"]}]" /bin/cat /data/file)" his
is "devices" "$(inside . /bin/sh -c 'echo x > /dev/null && busybox head -c 3 /dev/zero | busybox wc -c')" 3
is "exit code" "$(inside . /bin/sh -c 'exit 7'; echo $?)" 7
like "a program that is not there" "$(inside . /bin/nowhere)" 'no such file or directory'
like "a limit without a delegated cgroup is refused" "$(inside '.linux.resources = {memory: {limit: 100000000}}' /bin/true)" 'limits need a cgroup, and none is delegated to this user'
like "a group that is not mapped" "$(inside '.process.user.additionalGids = [7]' /bin/true)" 'additional groups cannot be set in a user namespace that denies setgroups'
life() {
    local kind=$1 pid
    shift
    fresh . "$@"
    rt run --detach --pid-file "$dir/run/user/pid" "$id" > "$dir/out" 2>&1 < /dev/null
    ok "$kind: run --detach" $? "$(cat "$dir/out")"
    pid=$(cat "$dir/run/user/pid")
    is "$kind: state" "$(rt state "$id" | jq -r '[.status, .pid] | map(tostring) | join(" ")')" "running $pid"
    is "$kind: it is his process" "$(awk '/^Uid/ { print $2 }' "/proc/$pid/status")" $user
    is "$kind: exec" "$(rt exec "$id" sh -c 'id -u; busybox readlink /proc/self/ns/user; exit 5'; echo $?)" "0
$(readlink "/proc/$pid/ns/user")
5"
    is "$kind: kill" "$(rt kill "$id" KILL 2>&1; eventually '[ "$(rt state "$id" | jq -r .status)" = stopped ]'; rt state "$id" | jq -r .status)" stopped
    is "$kind: delete" "$(rt delete "$id" 2>&1; left)" ""
}
life native /bin/sleep 100

# --- a delegated cgroup: of every hierarchy, with the caller already in it (on v2 nobody moves between trees that are not his)
hierarchies=$(awk '$9 == "cgroup" || $10 == "cgroup" || $9 == "cgroup2" || $10 == "cgroup2" { print $5 }' /proc/self/mountinfo)
for h in $hierarchies; do
    mkdir -p "$h/$id-mine/caller"
    [ -e "$h/cgroup.subtree_control" ] && tr ' ' '\n' < "$h/cgroup.controllers" | while read -r c; do echo "+$c" > "$h/cgroup.subtree_control"; done 2> /dev/null
    for file in cpuset.cpus cpuset.mems; do for d in "$h/$id-mine" "$h/$id-mine/caller"; do [ -e "$d/$file" ] && cat "$h/$file" > "$d/$file"; done; done 2> /dev/null
    chown -R $user:$user "$h/$id-mine"
done
delegated() { (for h in $hierarchies; do echo $BASHPID > "$h/$id-mine/caller/cgroup.procs"; done; rt "$@"); }
fresh ".linux.cgroupsPath = \"/$id-mine/c\" | .linux.resources = {memory: {limit: 40000000}, pids: {limit: 9}}" /bin/sleep 100
delegated run --detach "$id" > "$dir/out" 2>&1 < /dev/null
ok "a limit in a delegated cgroup" $? "$(cat "$dir/out")"
is "is set" "$(cat "/sys/fs/cgroup/pids/$id-mine/c/pids.max" 2> /dev/null || cat "/sys/fs/cgroup/$id-mine/c/pids.max")" 9
is "exec is in it" "$(delegated exec "$id" cat /proc/self/cgroup | grep -c /caller)" 0
is "pause, resume" "$(delegated pause "$id" 2>&1; rt state "$id" | jq -r .status; delegated resume "$id" 2>&1)" paused
is "and it goes" "$(delegated delete --force "$id" 2>&1; ls -d /sys/fs/cgroup/{*/,}"$id-mine/c" 2> /dev/null)" ""
for h in $hierarchies; do rmdir "$h/$id-mine/caller" "$h/$id-mine"; done

# --- ranges
ranges='.linux.uidMappings = [{containerID: 0, hostID: '$user', size: 1}, {containerID: 1, hostID: 400000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
if command -v newuidmap > /dev/null; then
    is "a range of newuidmap" "$(inside "$ranges | .process.user = {uid: 5, gid: 6, additionalGids: [7]}" /bin/sh -c 'id -u; id -G; busybox tr -s " " < /proc/self/uid_map; cat /proc/self/setgroups')" "5
6 7
 0 $user 1
 1 400000 65536
allow"
    like "a range that is not his" "$(inside "${ranges//400000/500000}" /bin/true)" 'newuidmap refuses the mappings'
else
    skip "ranges of newuidmap" "newuidmap is not installed"
fi
is "nothing is left" "$(left)" ""

# --- under podman
if [ "$(basename "$runtime")" = wherry ] && command -v podman > /dev/null && command -v newuidmap > /dev/null; then
    podman_config "$dir/home/networks" > "$dir/containers.conf"
    short=$(mktemp -d) # podman takes no runroot of more than 50 characters
    chown "$(stat -c %u:%g "$dir/run/user")" "$short"
    pod() { as_user CONTAINERS_CONF="$dir/containers.conf" PODMAN_IGNORE_CGROUPSV1_WARNING=1 podman --root "$dir/home/root" --runroot "$short" --storage-driver vfs --tmpdir "$dir/run/user/tmp" --runtime "$runtime" "$@" 2> "$dir/podman.err" < /dev/null; }
    tar -C "$dir/bundle/rootfs" -c . > "$dir/run/image.tar"
    pod import "$dir/run/image.tar" localhost/image > /dev/null
    ok "podman: import" $? "$(cat "$dir/podman.err")"
    for network in none host; do
        is "podman: run --network=$network" "$(pod run --rm --network $network localhost/image /bin/sh -c 'id -u; exit 3'; echo $?)$(grep -v level=warning "$dir/podman.err")" "0
3"
    done
    is "podman: --userns=keep-id" "$(pod run --rm --network none --userns=keep-id localhost/image /bin/id -u)$(grep -v level=warning "$dir/podman.err")" $user
    is "podman: --user" "$(pod run --rm --network none --user 9:9 localhost/image /bin/id -u)$(grep -v level=warning "$dir/podman.err")" 9
    podman_life() {
        local kind=$1
        shift
        pod run -d --name c --network none localhost/image "$@" > "$dir/out"
        ok "podman: $kind: run -d" $? "$(cat "$dir/podman.err")"
        is "podman: $kind: ps" "$(pod ps --format '{{.Names}} {{.Status}}' | cut -d' ' -f1,2)" "c Up"
        is "podman: $kind: exec" "$(pod exec c /bin/sh -c "id -u; exit 4"; echo $?; cat "$dir/podman.err")" "0
4"
        pod stop -t 1 c > /dev/null
        is "podman: $kind: stop" "$(pod ps -a --format '{{.Status}}' | cut -d' ' -f1)" Exited
        is "podman: $kind: rm" "$(pod rm c; pod ps -aq)" c
    }
    # what keeps podman's user namespace
    stop_podman() { kill "$(cat "$dir/run/user/tmp/pause.pid" 2> /dev/null || cat "$dir/run/user/libpod/tmp/pause.pid")"; sleep 0.2; }
    podman_life native /bin/sleep 100
    [ -e "$BUILD/guests/hello.wasm" ] && {
        is "podman: a module" "$(pod run --rm --network none localhost/image /hello.wasm --exit 6; echo $?)$(grep -v level=warning "$dir/podman.err")" 6
        podman_life wasm /hello.wasm --sleep
    }
    stop_podman
    rm -rf "$short"
else
    skip "podman" "the runtime is another, or podman or newuidmap is not installed"
fi

if [ "$(basename "$runtime")" != wherry ] || [ ! -e "$BUILD/guests/hello.wasm" ]; then
    skip "wasm: all cases" "$(basename "$runtime") is not wherry, or build/guests/hello.wasm could not be built here"
    finish
    exit
fi
is "wasm: exit code" "$(inside . /hello.wasm --exit 8; echo $?)" 8
is "wasm: the user has a code cache of his own" "$(find "$dir/home/.cache/wherry" -type f ! -name '*.lock' ! -perm /077 -user $user | wc -l | sed 's/^[1-9].*/some/')" some
is "wasm: and it is used" "$(
    before=$(find "$dir/home/.cache/wherry" -type f | sort)
    inside . /hello.wasm --exit 8
    [ "$before" = "$(find "$dir/home/.cache/wherry" -type f | sort)" ] && echo used)" used
is "wasm: a volume" "$(inside ".mounts += [{destination: \"/data\", source: \"$dir/volume\", options: [\"bind\", \"ro\"]}]" /hello.wasm --read /data/file)" his
[ -e /usr/share/containers/seccomp.json ] && is "wasm: docker's seccomp profile" "$(inside ".linux.seccomp = $(jq -c -f tests/seccomp.jq /usr/share/containers/seccomp.json)" /hello.wasm --exit 9; echo $?)" 9
life wasm /hello.wasm --sleep
is "nothing is left" "$(left)" ""
finish
