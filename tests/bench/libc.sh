#!/bin/sh
# tests/bench/libc.sh: what each libc costs a program that lives for milliseconds: the empty program and the floor,
# with musl, static glibc and dynamic glibc, alone and with the libraries that a container runtime usually links.
set -eu
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build}
out=$(pwd)/$BUILD/bench/libc
rounds=${ROUNDS:-200}
rm -rf "$out"
mkdir -p "$out/true/rootfs/bin" "$out/true/rootfs/proc" "$out/true/rootfs/sys" "$out/true/rootfs/dev"
busybox=$(command -v busybox) || { echo "bench-libc: busybox is not installed"; exit 1; }
cp "$busybox" "$out/true/rootfs/bin/true"
echo 'int main(void) { return 0; }' > "$out/empty.c"
musl="musl-gcc -isystem $BUILD/musl-include -fPIE ${MUSL_LINK:?run it by make bench-libc}"
flags="-O2 -D_GNU_SOURCE -w"
usual="-Wl,--no-as-needed -lseccomp -lcap -lyajl"
for program in "$out/empty.c" tests/bench/floor.c; do
    name=$out/$(basename "$program" .c)
    $musl $flags -o "$name-musl" "$program" $MUSL_LINK_END
    gcc $flags -fPIE -static-pie -o "$name-static" "$program"
    gcc $flags -o "$name-dynamic" "$program"
    gcc $flags -o "$name-usual" "$program" $usual
    gcc $flags -o "$name-systemd" "$program" $usual -lsystemd
done
echo "kernel $(uname -r), $(nproc) CPUs; $rounds interleaved rounds, 5 ms idle before each run"
"$BUILD/bench/runs" --rounds "$rounds" --gap 5 \
    "musl, static-pie=$out/empty-musl" "glibc, static-pie=$out/empty-static" "glibc, dynamic=$out/empty-dynamic" \
    "glibc, dynamic + seccomp, cap, yajl=$out/empty-usual" "glibc, dynamic + these + systemd=$out/empty-systemd" > "$out/empty.tsv"
awk -v base="musl, static-pie" -f tests/bench/runs.awk "$out/empty.tsv"
[ "$(id -u)" = 0 ] || { echo "(the floor's create + start + delete needs root)"; exit 0; }
echo
echo "the floor program, create + start + exit + delete, cgroup v2"
tests/bench/view v2 unshare -m --propagation private sh -c '
    mkdir -p "$1/state"; mount -t tmpfs state "$1/state"; shift; exec "$@"' sh "$out" "$BUILD/bench/starts" --rounds "$((rounds / 4))" \
    --gap 15 --root "$out/state" \
    "musl, static-pie=$out/floor-musl=$out/true" "glibc, static-pie=$out/floor-static=$out/true" \
    "glibc, dynamic=$out/floor-dynamic=$out/true" "glibc, dynamic + seccomp, cap, yajl=$out/floor-usual=$out/true" \
    "glibc, dynamic + these + systemd=$out/floor-systemd=$out/true" > "$out/floor.tsv"
awk -v base="musl, static-pie" -v view="floor" -f tests/bench/table.awk "$out/floor.tsv"
