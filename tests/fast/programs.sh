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

lacks engine '^(module_decode|module_validate|baseline_|x64_enc|artifact_write|engine_compile)' compiler
lacks engine '^(dlopen|getpwnam|getaddrinfo|setlocale|iconv_open)$' 'dynamic loading, name service or locale'
lacks compile '^(wasi_|p1_|engine_run|instance_new|entry_enter)' runtime
echo "1..$n"
exit $status
