#!/bin/bash
# A container's terminal in the foreground, for run and exec, native and Wasm; pidfds handed to a manager.
# RUNTIME=/path/of/another runs the native cases with that one: the reference for what is expected.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
runtime=${RUNTIME:-$BUILD/wherry}
if [ "${TERMINAL_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq python3; do command -v $tool > /dev/null || why="$tool is not installed"; done
    [ -x "$runtime" ] || why="$runtime is not built"
    if [ -z "$why" ]; then TERMINAL_INSIDE=1 exec unshare -m --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "terminals in the foreground" "$why"

dir=$BUILD/e2e/terminal
rm -rf "$dir"
mkdir -p "$dir/state" "$dir/rootfs/bin" "$dir/rootfs/proc" "$dir/rootfs/dev" "$dir/rootfs/sys" "$dir/rootfs/tmp"
mount -t tmpfs state "$dir/state"
cp "$(command -v busybox)" "$dir/rootfs/bin/busybox"
for applet in sh sleep true id cat ls grep tty stty; do ln "$dir/rootfs/bin/busybox" "$dir/rootfs/bin/$applet"; done
cp "$BUILD/guests/"*.wasm "$dir/rootfs/" 2> /dev/null
id=wherry-terminal-$$
rt() { timeout 120 "$runtime" --root "$dir/state/rt" "$@"; }
bundle() { tests/bundle "$dir/$1" "$dir/rootfs" --cgroup "/$id" --edit '.process.terminal = true' "${@:2}"; }
# drive SCRIPT COMMAND...: COMMAND in a terminal of 22 lines and 77 columns. SCRIPT is lines of "expect TEXT", "type TEXT",
# "size LINES COLUMNS"; then all is read to the end. Prints what came out, the exit status, and whether the terminal is as before.
drive() {
    python3 - "$@" <<'END'
import fcntl, os, pty, select, struct, sys, termios, time
script, command = sys.argv[1], sys.argv[2:]
master, slave = pty.openpty()
def size(lines, columns): fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
size(22, 77)
before = termios.tcgetattr(slave)
pid = os.fork()
if pid == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in 0, 1, 2: os.dup2(slave, fd)
    os.execvp(command[0], command)
seen = b""
def take(seconds):
    global seen
    if not select.select([master], [], [], seconds)[0]: return False
    seen += os.read(master, 4096)
    return True
for line in script.splitlines():
    word, _, rest = line.partition(" ")
    if word == "expect":
        end = time.time() + 20
        while rest.encode() not in seen and time.time() < end: take(0.2)
    elif word == "type": os.write(master, rest.encode().decode("unicode_escape").encode())
    elif word == "size": size(*map(int, rest.split()))
ended, status = 0, 0
end = time.time() + 20
while ended == 0 and time.time() < end:
    take(0.05)
    ended, status = os.waitpid(pid, os.WNOHANG)
while take(0.1): pass
sys.stdout.write(seen.decode().replace("\r\n", "\n"))
print("status", os.waitstatus_to_exitcode(status) if ended else "none", "as before" if termios.tcgetattr(slave) == before else "changed")
END
}
left() { find /sys/fs/cgroup -maxdepth 3 -name "$id*" 2> /dev/null; ls "$dir/state/rt" 2> /dev/null; }

bundle run -- /bin/sh -c 'tty; stty size 2> /dev/null; exit 5'
is "run: a terminal, the size of the own, the exit code" "$(drive '' "$runtime" --root "$dir/state/rt" run --bundle "$dir/run" "$id")" "/dev/pts/0
22 77
status 5 as before"
is "run: without a terminal around it, plain lines" "$(rt run --bundle "$dir/run" "$id" 2>&1 < /dev/null | od -An -c | tr -d ' \n')" '/dev/pts/0\n'
is "run: the exit code then" "$(rt run --bundle "$dir/run" "$id" > /dev/null 2>&1 < /dev/null; echo $?)" 5
bundle cat -- /bin/sh -c 'stty -echo; echo ready; read x; echo "got $x"; cat; echo ended'
is "run: what is typed arrives, its end too" "$(drive 'expect ready
type hello\r
expect got hello
type more\r
expect more
type \x04' "$runtime" --root "$dir/state/rt" run --bundle "$dir/cat" "$id")" "ready
got hello
more
ended
status 0 as before"
bundle resize -- /bin/sh -c 'trap "stty size; exit 3" WINCH; echo ready; while :; do sleep 0.05; done'
is "run: the size follows" "$(drive 'expect ready
size 33 99' "$runtime" --root "$dir/state/rt" run --bundle "$dir/resize" "$id")" "ready
33 99
status 3 as before"
bundle interrupt -- /bin/sh -c 'trap "echo interrupted; exit 4" INT; echo ready; while :; do sleep 0.05; done'
is "run: ^C is the container's" "$(drive 'expect ready
type \x03' "$runtime" --root "$dir/state/rt" run --bundle "$dir/interrupt" "$id" | sed 's/\^C//')" "ready
interrupted
status 4 as before"
bundle much -- /bin/sh -c 'i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i + 1)); done'
is "run: all of much output" "$(rt run --bundle "$dir/much" "$id" 2>&1 < /dev/null | tail -1)" 19999
like "run --detach needs a console socket" "$(rt run --detach --bundle "$dir/run" "$id" 2>&1 < /dev/null)" "console.socket"
like "create needs one too" "$(rt create --bundle "$dir/run" "$id" 2>&1 < /dev/null)" "console.socket"

tests/bundle "$dir/life" "$dir/rootfs" --cgroup "/$id" -- /bin/sleep 100
rt run --detach --bundle "$dir/life" "$id" > "$dir/out" 2>&1 < /dev/null
is "exec -t: a terminal, the size of the own, the exit code" "$(drive '' "$runtime" --root "$dir/state/rt" exec -t "$id" sh -c 'tty; stty size; exit 6')" "/dev/pts/0
22 77
status 6 as before"
is "exec -t: what is typed arrives" "$(drive 'expect ready
type hello\r' "$runtime" --root "$dir/state/rt" exec -t "$id" sh -c 'stty -echo; echo ready; read x; echo "got $x"')" "ready
got hello
status 0 as before"
is "exec without -t has none" "$(drive '' "$runtime" --root "$dir/state/rt" exec "$id" sh -c 'test -t 0 && busybox readlink /proc/self/fd/0 | grep -c ^/dev/pts; true' | tail -1)" "status 0 as before"
rt delete --force "$id"

# --- pidfds
# pidfd COMMAND...: a socket for COMMAND's --pidfd-socket; prints the text that came and the pid that the descriptor is of
pidfd() {
    python3 - "$dir/state/pidfd" "$@" <<'END'
import array, os, socket, subprocess, sys
path, command = sys.argv[1], sys.argv[2:]
if os.path.exists(path): os.unlink(path)
server = socket.socket(socket.AF_UNIX)
server.bind(path); server.listen(1); server.settimeout(20)
child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
connection, _ = server.accept()
text, control, _, _ = connection.recvmsg(64, socket.CMSG_SPACE(4))
fd = array.array("i", control[0][2])[0]
print(text.decode(), [line.split()[1] for line in open("/proc/self/fdinfo/%d" % fd) if line.startswith("Pid:")][0])
child.wait()
END
}
is "create --pidfd-socket" "$(pidfd "$runtime" --root "$dir/state/rt" create --bundle "$dir/life" --pid-file "$dir/pid" --pidfd-socket "$dir/state/pidfd" "$id")" "pidfd $(cat "$dir/pid")"
rt start "$id"
is "exec --pidfd-socket" "$(pidfd "$runtime" --root "$dir/state/rt" exec --detach --pid-file "$dir/pid" --pidfd-socket "$dir/state/pidfd" "$id" sleep 100)" "pidfd $(cat "$dir/pid")"
rt delete --force "$id"
like "a pidfd socket that is not there fails create" "$(rt create --bundle "$dir/life" --pidfd-socket "$dir/nowhere" "$id" 2>&1 < /dev/null)" "pidfd socket '.*nowhere'"

if [ "$(basename "$runtime")" = wherry ] && [ -e "$BUILD/guests/hello.wasm" ]; then
    bundle wasm -- /hello.wasm --exit 7
    is "wasm: a terminal" "$(drive '' "$runtime" --root "$dir/state/rt" run --bundle "$dir/wasm" "$id")" "status 7 as before"
    bundle wasm -- /hello.wasm words
    like "wasm: its output" "$(drive '' "$runtime" --root "$dir/state/rt" run --bundle "$dir/wasm" "$id")" 'argument 1: words'
else
    skip "wasm: all cases" "$(basename "$runtime") is not wherry, or build/guests/hello.wasm could not be built here"
fi
is "nothing is left" "$(left)" ""
finish
