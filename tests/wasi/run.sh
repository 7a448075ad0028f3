#!/bin/sh
# The outside wasi-testsuite on `wherry wasm run`: make suite-wasi [SUITE=DIR] [COMPILER=baseline] [TESTS="rust/readlink c/lseek"].
#
# A test is a module, a .json beside it that says how to run it (no .json: no arguments, exit code 0) and, named in that as
# `root`, a directory that the guest gets as "/". Tests write into it, so each run gets a copy. A test passes when exit code
# and, where the .json has them, stdout and stderr are what it says. Components are counted as skipped until they run.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
. tests/tap.sh
suite=$(tests/suite-dir wasi) || skip_all wasi-testsuite "$suite"
[ -x "$BUILD/wherry" ] || skip_all wasi-testsuite "no $BUILD/wherry"
command -v jq >/dev/null || skip_all wasi-testsuite "jq is not installed"
wherry=$(realpath "$BUILD/wherry")
known=$(grep -v '^#' tests/wasi/known-failures.txt | cut -d' ' -f1)
work=$(mktemp -d "${TMPDIR:-/tmp}/wherry-wasi.XXXXXX")
trap 'rm -rf "$work"' EXIT
expect='{}'

# run MODULE: runs it as its $expect says, from $work/root
run() {
    set -- "$1"
    options=$(printf %s "$expect" | jq -r '[(.env // {}) | to_entries[] | "--env", "\(.key)=\(.value)"] | @sh')
    arguments=$(printf %s "$expect" | jq -r '(.args // []) | @sh')
    eval "set -- wasm run --compiler=${COMPILER:-baseline} ${CONFINED---confined} $options ${root:+--dir \"\$work/root::/\"} -- \"\$1\" $arguments"
    timeout -k 5 60 "$wherry" "$@" > "$work/stdout" 2> "$work/stderr" < /dev/null
}

# matches NAME: true if the .json says nothing about the stream NAME, or what came
matches() {
    printf %s "$expect" | jq -e --arg key "$1" 'has($key) | not' > /dev/null && return
    printf %s "$expect" | jq -j --arg key "$1" '.[$key]' | cmp -s - "$work/$1"
}

judge() {
    if [ "$status" = "$(printf %s "$expect" | jq '.exit_code // 0')" ] && matches stdout && matches stderr; then
        problem=
    else
        problem="exit status $status
$(head -c 2000 "$work/stderr")
$(head -c 500 "$work/stdout")"
    fi
    if printf '%s\n' "$known" | grep -qx "$1"; then
        if [ -n "$problem" ]; then skip "$1" "known failure"; else tap_fail "$1" "passes: take it off tests/wasi/known-failures.txt"; fi
    elif [ -n "$problem" ]; then tap_fail "$1" "$problem"; else tap_pass "$1"; fi
}

for module in "$suite"/*/wasm32-wasip1/*.wasm; do
    directory=$(dirname "$module")
    name=$(basename "$(dirname "$directory")")/$(basename "$module" .wasm)
    case " ${TESTS:-$name} " in *" $name "*) ;; *) continue ;; esac
    expect='{}'
    [ ! -e "${module%.wasm}.json" ] || expect=$(cat "${module%.wasm}.json")
    root=$(printf %s "$expect" | jq -r '.root // empty')
    rm -rf "$work/root"
    [ -z "$root" ] || cp -R "$directory/$root" "$work/root"
    rm -rf "$work/root"/*.cleanup
    run "$module"
    status=$?
    judge "$name"
done
for module in "$suite"/*/wasm32-wasip[23]/*.wasm; do
    [ -z "${TESTS:-}" ] && [ -e "$module" ] || continue
    skip "$(basename "$module" .wasm)" "component"
done
finish
