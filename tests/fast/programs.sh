#!/bin/sh
# The helper programs hold what their task needs and nothing else: no compiler in `engine`, no WASI in `compile`.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
n=0 status=0
echo "TAP version 13"

# lacks PROGRAM PATTERN WHAT
lacks() {
    n=$((n + 1))
    program=$BUILD/libexec/wherry/$1
    if [ ! -e "$program" ]; then
        echo "ok $n - no $3 in $1 # SKIP it is not built"
        return
    fi
    found=$(nm "$program" | awk '$2 ~ /[tTwW]/ { print $3 }' | grep -E "$2" | head -3 | tr '\n' ' ')
    if [ -z "$found" ]; then echo "ok $n - no $3 in $1"; else echo "# $found"; echo "not ok $n - no $3 in $1"; status=1; fi
}

# static PROGRAM: no loader and no library, or a container's own would be used (musl-gcc makes such programs unasked)
static() {
    n=$((n + 1))
    program=$BUILD/$1
    if [ ! -e "$program" ]; then
        echo "ok $n - $1 is static # SKIP it is not built"
    elif readelf -lW "$program" | grep -q INTERP || readelf -d "$program" | grep -q NEEDED; then
        readelf -d "$program" | grep NEEDED | sed 's/^/# /'
        echo "not ok $n - $1 is static"
        status=1
    else
        echo "ok $n - $1 is static"
    fi
}

# Tables of functions are read-only once they are relocated: headers, constants and these are three such mappings of the program.
# It is looked at while it waits for a reader of its log.
relocated() {
    n=$((n + 1)) mappings=0
    fifo=$(mktemp -u)
    mkfifo "$fifo"
    "$BUILD/wherry" --log "$fifo" --version > /dev/null &
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        mappings=$(awk '$2 == "r--p" && /\/wherry$/' "/proc/$!/maps" | wc -l)
        [ "$mappings" -lt 3 ] || break
        sleep 0.1
    done
    cat "$fifo" > /dev/null
    rm "$fifo"
    if [ "$mappings" -ge 3 ]; then echo "ok $n - what is relocated in wherry is read-only"; else
        echo "not ok $n - what is relocated in wherry is read-only ($mappings mappings)"
        status=1
    fi
}

lacks engine '^(module_decode|module_validate|baseline_|x64_enc|artifact_write|engine_compile)' compiler
lacks engine '^(dlopen|getpwnam|getaddrinfo|setlocale|iconv_open)$' 'dynamic loading, name service or locale'
lacks compile '^(wasi_|p1_|engine_run|instance_new|entry_enter)' runtime
[ -n "${SANITIZE:-}" ] || for program in wherry containerd-shim-wherry-v1 libexec/wherry/engine libexec/wherry/compile; do
    static $program
done
[ -n "${SANITIZE:-}" ] || [ ! -e "$BUILD/wherry" ] || relocated
echo "1..$n"
exit $status
