#!/bin/sh
# tests/lint.sh: formatting of every C file (clang-format, .clang-format) and clang-tidy's opinion of our sources.
# Prints TAP. A tool that is not installed is a skip; clang-tidy looks only for bugs (.clang-tidy), not for taste.
set -u
cd "$(dirname "$0")/.." || exit 1
echo "TAP version 13"
files=$(find include engine oci shim tests -name '*.[ch]' | sort)
if ! command -v clang-format >/dev/null; then
    echo "ok 1 - formatting # SKIP clang-format is not installed"
else
    # shellcheck disable=SC2086 # our file names have no spaces
    bad=$(for file in $files; do clang-format "$file" | cmp -s - "$file" || echo "$file"; done)
    if [ -z "$bad" ]; then echo "ok 1 - formatting"; else
        echo "$bad" | sed 's/^/# clang-format -i /'
        echo "not ok 1 - formatting"
    fi
fi
if ! command -v clang-tidy >/dev/null; then
    echo "ok 2 - clang-tidy # SKIP clang-tidy is not installed"
else
    # look OPTION... < FILES: one architecture's files
    look() { OPTIONS="$*" xargs -P2 -n8 sh -c 'clang-tidy --quiet "$@" -- -std=gnu17 -D_GNU_SOURCE -Iinclude -I. -Ibuild/gen $OPTIONS 2>/dev/null' sh; }
    native=$(find engine oci shim -name '*.c' ! -path 'engine/a64/*' | sort)
    out=$({
        echo "$native" | look
        [ ! -d /usr/aarch64-linux-gnu ] || find engine/a64 -name '*.c' | sort |
            look --target=aarch64-linux-gnu -isystem /usr/aarch64-linux-gnu/include
    } | grep -E '(warning|error):')
    if [ -z "$out" ]; then echo "ok 2 - clang-tidy"; else
        echo "$out" | sed 's/^/# /'
        echo "not ok 2 - clang-tidy"
    fi
fi
echo 1..2
