#!/bin/sh
# tests/fuzz/run.sh PROGRAM SECONDS [SUITE...]: runs a fuzzer for that long and enters its executions in tests/fuzz/ledger.
#
# A libFuzzer program keeps its corpus in build/fuzz/, which starts from the .wasm files of the outside suites named
# (tests/suite-dir), where they are there; what it finds goes to build/fuzz/PROGRAM-crash-* and its like. fuzz_differential
# makes its modules itself, and saves those on which the engines differ.
set -u
program=$1 seconds=$2
shift 2
name=$(basename "$program")
target=${name#fuzz_}
corpus=${BUILD:-build}/fuzz/$name.corpus
log=${BUILD:-build}/fuzz/$name.log
ledger=tests/fuzz/ledger

seed_corpus() {
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
}

if [ "$target" = differential ]; then
    nice "$program" "$seconds" > "$log" 2>&1
    status=$?
    tail -20 "$log"
    executions=$(sed -n 's/^\([0-9]*\) executions.*/\1/p' "$log")
    findings=$(sed -n 's/.* executions, \([0-9]*\) findings/\1/p' "$log")
else
    [ -d "$corpus" ] || seed_corpus "$@"
    nice "$program" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
        -artifact_prefix="${BUILD:-build}/fuzz/$name-" "$corpus" > "$log" 2>&1
    status=$?
    tail -20 "$log"
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    findings=$([ $status = 0 ] && echo 0 || echo 1)
fi
[ -z "$executions" ] || echo "$(date +%F) $target $executions $seconds ${findings:-1}" >> "$ledger"
awk -v target="$target" '$2 == target { sum += $3; found += $5 } END { printf "%s: %d executions in all, %d findings (%s)\n", target, sum, found, FILENAME }' "$ledger"
exit $status
