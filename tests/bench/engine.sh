#!/bin/bash
# tests/bench/engine.sh: the speed of compiled code, on the nine shared kernels (../shared/bench/kernels, or BENCH=DIR).
# For each kernel CPU seconds at full size minus CPU seconds at minimal size, so that start and compilation cancel out,
# over the same for the native build of the same source, in the same round; median over rounds, then the geometric mean.
# The checksums must be equal. ROUNDS (default 3); KERNELS (names) picks some; COMPILER=optimizing takes that compiler,
# ENGINE="command" another engine; SIMD=1 takes the modules built with -msimd128. Beside it, in the same rounds: V8's
# one-pass compiler (Liftoff) and its optimizing one (TurboFan) where there is a node (NODE=path; NODE= for none), and
# wasmtime (wasmtime.sh).
set -eu
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build}
kernels=${BENCH:-../shared/bench/kernels}
[ -d "$kernels" ] || { echo "bench-engine: no $kernels (BENCH=DIR names another place)"; exit 1; }
command -v clang > /dev/null || { echo "bench-engine: clang is not installed"; exit 1; }
out=$BUILD/bench/engine
suffix=${SIMD:+.simd}.wasm
engine=${ENGINE:-$BUILD/wherry wasm run --compiler=${COMPILER:-baseline}}
node=${NODE-$(command -v node || true)}
mkdir -p "$out"

# what else runs a module: label, command
peers=()
if [ -n "$node" ]; then
    peers+=("Liftoff=$node --no-warnings --liftoff --no-wasm-tier-up tests/bench/engine.mjs")
    peers+=("TurboFan=$node --no-warnings --no-liftoff --no-wasm-lazy-compilation tests/bench/engine.mjs")
fi
wasmtime=$(tests/bench/wasmtime.sh)
[ -z "$wasmtime" ] || peers+=("wasmtime=$wasmtime")

# name, minimal size, full size (kernels' README)
sizes='gemm 1 160
jacobi2d 1 1300
ludcmp 1 65
sha256 1 760
mandel 1 900
fannkuch 6 10
interp 1 1400000
jsonparse 1 90
fib 1 40'

checksum() { "$@" | sed -n 's/.* \(n=[0-9]*\) ns=[0-9]* \(sum=.*\)/\1 \2/p'; }

commands=()
wrong=0
while read -r name min full; do
    case " ${KERNELS:-$name} " in *" $name "*) ;; *) continue ;; esac
    clang -O2 -ffp-contract=off -w -o "$out/$name" "$kernels/$name.c" -lm
    # the engine's word splitting is meant: "wherry wasm run"
    want=$(checksum "$out/$name" "$full")
    # shellcheck disable=SC2086
    got=$(checksum $engine "$kernels/$name$suffix" "$full") || got="it failed"
    if [ "$want" != "$got" ]; then
        echo "$name: native says \"$want\", the engine \"$got\""
        wrong=$((wrong + 1))
        continue
    fi
    for n in min full; do
        size=${!n}
        commands+=("$name native $n=$out/$name $size" "$name engine $n=$engine $kernels/$name$suffix $size")
        for peer in "${peers[@]}"; do
            commands+=("$name ${peer%%=*} $n=${peer#*=} $kernels/$name$suffix $size")
        done
    done
done <<< "$sizes"

echo "kernel $(uname -r), $(clang --version | head -1); ${ROUNDS:-3} interleaved rounds; CPU seconds, full minus minimal size"
[ ${#commands[@]} = 0 ] || "$BUILD/bench/runs" --rounds "${ROUNDS:-3}" "${commands[@]}" > "$out/runs.tsv"
awk -v seconds=engine -f tests/bench/ratios.awk "$out/runs.tsv"
[ "$wrong" = 0 ] || { echo "$wrong kernels are wrong or do not run"; exit 1; }
