#!/bin/sh
# The core specification's tests: make suite-spec [SUITE=DIR] [COMPILER=baseline] [FILES="i32 br_table"] [EXPLICIT_CHECKS=1] [COLLECT_EVERY=1].
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
dir=$(tests/suite-dir spec) || { echo "ok 1 - specification tests # SKIP $dir"; exit 0; }
exec "$BUILD/tests/spec/spec" -c "${COMPILER:-baseline}" -k tests/spec/known-failures.txt ${VERBOSE:+-v} ${EXPLICIT_CHECKS:+-b} ${COLLECT_EVERY:+-g "$COLLECT_EVERY"} "$dir" ${FILES:-}
