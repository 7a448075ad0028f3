#!/bin/bash
# tests/bench/programs.sh: real programs as modules against their native builds: SQLite, Lua, Zstandard, cJSON, PCRE2.
# Debian's sources, one compiler at -O2 for both; the drivers are tests/bench/programs/NAME.c. CPU seconds of the large
# size minus those of the small one, over the same of the native build in the same round; median over rounds, then the
# geometric mean. Rows of both compilers, of wasmtime (wasmtime.sh), and of the default: from an empty cache, whole, with
# compilation and what it runs until then. What they print must be equal. ROUNDS (default 3); PROGRAMS="sqlite lua" picks
# some. The picture: build/bench/programs/programs.svg.
set -eu
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
sources=${WHERRY_TEST_CACHE:-$HOME/.cache/wherry-tests}/programs
out=$BUILD/bench/programs drivers=tests/bench/programs
command -v clang > /dev/null || { echo "bench-programs: clang is not installed"; exit 1; }
"$drivers/sources" "$sources"
mkdir -p "$out/wasi"

# the script as the text of a C array
od -An -v -tu1 "$drivers/lua.lua" | sed 's/\([0-9]\) /\1,/g; s/$/,/' | sed '$s/,$//' > "$out/lua_script.h"
: > "$out/wasi/setjmp.h" # Lua includes it
# Debian's Lua looks for libraries below such a name
echo '#define DEB_HOST_MULTIARCH "any"' > "$out/lua5.4-deb-multiarch.h"
cp "$sources"/pcre2-*/src/pcre2.h.generic "$out/pcre2.h"
cp "$sources"/pcre2-*/src/config.h.generic "$out/config.h"
cp "$sources"/pcre2-*/src/pcre2_chartables.c.dist "$out/pcre2_chartables.c"

# files NAME: the C files of its library, and flags
files() {
    local top
    case $1 in
    sqlite)
        echo "$sources/sqlite/sqlite3.c -I$sources/sqlite -DSQLITE_THREADSAFE=0 -DSQLITE_OS_OTHER=1" \
            "-DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_TEMP_STORE=3"
        ;;
    lua)
        top=$(echo "$sources"/lua5.4-*/src)
        find "$top" -name 'l*.c' | grep -vE '/(lua|luac|linit|liolib|loslib|loadlib|ldblib|lcorolib|lutf8lib)\.c'
        echo "-I$top"
        ;;
    zstd)
        top=$(echo "$sources"/libzstd-*/lib)
        echo "$top"/{common,compress,decompress}/*.c "-I$top -DZSTD_DISABLE_ASM"
        ;;
    json) echo "$sources"/cjson-*/cJSON.c "-I$(echo "$sources"/cjson-*)" ;;
    regex)
        top=$(echo "$sources"/pcre2-*/src)
        find "$top" -name 'pcre2_*.c' | grep -vE 'pcre2_(jit|dftables|fuzz|posix|printint|ucptables)'
        echo "$out/pcre2_chartables.c -I$top -DPCRE2_CODE_UNIT_WIDTH=8 -DHAVE_CONFIG_H"
        ;;
    esac
}
# of Lua's errors none is caught, and wasi-libc has no setjmp; its tables are to be the same in every run
lua_flags=('-DLUAI_THROW(L,c)=abort()' '-DLUAI_TRY(L,c,a)={a}' '-Dluai_jmpbuf=int' '-Dluai_makeseed(L)=42')

# compile NAME OUTPUT FLAG...: when it is older than what it is made of
compile() {
    local name=$1 output=$2
    shift 2
    [ -z "$(find "$0" "$drivers/$name".* "$drivers/programs.h" -newer "$output" 2>&1)" ] && return
    # shellcheck disable=SC2046
    clang "$@" -O2 -ffp-contract=off -w -I"$out" -I"$drivers" "${lua_flags[@]}" -o "$output" "$drivers/$name.c" \
        $(files "$name") -lm
}

# name, small size, large size: about a second of native code
sizes='sqlite 1 110
lua 1 1000
zstd 1 54
json 1 350
regex 1 160'

run="$BUILD/wherry wasm run" cache=$out/cache
engines=("native=" "wherry-baseline=$run --cache=$cache --compiler=baseline"
    "wherry-optimizing=$run --cache=$cache --compiler=optimizing"
    "wherry-default=$PWD/tests/bench/tier.sh cold $cache-cold $run --cache=$cache-cold")
wasmtime=$(tests/bench/wasmtime.sh)
[ -z "$wasmtime" ] || engines+=("wasmtime=$wasmtime")
commands=()
wrong=0
while read -r name small large; do
    case " ${PROGRAMS:-$name} " in *" $name "*) ;; *) continue ;; esac
    compile "$name" "$out/$name"
    compile "$name" "$out/$name.wasm" --target=wasm32-wasi -I"$out/wasi" \
        -D_WASI_EMULATED_SIGNAL -D_WASI_EMULATED_PROCESS_CLOCKS -lwasi-emulated-signal -lwasi-emulated-process-clocks
    want=$("$out/$name" "$large")
    for engine in "${engines[@]}"; do
        run="${engine#*=} $out/$name.wasm"
        [ "$engine" != "native=" ] || run=$out/$name
        # its word splitting is meant
        got=$($run "$large") || got="it failed"
        if [ "$want" != "$got" ]; then
            echo "$name: native says \"$want\", ${engine%%=*} \"$got\""
            wrong=$((wrong + 1))
            continue
        fi
        [ "${engine%%=*}" = wherry-default ] || commands+=("$name ${engine%%=*} min=$run $small")
        commands+=("$name ${engine%%=*} full=$run $large")
    done
done <<< "$sizes"

echo "kernel $(uname -r), $(clang --version | head -1); load $(cut -d' ' -f1 /proc/loadavg);" \
    "${ROUNDS:-3} interleaved rounds; CPU seconds"
"$BUILD/bench/runs" --rounds "${ROUNDS:-3}" "${commands[@]}" > "$out/runs.tsv"
awk -v drawing="$out/drawing.tsv" -f tests/bench/ratios.awk "$out/runs.tsv"
awk -v title="Real programs: CPU time over native -O2 (less is better)" -v unit=x -f tests/bench/draw.awk \
    "$out/drawing.tsv" > "$out/programs.svg"
[ "$wrong" = 0 ] || { echo "$wrong programs are wrong or do not run"; exit 1; }
