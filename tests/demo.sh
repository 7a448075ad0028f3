#!/bin/sh
# tests/demo.sh (make demo): a Wasm image made from source and an ordinary one, run side by side as containers by wherry;
# what each was granted; how long each took from create to delete, next to runc.
set -eu
cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$(pwd)/$BUILD ;; esac
wherry=$BUILD/wherry
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }
stop() { echo "demo: $*" >&2; exit 1; }
[ -x "$wherry" ] || stop "$wherry is not built"
[ "$(id -u)" = 0 ] || stop "containers with cgroups need root here: sudo make demo"
[ -e "$BUILD/guests/greet.wasm" ] || stop "no Rust for Wasm on this machine (Debian: rustc, libstd-rust-dev-wasm32)"
for tool in busybox jq; do command -v $tool > /dev/null || stop "$tool is not installed"; done

# A private mount namespace: runtime state on a tmpfs, as on a real host's /run, and nothing to clean up.
if [ -z "${DEMO_INSIDE:-}" ]; then
    DEMO_INSIDE=1 exec unshare -m --propagation private "$0" "$@"
fi
dir=$BUILD/demo
rm -rf "$dir"
mkdir -p "$dir/state" "$dir/wasm/rootfs" "$dir/native/rootfs/bin" "$dir/true" "$dir/data"
mount -t tmpfs state "$dir/state"

say "1. Two images, made here"
cp "$BUILD/guests/greet.wasm" "$dir/wasm/rootfs/"
cp "$(command -v busybox)" "$dir/native/rootfs/bin/busybox"
for applet in sh echo true; do ln "$dir/native/rootfs/bin/busybox" "$dir/native/rootfs/bin/$applet"; done
for root in wasm native; do mkdir -p "$dir/$root/rootfs/proc" "$dir/$root/rootfs/dev" "$dir/$root/rootfs/sys"; done
size() { du -k "$1" | cut -f1; }
echo "   Wasm       tests/guests/greet.rs, one module of $(size "$dir/wasm/rootfs/greet.wasm") KiB and nothing else"
echo "   ordinary   busybox, one static program of $(size "$dir/native/rootfs/bin/busybox") KiB"
tests/bundle "$dir/wasm" rootfs --seccomp --cgroup /wherry-demo-wasm --memory 67108864 --pids 32 --env NAME=harbour \
    --mount "$dir/data:/data:ro" -- /greet.wasm
tests/bundle "$dir/native" rootfs --seccomp --cgroup /wherry-demo-native --memory 67108864 --pids 32 --env NAME=harbour \
    --mount "$dir/data:/data:ro" -- /bin/sh -c 'echo "Hello, $NAME! (busybox, pid $$)"'

say "2. Side by side, the same runtime, the same kind of config.json"
for kind in wasm native; do
    echo "   \$ wherry run --bundle build/demo/$kind demo-$kind"
    "$wherry" --root "$dir/state/wherry" run --bundle "$dir/$kind" demo-$kind < /dev/null 2>&1 | sed 's/^/   /'
done

say "3. What the module was granted (wherry plan build/demo/wasm)"
"$wherry" plan "$dir/wasm" | awk '
    $1 == "grant" {
        kind = $2; sub(/^grant [^ ]+ /, "")
        if (kind in lines) lines[kind] = lines[kind] (kind == "hidden" ? " " : "\n                      ") $0
        else { order[++kinds] = kind; lines[kind] = $0 }
    }
    /^workload Wasm/ { why = $0; sub(/^workload /, "", why) }
    $1 != "grant" { steps++ }
    END {
        print "   " why
        for (i = 1; i <= kinds; i++) printf "   %-18s %s\n", order[i], lines[order[i]]
        print "   (and " steps " lines on how the container itself is made)"
    }'

say "4. From create to delete, median of ${ROUNDS:-9} cold starts, docker's seccomp profile"
tests/bundle "$dir/true" "$dir/native/rootfs" --seccomp --cgroup /wherry-demo-true -- /bin/true
tests/bundle "$dir/wasm" rootfs --seccomp --cgroup /wherry-demo-wasm -- /greet.wasm
set -- "wherry   Wasm, code from the cache=$wherry=$dir/wasm" "wherry   busybox true=$wherry=$dir/true"
runc=$(command -v runc) && set -- "$@" "runc     busybox true=$runc=$dir/true"
mkdir "$dir/state/timing"
"$BUILD/bench/starts" --rounds "${ROUNDS:-9}" --root "$dir/state/timing" "$@" | awk -F'\t' '
    { if (!($1 in n)) order[++kinds] = $1; list[$1, ++n[$1]] = $7 / 1000 }
    END {
        for (k = 1; k <= kinds; k++) {
            c = order[k]
            for (i = 2; i <= n[c]; i++) { t = list[c, i]; for (j = i - 1; j > 0 && list[c, j] > t; j--) list[c, j + 1] = list[c, j]; list[c, j + 1] = t }
            median[k] = list[c, int((n[c] + 1) / 2)]; if (median[k] > max) max = median[k]
        }
        for (k = 1; k <= kinds; k++) {
            bar = ""; for (i = 0; i < median[k] / max * 40; i++) bar = bar "▇"
            printf "   %-34s %7.1f ms  %s\n", order[k], median[k], bar
        }
    }'
case $(stat -f -c %T /sys/fs/cgroup) in
cgroup2fs) ;;
*) echo "   (cgroup v1: the kernel's own wait for attaching a process, about 10 ms, is in all of them; on v2 it falls away)" ;;
esac
echo
echo "Next: make check, make bench, README.md"
