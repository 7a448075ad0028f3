#!/bin/sh
# Files, a clock and the environment from guests in C, C++, Rust and Go, each through its language's own library: all print
# the same lines, in a writable folder, and are refused in a read-only one.
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
BUILD=${BUILD:-build}
wherry=$BUILD/wherry
[ -x "$wherry" ] || skip_all "guests" "$wherry is not built"
data=$(mktemp -d "${TMPDIR:-/tmp}/wherry-guests.XXXXXX")
trap 'rm -rf "$data"' EXIT
mkdir "$data/work"

wanted='name: wherry
from 7 on: files
size: 12
missing: yes
listing: sub three
slept: yes
this century: yes
listing:'

# guest LANGUAGE MODULE
guest() {
    module=$BUILD/guests/$2
    if [ ! -e "$module" ]; then skip "$1" "no toolchain for it on this machine"; return; fi
    is "$1: files, clock, environment" \
        "$("$wherry" wasm run --env NAME=wherry --dir "$data/work::/data" "$module" /data 2>&1 < /dev/null)" "$wanted"
    is "$1: leaves nothing behind" "$(ls -A "$data/work")" ""
    got=$("$wherry" wasm run --dir "$data/work::/data:ro" "$module" /data 2>&1 < /dev/null)
    is "$1: exit code of a failure" $? 1
    like "$1: a read-only folder" "$got" 'Read-only file system'
    like "$1: a folder that was not granted" \
        "$("$wherry" wasm run --dir "$data/work::/data" "$module" /elsewhere 2>&1 < /dev/null)" ': '
    is "$1: nothing was made elsewhere" "$(ls -A "$data")" work
}
guest C files.wasm
guest C++ files-cxx.wasm
guest Rust files-rs.wasm
guest Go files-go.wasm

# a reader that goes away is EPIPE for a guest, which ends by itself
if [ -e "$BUILD/guests/hello.wasm" ]; then
    is "C: standard input until its end" "$(printf 12345 | "$wherry" wasm run "$BUILD/guests/hello.wasm" --stdin)" \
        "stdin: 5 bytes, then end of file"
    { "$wherry" wasm run "$BUILD/guests/hello.wasm" one; echo $? > "$data/status"; } 2> /dev/null | :
    like "C: a closed pipe does not kill it" "$(cat "$data/status")" '^[01]$'
fi
finish
