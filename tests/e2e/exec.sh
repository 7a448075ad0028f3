#!/bin/bash
# The verbs for a container that runs: exec, ps, pause, resume, update, events.
# RUNTIME=/path/of/another runs it with that one: the reference for what is expected.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
runtime=${RUNTIME:-$BUILD/wherry}
if [ "${EXEC_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq; do command -v $tool > /dev/null || why="$tool is not installed"; done
    [ -x "$runtime" ] || why="$runtime is not built"
    if [ -z "$why" ]; then EXEC_INSIDE=1 exec unshare -m --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "exec and control" "$why"

dir=$BUILD/e2e/exec
rm -rf "$dir"
mkdir -p "$dir/state" "$dir/rootfs/bin" "$dir/rootfs/proc" "$dir/rootfs/dev" "$dir/rootfs/sys" "$dir/rootfs/tmp"
mount -t tmpfs state "$dir/state"
cp "$(command -v busybox)" "$dir/rootfs/bin/busybox"
for applet in sh sleep true id cat ls grep tty stty; do ln "$dir/rootfs/bin/busybox" "$dir/rootfs/bin/$applet"; done
id=wherry-exec-$$
rt() { "$runtime" --root "$dir/state/rt" "$@"; }
exec_() { rt exec "$@" 2>&1 < /dev/null; }
limit() { cat "/sys/fs/cgroup/$1/$id/$2" 2> /dev/null || cat "/sys/fs/cgroup/$id/$3" 2> /dev/null; }
tests/bundle "$dir/bundle" "$dir/rootfs" --cgroup "/$id" --env MARK=container --seccomp -- /bin/sleep 1000
rt run --detach --bundle "$dir/bundle" "$id" > "$dir/out" 2>&1 < /dev/null
ok "run --detach" $? "$(cat "$dir/out")"
pid=$(rt state "$id" | jq .pid)
mv "$dir/bundle/config.json" "$dir/bundle/moved.json" # the bundle may change: exec goes by what create saw

# --- what it is in
is "exit code" "$(exec_ "$id" sh -c 'exit 7'; echo $?)" 7
is "a signal is 128 + N" "$(exec_ "$id" sh -c 'kill -9 $$'; echo $?)" 137
is "standard input and output" "$(echo through | rt exec "$id" cat 2>&1)" through
is "the container's processes are there" "$(exec_ "$id" cat /proc/1/cmdline | tr '\0' ' ')" "/bin/sleep 1000 "
is "its root, working directory and environment" "$(exec_ "$id" sh -c 'pwd; ls -d /bin/busybox; echo $MARK')" "/
/bin/busybox
container"
is "its namespaces" "$(exec_ "$id" sh -c 'for n in pid mnt net ipc uts cgroup; do ls -l /proc/self/ns/$n; done' | sed 's/.*-> //')" \
    "$(for n in pid mnt net ipc uts cgroup; do readlink "/proc/$pid/ns/$n"; done)"
is "its cgroups" "$(exec_ "$id" cat /proc/self/cgroup)" "$(exec_ "$id" cat /proc/1/cgroup)"
is "its seccomp filter" "$(exec_ "$id" grep Seccomp: /proc/self/status | tr -d '\t ')" "Seccomp:2"
is "its capabilities" "$(exec_ "$id" grep Cap /proc/self/status)" "$(grep Cap "/proc/$pid/status")"
is "nothing inherited is open" "$(exec 9< /etc/passwd; exec_ "$id" sh -c 'ls /proc/self/fd | wc -l')" 4

# --- flags
is "--user, --cwd, --env" "$(exec_ --user 1000:1001 --cwd /tmp -e A=b --env MARK=changed "$id" sh -c 'id -u; id -g; pwd; echo $A $MARK')" "1000
1001
/tmp
b changed"
is "--additional-gids" "$(exec_ -u 1000 -g 7 -g 8 "$id" id -G)" "0 7 8"
# CVE-2022-29162: what exec adds is not inheritable
is "--cap is not inheritable (CVE-2022-29162)" "$(exec_ --cap CAP_SYS_TIME "$id" grep CapInh /proc/self/status | tr -d '\t ')" "CapInh:0000000000000000"
like "--cap of no capability" "$(exec_ --cap CAP_NONE "$id" true)" "CAP_NONE"
# CVE-2026-30892: a user that is no number is nobody
like "--user with junk behind (CVE-2026-30892)" "$(exec_ --user 1000x "$id" id -u)" "1000x"
like "a program that is not there" "$(exec_ "$id" nothing; echo "status $?")" 'executable file not found in \$PATH'
is "and its exit code" "$(exec_ "$id" nothing > /dev/null; echo $?)" 255

# --- a process object
jq -n '{terminal: false, user: {uid: 5, gid: 6, additionalGids: [9]}, args: ["/bin/sh", "-c", "id -u; id -g; id -G; pwd; exec sleep 1000"],
    env: ["PATH=/bin"], cwd: "/tmp"}' > "$dir/process.json"
rt exec --detach --process "$dir/process.json" --pid-file "$dir/pid" "$id" > "$dir/detached" 2>&1 < /dev/null
ok "exec --detach --process --pid-file" $? "$(cat "$dir/detached")"
eventually '[ "$(wc -l < "$dir/detached")" = 4 ]'
is "it is what the object says" "$(tr '\n' ' ' < "$dir/detached")" "5 6 6 9 /tmp "
is "the pid file names it" "$(awk '/^Uid/ { print $2 }' "/proc/$(cat "$dir/pid")/status")" 5
kill -9 "$(cat "$dir/pid")"

jq '.execCPUAffinity = {final: "0"} | .args = ["/bin/grep", "Cpus_allowed_list", "/proc/self/status"]' "$dir/process.json" > "$dir/affinity.json"
is "execCPUAffinity" "$(exec_ --process "$dir/affinity.json" "$id" | tr -d '\t')" "Cpus_allowed_list:0"
jq '.execCPUAffinity = {final: "0-"}' "$dir/process.json" > "$dir/affinity.json"
like "execCPUAffinity that is no list" "$(exec_ --process "$dir/affinity.json" "$id")" "execCPUAffinity"

# --- a terminal
if command -v python3 > /dev/null; then
    jq '.terminal = true | .args = ["/bin/sh", "-c", "tty; stty size"] | .user = {uid: 0, gid: 0} | .consoleSize = {height: 33, width: 99}' \
        "$dir/process.json" > "$dir/terminal.json"
    out=$(timeout 120 python3 - "$dir/console" "$runtime" --root "$dir/state/rt" exec --detach --process "$dir/terminal.json" \
        --console-socket "$dir/console" "$id" 2>&1 << 'PYTHON'
import array, os, socket, subprocess, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(1)
runtime = subprocess.Popen(sys.argv[2:])
connection = server.accept()[0]
message, fds, flags, address = socket.recv_fds(connection, 100, 1)
out = b''
try:
    while True:
        data = os.read(fds[0], 1000)
        if not data:
            break
        out += data
except OSError:
    pass
runtime.wait()
sys.stdout.write(out.decode().replace('\r', ''))
PYTHON
    )
    is "a terminal of the container's devpts, with its size" "$out" "/dev/pts/0
33 99"
else
    skip "a terminal" "python3 is not installed"
fi
like "a detached terminal needs --console-socket" "$(exec_ --tty --detach "$id" true)" "console-socket"

# --- cgroups below the container's
cgroup=pids:
hierarchy=/sys/fs/cgroup/pids
[ -d $hierarchy ] || { hierarchy=/sys/fs/cgroup; cgroup=; }
mkdir "$hierarchy/$id/below"
is "--cgroup" "$(exec_ --cgroup "${cgroup}below" "$id" cat /proc/self/cgroup | grep -c /below)" 1
like "--cgroup that is not there" "$(exec_ --cgroup "${cgroup}nowhere" "$id" true)" "--cgroup '${cgroup}nowhere': .*No such file"
like "--cgroup with .. (a sibling would be somebody else's)" "$(exec_ --cgroup "${cgroup}below/../../x" "$id" true)" "bad sub cgroup path"
like "--cgroup of a controller that does not exist" "$(exec_ --cgroup "nothing:/below" "$id" true)" "--cgroup 'nothing:/below': "
rmdir "$hierarchy/$id/below"

# --- a runtime in a chroot, whose root is not that of its mount namespace: a mount point, and an ordinary directory
chroot=$dir/chroot
in_chroot() { chroot "$chroot" "$runtime" --root "$dir/state/rt" "$@" 2>&1 < /dev/null; }
mkdir "$dir/chroot-bundle"
jq --arg path "/$id-chroot" '.linux.cgroupsPath = $path' "$dir/bundle/moved.json" > "$dir/chroot-bundle/config.json"
root_is='stat -c %d:%i / && ls /'
container_root=$(stat -c %d:%i "$dir/rootfs" && ls "$dir/rootfs")
ln "$dir/rootfs/bin/busybox" "$dir/rootfs/bin/stat"
for kind in mount directory; do
    rm -rf "$chroot" && mkdir "$chroot"
    if [ $kind = mount ]; then
        mount --rbind / "$chroot"
    else
        for path in /proc /sys /dev /usr /lib /lib64 "$BUILD"; do mkdir -p "$chroot$path" && mount --rbind "$path" "$chroot$path"; done
    fi
    in_chroot run --detach --bundle "$dir/chroot-bundle" "$id-chroot" > "$dir/out"
    ok "$kind: run --detach in a chroot" $? "$(cat "$dir/out")"
    is "$kind: exec in a chroot: the container's root" "$(in_chroot exec "$id-chroot" sh -c "$root_is")" "$container_root"
    is "$kind: from outside of it" "$(exec_ "$id-chroot" sh -c "$root_is")" "$container_root"
    chroot_pid=$(rt state "$id-chroot" | jq .pid)
    is "$kind: its mount namespace keeps nothing of the host's" "$(nsenter -t "$chroot_pid" -m /bin/busybox sh -c "$root_is" 2>&1)" "$container_root"
    is "$kind: in a container made outside of it" "$(in_chroot exec "$id" sh -c "$root_is")" "$container_root"
    is "$kind: its working directory" "$(in_chroot exec --cwd /tmp "$id-chroot" sh -c 'pwd; cd ..; ls')" "/tmp
$(ls "$dir/rootfs")"
    for leak in / "$chroot" "$dir/rootfs"; do
        like "$kind: CVE-2024-21626: not $(basename "$leak") of the caller" \
            "$(exec 7< "$leak"; in_chroot exec --cwd /proc/self/fd/7 "$id-chroot" true)" "lies outside the container"
    done
    in_chroot delete --force "$id-chroot" > "$dir/out"
    ok "$kind: delete in a chroot" $? "$(cat "$dir/out")"
    if [ $kind = mount ]; then umount -R "$chroot"; else umount -R "$chroot"/proc "$chroot"/sys "$chroot"/dev "$chroot"/usr "$chroot"/lib "$chroot"/lib64 "$chroot$BUILD"; fi
done

# --- an init that has changed its root by itself: exec is in the container's, as with runc
ln "$dir/rootfs/bin/busybox" "$dir/rootfs/bin/chroot"
mkdir -p "$dir/rootfs/jail/bin" && cp "$dir/rootfs/bin/busybox" "$dir/rootfs/jail/bin/sleep"
tests/bundle "$dir/jail" "$dir/rootfs" --cgroup "/$id-jail" -- /bin/chroot /jail /bin/sleep 1000
rt run --detach --bundle "$dir/jail" "$id-jail" > "$dir/out" 2>&1 < /dev/null
eventually '[ "$(tr "\0" " " < "/proc/$(rt state "$id-jail" | jq .pid)/cmdline")" = "/bin/sleep 1000 " ]'
is "exec beside an init that chroots itself" "$(exec_ "$id-jail" ls -d /jail/bin)" /jail/bin
rt delete --force "$id-jail" > "$dir/out" 2>&1
ok "delete of it" $? "$(cat "$dir/out")"

# --- ps, pause, resume
is "ps --format json" "$(rt ps --format json "$id")" "[$pid]"
if ps -ef > /dev/null 2>&1; then # what the table is made of
    like "ps" "$(rt ps "$id" 2>&1)" "sleep 1000"
    is "ps with options of ps" "$(rt ps "$id" -o pid,args 2>&1 | tail -n +2 | grep -c .)" "$(ps -o pid,args 2>&1 | grep -c "^ *$pid ")"
else
    skip "ps as a table" "ps itself does not work here (user-mode Linux has no boot time)"
fi
rt pause "$id"
ok "pause" $?
is "paused" "$(rt state "$id" | jq -r .status)" paused
like "exec in a paused container" "$(exec_ "$id" true)" "paused"
rt resume "$id"
ok "resume" $?
is "running again" "$(rt state "$id" | jq -r .status)" running
like "resume of one that runs" "$(rt resume "$id" 2>&1)" "not paused"

# --- update, events
rt update --memory 64M --pids-limit 21 "$id"
ok "update by flags" $?
is "the memory limit is set" "$(limit memory memory.limit_in_bytes memory.max)" 67108864
is "and that of pids" "$(limit pids pids.max pids.max)" 21
echo '{"memory": {"limit": 33554432}, "cpu": {"shares": 512}}' | rt update --resources - "$id"
ok "update by an object" $?
is "the new limit is set" "$(limit memory memory.limit_in_bytes memory.max)" 33554432
like "update with nonsense" "$(rt update --memory much "$id" 2>&1)" "much"
is "events --stats" "$(rt events --stats "$id" | jq -c '[.type, .id, .data.memory.usage.limit, .data.pids.current > 0]')" "[\"stats\",\"$id\",33554432,true]"
is "events go on until the container stops" "$(timeout 120 "$runtime" --root "$dir/state/rt" events --interval=1s "$id" > "$dir/events" & sleep 1.5; rt kill "$id" KILL; wait $!; echo $?)" 0
like "and print figures" "$(cat "$dir/events")" '"type":"stats"'
like "exec in a stopped container" "$(exec_ "$id" true)" "container not running"
like "pause of a stopped container" "$(rt pause "$id" 2>&1)" "container not running"
rt delete "$id"
ok "delete" $?
is "nothing is left" "$(ls "$dir/state/rt"; find /sys/fs/cgroup -maxdepth 3 -name "$id*" 2> /dev/null)" ""
umount "$dir/state"
finish
