#!/bin/bash
# tests/bench/shim.sh: what a container costs under a private containerd (CONTAINERD=VERSION, Debian's by default) with wherry's
# shim, with the runc shim over runc and crun, and with a shim that does nothing (what containerd costs itself):
#   ctr run --rm, and ctr run -d (task create and start): wall time, and CPU time of the server (containerd, shim, runtime,
#   container: one cgroup over all of them), runs interleaved, ROUNDS (15) each; medians, and medians of the ratios to runc
#   PODS (100) containers at once: PSS of shim and init, kernel memory by difference; how long they take, 8 at a time
# The client's own time is in the wall time and not in the CPU time.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
[ "$(id -u)" = 0 ] || { echo "bench: needs root (containerd)"; exit 1; }
for tool in jq busybox runc crun; do command -v $tool > /dev/null || { echo "bench: $tool is not installed"; exit 1; }; done
[ "${BENCH_INSIDE:-}" ] || BENCH_INSIDE=1 exec unshare -m -n --propagation private "$0" "$@"
. tests/containerd.sh
rounds=${ROUNDS:-15} pods=${PODS:-100}
dir=$BUILD/bench/shim
rm -rf "$dir"
mkdir -p "$dir/true/bin" "$dir/hello"
make -s install BUILD="$BUILD" DESTDIR="$dir/installed" PREFIX= || exit 1 # as starts.sh does, and why
shim=$dir/installed/bin/containerd-shim-wherry-v1
containerd_programs "${CONTAINERD:-debian}" || { echo "bench: $why"; exit 1; }
ctr() { "$ctr_program" -a /run/test/containerd.sock -n bench "$@"; }

# one cgroup over everything: containerd is started in it, containers are made below it
group=wherry-bench-$$
cpuacct=/sys/fs/cgroup/cpuacct
[ -e $cpuacct/cpuacct.usage ] || cpuacct=/sys/fs/cgroup
mkdir "$cpuacct/$group"
[ $cpuacct = /sys/fs/cgroup ] && mkdir "$cpuacct/$group/server" && server=$group/server || server=$group
cpu_us() {
    if [ -e "$cpuacct/$group/cpuacct.usage" ]; then echo $(($(cat "$cpuacct/$group/cpuacct.usage") / 1000))
    else sed -n 's/^usage_usec //p' "$cpuacct/$group/cpu.stat"; fi
}
umount /sys/fs/cgroup/unified 2> /dev/null # crun refuses the hybrid form; only in this mount namespace
containerd_private
echo $BASHPID > "$cpuacct/$server/cgroup.procs"
PATH=$(dirname "$containerd"):$PATH containerd_start || exit 1
echo $BASHPID > "$cpuacct/cgroup.procs" 2> /dev/null || echo $BASHPID > $cpuacct/tasks
finish() {
    containerd_stop
    find "$cpuacct/$group" -depth -type d -exec rmdir {} \; 2> /dev/null
    for h in /sys/fs/cgroup/*/; do find "$h$group" -depth -type d -exec rmdir {} \; 2> /dev/null; done
}
trap finish EXIT
cp "$(type -P busybox)" "$dir/true/bin/true"
ln "$dir/true/bin/true" "$dir/true/bin/sleep"
cp "$BUILD/guests/hello.wasm" "$dir/hello/"
image localhost/true:1 "$dir/true" '{"Cmd": ["true"], "Env": ["PATH=/bin"]}' || exit 1
image localhost/hello:1 "$dir/hello" '{"Cmd": ["/hello.wasm"]}' || exit 1

kinds="nothing wherry wasm runc crun"
# options KIND: runtime and image in $how, what it runs for good in $long
options() {
    case $1 in
    nothing) how="--runtime $BUILD/bench/shim_nothing localhost/true:1" long="sleep 1000000" ;;
    wherry) how="--runtime $shim localhost/true:1" long="sleep 1000000" ;;
    wasm) how="--runtime $shim localhost/hello:1" long="/hello.wasm --sleep" ;;
    *) how="--runtime io.containerd.runc.v2 --runc-binary $(type -P "$1") localhost/true:1" long="sleep 1000000" ;;
    esac
}
now_us() { local t=$EPOCHREALTIME; echo $((${t%.*} * 1000000 + 10#${t#*.})); }
# waits until containerd is alone in its cgroup: the shim is gone
alone() { for _ in $(seq 200); do [ "$(wc -l < "$cpuacct/$server/cgroup.procs")" -le 1 ] && return; sleep 0.01; done; }
remove() {
    ctr task kill -s SIGKILL "$1" > /dev/null 2>&1
    for _ in $(seq 100); do ctr task rm "$1" > /dev/null 2>&1 && break; sleep 0.01; done
    ctr c rm "$1" > /dev/null 2>&1
}

measure() { # KIND ROUND
    local wall cpu
    options "$1"
    alone
    wall=$(now_us) cpu=$(cpu_us)
    ctr run --rm --cgroup "/$group/c" $how c > "$dir/out" 2>&1 || { echo "bench: $1: $(cat "$dir/out")" >&2; return 1; }
    wall=$(($(now_us) - wall))
    alone
    echo "run $1 $2 $wall $(($(cpu_us) - cpu))"
    wall=$(now_us) cpu=$(cpu_us)
    ctr run -d --cgroup "/$group/c" $how c $long > "$dir/out" 2>&1 || { echo "bench: $1: $(cat "$dir/out")" >&2; return 1; }
    echo "start $1 $2 $(($(now_us) - wall)) $(($(cpu_us) - cpu))"
    remove c
}

for kind in $kinds; do measure $kind 0 > /dev/null || kinds=${kinds//$kind/}; done # warms caches
for round in $(seq "$rounds"); do
    for kind in $kinds; do measure $kind "$round"; done
done > "$dir/runs"
echo "containerd $("$containerd" --version | awk '{ print $3 }'), runc $(runc --version | awk 'NR == 1 { print $3 }'), crun $(crun --version | awk 'NR == 1 { print $3 }'), $rounds rounds"
awk -f tests/bench/shim.awk "$dir/runs"

kernel_kib() { awk '/^(Slab|KernelStack|PageTables|Percpu):/ { s += $2 } END { print s }' /proc/meminfo; }
# many KIND: so many at once, 8 at a time; then what they take
many() {
    local kind=$1 kernel began seconds pss=0 inits=0 pid
    options "$kind"
    alone
    kernel=$(kernel_kib) began=$(now_us)
    seq "$pods" | xargs -P 8 -I N "$ctr_program" -a /run/test/containerd.sock -n bench run -d --cgroup "/$group/N" $how "p"N $long > "$dir/out" 2>&1 ||
        { echo "bench: $kind: $(tail -1 "$dir/out")"; }
    seconds=$(($(now_us) - began))
    sleep 1
    for pid in $(pgrep -f 'shim.* -namespace bench '); do
        pss=$((pss + $(awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup")))
        for pid in $(cat "/proc/$pid"/task/*/children); do inits=$((inits + $(awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup"))); done
    done
    printf '%-8s %6s starts/s  per pod: %5d KiB of the shim, %4d of the init, %5d of the kernel\n' "$kind" \
        "$(awk "BEGIN { printf \"%.1f\", $pods / ($seconds / 1e6) }")" $((pss / pods)) $((inits / pods)) $((($(kernel_kib) - kernel) / pods))
    for pid in $(seq "$pods"); do echo "p$pid"; done | xargs -P 4 -I N sh -c "'$ctr_program' -a /run/test/containerd.sock -n bench task rm -f N; '$ctr_program' -a /run/test/containerd.sock -n bench c rm N" > /dev/null 2>&1
}
echo "$pods containers, each with a shim, 8 at a time:"
for kind in $kinds; do many $kind; done # nothing: how many there can be with this client and containerd
