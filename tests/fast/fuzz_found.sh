#!/bin/bash
# What fuzzing has found so far, each input once more through its target: tests/fuzz/found/TARGET/.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
. tests/tap.sh

for folder in tests/fuzz/found/*; do
    target=${folder##*/}
    output=$("$BUILD/tests/fuzz/$target" "$folder" 2>&1)
    status=$? # of the target: in the next line it would be that of ls
    ok "fuzz_$target takes $(ls "$folder" | wc -l) inputs that it once did not" $status "$output"
done
finish
