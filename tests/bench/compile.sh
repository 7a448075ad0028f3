#!/bin/bash
# tests/bench/compile.sh: MB (10^6 bytes) of code section a CPU second, for real modules (modules.sh, or MODULES): validated,
# and compiled (for us: from a module's bytes to its artifact), beside V8's validator and its one-pass compiler Liftoff in
# the same round; the best of ROUNDS (default 3) each. NODE names another node; without one V8's columns stay empty.
# Then the optimizing compiler beside V8's (TurboFan), of modules up to OPTIMIZING_MB (default 10): it is slower by far.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
node=${NODE:-$(command -v node)}
rounds=${ROUNDS:-3}
modules=${MODULES:-$(tests/bench/modules.sh)}
[ -n "$modules" ] || { echo "bench-compile: no modules"; exit 1; }
out=$BUILD/bench/compile.tsv optimizing_bytes=$((${OPTIMIZING_MB:-10} * 1000000))
: > "$out"
eager="--no-wasm-lazy-compilation --no-wasm-async-compilation"
v8() { # LABEL MODULE FLAG...: a line for the table
    # the words of $eager are meant one by one
    # shellcheck disable=SC2086
    [ -z "$node" ] || echo "$1 $(basename "$2") $("$node" "${@:3}" $eager tests/bench/compile.mjs "$2" 2> /dev/null)" >> "$out"
}
for module in $modules; do
    for _ in $(seq "$rounds"); do
        "$BUILD/bench/compile" --rounds 1 "$module" | tail -n +2 | sed 's/^/ours /' >> "$out"
        v8 v8 "$module" --liftoff --no-wasm-tier-up
        [ "$(stat -c %s "$module")" -le $optimizing_bytes ] || continue
        "$BUILD/bench/compile" --rounds 1 --compiler optimizing "$module" | tail -n +2 | sed 's/^/optimizing /' >> "$out"
        v8 turbofan "$module" --no-liftoff
    done
done
echo "kernel $(uname -r), $(nproc) cores, V8 $([ -n "$node" ] && "$node" -p process.versions.v8); best of $rounds interleaved rounds; MB of code a second"
awk '
    function best(key, value, most) { if (!(key in b) || (most ? value > b[key] : value < b[key])) b[key] = value }
    $1 == "ours" && $3 + 0 > 0 { if (!($2 in mb)) order[++n] = $2
        mb[$2] = $3; best($2 "validate", $4, 1); best($2 "compile", $5, 1); best($2 "clock", $6, 1); size[$2] = $7; peak[$2] = $8 }
    $1 == "ours" && $3 + 0 == 0 { print }
    $1 == "optimizing" { if (!($2 in size2)) order2[++n2] = $2
        size2[$2] = $3; best($2 "optimizing", $5, 1); peak2[$2] = $8; share[$2] = $9 }
    $1 == "turbofan" && NF == 5 { best($2 "turbofan", $4, 0); v8peak2[$2] = $5 }
    $1 == "v8" && NF == 5 { best($2 "v8validate", $3, 0); best($2 "v8compile", $4, 0); v8peak[$2] = $5 }
    END {
        printf "%-24s %8s | %8s %8s %10s %8s %8s | %8s %8s %8s\n", "", "", "ours", "", "all cores,", "artifact", "", "V8", "", ""
        printf "%-24s %8s | %8s %8s %10s %8s %8s | %8s %8s %8s\n", "module", "code MB", "validate", "compile", "by clock", "/ code", "peak MB", "validate", "Liftoff", "peak MB"
        for (i = 1; i <= n; i++) { m = order[i]
            printf "%-24s %8.2f | %8.0f %8.1f %10.1f %8.2f %8.0f |", m, mb[m], b[m "validate"], b[m "compile"], b[m "clock"], size[m], peak[m]
            if ((m "v8compile") in b) printf " %8.0f %8.1f %8.0f\n", mb[m] / b[m "v8validate"], mb[m] / b[m "v8compile"], v8peak[m]
            else printf "\n" }
        if (!n2) exit
        printf "\noptimizing compilers\n%-24s %8s | %8s %8s %8s | %8s %8s\n", "module", "code MB", "ours", "peak MB", "/ module", "TurboFan", "peak MB"
        for (i = 1; i <= n2; i++) { m = order2[i]
            printf "%-24s %8.2f | %8.2f %8.0f %8.1f |", m, size2[m], b[m "optimizing"], peak2[m], share[m]
            if ((m "turbofan") in b) printf " %8.2f %8.0f\n", size2[m] / b[m "turbofan"], v8peak2[m]
            else printf "\n" } }' "$out"
