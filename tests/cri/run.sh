#!/bin/bash
# critest, the kubelet's conformance suite for container runtimes, with wherry's shim under a private containerd 2.x: handler wherry, and
# handler sandbox, whose pods the shim makes. REFERENCE=1: runc and crun (tests/k8s/peers) beside them (RUNC=PATH: another runc).
#
# Needs containerd 2.x, critest and ginkgo, built beforehand (tests/containerd.sh), and Debian's containernetworking-plugins.
# Left out: benchmarks; "public image with digest" wants one fixed image of the outside world; MaskedPaths masks /bin/ls,
# and Debian's busybox shell runs its applets without looking at the file.
# FOCUS=REGEX runs some specs, one after the other. The last line is the count.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
cache=${XDG_CACHE_HOME:-$HOME/.cache}/wherry-tests
shim=$BUILD/containerd-shim-wherry-v1
version=${CONTAINERD:-2.3.7} tools=$cache/cri-tools-1.36.0 plugins=/usr/lib/cni
skipped_specs='MaskedPaths|public image with digest|benchmark'
. tests/tap.sh > /dev/null
skip_suite() { echo "TAP version 13"; skip_all "critest" "$1"; }
if [ "${CRI_TEST_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq ip iptables; do command -v $tool > /dev/null || why="$tool is not installed"; done
    for program in "$shim" "$BUILD/tests/cri/registry" "$BUILD/tests/cri/program"; do [ -x "$program" ] || why="$program is not built"; done
    [ -x $plugins/bridge ] || why="containernetworking-plugins is not installed"
    for program in critest ginkgo; do [ -x "$tools/$program" ] || why="$program is not in $tools"; done
    [ -z "$why" ] || skip_suite "$why"
    CRI_TEST_INSIDE=1 exec unshare -m -n -u --propagation private "$0" "$@"
fi
. tests/containerd.sh
dir=$BUILD/suites/cri
peers=$(tests/k8s/peers -n 2> /dev/null)
rm -rf "$dir"
mkdir -p "$dir/cni" "$dir/hosts/_default"
why=
containerd_programs "$version" || skip_suite "$why"
ctr() { timeout -k 1 30 "$ctr_program" -a /run/test/containerd.sock -n k8s.io "$@"; }

# an own network: the bridge stands for the node's card; names are resolved by nobody
network() {
    hostname wherry-node
    echo nameserver 127.0.0.1 > "$dir/resolv.conf"
    mount --bind "$dir/resolv.conf" /etc/resolv.conf
    ip link set lo up
    ip link add node0 type bridge && ip address add 10.99.0.1/24 dev node0 && ip link set node0 up &&
        ip route add default via 10.99.0.254 dev node0 || return
    cat > "$dir/cni/10-test.conflist" <<END
{"cniVersion": "1.0.0", "name": "test", "plugins": [
 {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
  "ipam": {"type": "host-local", "dataDir": "/run/cni", "ranges": [[{"subnet": "10.98.0.0/16"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
 {"type": "portmap", "capabilities": {"portMappings": true}},
 {"type": "loopback"}]}
END
}

# every image of every registry comes from tests/cri/registry
registry() {
    tests/cri/images "$dir/images" "$(type -P busybox)" "$BUILD/tests/cri/program" > "$dir/images.log" 2>&1 || return
    "$BUILD/tests/cri/registry" "$dir/images" 5000 > "$dir/registry.log" 2>&1 < /dev/null &
    registry_pid=$!
    printf 'server = "http://127.0.0.1:5000"\n[host."http://127.0.0.1:5000"]\n  capabilities = ["pull", "resolve"]\n' \
        > "$dir/hosts/_default/hosts.toml"
}

configure() {
    containerd_cri wherry "$shim" registry.k8s.io/pause:3.9
    # containerd 2.3 itself can start no container in a user namespace under a handler with options that are not runc's
    sed -i '/runtimes.wherry.options\]/,/SystemdCgroup/d' "$dir/config.toml"
    cat >> "$dir/config.toml" <<END
[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = '$dir/hosts'
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ['$plugins']
  conf_dir = '$dir/cni'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.sandbox]
  runtime_type = '$shim'
  sandboxer = 'shim'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.crun]
  runtime_type = 'io.containerd.runc.v2'
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.crun.options]
    BinaryName = '$peers/crun'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = 'io.containerd.runc.v2'
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
    BinaryName = '${RUNC:-$(type -P runc)}'
END
}

# specs HANDLER: runs them; $passed, $failed, $skipped, and the names of the failed in $dir/HANDLER.failed
specs() {
    local out=$dir/$1.log how='-parallel 6'
    [ -z "${FOCUS:-}" ] || how="-ginkgo.focus $(printf '%s' "$FOCUS" | tr ' ' .)"
    PATH=$tools:$PATH timeout 1500 "$tools/critest" -runtime-endpoint unix:///run/test/containerd.sock \
        -image-endpoint unix:///run/test/containerd.sock -runtime-handler "$1" $how -ginkgo.no-color \
        -ginkgo.skip "$skipped_specs" > "$out" 2>&1 < /dev/null
    set -- $(sed -n 's/.*-- *\([0-9]*\) Passed | \([0-9]*\) Failed | [0-9]* Pending | \([0-9]*\) Skipped.*/\1 \2 \3/p' "$out" | tail -1)
    passed=${1:-0} failed=${2:-1} skipped=${3:-0}
    sed -n 's/^ *\[FAIL\] //p' "$out" | sort -u
}

network || { echo "not ok 1 - the private network"; exit 1; }
registry || { tail -5 "$dir/images.log"; echo "not ok 1 - the images"; exit 1; }
mount --make-rshared /
containerd_private
configure
PATH=$(dirname "$containerd"):$PATH # a runc shim of another version elsewhere is no reference
containerd_start || { echo "not ok 1 - containerd $version starts"; exit 1; }
if [ -n "${REFERENCE:-}" ] && [ -x "$(dirname "$containerd")/containerd-shim-runc-v2" ]; then
    umount /sys/fs/cgroup/unified 2> /dev/null # crun refuses the hybrid form
    for handler in runc ${peers:+crun}; do
        specs $handler
        echo "$handler: $passed passed, $failed failed, $skipped skipped"
    done
fi
total_passed=0 total_failed=0 total_skipped=0
for handler in ${HANDLERS:-wherry sandbox}; do
    specs $handler
    echo "$handler: $passed passed, $failed failed, $skipped skipped"
    total_passed=$((total_passed + passed)) total_failed=$((total_failed + failed)) total_skipped=$((total_skipped + skipped))
done
passed=$total_passed failed=$total_failed skipped=$total_skipped
crictl_rest=$(ctr task ls -q | wc -l)
[ "$crictl_rest" = 0 ] || { echo "# $crictl_rest tasks are left"; failed=$((failed + 1)); }
[ -z "$(ls /run/containerd/wherry/k8s.io 2> /dev/null)" ] || { echo "# states are left"; failed=$((failed + 1)); }
containerd_stop
kill "$registry_pid"
find /sys/fs/cgroup -maxdepth 2 -name k8s.io -type d -exec rmdir {} \; 2> /dev/null
echo "(whole output: $dir/HANDLER.log)"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
