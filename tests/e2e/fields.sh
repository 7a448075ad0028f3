#!/bin/bash
# Fields and flags that managers rarely use, one by one: what the container gets, and that errors say what is wrong.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
if [ "${FIELDS_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq; do command -v $tool > /dev/null || why="$tool is not installed"; done
    [ -x "$BUILD/wherry" ] || why="build/wherry is not built"
    if [ -z "$why" ]; then FIELDS_INSIDE=1 exec unshare -m --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "rare fields" "$why"

dir=$BUILD/e2e/fields id=wherry-fields-$$
rm -rf "$dir"
mkdir -p "$dir/state" "$dir/rootfs/bin" "$dir/rootfs/proc" "$dir/rootfs/dev" "$dir/rootfs/sys"
mount -t tmpfs state "$dir/state"
cp "$(command -v busybox)" "$dir/rootfs/bin/busybox"
for applet in sh sleep true cat echo id grep ls; do ln "$dir/rootfs/bin/busybox" "$dir/rootfs/bin/$applet"; done
cp "$BUILD/guests/"*.wasm "$dir/rootfs/" 2> /dev/null
rt() { "$BUILD/wherry" --root "$dir/state/rt" "$@"; }
quiet() { rt "$@" > "$dir/out" 2>&1 < /dev/null; }
# bundle NAME JQ ARGUMENT...
bundle() {
    tests/bundle "$dir/$1" "$dir/rootfs" --cgroup "/$id" -- "${@:3}"
    jq "$2" "$dir/$1/config.json" > "$dir/new" && mv "$dir/new" "$dir/$1/config.json"
}
run() { timeout 120 "$BUILD/wherry" --root "$dir/state/rt" run --bundle "$dir/$1" "$id" 2>&1 < /dev/null; }
kinds="native"
[ ! -e "$dir/rootfs/hello.wasm" ] || kinds="native wasm"
program() { if [ "$1" = wasm ]; then echo /hello.wasm; else echo "/bin/echo hello"; fi; }
greets() { like "$1" "$(run "$2")" "[Hh]ello"; }

# --- a profile that is older than some calls: what it does not know is forbidden, and the runtime itself must not need it
old='.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["close_range", "openat2", "clone3", "pidfd_open",
    "mount_setattr"], action: "SCMP_ACT_ERRNO", errnoRet: 1}]}'
for kind in $kinds; do
    bundle "old-$kind" "$old" $(program "$kind")
    greets "$kind: a seccomp profile that forbids close_range" "old-$kind"
    bundle "older-$kind" "$old | .process.noNewPrivileges = false" $(program "$kind")
    greets "$kind: the same without noNewPrivileges" "older-$kind"
done

# --- linux.memoryPolicy
bundle policy '.linux.memoryPolicy = {mode: "MPOL_INTERLEAVE", nodes: "0"}' /bin/grep -m1 stack /proc/self/numa_maps
if [ -e /proc/self/numa_maps ]; then
    like "memoryPolicy is the program's" "$(run policy)" "interleave:0"
else
    skip "memoryPolicy is the program's" "this kernel knows no memory nodes"
fi
for kind in $kinds; do
    bundle "policy-$kind" '.linux.memoryPolicy = {mode: "MPOL_DEFAULT"}' $(program "$kind")
    [ ! -e /proc/self/numa_maps ] || greets "$kind: runs under one" "policy-$kind"
done
bundle nodes '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0-"}' /bin/true
like "memoryPolicy: no list of nodes" "$(run nodes)" "linux.memoryPolicy.nodes: invalid memory policy nodes '0-'"

bundle mode '.linux.memoryPolicy = {nodes: "0"}' /bin/true
like "memoryPolicy: without a mode" "$(run mode)" "linux.memoryPolicy.mode: invalid memory policy mode"
bundle mode '.linux.memoryPolicy = {mode: "INTERLEAVE", nodes: "0"}' /bin/true
like "memoryPolicy: a mode that is none" "$(run mode)" "linux.memoryPolicy.mode: invalid memory policy 'INTERLEAVE'"
bundle mode '.linux.memoryPolicy = {mode: "MPOL_DEFAULT", nodes: "0-7"}' /bin/true
like "memoryPolicy: the default one has no nodes" "$(run mode)" "mode requires 0 nodes but got 8"

# --- device rules
bundle rule '.linux.resources.devices += [{allow: false, type: "c", major: 1, minor: 11, access: "rwa"}]' /bin/echo hello
is "a device rule that denies more letters than there are" "$(run rule)" hello
bundle rule '.linux.resources.devices += [{allow: true, type: "c", major: 1, minor: 11, access: "rwa"}]' /bin/echo hello
like "and one that allows them" "$(run rule)" "access: it may contain only r, w and m"

# --- linux.mountLabel on a host without SELinux
if [ ! -e /sys/fs/selinux/enforce ]; then
    bundle label '.linux.mountLabel = "system_u:object_r:container_file_t:s0"' /bin/echo hello
    greets "a mountLabel means nothing without SELinux" label
fi

# --- linux.rootfsPropagation
for mode in shared slave private unbindable rshared rslave rprivate runbindable; do
    bundle propagation ".linux.rootfsPropagation = \"$mode\"" /bin/grep -m1 " / rw" /proc/self/mountinfo
    case $mode in
    *shared) like "rootfsPropagation $mode" "$(run propagation)" " shared:" ;;
    *unbindable) like "rootfsPropagation $mode" "$(run propagation)" " unbindable " ;;
    *) like "rootfsPropagation $mode" "$(run propagation)" " / rw[^:]* - " ;;
    esac
done

# --- crun's annotation for podman's keep-groups
bundle groups '.annotations = {"run.oci.keep_original_groups": "1"}' /bin/grep Groups /proc/self/status
if command -v setpriv > /dev/null; then
    like "run.oci.keep_original_groups keeps the caller's groups" \
        "$(setpriv --groups 11,12 "$BUILD/wherry" --root "$dir/state/rt" run --bundle "$dir/groups" "$id" 2>&1 < /dev/null)" "11 12"
fi
bundle no-groups . /bin/grep Groups /proc/self/status
is "without it they are gone" "$(run no-groups | tr -d '[:space:]')" "Groups:"

# --- poststop hooks: one that fails does not keep the others from running, and is said
mark="$dir/mark"
bundle stop '.hooks = {poststop: [{path: "'"$dir/rootfs/bin/busybox"'", args: ["busybox", "false"]},
    {path: "'"$dir/rootfs/bin/busybox"'", args: ["busybox", "touch", "'"$mark"'"]}]}' /bin/true
like "a failing poststop hook is a warning" "$(run stop)" "warning: .*poststop hook #0"
ok "and the next one runs" "$(test -e "$mark"; echo $?)"

# --- several containers by a pattern
for n in 1 2; do
    bundle "many-$n" ".linux.cgroupsPath = \"/$id-$n\"" /bin/sleep 100
    quiet run --detach --bundle "$dir/many-$n" "$id-$n"
done
bundle other ".linux.cgroupsPath = \"/$id-other\"" /bin/sleep 100
quiet run --detach --bundle "$dir/other" "$id-other"
quiet kill --regex "^$id-[0-9]" KILL
ok "kill --regex" $? "$(cat "$dir/out")"
for n in 1 2; do
    eventually '[ "$(rt state "$id-$n" | jq -r .status)" = stopped ]'
    is "kill --regex reached $n" "$(rt state "$id-$n" | jq -r .status)" stopped
done
is "and no other" "$(rt state "$id-other" | jq -r .status)" running
like "delete --regex: one that runs is refused" "$(rt delete -r "^$id-" 2>&1)" "$id-other that is not stopped"
is "but the stopped ones are deleted" "$(rt list -q)" "$id-other"
quiet delete --force --regex "$id"
is "delete --force --regex" "$(rt list -q)" ""
like "a pattern that is none" "$(rt delete --regex '(' 2>&1)" "not a regular expression"

# --- logs
mkdir -p "$dir/state/journal"
mount -t tmpfs run /run
mkdir -p /run/systemd/journal
receive() { # SOCKET: prints one datagram
    timeout 120 perl -MIO::Socket::UNIX -e 'unlink $ARGV[0];
        my $s = IO::Socket::UNIX->new(Local => $ARGV[0], Type => SOCK_DGRAM) or die; $s->recv(my $text, 4096); print $text' "$1"
}
if command -v perl > /dev/null; then
    receive /run/systemd/journal/socket > "$dir/journal" 2>&1 &
    eventually '[ -S /run/systemd/journal/socket ]'
    quiet --log=journald:harbour state nobody
    wait $!
    is "--log=journald:NAME" "$(tr '\n' '|' < "$dir/journal")" \
        'PRIORITY=3|SYSLOG_IDENTIFIER=harbour|MESSAGE=container "nobody" does not exist|'
    receive /run/log-socket > "$dir/syslog" 2>&1 &
    eventually '[ -S /run/log-socket ]'
    mount -t tmpfs dev /dev && ln -s /run/log-socket /dev/log && mknod -m 666 /dev/null c 1 3
    quiet --log syslog:harbour state nobody
    wait $!
    umount /dev
    like "--log syslog:NAME" "$(cat "$dir/syslog")" '^<27>harbour\[[0-9]*\]: container "nobody" does not exist$'
else
    skip "--log to journald and syslog" "perl is not installed"
fi
like "--log to a journald that is not there" "$(rm -f /run/systemd/journal/socket; rt --log=journald:x list 2>&1)" "journald"
umount /run

# --- no cgroups at all, what list prints, help
for kind in $kinds; do
    bundle "free-$kind" 'del(.linux.resources)' $(program "$kind")
    like "$kind: --cgroup-manager disabled" "$(rt --cgroup-manager disabled run --bundle "$dir/free-$kind" "$id" 2>&1 < /dev/null)" "[Hh]ello"
done
is "list: runc's columns" "$(rt list | head -1 | tr -s ' ')" "ID PID STATUS BUNDLE CREATED OWNER"
like "list: a root that was named and is not there" "$("$BUILD/wherry" --root "$dir/nowhere" list 2>&1)" "state directory"
for verb in create exec ps list update checkpoint; do
    like "$verb --help: laid out as runc's" "$(rt $verb --help 2>&1 | tr '\n' ' ')" "^NAME:  *wherry $verb - .* USAGE:  *wherry $verb "
done
like "--help of what is no verb" "$(rt harbour --help 2>&1)" "No help topic for 'harbour'"

# --- what managers read at their start
is "--version: its lines" "$(rt --version | cut -d' ' -f1 | grep -v commit: | tr '\n' ' ')" "wherry spec: libseccomp: "
like "--version: name and number" "$(rt --version | head -1)" "^wherry version [0-9]"

is "nothing is left" "$(ls "$dir/state/rt"; find /sys/fs/cgroup -maxdepth 3 -name "$id*")" ""
finish
