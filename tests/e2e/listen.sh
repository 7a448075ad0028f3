#!/bin/bash
# Listening sockets of a Wasm container: by annotation wherry.wasm.listen, and handed on from socket activation.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
runtime=$BUILD/wherry
if [ "${LISTEN_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq perl; do command -v $tool > /dev/null || why="$tool is not installed"; done
    [ -e "$BUILD/guests/serve.wasm" ] || why="$BUILD/guests/serve.wasm is not built"
    if [ -z "$why" ]; then LISTEN_INSIDE=1 exec unshare -m -n --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "listening sockets of a module" "$why"
dir=$BUILD/e2e/listen
rm -rf "$dir"
mkdir -p "$dir/state" "$dir/rootfs"/{proc,dev,sys,tmp}
mount -t tmpfs state "$dir/state"
ip link set lo up
cp "$BUILD/guests/serve.wasm" "$dir/rootfs/"
id=wherry-listen-$$
rt() { "$runtime" --root "$dir/state/rt" "$@"; }
# bundle ANNOTATIONS-JSON [OPTION...]: serve.wasm once
bundle() {
    tests/bundle "$dir/bundle" "$dir/rootfs" --cgroup "/$id" "${@:2}" -- /serve.wasm once
    jq --argjson annotations "$1" '.annotations = $annotations' "$dir/bundle/config.json" > "$dir/new" && mv "$dir/new" "$dir/bundle/config.json"
}
start() { rt run --detach --pid-file "$dir/pid" --bundle "$dir/bundle" "$id" > "$dir/out" 2>&1 < /dev/null; }
fetch() { nsenter --net="/proc/$(cat "$dir/pid")/ns/net" busybox wget -q -O - "http://$1/" 2>&1; }
remove() { rt delete --force "$id"; }

bundle '{"wherry.wasm.listen": "8080"}'
like "plan says what will be listened on" "$(rt plan "$dir/bundle")" 'grant listen 8080'
start
ok "a module with a listening socket starts" $? "$(cat "$dir/out")"
is "and answers" "$(fetch 127.0.0.1:8080)" "served by a Wasm"
remove
bundle '{"wherry.wasm.listen": "127.0.0.1:81,[::1]:82"}' --user 1000:1000
start
like "a user without the right to low ports is refused, with the address" "$(cat "$dir/out")" "cannot listen on '127.0.0.1:81'.*[Pp]ermission denied"
rt delete --force "$id" > /dev/null 2>&1
bundle '{"wherry.wasm.listen": "127.0.0.1:8081,[::1]:8082"}' --user 1000:1000
start
like "two addresses, by an ordinary user" "$(sleep 0.2; cat "$dir/out")" 'serving on [0-9]* of 2'
is "the first answers" "$(fetch 127.0.0.1:8081)" "served by a Wasm"
remove
bundle '{"wherry.wasm.listen": "nowhere"}'
start
like "what is no address is refused by name" "$(cat "$dir/out")" "annotations.wherry.wasm.listen: 'nowhere' is not"
jq '.linux.namespaces |= map(select(.type != "network")) | .annotations = {"wherry.wasm.listen": "8083"}' "$dir/bundle/config.json" > "$dir/new" && mv "$dir/new" "$dir/bundle/config.json"
start
like "in the host's network only by a further annotation" "$(cat "$dir/out")" 'host-network'

# LISTEN_FDS as systemd passes it: the runtime is executed with the socket as descriptor 3
bundle '{}'
perl -e 'use Socket; use POSIX; $^F = 9; socket(my $s, PF_INET, SOCK_STREAM, 0) or die; bind($s, sockaddr_in(8084, INADDR_LOOPBACK)) or die; listen($s, 8) or die;
    POSIX::dup2(fileno($s), 3); $ENV{LISTEN_FDS} = 1; exec @ARGV' \
    "$runtime" --root "$dir/state/rt" run --detach --pid-file "$dir/pid" --bundle "$dir/bundle" "$id" > "$dir/out" 2>&1 < /dev/null
ok "socket activation: the module starts" $? "$(cat "$dir/out")"
is "and answers on the socket that was passed" "$(busybox wget -q -O - http://127.0.0.1:8084/ 2>&1)" "served by a Wasm"
remove
perl -e 'use POSIX; $^F = 9; open(my $f, "<", "/dev/null"); POSIX::dup2(fileno($f), 3); $ENV{LISTEN_FDS} = 1; exec @ARGV' \
    "$runtime" --root "$dir/state/rt" run --detach --bundle "$dir/bundle" "$id" > "$dir/out" 2>&1 < /dev/null
like "a descriptor that does not listen is refused" "$(cat "$dir/out")" 'LISTEN_FDS is not a listening socket'
is "nothing is left" "$(ls "$dir/state/rt" 2> /dev/null)" ""
umount "$dir/state"
finish
