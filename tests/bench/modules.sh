#!/bin/sh
# tests/bench/modules.sh: fetches real modules of many sizes from npm packages into ~/.cache/wherry-tests/modules, once, and
# prints their paths; what cannot be had is named on standard error and left out.
set -u
cache=${XDG_CACHE_HOME:-$HOME/.cache}/wherry-tests/modules
mkdir -p "$cache"

# package, version, the module's path in it: a JavaScript engine, a database, a bundler (Go), an interpreter, a compiler
while read -r package version path; do
    folder=$cache/$(printf %s "$package" | sed 's|^@||; s|/|-|')@$version
    if [ ! -e "$folder" ]; then
        if command -v npm > /dev/null && archive=$(cd "$cache" && npm pack --silent "$package@$version" 2> /dev/null); then
            mkdir "$folder" && tar -xzf "$cache/$archive" -C "$folder"
            rm -f "$cache/$archive"
        else
            echo "modules: $package@$version is not to be had" >&2
            continue
        fi
    fi
    [ -e "$folder/package/$path" ] && echo "$folder/package/$path"
done << 'LIST'
@electric-sql/pglite 0.5.16 dist/initdb.wasm
@jitl/quickjs-wasmfile-release-sync 0.32.0 dist/emscripten-module.wasm
@electric-sql/pglite 0.5.16 dist/pglite.wasm
esbuild-wasm 0.28.2 esbuild.wasm
@ruby/3.3-wasm-wasi 2.10.1 dist/ruby.wasm
@yowasp/clang 22.0.0-git20542-10 gen/llvm.core.wasm
LIST
