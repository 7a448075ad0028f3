#!/bin/sh
# tests/spec/ir_text.sh: IR to text and back (tests/spec/ir_text.c), of every function of the suites' modules.
set -u
cd "$(dirname "$0")/../.." || exit 1
folders=
for suite in spec wasi wasi-threads; do
    if folder=$(tests/suite-dir $suite); then
        folders="$folders $folder"
    else
        echo "ok 1 - IR as text # SKIP $folder"
        exit 0
    fi
done
# shellcheck disable=SC2086
exec "${BUILD:-build}/tests/spec/ir_text" $folders
