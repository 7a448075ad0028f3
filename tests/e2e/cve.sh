#!/bin/bash
# What has broken out of other runtimes, tried again by the command line: hostile images, volumes and configs. Each case is
# named after its advisory. The same attacks on single functions are in tests/unit/oci.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
runtime=${RUNTIME:-$BUILD/wherry}
if [ "${CVE_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq; do command -v $tool > /dev/null || why="$tool is not installed"; done
    [ -x "$runtime" ] || why="$runtime is not built"
    if [ -z "$why" ]; then CVE_INSIDE=1 exec unshare -m --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "advisories" "$why"

dir=$BUILD/e2e/cve
rm -rf "$dir"
mkdir -p "$dir/state" "$dir/host"
mount -t tmpfs state "$dir/state"
id=wherry-cve-$$
rt() { "$runtime" --root "$dir/state/rt" "$@"; }
before=$(stat -c '%a %u %g %t %T' /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty)

# image NAME: a root file system of its own
image() {
    mkdir -p "$dir/$1/rootfs/bin" "$dir/$1/rootfs/proc" "$dir/$1/rootfs/dev" "$dir/$1/rootfs/sys" "$dir/$1/rootfs/tmp"
    cp "$(command -v busybox)" "$dir/$1/rootfs/bin/busybox"
    for applet in sh sleep true id cat ls grep readlink; do ln "$dir/$1/rootfs/bin/busybox" "$dir/$1/rootfs/bin/$applet"; done
}
# bundle NAME JQ [option...] -- ARGS: its config.json with one change
bundle() {
    tests/bundle "$dir/$1" "$dir/$1/rootfs" --cgroup "/$id" "${@:3}"
    jq "$2" "$dir/$1/config.json" > "$dir/$1/changed.json" && mv "$dir/$1/changed.json" "$dir/$1/config.json"
}
run() { timeout 120 "$runtime" --root "$dir/state/rt" run --bundle "$dir/$1" "$id" 2>&1 < /dev/null; }

# --- descriptors and the working directory
image fds
bundle fds . -- /bin/sh -c 'ls -l /proc/self/fd'
is "CVE-2024-21626: no descriptor of the caller or the runtime gets in" \
    "$(exec 7< /etc 8< /; run fds | grep -c -e ' /etc$' -e ' /$' -e '/sys/fs/cgroup' -e "$dir/state")" 0
for kind in native wasm; do # a caller that waits for the end of a pipe would wait until start
    [ $kind = native ] || [ -e "$BUILD/guests/hello.wasm" ] || continue
    [ $kind = native ] || { cp "$BUILD/guests/hello.wasm" "$dir/fds/rootfs/"; bundle fds . -- /hello.wasm; }
    (exec 7< /etc/passwd 23< /etc/passwd; rt create --bundle "$dir/fds" "$id" > /dev/null 2>&1 < /dev/null)
    is "$kind: what the caller of create has open is not held until start" \
        "$(rt state "$id" | jq -r .status) $(readlink "/proc/$(rt state "$id" | jq .pid)"/fd/* | grep -c /etc/passwd)" "created 0"
    rt delete --force "$id"
done
for n in 3 4 5 6 7 8 9 10 11; do
    bundle fds ".process.cwd = \"/proc/self/fd/$n\"" -- /bin/sh -c 'echo entered; ls ../../../..'
    out=$(exec 7< / 8< /sys/fs/cgroup; run fds)
    case $out in *entered*) tap_fail "CVE-2024-21626: working directory /proc/self/fd/$n" "$out" ;; esac
done
tap_pass "CVE-2024-21626: a working directory behind /proc/self/fd/N is refused"
bundle fds . -- /bin/sleep 1000
rt run --detach --bundle "$dir/fds" "$id" > /dev/null 2>&1 < /dev/null
jq -n '{args: ["/bin/sh", "-c", "echo entered"], cwd: "/proc/self/fd/7", user: {uid: 0, gid: 0}}' > "$dir/process.json"
is "CVE-2024-21626: nor by exec" "$(exec 7< /; rt exec --process "$dir/process.json" "$id" 2>&1 | grep -c entered)" 0
# CVE-2016-9962: an exec'd process could be traced by the container before it had given up its rights
is "CVE-2016-9962: what enters sees no descriptor that leads out" \
    "$(rt exec "$id" sh -c 'for p in /proc/[0-9]*; do ls -l $p/fd 2> /dev/null; done' | grep -c -e "$dir" -e '/sys/fs')" 0
rt delete --force "$id"

# --- the runtime's own program
bundle fds . -- /bin/sh -c 'for p in /proc/[0-9]*; do readlink $p/exe; done'
is "CVE-2019-5736: no process in the container is the runtime's program" "$(run fds | grep -c -v '^/bin/')" 0
sum=$(sha256sum "$runtime")
ln -sf /proc/self/exe "$dir/fds/rootfs/bin/self"
bundle fds . -- /bin/self
run fds > /dev/null
is "CVE-2019-5736: an entry point /proc/self/exe does not run it" "$(sha256sum "$runtime")" "$sum"

# --- capabilities
image caps
bundle caps . -- /bin/grep CapInh /proc/self/status
is "CVE-2022-24769: nothing is inheritable by default" "$(run caps | tr -d '\t')" "CapInh:0000000000000000"

# --- /proc
image proc
rm -r "$dir/proc/rootfs/proc"
mkdir "$dir/proc/rootfs/fake"
ln -s fake "$dir/proc/rootfs/proc"
bundle proc . -- /bin/true
run proc > "$dir/out"
is "CVE-2023-27561, CVE-2025-54867: a /proc that is a link" "$?" 1
like "CVE-2023-27561: and why" "$(cat "$dir/out")" "/proc"
rm "$dir/proc/rootfs/proc"
mkdir "$dir/proc/rootfs/proc"
rm -r "$dir/proc/rootfs/sys"
ln -s tmp "$dir/proc/rootfs/sys"
run proc > "$dir/out"
is "CVE-2023-28642: a /sys that is a link" "$?" 1
image hidden
for what in '{type: "tmpfs", source: "tmpfs", destination: "/proc/self/attr"}' '{type: "tmpfs", source: "tmpfs", destination: "/proc"}' \
    '{type: "bind", source: "/tmp", destination: "/proc/sys", options: ["bind"]}' '{type: "tmpfs", source: "tmpfs", destination: "/tmp/../proc/irq"}'; do
    bundle hidden ".mounts += [$what]" -- /bin/true
    run hidden > "$dir/out" && tap_fail "CVE-2019-19921: a mount over a part of /proc" "$what was mounted"
done
tap_pass "CVE-2019-16884, CVE-2019-19921: nothing is mounted over a part of /proc"

# --- mount points
image points
ln -s "$dir/host" "$dir/points/rootfs/data"
ln -s ../../../../../../../../../../../../../../../.."$dir/host" "$dir/points/rootfs/data2"
bundle points '.mounts += [{type: "tmpfs", source: "tmpfs", destination: "/data/made"}, {type: "tmpfs", source: "tmpfs", destination: "/data2/made"}]' -- /bin/true
run points > "$dir/out"
is "CVE-2019-18837, CVE-2021-30465, CVE-2024-45310: mount points are made inside" "$(ls -A "$dir/host")" ""

# --- /dev
image dev
rm -r "$dir/dev/rootfs/dev"
ln -s "$dir/host" "$dir/dev/rootfs/dev"
echo precious > "$dir/host/ptmx"
bundle dev '.mounts |= map(select(.destination | startswith("/dev") | not))' -- /bin/true
run dev > "$dir/out"
is "CVE-2026-41579: a /dev that is a link does not touch the host's ptmx" "$(cat "$dir/host/ptmx")" precious
is "CVE-2026-47766: nor makes devices and links there" "$(ls -A "$dir/host")" ptmx
image null
ln -s /proc/sys/kernel/core_pattern "$dir/null/rootfs/dev/null"
bundle null '.mounts |= map(select(.destination | startswith("/dev") | not)) | .linux.maskedPaths += ["/proc/version"]' \
    -- /bin/sh -c 'cat /proc/version; ls -lL /proc/version | grep -o "1, *3"'
is "CVE-2025-31133, CVE-2025-62161: a mask is the null device" "$(run null | grep -c Linux)" 0

# --- kernel parameters
image sysctl
for key in kernel.core_pattern net/../kernel/core_pattern kernel.hostname vm.overcommit_memory fs.file-max; do
    bundle sysctl ".linux.sysctl = {\"$key\": \"x\"}" -- /bin/true
    run sysctl > "$dir/out" && tap_fail "CVE-2022-0811: $key" "was set"
done
tap_pass "CVE-2022-0811: kernel parameters of the host are refused"
image ip
bundle ip '.linux.sysctl = {"net.ipv4.ip_forward": "1"}' -- /bin/cat /proc/sys/net/ipv4/ip_forward
is "CVE-2025-52881, CVE-2025-62596: one of the container's own is set through a procfs that nobody can cover" "$(run ip)" 1

# --- names
for name in .. ../x a/b .x "a b" ""; do
    rt create --bundle "$dir/ip" "$name" > "$dir/out" 2>&1 < /dev/null && tap_fail "identifier '$name'" "was accepted"
done
tap_pass "identifiers lead nowhere"
bundle ip '.linux.cgroupsPath = "/x/../../y"' -- /bin/true
like "a cgroup path with .. (crun 1.28)" "$(run ip)" "cgroupsPath"

# --- what the runtime tells its own children
image message
bundle message '.linux.namespaces += [{type: "user"}] | .linux.gidMappings = [range(5000) | {containerID: ., hostID: (100000 + 2 * .), size: 1}]
    | .linux.uidMappings = .linux.gidMappings' -- /bin/sh -c 'echo entered'
is "CVE-2021-43784: more mappings than a message of the kernel's or ours could hold do not lose the namespaces" "$(run message | grep -c entered)" 0
long=/$(printf 'x%.0s' $(seq 70000))
bundle message "(.linux.namespaces[] | select(.type == \"ipc\")).path = \"$long\"" -- /bin/sh -c 'echo entered'
is "CVE-2021-43784: nor does a path of 70000 bytes" "$(run message | grep -c entered)" 0

# --- more capabilities
bundle caps '.process.user = {uid: 1000, gid: 1000}' -- /bin/grep CapInh /proc/self/status
is "CVE-2022-27649, CVE-2022-27650: nor for another user" "$(run caps | tr -d '\t')" "CapInh:0000000000000000"
bundle caps . -- /bin/sleep 1000
rt run --detach --bundle "$dir/caps" "$id" > /dev/null 2>&1 < /dev/null
jq '.process | .args = ["/bin/grep", "CapInh", "/proc/self/status"]' "$dir/caps/config.json" > "$dir/process.json"
is "CVE-2022-29162, CVE-2025-27612: nor for a further process" \
    "$(rt exec --process "$dir/process.json" "$id" < /dev/null | tr -d '\t'; rt exec --cap CAP_NET_RAW "$id" grep CapInh /proc/self/status < /dev/null | tr -d '\t')" \
    "CapInh:0000000000000000
CapInh:0000000000000000"

# --- who a process is
for user in 4294967295 4294967296 -1 0x0 1000:x "1000 " 1000:1000:0 root 2147483648:4294967296; do
    rt exec --user "$user" "$id" true > "$dir/out" 2>&1 < /dev/null && tap_fail "CVE-2026-30892: exec --user '$user'" "was somebody"
done
tap_pass "CVE-2026-30892, CVE-2024-40635, CVE-2026-46680: exec --user with what is no number of a user"
is "CVE-2026-46680: a number above 2^31 is that user, not root" "$(rt exec --user 4294967294 "$id" id -u < /dev/null)" 4294967294
rt delete --force "$id"
for uid in 4294967295 4294967296 -1 1.5; do
    bundle caps ".process.user.uid = $uid" -- /bin/id -u
    run caps > "$dir/out" && tap_fail "CVE-2024-40635: process.user.uid $uid" "$(cat "$dir/out")"
done
tap_pass "CVE-2024-40635: process.user.uid that no user can have"

# --- cgroups that are not the container's
image cgroup
for namespaces in '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
    | .linux.gidMappings = .linux.uidMappings | .linux.namespaces |= map(select(.type != "cgroup"))' '.linux.namespaces |= map(select(.type != "cgroup"))'; do
    bundle cgroup "$namespaces" -- /bin/sh -c \
        'mkdir=/bin/busybox; for d in /sys/fs/cgroup /sys/fs/cgroup/*/; do $mkdir mkdir "$d/wherry-evil" 2> /dev/null && echo made $d; done; echo done'
    is "CVE-2023-25809: without a cgroup namespace no cgroup is made through the mount" "$(run cgroup)" done
done

# --- what is made or read in the image
image written
ln -s "$dir/host" "$dir/written/rootfs/run"
ln -s "$dir/host" "$dir/written/rootfs/etc"
ln -s "$dir/host" "$dir/written/rootfs/hold"
rm -f "$dir/host/ptmx"
bundle written '.process.cwd = "/hold/made"' -- /bin/true
NOTIFY_SOCKET=@wherry-cve-$$ run written > "$dir/out"
is "CVE-2025-24965, CVE-2026-55686: whatever is made in the image is made inside (working directory, mount points)" "$(ls -A "$dir/host")" ""
image passwd
mkdir "$dir/passwd/rootfs/etc"
mkfifo "$dir/passwd/rootfs/etc/passwd"
bundle passwd . -- /bin/sh -c 'echo $HOME'
is "CVE-2024-9676: an /etc/passwd that is a FIFO does not hang" "$(run passwd)" /
bundle passwd '.process.env += ["SECRET", "*", "WHERRY_SECRET*"]' -- /bin/sh -c '/bin/busybox env'
is "CVE-2026-57231: an entry of env without = brings nothing of the runtime's environment" "$(WHERRY_SECRET=7 SECRET=7 run passwd | grep -c 7)" 0
image tools
printf '#!/bin/sh\necho ran > /tmp/ran\n' > "$dir/tools/rootfs/bin/ps"
chmod 755 "$dir/tools/rootfs/bin/ps"
bundle tools . -- /bin/sleep 1000
rt run --detach --bundle "$dir/tools" "$id" > /dev/null 2>&1 < /dev/null
rt ps "$id" > "$dir/out" 2>&1
rt events --stats "$id" >> "$dir/out" 2>&1
is "CVE-2022-1227: nothing of the image is run to look at a container" "$(ls "$dir/tools/rootfs/tmp")" ""
is "CVE-2021-41103, CVE-2024-25621: what is kept of a container is its owner's alone" \
    "$(stat -c %a "$dir/state/rt" "$dir/state/rt/$id" "$dir/state/rt/$id/state.json" "$dir/state/rt/$id/config.json" | tr '\n' ' ')" "700 700 600 600 "
rt delete --force "$id"

is "the host's devices have owner and mode as before" "$(stat -c '%a %u %g %t %T' /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty)" "$before"
is "nothing is left" "$(ls "$dir/state/rt" 2> /dev/null; find /sys/fs/cgroup -maxdepth 3 -name "$id*"; grep -F "$dir/" /proc/self/mountinfo | grep -vF " $dir/state ")" ""
umount "$dir/state"
finish
