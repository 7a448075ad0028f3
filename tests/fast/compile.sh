#!/bin/bash
# `wherry wasm compile -o`: a file is made whole or not at all; what is no file is written to and stays what it was.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
. tests/tap.sh
[ -x "$BUILD/wherry" ] || skip_all "wherry wasm compile" "$BUILD/wherry is not built"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
compile() { "$BUILD/wherry" wasm compile "$@" 2>&1; }
printf '\0asm\1\0\0\0' > "$dir/empty.wasm"

is "to a file" "$(compile -o "$dir/empty.artifact" "$dir/empty.wasm")$(head -c 6 "$dir/empty.artifact")" wherry
mkfifo "$dir/fifo"
cat "$dir/fifo" > "$dir/read" &
is "to a fifo" "$(compile -o "$dir/fifo" "$dir/empty.wasm")" ""
wait
is "its reader has the artifact" "$(cmp "$dir/read" "$dir/empty.artifact" 2>&1)" ""
[ -p "$dir/fifo" ]
ok "and it is still a fifo" $?
like "to a directory" "$(compile -o "$dir" "$dir/empty.wasm")" "$dir: Is a directory"
finish
