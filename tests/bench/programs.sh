#!/bin/bash
# tests/bench/programs.sh: real programs as modules against their native builds: SQLite, Lua, Zstandard, cJSON, PCRE2.
# Debian's sources, the same compiler at -O2 for both; the drivers are tests/bench/programs/NAME.c. CPU seconds of the large size minus those of
# the small one, over the same of the native build in the same round; median over rounds, then the geometric mean. What they
# print must be equal. Rows of both compilers and of wasmtime (PYTHON=path), where python3 has its package.
# ROUNDS (default 3); PROGRAMS="sqlite lua" picks some.
set -eu
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
sources=${WHERRY_TEST_CACHE:-$HOME/.cache/wherry-tests}/programs
out=$BUILD/bench/programs drivers=tests/bench/programs
python=${PYTHON:-python3}
command -v clang > /dev/null || { echo "bench-programs: clang is not installed"; exit 1; }
"$drivers/sources" "$sources"
mkdir -p "$out/wasi"

# the script as the text of a C array
od -An -v -tu1 "$drivers/lua.lua" | sed 's/\([0-9]\) /\1,/g; s/$/,/' | sed '$s/,$//' > "$out/lua_script.h"
: > "$out/wasi/setjmp.h" # Lua includes it
echo '#define DEB_HOST_MULTIARCH "any"' > "$out/lua5.4-deb-multiarch.h" # Debian's Lua looks for libraries below such a name
cp "$sources"/pcre2-*/src/pcre2.h.generic "$out/pcre2.h"
cp "$sources"/pcre2-*/src/config.h.generic "$out/config.h"
cp "$sources"/pcre2-*/src/pcre2_chartables.c.dist "$out/pcre2_chartables.c"

# files NAME: the C files of its library, and flags
files() {
    case $1 in
    sqlite) echo "$sources/sqlite/sqlite3.c -I$sources/sqlite -DSQLITE_THREADSAFE=0 -DSQLITE_OS_OTHER=1 -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_TEMP_STORE=3" ;;
    lua) echo "$(ls "$sources"/lua5.4-*/src/l*.c | grep -vE '/(lua|luac|linit|liolib|loslib|loadlib|ldblib|lcorolib|lutf8lib)\.c') -I$(echo "$sources"/lua5.4-*/src)" ;;
    zstd) echo "$(ls "$sources"/libzstd-*/lib/{common,compress,decompress}/*.c) -I$(echo "$sources"/libzstd-*/lib) -DZSTD_DISABLE_ASM" ;;
    json) echo "$(echo "$sources"/cjson-*/cJSON.c) -I$(echo "$sources"/cjson-*)" ;;
    regex) echo "$(ls "$sources"/pcre2-*/src/pcre2_*.c | grep -vE 'pcre2_(jit|dftables|fuzz|posix|printint|ucptables)') $out/pcre2_chartables.c -I$(echo "$sources"/pcre2-*/src) -DPCRE2_CODE_UNIT_WIDTH=8 -DHAVE_CONFIG_H" ;;
    esac
}
# of Lua's errors none is caught, and wasi-libc has no setjmp; its tables are to be the same in every run
lua_flags=('-DLUAI_THROW(L,c)=abort()' '-DLUAI_TRY(L,c,a)={a}' '-Dluai_jmpbuf=int' '-Dluai_makeseed(L)=42')

# compile NAME OUTPUT FLAG...: when it is older than what it is made of
compile() {
    local name=$1 output=$2
    shift 2
    [ ! "$output" -nt "$drivers/$name.c" ] || [ ! "$output" -nt "$0" ] || [ ! "$output" -nt "$drivers/lua.lua" ] || return 0
    # shellcheck disable=SC2046
    clang "$@" -O2 -ffp-contract=off -w -I"$out" -I"$drivers" "${lua_flags[@]}" -o "$output" "$drivers/$name.c" $(files "$name") -lm
}

# name, small size, large size: about a second of native code
sizes='sqlite 1 50
lua 1 60
zstd 1 12
json 1 120
regex 1 40'

engines=("baseline=$BUILD/wherry wasm run --compiler=baseline" "optimizing=$BUILD/wherry wasm run --compiler=optimizing")
! "$python" -c 'import wasmtime' 2> /dev/null || engines+=("wasmtime=$(command -v "$python") tests/bench/engine.py")
commands=()
wrong=0
while read -r name small large; do
    case " ${PROGRAMS:-$name} " in *" $name "*) ;; *) continue ;; esac
    compile "$name" "$out/$name"
    compile "$name" "$out/$name.wasm" --target=wasm32-wasi -I"$out/wasi" -D_WASI_EMULATED_SIGNAL -D_WASI_EMULATED_PROCESS_CLOCKS \
        -lwasi-emulated-signal -lwasi-emulated-process-clocks
    want=$("$out/$name" "$large")
    for engine in "native=" "${engines[@]}"; do
        run="${engine#*=} $out/$name.wasm"
        [ "$engine" != "native=" ] || run=$out/$name
        # its word splitting is meant
        got=$($run "$large") || got="it failed"
        [ "$want" = "$got" ] || { echo "$name: native says \"$want\", ${engine%%=*} \"$got\""; wrong=$((wrong + 1)); continue; }
        commands+=("$name ${engine%%=*} min=$run $small" "$name ${engine%%=*} full=$run $large")
    done
done <<< "$sizes"

echo "kernel $(uname -r), $(clang --version | head -1); ${ROUNDS:-3} interleaved rounds; CPU seconds, large minus small size"
[ ${#commands[@]} = 0 ] || "$BUILD/bench/runs" --rounds "${ROUNDS:-3}" "${commands[@]}" > "$out/runs.tsv"
awk -f tests/bench/ratios.awk "$out/runs.tsv"
[ "$wrong" = 0 ] || { echo "$wrong programs are wrong or do not run"; exit 1; }
