#!/bin/bash
# `wherry cache`: a cache of its own is filled from files and images, listed, damaged, checked and pruned.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
. tests/tap.sh
why=
[ -x "$BUILD/wherry" ] || why="$BUILD/wherry is not built"
for tool in jq gzip tar; do command -v $tool > /dev/null || why="$tool is not installed"; done
[ -z "$why" ] || skip_all "wherry cache" "$why"

dir=$(mktemp -d)
memory=
trap 'rm -rf "$dir" ${memory:+"$memory"}' EXIT
cache() { local verb=$1; shift; "$BUILD/wherry" cache "$verb" --cache "$dir/cache" "$@" 2>&1; }
# module NUMBER FILE: (module (func (export "_start"))) with so many nops
module() {
    { printf '\0asm\1\0\0\0\1\4\1\140\0\0\3\2\1\0\7\12\1\6_start\0\0\12'"\\$(printf %o $((4 + $1)))"'\1'"\\$(printf %o $((2 + $1)))"'\0'
      for ((i = 0; i < $1; i++)); do printf '\1'; done
      printf '\13'; } > "$2"
}
mkdir -p "$dir/layer/usr/lib" "$dir/layer2" "$dir/saved" "$dir/layout/blobs/sha256"
module 1 "$dir/one.wasm"; module 2 "$dir/layer/usr/lib/two.wasm"; module 3 "$dir/layer/three"; module 4 "$dir/layer2/four.wasm"
echo text > "$dir/layer/text"
tar -C "$dir/layer" -cf "$dir/saved/layer.tar" .
tar -C "$dir/layer2" -czf "$dir/layout/blobs/sha256/aaaa" .
echo '{}' > "$dir/layout/blobs/sha256/bbbb"
cp "$dir/one.wasm" "$dir/layout/blobs/sha256/cccc" # a module that is a layer by itself
tar -C "$dir/saved" -cf "$dir/saved.tar" .

is "list before there is a cache" "$(cache list --json)" "[]"
is "add a file" "$(cache add "$dir/one.wasm")" "$dir/one.wasm: added"
is "add it again" "$(cache add "$dir/one.wasm")" "$dir/one.wasm: already there"
is "add what docker save wrote" "$(cache add "$dir/saved.tar" | sed 's/.*tar://' | sort | tr '\n' ' ')" \
    "./three: added ./usr/lib/two.wasm: added "
is "add an OCI layout" "$(cache add --json "$dir/layout" | jq -c '[.[] | .result] | sort')" '["added","already there"]'
is "list counts them" "$(cache list --json | jq 'length')" 4
is "list names the module by its digest" "$(cache list --json | jq -r '.[].moduleDigest' | grep -c "$(sha256sum < "$dir/one.wasm" | cut -d' ' -f1)")" 1
is "list as text" "$(cache list | awk 'NR > 1 { print $NF }' | sort | uniq -c | tr -s ' ')" " 4 current"
is "stat" "$(cache stat --json | jq -c '[.artifacts, .otherBuild, .compiling, .limitSet]')" '[4,0,0,false]'
is "verify" "$(cache verify)" "4 intact, 0 damaged and removed"

head -c 100 "$dir/layout/blobs/sha256/aaaa" > "$dir/cut.gz"
is "a truncated image is said to be" "$(cache add "$dir/cut.gz")" "wherry: $dir/cut.gz: the compressed data is truncated"
printf '\50\265\57\375' > "$dir/zstd"
like "zstd is refused by name" "$(cache add "$dir/zstd")" "zstd are not supported yet"
is "no module in it" "$(cache add "$dir/layer/text")" "wherry: $dir/layer/text: there is no Wasm module in it"
like "a directory that is no image" "$(cache add "$dir/layer")" "no OCI layout"
module 9 "$dir/bad.wasm"; printf '\152' | dd of="$dir/bad.wasm" bs=1 seek=34 conv=notrunc 2> /dev/null
like "an invalid module: the reason" "$(cache add "$dir/bad.wasm" "$dir/one.wasm")" "offset"
like "and the others are gone on with" "$(cache add "$dir/bad.wasm" "$dir/one.wasm")" "one.wasm: already there"

victim=$(cache list --json | jq -r '.[0].name')
chmod 600 "$dir/cache/$victim"
printf 'x' | dd of="$dir/cache/$victim" bs=1 seek=5000 conv=notrunc 2> /dev/null
chmod 400 "$dir/cache/$victim"
is "verify reads bodies, names and removes" "$(cache verify)" "$victim: damaged in its body; removed
3 intact, 1 damaged and removed"
is "its status says so" "$(cache verify > /dev/null; echo $?)" 0
is "prune without need removes nothing" "$(cache prune)" "0 removed, 0 B"
one=$(cache stat --json | jq '.sizeBytes / 3 | floor')
is "a limit evicts" "$(cache prune --json --limit $((one * 2)) | jq .removed)" 1
is "and is kept to when more is added" "$(cache add "$dir/saved.tar" "$dir/layout" > /dev/null; cache stat --json | jq -c '[.limitSet, .sizeBytes <= .limitBytes]')" '[true,true]'
is "optimized at once" "$(cache add --optimize "$dir/one.wasm")" "$dir/one.wasm: added"
is "it is enough by itself" "$(cache add "$dir/one.wasm")" "$dir/one.wasm: already there"
is "and is said to be" "$(cache list --json | jq -r '[.[] | select(.compiler == "optimizing")] | length')" 1
is "nothing waits" "$(cache stat --json | jq -c '[.toOptimize, .optimizing]')" '[0,false]'
is "nothing to optimize" "$(cache optimize)" "0 optimized"
if [ "$(stat -f -c %T /dev/shm)" = tmpfs ] && memory=$(mktemp -d -p /dev/shm); then
    is "a cache on a tmpfs" "$("$BUILD/wherry" cache add --cache "$memory/cache" "$dir/one.wasm" 2>&1)" "$dir/one.wasm: added"
else
    skip "a cache on a tmpfs" "/dev/shm is none that can be written"
fi
is "prune --all" "$(cache prune --all > /dev/null; cache list --json)" "[]"
is "a size that is none" "$(cache prune --limit 3x)" "wherry: --limit 3x: a number of bytes is wanted, or one with K, M, G or T behind it"
ln -s cache "$dir/link"
like "a link is not followed" "$("$BUILD/wherry" cache stat --cache "$dir/link/" 2>&1)" "is a symbolic link"
chmod 777 "$dir/cache"
like "others may not write it" "$(cache stat)" "can be written by others"
finish
