#!/bin/bash
# podman's common commands on native and Wasm containers with wherry as runtime, as root and as an ordinary user (podman.sh and
# rootless.sh have what a single container sees). RUNTIME=/path/of/another runs the native cases with that one.
# Everything is private: storage below build/, own mount, network and user database, cgroups by cgroupfs.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
runtime=${RUNTIME:-$BUILD/wherry}
user=12345
if [ "${VERBS_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in podman conmon busybox jq setpriv; do command -v $tool > /dev/null || why="$tool is not installed"; done
    [ -x "$runtime" ] || why="$runtime is not built"
    if [ -z "$why" ]; then VERBS_INSIDE=1 exec unshare -m -n --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
. tests/podman.sh
[ -z "${why:-}" ] || skip_all "podman's commands" "$why"
busybox ifconfig lo up

dir=$BUILD/e2e/podman_verbs
rm -rf "$dir"
mkdir -p "$dir/image/bin" "$dir/image/tmp" "$dir/home" "$dir/run" "$dir/files"
mount -t tmpfs run "$dir/run"
mkdir "$dir/run/user"
cp "$(command -v busybox)" "$dir/image/bin/busybox"
for applet in sh echo cat sleep true id touch; do ln "$dir/image/bin/busybox" "$dir/image/bin/$applet"; done
cp "$BUILD/guests/hello-native" "$dir/image/bin/hello"
wasm=
case $(basename "$runtime") in wherry) [ -e "$BUILD/guests/hello.wasm" ] && wasm=1 && cp "$BUILD/guests/hello.wasm" "$dir/image/" ;; esac
tar -C "$dir/image" -cf "$dir/files/image.tar" .
echo "from the host" > "$dir/files/note"
podman_config "$dir/run/networks" > "$dir/containers.conf"
podman_config "$dir/home/networks" > "$dir/containers-user.conf"
# podman makes a pod's directories wherever a controller might be mounted, and cannot remove them where none is
if [ "$(stat -fc %T /sys/fs/cgroup)" = tmpfs ]; then
    mkdir "$dir/run/cgroup"
    mount -t tmpfs -o mode=755 cgroup "$dir/run/cgroup"
    for controller in /sys/fs/cgroup/*; do
        mountpoint -q "$controller" && mkdir "$dir/run/cgroup/${controller##*/}" && mount --bind "$controller" "$dir/run/cgroup/${controller##*/}"
    done
    mount --move "$dir/run/cgroup" /sys/fs/cgroup
fi
# the ordinary user, with a name and ranges
printf 'root:x:0:0:root:/root:/bin/sh\nsailor:x:%s:%s::%s:/bin/sh\n' $user $user "$dir/home" > "$dir/run/passwd"
printf 'root:x:0:\nsailor:x:%s:\n' $user > "$dir/run/group"
echo sailor:400000:65536 > "$dir/run/subid"
chown -R $user:$user "$dir/home" "$dir/run/user" "$dir/files"
chmod 700 "$dir/run/user"
chmod 1777 "$dir/run"
for pair in passwd:passwd group:group subid:subuid subid:subgid; do
    [ -e "/etc/${pair#*:}" ] && mount --bind "$dir/run/${pair%:*}" "/etc/${pair#*:}"
done
short=$(mktemp -d) # podman takes no runroot of more than 50 characters
mkdir "$short/root" "$short/user"
chmod 755 "$short"
chown $user "$short/user"
trap 'umount -l "$short/user"/* "$short/root"/* 2> /dev/null; rm -rf "$short"' EXIT

pod() {
    if [ "$mode" = root ]; then
        timeout 120 env CONTAINERS_CONF="$dir/containers.conf" podman --root "$dir/run/root" --runroot "$short/root" --storage-driver vfs \
            --tmpdir "$dir/run/tmp" --runtime "$runtime" "$@"
    else
        (cd "$dir/home" && timeout 120 setpriv --reuid $user --regid $user --clear-groups --inh-caps=-all \
            --bounding-set=-all,+setuid,+setgid,+sys_admin,+dac_override,+fowner,+setfcap \
            env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME="$dir/home" XDG_RUNTIME_DIR="$dir/run/user" USER=sailor \
            CONTAINERS_CONF="$dir/containers-user.conf" PODMAN_IGNORE_CGROUPSV1_WARNING=1 podman --root "$dir/home/root" --runroot "$short/user" \
            --storage-driver vfs --tmpdir "$dir/run/user/tmp" --runtime "$runtime" "$@")
    fi
}
quiet() { pod "$@" > "$dir/run/out" 2>&1 < /dev/null; }
said() { pod "$@" 2>&1 < /dev/null | grep -v level=warning; }
state() { said inspect --format "$2" "$1"; }
wait_log() { eventually 'said logs "$1" | grep -q "$2"' "$@"; }
works() { quiet "${@:2}"; ok "$1" $? "$(cat "$dir/run/out")"; }

# verbs KIND PROGRAM: of hello
verbs() {
    local k="$mode, $1" program=$2
    works "$k: create" create --name c --network none localhost/image "$program" --sleep
    works "$k: init" init c
    is "$k: it is initialized" "$(state c '{{.State.Status}}')" initialized
    works "$k: start" start c
    wait_log c waiting
    is "$k: logs" "$(said logs c)" waiting
    is "$k: ps" "$(said ps --format '{{.Names}}')" c
    quiet exec c "$program" --exit 4
    is "$k: exec" $? 4
    is "$k: exec -i" "$(printf hello | pod exec -i c "$program" --stdin 2> /dev/null)" "stdin: 5 bytes, then end of file"
    like "$k: exec of a native program beside it" "$(said exec c /bin/echo beside)" beside
    like "$k: top" "$(said top c)" "hello"
    like "$k: inspect" "$(state c '{{.State.Status}} {{.OCIRuntime}}')" "running $runtime"
    works "$k: cp into it" cp "$dir/files/note" c:/tmp/note
    like "$k: what was copied is there" "$(said exec c "$program" --read /tmp/note)" "from the host"
    works "$k: cp out of it" cp c:/tmp/note "$dir/files/back-$mode-$1"
    is "$k: and the same" "$(cat "$dir/files/back-$mode-$1")" "from the host"
    like "$k: diff" "$(said container diff c)" "A /tmp/note" # diff alone may take c for the beginning of an image's id
    works "$k: export" export -o "$dir/files/export-$mode-$1.tar" c
    is "$k: the export has it" "$(tar -xOf "$dir/files/export-$mode-$1.tar" tmp/note)" "from the host"
    works "$k: commit" commit c localhost/changed
    like "$k: the new image has it" "$(said run --rm --network none localhost/changed "$program" --read /tmp/note)" "from the host"
    works "$k: rename" rename c d
    with_cgroup "$k"
    quiet stop -t 1 d
    is "$k: stop" "$(state d '{{.State.Status}}')" exited
    works "$k: start again" start d
    works "$k: restart" restart -t 0 d
    works "$k: kill" kill d
    is "$k: wait" "$(said wait d)" 137
    works "$k: rm" rm d
    attached "$k" "$program"
    together "$k" "$program"
}

# what an ordinary user's container without a delegated cgroup cannot have
with_cgroup() {
    local k=$1
    if [ "$mode" != root ]; then
        skip "$k: stats, pause, update" "no cgroup is delegated to this user"
        return
    fi
    like "$k: stats" "$(said stats --no-stream --format '{{.Name}} {{.PIDs}}' d)" "^d [1-9]"
    works "$k: pause" pause d
    is "$k: it is paused" "$(state d '{{.State.Status}}')" paused
    works "$k: unpause" unpause d
    is "$k: it runs again" "$(state d '{{.State.Status}}')" running
    if pod update --help > /dev/null 2>&1 && pod --help | grep -q ' update '; then
        works "$k: update" update --memory 96m d
    else
        skip "$k: update" "this podman has no such command"
    fi
}

attached() {
    local k=$1 program=$2
    like "$k: run with its output attached" "$(said run --rm --network none localhost/image "$program" one two)" "argument 2: two"
    is "$k: attach" "$(quiet run -d -i --name a --network none localhost/image "$program" --stdin; pod attach a < /dev/null 2> /dev/null)" "stdin: 0 bytes, then end of file"
    quiet rm -f -t 0 a
}

# pods, secrets, volumes, health
together() {
    local k=$1 program=$2
    works "$k: volume create" volume create v
    like "$k: a volume is written" "$(said run --rm --network none -v v:/data localhost/image "$program" --write /data/file kept)" "wrote /data/file"
    like "$k: and read by another container" "$(said run --rm --network none -v v:/data:ro localhost/image "$program" --read /data/file)" kept
    works "$k: volume rm" volume rm v
    printf secret > "$dir/files/secret"
    chmod 644 "$dir/files/secret"
    works "$k: secret create" secret create s "$dir/files/secret"
    like "$k: a secret is a file" "$(said run --rm --network none --secret s localhost/image "$program" --read /run/secrets/s)" secret
    works "$k: secret rm" secret rm s
    works "$k: pod create, with an infra container" pod create --name p --network none --infra-image localhost/infra
    works "$k: run in the pod" run -d --pod p --name m localhost/image "$program" --sleep
    is "$k: it shares the infra container's network" "$(said inspect --format '{{.HostConfig.NetworkMode}}' m | cut -d: -f1)" container
    like "$k: pod ps" "$(said pod ps --format '{{.Name}} {{.Status}} {{.NumberOfContainers}}')" "p Running 2"
    works "$k: pod stop" pod stop -t 0 p
    works "$k: pod start" pod start p
    works "$k: pod rm" pod rm -f -t 0 p
    quiet run -d --name h --network none --health-cmd "CMD $program --exit 0" --health-interval disable localhost/image "$program" --sleep
    works "$k: healthcheck run" healthcheck run h
    quiet rm -f -t 0 h
    quiet run -d --name h --network none --health-cmd "CMD $program --exit 1" --health-interval disable localhost/image "$program" --sleep
    quiet healthcheck run h
    is "$k: healthcheck run of what is unhealthy" $? 1
    quiet rm -f -t 0 h
}

modes="root"
if command -v newuidmap > /dev/null && setpriv --reuid $user --regid $user --clear-groups test -x "$runtime" &&
    setpriv --reuid $user --regid $user --clear-groups unshare -U true 2> /dev/null; then modes="root user"; fi
for mode in $modes; do
    works "$mode: import" import "$dir/files/image.tar" localhost/image
    works "$mode: import of an infra image" import --change 'ENTRYPOINT ["/bin/sleep", "1000000"]' "$dir/files/image.tar" localhost/infra
    verbs native /bin/hello
    if [ -n "$wasm" ]; then verbs wasm /hello.wasm; else skip "$mode: wasm" "build/guests/hello.wasm could not be built here, or the runtime is another"; fi
    is "$mode: nothing is left: containers and pods" "$(said ps -aq)$(said pod ps -q)" ""
done
[ "$modes" != root ] || skip "user: all commands" "ordinary users may make no user namespaces here, or newuidmap is not installed"
[ "$modes" = root ] || kill "$(cat "$dir/run/user/tmp/pause.pid" 2> /dev/null || cat "$dir/run/user/libpod/tmp/pause.pid")" # keeps podman's user namespace
finish
