#!/bin/sh
# A hostile module and what it must not reach, one case each: below the whole machine as its "/", below the kernel's own file
# systems, and out of a folder by "..", absolute paths and links of its own making or already there.
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
BUILD=${BUILD:-build}
wherry=$BUILD/wherry
module=$BUILD/guests/attack.wasm
[ -x "$wherry" ] || skip_all "attacks" "$wherry is not built"
[ -e "$module" ] || skip_all "attacks" "no clang for wasm32 on this machine"
work=$(mktemp -d "${TMPDIR:-/tmp}/wherry-attack.XXXXXX")
trap 'rm -rf "$work"' EXIT

# attacks NAME GRANT PATH...: nothing is reached
attacks() {
    name=$1 grant=$2
    shift 2
    for path; do
        got=$("$wherry" wasm run --dir "$grant" "$module" "$path" 2>&1 < /dev/null)
        is "$name: $path" "$got" "refused $path"
    done
}
# a preopen of "/" that is read-only, so that a test that fails does no harm
attacks "all of the machine" /::/:ro /proc /proc/self/mem /proc/self/maps /proc/self/exe /proc/self/fd/0 /proc/self/root /proc/1/environ \
    /proc/1/mem /proc/kcore /proc/sysrq-trigger /proc/thread-self/mem /proc/../proc/self/mem /sys /sys/kernel /sys/fs/cgroup \
    /dev/mem /dev/kmsg /dev/port /dev/ptmx /dev/pts/0 /dev/tty /dev/console
attacks "procfs itself" /proc::/data:ro /data/self/mem /data/1/environ /data/self/exe
attacks "sysfs itself" /sys::/data:ro /data/kernel /data/class

got=$("$wherry" wasm run --dir /dev::/dev:ro "$module" /dev/mem /dev/kmsg /dev/ptmx /dev/tty /dev/console /dev/vda /dev/sda 2>&1 < /dev/null)
is "devices: none of the others opens" "$(printf '%s\n' "$got" | grep REACHED | grep opening)" ""

mkdir -p "$work/grant/sub" "$work/outside"
echo secret > "$work/outside/secret"
echo inside > "$work/grant/inside"
ln -s ../outside/secret "$work/grant/out"
ln -s "$work/outside/secret" "$work/grant/absolute"
ln -s ../outside "$work/grant/directory"
ln -s loop "$work/grant/loop"
ln -s ../../outside/secret "$work/grant/sub/out"
link_reached() { printf '%s\n' "$1" | grep REACHED | grep -v readlink; }
for path in out absolute directory directory/secret sub/out loop loop/x; do
    got=$("$wherry" wasm run --dir "$work/grant::/data:ro" "$module" "/data/$path" 2>&1 < /dev/null)
    is "a link out of the folder: $path" "$(link_reached "$got")" ""
done
attacks "out of the folder" "$work/grant::/data:ro" /data/.. /data/../outside/secret /data/sub/../../outside/secret "$work/outside/secret" \
    /data/inside/../../outside/secret /data/inside/ /data/inside/x
got=$("$wherry" wasm run --dir "$work/grant::/data" "$module" --link ../outside/secret /data/mine /data/mine 2>&1 < /dev/null)
is "a link of its own making leads nowhere" "$(link_reached "$got")" ""
got=$("$wherry" wasm run --dir "$work/grant::/data" "$module" --link "$work/outside/secret" /data/made 2>&1 < /dev/null)
like "an absolute link is not made" "$got" "no link to $work/outside/secret"
is "what is granted is reached" \
    "$("$wherry" wasm run --dir "$work/grant::/data:ro" "$module" /data/inside 2>&1 < /dev/null | grep -c 'opening it for reading')" 1
is "the secret is untouched" "$(cat "$work/outside/secret")" secret
finish
