#!/bin/bash
# linux.netDevices: devices of the host's move into the container, by name and template, and bring their addresses along. The
# host is a network namespace of its own here, so that nothing of the machine's is touched.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
if [ "${NET_DEVICES_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq ip; do command -v $tool > /dev/null || why="$tool is not installed"; done
    [ -x "$BUILD/wherry" ] || why="build/wherry is not built"
    [ -n "$why" ] || unshare -n ip link add wa0 type veth peer name wb0 2> /dev/null || why="this kernel makes no veth devices"
    if [ -z "$why" ]; then NET_DEVICES_INSIDE=1 exec unshare -n -m --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "network devices" "$why"

dir=$BUILD/e2e/net_devices id=wherry-net-$$
rm -rf "$dir"
mkdir -p "$dir/state" "$dir/rootfs/bin" "$dir/rootfs/proc" "$dir/rootfs/dev" "$dir/rootfs/sys"
mount -t tmpfs state "$dir/state"
cp "$(command -v busybox)" "$dir/rootfs/bin/busybox"
for applet in sh ip cat sleep true ls; do ln "$dir/rootfs/bin/busybox" "$dir/rootfs/bin/$applet"; done
cp "$BUILD/guests/"*.wasm "$dir/rootfs/" 2> /dev/null
bundle() { tests/bundle "$dir" "$dir/rootfs" --cgroup "/$id" --edit "$1" -- "${@:2}"; }
run() { timeout 120 "$BUILD/wherry" --root "$dir/state/rt" run --bundle "$dir" "$id" 2>&1 < /dev/null; }
# device NAME: with an MTU, a hardware address, addresses of both families; one of them is not permanent, one of the link only
device() {
    ip link add "$1" type veth peer name "$1p" && ip link set "$1" mtu 1400 address 02:00:00:00:00:17
    ip link set "$1p" up
    ip addr add 10.9.8.7/24 brd 10.9.8.255 dev "$1"
    ip addr add 169.254.3.3/16 scope link dev "$1"
    ip addr add 10.9.8.9/24 valid_lft 1000 preferred_lft 1000 dev "$1"
    ip -6 addr add fd00:17::1/64 nodad dev "$1" 2> /dev/null
    ip link set "$1" up
}

device wa0
bundle '.linux.netDevices = {wa0: {name: "eth0"}}' /bin/sh -c 'ip addr show eth0; cat /sys/class/net/eth0/mtu'
out=$(run)
like "it is there under its new name, and up" "$out" "eth0.*<.*UP"
like "its address came along" "$out" "inet 10.9.8.7/24 brd 10.9.8.255"
is "those that are not permanent or of the link only did not" "$(grep -c -e 169.254 -e 10.9.8.9 <<< "$out")" 0
[ ! -e /proc/net/if_inet6 ] || like "also IPv6" "$out" "inet6 fd00:17::1/64"
like "its hardware address did" "$out" "02:00:00:00:00:17"
like "and its MTU" "$out" "^1400$"
is "the host has it no more" "$(ip -o link show dev wa0 2> /dev/null)" ""

# --- names
device wa1
bundle '.linux.netDevices = {wa1: {}}' /bin/ip link show wa1
like "without a name it keeps its own" "$(run)" "wa1.*<.*UP"
device wa2 && device wa3
bundle '.linux.netDevices = {wa2: {name: "net%d"}, wa3: {name: "net%d"}}' /bin/ls /sys/class/net
is "a template: the first free numbers" "$(run | tr '\n' ' ')" "lo net0 net1 "
device wa4
bundle '.linux.netDevices = {wa4: {name: "lo"}}' /bin/true
like "a name that is taken" "$(run)" "linux.netDevices.wa4: the name 'lo'.*[Ff]ile exists"
like "then the host keeps it" "$(ip -o addr show dev wa4)" 10.9.8.7
bundle '.linux.netDevices = {wa9: {}}' /bin/true
like "one that is not there" "$(run)" "linux.netDevices.wa9: no such network device on the host"
for name in a/b "a b" a:b .. sixteen-letters-x 'n%s' 'n%d%d'; do
    bundle ".linux.netDevices = {wa4: {name: \"$name\"}}" /bin/true
    out=$(run)
    case $out in *"netDevices.wa4.name"*"not the name of a network device"*) ;; *) tap_fail "the name '$name'" "$out" ;; esac
done
tap_pass "names that the kernel would not take"
bundle '.linux.netDevices = {wa4: {}} | .linux.namespaces |= map(select(.type != "network"))' /bin/true
like "without a network namespace it would stay where it is" "$(run)" "linux.netDevices: it needs a network namespace"

# --- other namespaces
bundle '.linux.netDevices = {wa4: {name: "eth0"}} | .linux.namespaces += [{type: "user"}]
    | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings' /bin/ip addr show eth0
like "into a user namespace's network" "$(run)" "inet 10.9.8.7/24"
device wa5
unshare -n sleep 100 &
other=$!
eventually '[ "$(readlink /proc/$other/ns/net)" != "$(readlink /proc/self/ns/net)" ]'
bundle ".linux.netDevices = {wa5: {name: \"eth7\"}} | (.linux.namespaces[] | select(.type == \"network\")).path = \"/proc/$other/ns/net\"" /bin/ip addr show eth7
like "into one that is joined" "$(run)" "inet 10.9.8.7/24"
like "where it stays" "$(nsenter -n -t $other ip -o addr show dev eth7)" "10.9.8.7/24"
kill $other
if [ -e "$dir/rootfs/hello.wasm" ]; then
    device wa6
    bundle '.linux.netDevices = {wa6: {name: "eth0"}}' /hello.wasm
    like "wasm: the container has it too" "$(run)" "[Hh]ello"
fi
is "nothing is left" "$(ls "$dir/state/rt"; find /sys/fs/cgroup -maxdepth 3 -name "$id*")" ""
umount "$dir/state"
finish
