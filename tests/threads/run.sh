#!/bin/sh
# The outside wasi-testsuite's wasi-threads modules on `wherry wasm run`: make suite-threads [SUITE=DIR] [TESTS="wasi_threads_spawn"] [COMPILER=baseline],
# by both compilers unless one is named.
#
# As in tests/wasi/run.sh: a .json beside the module says which exit code is right (0 without one). Their standard input
# stays open and silent, since some wait for it while another thread ends the process.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
. tests/tap.sh
suite=$(tests/suite-dir wasi-threads) || skip_all wasi-threads "$suite"
[ -x "$BUILD/wherry" ] || skip_all wasi-threads "no $BUILD/wherry"
command -v jq >/dev/null || skip_all wasi-threads "jq is not installed"
work=$(mktemp -d "${TMPDIR:-/tmp}/wherry-threads.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkfifo "$work/stdin"
exec 3<> "$work/stdin"

for compiler in ${COMPILER:-baseline optimizing}; do
    for module in "$suite"/*.wasm; do
        name=$(basename "$module" .wasm)
        case " ${TESTS:-$name} " in *" $name "*) ;; *) continue ;; esac
        expected=0
        [ ! -e "${module%.wasm}.json" ] || expected=$(jq '.exit_code // 0' "${module%.wasm}.json")
        timeout -k 5 60 "$BUILD/wherry" wasm run "--compiler=$compiler" ${CONFINED---confined} "$module" < "$work/stdin" > "$work/output" 2>&1
        status=$?
        if [ "$status" = "$expected" ]; then
            tap_pass "$name, $compiler"
        else
            tap_fail "$name, $compiler" "exit status $status, not $expected
$(head -c 2000 "$work/output")"
        fi
    done
done
finish
