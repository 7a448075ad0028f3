#!/bin/bash
# podman runs three images made here (C and Rust as Wasm, busybox) with wherry as its runtime.
# RUNTIME=/path/of/another runs the native cases with that one: the reference for what podman itself does.
# Everything is private: own storage below build/, own mount and network namespace, cgroups by cgroupfs.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
runtime=${RUNTIME:-$BUILD/wherry}
if [ "${PODMAN_TEST_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in podman conmon busybox jq; do command -v $tool >/dev/null || why="$tool is not installed"; done
    [ -x "$runtime" ] || why="$runtime is not built"
    if [ -z "$why" ]; then PODMAN_TEST_INSIDE=1 exec unshare -m -n --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
. tests/podman.sh
[ -z "${why:-}" ] || skip_all "podman with wherry" "$why"
ip link set lo up 2>/dev/null || busybox ifconfig lo up

dir=$BUILD/e2e/podman
rm -rf "$dir"
mkdir -p "$dir/volume" "$dir/images"
# podman's own default ulimits ask for more than a test machine may allow. The name list makes podman read wherry's errors.
podman_config "$dir/networks" > "$dir/containers.conf"
cat >> "$dir/containers.conf" <<END
[engine.runtimes]
wherry = ["$runtime"]
[engine.platform_to_oci_runtime] # podman 5 runs such images by crun-wasm, whatever --runtime says
"wasi/wasm" = "wherry"
END
export CONTAINERS_CONF=$dir/containers.conf PODMAN_IGNORE_CGROUPSV1_WARNING=1 # what podman 5 says of v1, amid its answers
podman_in_test() {
    podman --root "$dir/root" --runroot "$dir/runroot" --storage-driver vfs --tmpdir "$dir/tmp" --runtime "$runtime" "$@"
}
run() { podman_in_test run --rm --network none "$@"; }

# image NAME ENTRYPOINT-JSON ROOTFS [OPTION...]
image() {
    tar -C "$3" -c . | podman_in_test import --change "ENTRYPOINT $2" "${@:4}" - "localhost/$1" > "$dir/import.log" 2>&1
    ok "image $1" $? "$(cat "$dir/import.log")"
}
wasm=
case $(basename "$runtime") in wherry) [ -e "$BUILD/guests/hello.wasm" ] && wasm=1 ;; esac
mkdir -p "$dir/images/busybox/bin" "$dir/images/busybox/tmp"
cp "$(command -v busybox)" "$dir/images/busybox/bin/busybox"
for applet in sh echo cat sleep true id; do ln "$dir/images/busybox/bin/busybox" "$dir/images/busybox/bin/$applet"; done
cp "$BUILD/guests/hello-native" "$dir/images/busybox/bin/hello"
image busybox '[]' "$dir/images/busybox"
if [ -n "$wasm" ]; then
    for name in hello greet; do
        [ -e "$BUILD/guests/$name.wasm" ] || continue
        mkdir -p "$dir/images/$name/etc"
        cp "$BUILD/guests/$name.wasm" "$dir/images/$name/"
        echo "a file of root's" > "$dir/images/$name/etc/secret"
        image $name "[\"/$name.wasm\"]" "$dir/images/$name"
    done
fi

# expect NAME STATUS PATTERN COMMAND...: the command's status, and a pattern in what it prints on both streams
expect() {
    local name=$1 status=$2 pattern=$3 out got
    shift 3
    out=$("$@" 2>&1 < /dev/null)
    got=$?
    [ $got = "$status" ] || { tap_fail "$name" "exit status $got, wanted $status; output: $out"; return; }
    like "$name" "$out" "$pattern"
}

# the cases that hold for both kinds; $1 says which, the rest is image and command of the program "hello"
both_kinds() {
    local kind=$1 id
    shift
    expect "$kind: output and arguments" 0 'argument 2: two words' run "$@" one "two words"
    expect "$kind: exit code" 3 '' run "$@" --exit 3
    expect "$kind: --env" 0 'environment: FLAVOUR=salt' run --env FLAVOUR=salt "$@"
    echo "from the host" > "$dir/volume/file"
    expect "$kind: read from a read-only volume" 0 'from the host' run -v "$dir/volume:/data:ro" "$@" --read /data/file
    expect "$kind: write to a read-only volume is EROFS" 1 'Read-only file system' run -v "$dir/volume:/data:ro" "$@" --write /data/new x
    expect "$kind: write to a read-write volume" 0 'wrote /data/new' run -v "$dir/volume:/data" "$@" --write /data/new "from $kind"
    is "$kind: the volume has what was written" "$(cat "$dir/volume/new" 2>&1)" "from $kind"
    rm -f "$dir/volume/new"
    expect "$kind: --read-only root is EROFS" 1 'Read-only file system' run --read-only "$@" --write /new x
    is "$kind: stdin and its end arrive" "$(printf hello | run -i "$@" --stdin 2>&1)" "stdin: 5 bytes, then end of file"
    expect "$kind: user 1000:1000 cannot write what root owns" 1 'Permission denied' run --user 1000:1000 "$@" --write /new x
    expect "$kind: --tmpfs is writable" 0 'wrote /scratch/x' run --tmpfs /scratch "$@" --write /scratch/x y
    user_namespace "$kind" "$@"
    memory_limit "$kind" "$@"
    life "$kind" "$@"
}

# --userns=auto takes its ranges from those of the user "containers"
echo containers:200000:1000000 > "$dir/subuid"
for file in /etc/subuid /etc/subgid; do [ -e $file ] && mount --bind "$dir/subuid" $file; done
user_namespace() {
    local kind=$1 id
    shift
    expect "$kind: --userns=auto" 3 '' run --userns=auto "$@" --exit 3
    chmod 700 "$dir/volume"
    if [ "$(stat -f -c %T "$dir/volume")" = tmpfs ] && ! printf '6.3\n%s\n' "$(uname -r)" | sort -V -C; then
        skip "$kind: --uidmap, an id-mapped volume of root's alone" "Linux $(uname -r) cannot id-map a tmpfs (6.3 can)"
    else
        expect "$kind: --uidmap, an id-mapped volume of root's alone" 0 'from the host' run --uidmap 0:300000:70000 -v "$dir/volume:/data:ro,idmap" "$@" --read /data/file
    fi
    chmod 755 "$dir/volume"
    id=$(podman_in_test run -d --network none --uidmap 0:300000:70000 --user 5:5 "$@" --sleep 2>&1)
    wait_for_log "$id" waiting
    is "$kind: its user is a mapped one" "$(awk '/^Uid/ { print $2 }' "/proc/$(podman_in_test inspect --format '{{.State.Pid}}' "$id")/status" 2>&1)" 300005
    expect "$kind: exec in it" 4 '' podman_in_test exec "$id" "${2:-/hello.wasm}" --exit 4
    podman_in_test rm -f -t 0 "$id" > /dev/null 2>&1
}

memory_limit() {
    local kind=$1 id folder
    shift
    id=$(podman_in_test create --network none --memory 48m --memory-swap 48m "$@" --grow 300 2>&1)
    # Debian 12's conmon leaves its note of an OOM kill in the folder podman was called from, while podman looks here
    folder=$(podman_in_test inspect --format '{{.StaticDir}}' "$id")
    (cd "$folder" && podman_in_test start -a "$id") > "$dir/oom.log" 2>&1 < /dev/null
    is "$kind: over its memory limit it is killed" $? 137
    is "$kind: and podman says OOM" "$(podman_in_test inspect --format '{{.State.OOMKilled}} {{.State.ExitCode}}' "$id" 2>&1)" "true 137"
    podman_in_test rm -f "$id" > /dev/null 2>&1
}

wait_for_log() {
    eventually 'podman_in_test logs "$1" 2>/dev/null | grep -q "$2"' "$@"
}

life() {
    local kind=$1 id
    shift
    id=$(podman_in_test run -d --network none --user 1000:1000 "$@" --sleep 2>&1) || { tap_fail "$kind: run -d" "$id"; return; }
    wait_for_log "$id" waiting
    is "$kind: podman ps" "$(podman_in_test ps --no-trunc --format '{{.ID}} {{.Status}}' | cut -d' ' -f1,2)" "$id Up"
    is "$kind: podman logs" "$(podman_in_test logs "$id" 2>&1)" "waiting"
    is "$kind: user 1000 has no effective capability" \
        "$(sed -n 's/^CapEff:[[:space:]]*//p' "/proc/$(podman_in_test inspect --format '{{.State.Pid}}' "$id")/status" 2>&1)" 0000000000000000
    podman_in_test kill "$id" > /dev/null 2>&1
    is "$kind: podman kill ends it with 137" "$(podman_in_test wait "$id" 2>&1)" 137
    podman_in_test rm -f "$id" > /dev/null 2>&1
}

both_kinds native localhost/busybox hello
expect "native: sh exit code" 7 'from sh' run localhost/busybox sh -c 'echo from sh; exit 7'
expect "native: a program that is not there is named" 127 'nowhere' run localhost/busybox /bin/nowhere
if [ -z "$wasm" ]; then
    skip "wasm: all cases" "$(basename "$runtime") is not wherry, or build/guests/hello.wasm could not be built here"
else
    both_kinds wasm localhost/hello
    if [ -e "$BUILD/guests/greet.wasm" ]; then
        expect "rust: greets the world" 0 '^Hello, World!$' run localhost/greet
        expect "rust: greets whom NAME says" 0 '^Hello, wherry!$' run --env NAME=wherry localhost/greet
    else
        skip "rust" "no Rust target for WASI here"
    fi
    id=$(podman_in_test run -d --network none localhost/hello --sleep 2>&1)
    wait_for_log "$id" waiting
    podman_in_test kill --signal TERM "$id" > /dev/null 2>&1
    is "wasm: SIGTERM ends it with 143" "$(podman_in_test wait "$id" 2>&1)" 143
    podman_in_test rm -f "$id" > /dev/null 2>&1
    mkdir -p "$dir/app/real"
    cp "$BUILD/guests/hello.wasm" "$dir/app/real/x.wasm"
    ln -s real/x.wasm "$dir/app/x.wasm"
    expect "wasm: a module in a volume" 0 'Hello from C!' run -v "$dir/app:/app" localhost/busybox /app/real/x.wasm
    expect "wasm: a module in a volume behind a symlink" 0 'Hello from C!' run -v "$dir/app:/app" localhost/busybox /app/x.wasm
    head -c 100 "$BUILD/guests/hello.wasm" > "$dir/app/broken.wasm"
    expect "wasm: a truncated module fails create with an offset" 126 'offset' run -v "$dir/app:/app" localhost/busybox /app/broken.wasm
fi

# an image that says it is for another platform, and no annotation: what counts is the entry point's first bytes
if [ -n "$wasm" ]; then
    image platform '["/hello.wasm"]' "$dir/images/hello" --os wasi --arch wasm
    expect "an image of platform wasi/wasm" 0 'argument 1: one' run --platform wasi/wasm localhost/platform one
fi

is "nothing is left: containers" "$(podman_in_test ps -aq 2>&1)" ""
is "nothing is left: mounts" "$(grep -F "$dir" /proc/self/mountinfo | grep -vE "$dir/(root/vfs|subuid) |/etc/sub.id " | awk '{ print $5 }')" ""
finish
