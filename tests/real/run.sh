#!/bin/sh
# Real toolchains and a real program: C, C++ (without and with exceptions), Rust and Go guests and SQLite (more than 1 MB
# of Wasm), run by `wherry wasm run` (COMPILER=optimizing: with that compiler). What SQLite prints and writes must equal
# what its native build prints and reads.
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
BUILD=${BUILD:-build}
wherry=$BUILD/wherry
guests=$BUILD/guests
[ -x "$wherry" ] || skip_all "real programs" "$wherry is not built"
out=$BUILD/real
rm -rf "$out/data"
mkdir -p "$out/data"
wasm() { "$wherry" wasm run --compiler="${COMPILER:-baseline}" "$@" 2>&1 < /dev/null; }

# guest NAME FILE: whether it could be built on this machine
guest() {
    [ -e "$guests/$2" ] && return
    skip "$1" "no toolchain for it on this machine"
    return 1
}
if guest "C" hello.wasm; then
    like "C: output" "$(wasm "$guests/hello.wasm" one)" 'Hello from C!'
    like "C: arguments" "$(wasm "$guests/hello.wasm" one "two words")" 'argument 2: two words'
    like "C: environment" "$(wasm --env K=V "$guests/hello.wasm")" 'environment: K=V'
    wasm "$guests/hello.wasm" --exit 5 > /dev/null
    is "C: exit code" $? 5
    echo "content" > "$out/data/file"
    is "C: a file of a granted folder" "$(wasm --dir "$out/data::/data" "$guests/hello.wasm" --read /data/file)" content
    like "C: nothing that was not granted" "$(wasm "$guests/hello.wasm" --read /etc/hostname)" 'hello: /etc/hostname: '
fi
if guest "C++" cxx.wasm; then
    is "C++: containers and streams" "$(wasm "$guests/cxx.wasm" b a b | tr '\n' ';')" "Hello from C++! area 14;a 1;b 2;"
fi
if guest "Rust" greet.wasm; then
    is "Rust: the world" "$(wasm "$guests/greet.wasm")" "Hello, World!"
    is "Rust: NAME" "$(wasm --env NAME=wherry "$guests/greet.wasm")" "Hello, wherry!"
fi
if guest "Go" greet-go.wasm; then
    is "Go: goroutines and output" "$(wasm --env NAME=wherry "$guests/greet-go.wasm")" "Hello, wherry! (Go, 199)"
fi

# throws NAME FILE
throws() {
    is "$1: prints what the native build prints" "$(wasm "$2")" "$("$out/exceptions-native")"
    said=$(wasm "$2" --uncaught)
    is "$1: an uncaught exception ends like a trap" $? 134
    like "$1: one sentence about it" "$said" '^wherry: uncaught exception: tag .* with i32 0x'
    like "$1: with a backtrace" "$said" '^   0: '
}
if ! why=$(tests/real/exceptions-build "$out"); then
    skip "C++ with exceptions" "$why"
else
    throws "C++ with exceptions, legacy" "$out/exceptions-legacy.wasm"
    if [ -e "$out/exceptions-exnref.wasm" ]; then
        throws "C++ with exceptions, exnref" "$out/exceptions-exnref.wasm"
    else
        skip "C++ with exceptions, exnref" "no wasm-opt that translates (npm package binaryen)"
    fi
fi

if ! why=$(tests/real/kotlin-build "$out"); then
    skip "Kotlin" "$why"
else
    is "Kotlin: prints what the JVM prints" "$(wasm "$out/kotlin.wasm")" "$(cat "$out/kotlin.expected")"
fi

if ! why=$(tests/real/sqlite-build "$out"); then
    skip "SQLite" "$why"
    finish
    exit
fi
sql() {
    database=$1
    shift
    "$@" "$database" "create table t(a integer primary key, b text, c real)" \
        "with recursive n(x) as (select 1 union all select x + 1 from n where x < 20000)
         insert into t select x, printf('row %d', x * x), sqrt(x) from n" \
        "create index i on t(b)" "select count(*), sum(length(b)), max(b), round(sum(c), 6) from t" \
        "select a, b from t where b like '%777%' order by b limit 5" \
        "create virtual table f using fts5(b)" "insert into f select b from t where a < 500" \
        "select count(*) from f where f match 'row'" "delete from t where a % 3 = 0" "vacuum" "pragma integrity_check"
}
native=$(sql "$out/data/native.db" "$out/sqlite-native" 2>&1)
is "SQLite: prints what the native build prints" "$(sql /data/wasm.db wasm --dir "$out/data::/data" "$out/sqlite.wasm")" "$native"
is "SQLite: the native build reads the file it wrote" \
    "$("$out/sqlite-native" "$out/data/wasm.db" "pragma integrity_check" "select count(*), max(a) from t" 2>&1 | tr '\n' ' ')" "ok 13334|20000 "
finish
