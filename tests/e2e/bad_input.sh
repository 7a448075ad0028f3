#!/bin/bash
# Bad input: one clear sentence on stderr and in --log, the exit code that managers expect, and nothing left behind
# (no mount, cgroup, process, state directory) after each of them.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
wherry=$BUILD/wherry
if [ "${BAD_INPUT_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq; do command -v $tool > /dev/null || why="$tool is not installed"; done
    [ -x "$wherry" ] || why="$wherry is not built"
    if [ -z "$why" ]; then BAD_INPUT_INSIDE=1 exec unshare -m --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "bad input" "$why"

dir=$BUILD/e2e/bad_input
rm -rf "$dir"
mkdir -p "$dir/state" "$dir/good/rootfs/bin" "$dir/good/rootfs/proc" "$dir/good/rootfs/dev" "$dir/good/rootfs/sys"
mount -t tmpfs state "$dir/state"
cp "$(command -v busybox)" "$dir/good/rootfs/bin/busybox"
for applet in true sh sleep; do ln "$dir/good/rootfs/bin/busybox" "$dir/good/rootfs/bin/$applet"; done
id=wherry-bad-$$
rt() { "$wherry" --root "$dir/state/wherry" --log "$dir/log" --log-format json "$@"; }

left() {
    grep -F "$dir/" /proc/self/mountinfo | grep -vF " $dir/state " | awk '{ print "mount " $5 }'
    find /sys/fs/cgroup -maxdepth 3 -name "$id*" -printf 'cgroup %p\n' 2> /dev/null
    ls "$dir/state/wherry" 2> /dev/null | sed 's/^/state /'
    # one grep for all: two processes for each of them take minutes in the guest; a list made before it, or it would find itself
    local lines=(/proc/[0-9]*/cmdline) pid
    grep -laF -- "$dir/state/wherry" "${lines[@]}" 2> /dev/null | tr -dc '0-9\n' | while read -r pid; do
        # the second tier goes on after a start, on purpose; one that is ending, or only becoming that, has a moment for it
        for _ in $(seq 300); do
            case $(cat "/proc/$pid/comm" 2> /dev/null) in "" | wherry-optimize) continue 2 ;; esac
            [ -s "/proc/$pid/cmdline" ] || continue 2
            sleep 0.1
        done
        echo "process $pid"
    done
}
# refused NAME PATTERN COMMAND...: fails with status 1, one line on stderr that matches, the same in the log, nothing left
refused() {
    local name=$1 pattern=$2 out status remains
    shift 2
    rm -f "$dir/log"
    # into a file: should it succeed after all, a container would hold a $(...) open
    "$@" > "$dir/out" 2>&1 < /dev/null
    status=$?
    out=$(cat "$dir/out")
    remains=$(left)
    [ $status != 0 ] || rt delete --force "$id" > /dev/null 2>&1
    if [ $status != 1 ]; then tap_fail "$name" "exit status $status, wanted 1; output: $out"
    elif ! printf '%s\n' "$out" | grep -q -- "$pattern"; then tap_fail "$name" "got:     $out
pattern: $pattern"
    elif [ "$(printf '%s\n' "$out" | wc -l)" != 1 ]; then tap_fail "$name" "more than one line: $out"
    elif [ -e "$dir/log" ] && ! jq -e 'select(.level == "error")' "$dir/log" > /dev/null 2>&1; then
        tap_fail "$name" "the log has no error: $(cat "$dir/log")"
    elif [ ! -s "$dir/log" ]; then tap_fail "$name" "nothing in --log; stderr: $out"
    elif [ -n "$remains" ]; then tap_fail "$name" "left behind: $remains"
    else tap_pass "$name"
    fi
}
# bundle NAME [options] -- ARGS: a bundle on the good root file system
bundle() {
    local name=$1
    shift
    tests/bundle "$dir/$name" "$dir/good/rootfs" --cgroup "/$id" "$@"
}
# changed NAME JQ: a copy of the good config.json with one change
changed() {
    mkdir -p "$dir/$1"
    jq "$2" "$dir/good/config.json" > "$dir/$1/config.json"
}
create() { rt create --bundle "$dir/$1" "$id"; }
tests/bundle "$dir/good" rootfs --cgroup "/$id" -- /bin/sleep 100
jq --arg root "$dir/good/rootfs" '.root.path = $root' "$dir/good/config.json" > "$dir/config" && mv "$dir/config" "$dir/good/config.json"

refused "no bundle" "$dir/nowhere" create nowhere
mkdir "$dir/empty"
refused "no config.json" 'config.json' create empty
mkdir "$dir/broken" && head -c 200 "$dir/good/config.json" > "$dir/broken/config.json"
refused "config.json cut off" 'config.json' create broken
mkdir "$dir/twice" && sed '0,/"ociVersion"/s//"ociVersion": "1.0.0", "ociVersion"/' "$dir/good/config.json" > "$dir/twice/config.json"
refused "a key twice" 'ociVersion' create twice
changed type '.process.args = "/bin/true"'
refused "wrong type, with the field's path" 'process.args' create type
changed noargs 'del(.process.args)'
refused "no process.args" 'process.args' create noargs
changed version '.ociVersion = "2.0.0"'
refused "another major ociVersion" 'ociVersion' create version
changed namespace '.linux.namespaces += [{type: "pid"}]'
refused "a namespace twice" 'namespaces' create namespace
changed unknownns '.linux.namespaces += [{type: "harbour"}]'
refused "an unknown namespace" 'harbour' create unknownns
changed noroot '.root.path = "/nowhere/rootfs"'
refused "no root file system" '/nowhere/rootfs' create noroot
changed nomount '.mounts += [{destination: "/data", type: "bind", source: "/nowhere/volume", options: ["rbind"]}]'
refused "a mount whose source is not there" '/nowhere/volume' create nomount
changed badfs '.mounts += [{destination: "/data", type: "harbourfs", source: "x"}]'
refused "a file system that the kernel does not know" 'harbourfs' create badfs
changed rlimit '.process.rlimits += [{type: "RLIMIT_SAILS", hard: 1, soft: 1}]'
refused "an unknown rlimit" 'RLIMIT_SAILS' create rlimit
changed rdt '.linux.intelRdt = {closID: "x"}'
[ -e /sys/fs/resctrl/schemata ] || refused "classes of service where the host has none" 'linux.intelRdt: no resctrl file system' create rdt
refused "a path for the systemd cgroup driver" 'slice:prefix:name' rt --systemd-cgroup create --bundle "$dir/good" "$id"
refused "an id with a slash" 'a/b' rt create --bundle "$dir/good" a/b

# the entry point
bundle missing -- /bin/nowhere
refused "no such entry point" '/bin/nowhere.*no such file or directory' create missing
echo data > "$dir/good/rootfs/bin/data"
bundle data -- /bin/data
refused "an entry point that is not executable" '/bin/data.*permission denied' create data
bundle directory -- /bin
refused "a directory as entry point" '/bin' create directory
# wasm NAME BYTES-AS-PRINTF: a module as entry point, in a bundle of that name
wasm() {
    printf "$2" > "$dir/good/rootfs/$1.wasm"
    chmod +x "$dir/good/rootfs/$1.wasm"
    bundle "$1" -- "/$1.wasm"
}
wasm text 'no module\n'
refused "a .wasm name with other bytes" 'text.wasm' create text
wasm header '\0asm\1\0\0\0\1\4\1\140'
refused "a truncated module: offset" 'offset' create header
wasm section '\0asm\1\0\0\0\143\0'
refused "an unknown section: offset" 'offset' create section
wasm import '\0asm\1\0\0\0\1\4\1\140\0\0\2\15\1\7nowhere\1f\0\0'
refused "an unknown import: module and name" '"f" from "nowhere" with the type () -> ()' create import
wasm component '\0asm\15\0\1\0'
refused "a component, by that word" 'component' create component
wasm threads '\0asm\1\0\0\0\5\4\1\3\1\1'
refused "a feature that is not there, by its name" 'threads' create threads
wasm nostart '\0asm\1\0\0\0'
refused "a module without _start" '_start' create nostart

# states
refused "start of what does not exist" "$id.*does not exist" rt start "$id"
refused "delete of what does not exist" "$id.*does not exist" rt delete "$id"
refused "kill of what does not exist" "$id.*does not exist" rt kill "$id" KILL
# into a file: the container holds the stdio of create, and a $(...) would wait for it
create good > "$dir/out" 2>&1 < /dev/null
ok "(a good one can be created)" $? "$(cat "$dir/out")"
# with a container there, "nothing left" means nothing more than before
before=$(left | grep -v ^process)
still() {
    local name=$1 pattern=$2 out status
    shift 2
    out=$("$@" 2>&1 < /dev/null)
    status=$?
    [ $status = 1 ] || { tap_fail "$name" "exit status $status, wanted 1; output: $out"; return; }
    [ "$(left | grep -v ^process)" = "$before" ] || { tap_fail "$name" "changed: $(left)"; return; }
    like "$name" "$out" "$pattern"
}
still "an id twice" 'already exists' create good
rt start "$id" > /dev/null 2>&1 < /dev/null
before=$(left) # the init has become its program
still "start twice" 'running' rt start "$id"
still "delete of a running container" 'running' rt delete "$id"
rt kill "$id" KILL > /dev/null 2>&1
eventually '[ "$(rt state "$id" 2> /dev/null | jq -r .status)" = stopped ]'
still "kill of a stopped container" 'not running' rt kill "$id" TERM
out=$(rt delete "$id" 2>&1)
ok "delete" $? "$out"
is "nothing is left at the end" "$(left)" ""

if command -v setpriv > /dev/null; then
    chmod 755 "$dir" "$dir/good"
    out=$(setpriv --reuid 65534 --regid 65534 --clear-groups "$wherry" --root /tmp/test-nobody-$$ create --bundle "$dir/good" "$id" 2>&1 < /dev/null)
    [ $? = 1 ] && [ "$(printf '%s\n' "$out" | wc -l)" = 1 ]
    ok "without rights: one sentence, status 1" $? "$out"
    rm -rf "/tmp/test-nobody-$$"
fi
finish
