#!/bin/sh
# tests/bench/starts.sh: create + start + exit + delete under wherry, runc and crun next to the floor program, each on
# cgroup v2 and v1, with docker's seccomp profile. Prints one table a view; build/bench/starts.svg is the picture.
# ROUNDS (default 25) and GAP_MS (idle time before each run, default 30) may be set.
set -eu
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build}
out=$(pwd)/$BUILD/bench
rounds=${ROUNDS:-25} gap=${GAP_MS:-30}
[ "$(id -u)" = 0 ] || { echo "bench: needs root (namespaces, cgroups)"; exit 1; }
for tool in jq busybox; do command -v $tool >/dev/null || { echo "bench: $tool is not installed"; exit 1; }; done

# One bundle for all: busybox, and the same container with a Wasm module.
make_bundles() {
    rm -rf "$out/true" "$out/wasm" "$out/big"
    mkdir -p "$out/true/rootfs/bin" "$out/wasm/rootfs" "$out/big/rootfs"
    cp "$(command -v busybox)" "$out/true/rootfs/bin/true"
    mkdir -p "$out/true/rootfs/proc" "$out/true/rootfs/sys" "$out/true/rootfs/dev"
    cp -r "$out/true/rootfs/proc" "$out/true/rootfs/sys" "$out/true/rootfs/dev" "$out/wasm/rootfs/"
    cp -r "$out/true/rootfs/proc" "$out/true/rootfs/sys" "$out/true/rootfs/dev" "$out/big/rootfs/"
    "$BUILD/bench/big_module" > "$out/big/rootfs/big.wasm"
    tests/bundle "$out/big" rootfs --seccomp --cgroup /wherry-bench -- /big.wasm
    tests/bundle "$out/true" rootfs --seccomp --cgroup /wherry-bench -- /bin/true
    [ ! -e "$BUILD/guests/greet.wasm" ] || {
        cp "$BUILD/guests/greet.wasm" "$out/wasm/rootfs/greet.wasm"
        tests/bundle "$out/wasm" rootfs --seccomp --cgroup /wherry-bench -- /greet.wasm
    }
    jq -r '.linux.seccomp | (.defaultErrnoRet // 1), (.syscalls[] | . as $rule | .names[]
        | "\($rule.action | sub("SCMP_ACT_"; "")) \($rule.errnoRet // 1) \(.)"
          + ([$rule.args[]? | " \(.index) \(.op) \(.value) \(.valueTwo // 0)"] | add // ""))' "$out/true/config.json" |
        "$BUILD/bench/filter" > "$out/true/seccomp.bpf"
}

version() { "$1" --version 2>/dev/null | awk 'NR == 1 { print $NF; exit }'; }

# Sets the positional parameters of `starts`, labels without "=".
measure() {
    view=$1
    set --
    [ ! -e "$out/wasm/config.json" ] || set -- "$@" "wherry, hello Wasm (cached)=$wherry=$out/wasm"
    set -- "$@" "wherry, 10 MB of Wasm (cached)=$wherry=$out/big" "wherry, busybox true=$wherry=$out/true"
    for peer in runc crun; do
        path=$(command -v $peer) || { echo "bench: $peer is not installed, left out"; continue; }
        set -- "$@" "$peer $(version "$path"), busybox true=$path=$out/true"
    done
    set -- "$@" "floor, busybox true=$(pwd)/$BUILD/bench/floor=$out/true"
    # state on a tmpfs: on a disk file system unlink and rename cost every runtime milliseconds
    tests/bench/view "$view" unshare -m --propagation private sh -c '
        mkdir -p "$1/state"; mount -t tmpfs state "$1/state"; cd "$1"; starts=$1/starts rounds=$2 gap=$3; shift 3
        exec "$starts" --rounds "$rounds" --gap "$gap" --root "$(pwd)/state" "$@"' sh "$out" "$rounds" "$gap" "$@" > "$out/starts-$view.tsv"
    title="cgroup $view"
    awk -v base="floor, busybox true" -v view="$title" -v chart="$out/starts.tsv" -f tests/bench/table.awk "$out/starts-$view.tsv"
}

make_bundles
# As installed: what a linker has written in pieces lies in the page cache page by page, a file that was copied in larger ones.
# That alone is 0.3 ms of CPU time a start, and the peers are installed.
rm -rf "$out/installed"
make -s install BUILD="$BUILD" DESTDIR="$out/installed" PREFIX=
wherry=$out/installed/bin/wherry
sleep 3 # the digest of a file that is younger than two seconds is not remembered: no node starts a module that fresh
rm -f "$out/starts.tsv"
echo "create + start + exit + delete, docker's seccomp profile, cold ($gap ms idle before each run), $rounds interleaved rounds"
echo "kernel $(uname -r), $(nproc) CPUs, load $(cut -d' ' -f1 /proc/loadavg); ratios are medians of the ratios within a round"
echo
measure v2
if [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
    echo
    measure v1
fi
awk -v title="create + start + exit + delete of a container, median (line: p99)" -v unit=ms -f tests/bench/draw.awk "$out/starts.tsv" > "$out/starts.svg"
echo
echo "picture: $BUILD/bench/starts.svg"
