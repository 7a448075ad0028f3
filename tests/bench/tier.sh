#!/bin/bash
# tests/bench/tier.sh: what a container that is started cold loses until it has optimized code.
# 1. Units of work a second over the first minute (SECONDS_RUN) of a container: started cold and moving to optimized code, started cold
#    and not moving (annotation wherry.wasm.tier=baseline), started warm. In turn, since they would take each other's CPU.
# 2. The nine shared kernels (../shared/bench/kernels, or BENCH=DIR) in default mode from an empty cache, the module's
#    compilation included, against native code: CPU seconds at full size, ROUNDS (default 3), interleaved. KERNELS picks some.
set -eu
if [ "${1:-}" = cold ]; then # cold CACHE COMMAND...: one run of it from an empty cache
    rm -rf "$2"
    shift 2
    exec "$@"
fi
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
[ "$(id -u)" = 0 ] || { echo "bench-tier: needs root (containers)"; exit 1; }
if [ "${TIER_INSIDE:-}" = "" ]; then TIER_INSIDE=1 exec unshare -m --propagation private "$0" "$@"; fi
out=$BUILD/bench/tier id=wherry-tier-$$ seconds=${SECONDS_RUN:-60}
mkdir -p "$out/rootfs/proc" "$out/rootfs/sys" "$out/rootfs/dev" "$out/state" "$out/var" /var/lib/wherry
mount -t tmpfs state "$out/state"
mount --bind "$out/var" /var/lib/wherry # a cache of this bench's own, in the place where root's is
clang --target=wasm32-wasi -O2 -o "$out/rootfs/service.wasm" tests/bench/tier_guest.c

container() { # NAME [EDIT]
    tests/bundle "$out/bundle" "$out/rootfs" --cgroup "/$id" ${2:+--edit "$2"} -- /service.wasm "$seconds"
    "$BUILD/wherry" --root "$out/state/rt" run --bundle "$out/bundle" "$id" > "$out/$1.txt" < /dev/null
}
if [ "$seconds" != 0 ]; then
    echo "kernel $(uname -r); load $(cut -d' ' -f1-3 /proc/loadavg); units of work in each second of a container"
    "$BUILD/wherry" cache prune --all > /dev/null
    container cold
    "$BUILD/wherry" cache optimize > /dev/null # if it was not done in time
    container warm
    "$BUILD/wherry" cache prune --all > /dev/null
    container baseline '.annotations["wherry.wasm.tier"] = "baseline"'
    paste -d' ' "$out/cold.txt" "$out/baseline.txt" "$out/warm.txt" | awk '
        BEGIN { printf "%8s %12s %12s %12s\n", "second", "cold, moves", "cold, stays", "warm" }
        { cold += $2; stays += $4; warm += $6; last = NR }
        NR <= 10 || NR % 10 == 0 { printf "%8d %12d %12d %12d\n", NR, $2, $4, $6 }
        END { printf "%8s %12d %12d %12d\n%8s %12.2f %12.2f %12.2f\n", "all", cold, stays, warm, "of warm", cold / warm, stays / warm, 1 }'
fi

kernels=${BENCH:-../shared/bench/kernels}
[ -d "$kernels" ] || { echo "bench-tier: no $kernels (BENCH=DIR names another place)"; exit 1; }
commands=()
while read -r name full; do
    case " ${KERNELS:-$name} " in *" $name "*) ;; *) continue ;; esac
    clang -O2 -ffp-contract=off -w -o "$out/$name" "$kernels/$name.c" -lm
    engine="$BUILD/wherry wasm run --cache=$out/kernels/$name $kernels/$name.wasm $full"
    commands+=("$name native=$out/$name $full" "$name cold=$PWD/tests/bench/tier.sh cold $out/kernels/$name $engine" "$name warm=$engine")
done <<< 'gemm 160
jacobi2d 1300
ludcmp 65
sha256 760
mandel 900
fannkuch 10
interp 1400000
jsonparse 90
fib 40'
mkdir -p "$out/kernels"
"$BUILD/bench/runs" --rounds "${ROUNDS:-3}" "${commands[@]}" > "$out/runs.tsv"
echo "load $(cut -d' ' -f1-3 /proc/loadavg); CPU seconds over native's, median; cold: from an empty cache, its compilation included; warm: the run after it"
awk -F'[\t ]' '
    { cpu[$1, $2, $3] = $5 / 1e6; if (!($1 in seen)) { seen[$1] = 1; order[++n] = $1 } if ($3 > last) last = $3 }
    function median(name, kind,    r, k, i, j, t, list) {
        for (r = 0; r <= last; r++) list[++k] = kind == "native" ? cpu[name, "native", r] : cpu[name, kind, r] / cpu[name, "native", r]
        for (i = 2; i <= k; i++) { t = list[i]; for (j = i - 1; j > 0 && list[j] > t; j--) list[j + 1] = list[j]; list[j + 1] = t }
        return list[int((k + 1) / 2)]
    }
    END {
        printf "%-12s %10s %8s %8s\n", "kernel", "native s", "cold", "warm"
        for (i = 1; i <= n; i++) {
            c = median(order[i], "cold"); w = median(order[i], "warm"); cold += log(c); warm += log(w)
            printf "%-12s %10.3f %8.2f %8.2f\n", order[i], median(order[i], "native"), c, w
        }
        if (n) printf "%-12s %10s %8.2f %8.2f\n", "geomean", "", exp(cold / n), exp(warm / n)
    }' "$out/runs.tsv"
