#!/bin/sh
# tests/fuzz/run.sh PROGRAM SECONDS [SUITE...]: runs a libFuzzer program for that long. Its corpus is kept in build/fuzz/
# and starts from the .wasm files of the outside suites named (tests/suite-dir), where they are there; what it finds goes
# to build/fuzz/PROGRAM-crash-* and its like.
set -u
program=$1 seconds=$2
shift 2
name=$(basename "$program")
corpus=${BUILD:-build}/fuzz/$name.corpus
if [ ! -d "$corpus" ]; then
    mkdir -p "$corpus"
    for suite; do
        folder=$(tests/suite-dir "$suite") || continue
        find "$folder" -name '*.wasm' -size -16k | while read -r file; do
            seed=$corpus/seed-$(sha256sum < "$file" | cut -c1-16)
            case $name in
            fuzz_artifact) "${BUILD:-build}/wherry" wasm compile -o "$seed" "$file" 2>/dev/null ;;
            *) cp "$file" "$seed" ;;
            esac
        done
    done
fi
exec nice "$program" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
    -artifact_prefix="${BUILD:-build}/fuzz/$name-" "$corpus"
