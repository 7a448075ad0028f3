#!/bin/bash
# checkpoint and restore by criu (CRIU=PROGRAM, else by PATH): a container that counts goes on counting where it stopped.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
criu=${CRIU:-criu}
if [ "${CHECKPOINT_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in busybox jq; do command -v $tool > /dev/null || why="$tool is not installed"; done
    [ -x "$BUILD/wherry" ] || why="build/wherry is not built"
    if [ -z "$why" ]; then CHECKPOINT_INSIDE=1 exec unshare -m --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "checkpoint" "$why"

dir=$BUILD/e2e/checkpoint id=wherry-checkpoint-$$
rm -rf "$dir"
mkdir -p "$dir/state" "$dir/volume" "$dir/rootfs/bin" "$dir/rootfs/proc" "$dir/rootfs/dev" "$dir/rootfs/sys" "$dir/rootfs/tmp"
mount -t tmpfs state "$dir/state"
cp "$(command -v busybox)" "$dir/rootfs/bin/busybox"
for applet in sh sleep cat ls; do ln "$dir/rootfs/bin/busybox" "$dir/rootfs/bin/$applet"; done
cp "$BUILD/guests/"*.wasm "$dir/rootfs/" 2> /dev/null
rt() { "$BUILD/wherry" --root "$dir/state/rt" --criu "$criu" "$@"; }
bundle() { tests/bundle "$dir/$1" "$dir/rootfs" --cgroup "/$id" --mount "$dir/volume:/volume" --edit "$2" -- "${@:3}"; }
count='i=0; while true; do i=$((i+1)); echo $i > /volume/n; echo tick; sleep 0.1; done'
number() { local n; n=$(cat "$dir/volume/n" 2> /dev/null); echo "${n:-0}"; } # it may just be written
# counts on from NUMBER: within a bound, since it may not have begun
counts_from() { eventually '[ "$(number)" -gt "$1" ]' "$@"; }

# --- what needs no criu
bundle plain . /bin/sh -c "$count"
rt run --detach --bundle "$dir/plain" "$id" > "$dir/out" 2>&1 < /dev/null
like "without criu: one sentence" "$("$BUILD/wherry" --root "$dir/state/rt" --criu /nowhere/criu checkpoint --image-path "$dir/images" "$id" 2>&1)" \
    "need criu, and there is no program '/nowhere/criu'"
counts_from 2
ok "and the container goes on" $?
like "a flag that is not there yet" "$(rt checkpoint --lazy-pages "$id" 2>&1)" "lazy-pages is not supported yet"
rt delete --force "$id"
like "restore from nothing" "$(rt restore --detach --bundle "$dir/plain" --image-path "$dir/nowhere" "$id" 2>&1 < /dev/null)" "is it a container's checkpoint"
is "which leaves nothing" "$(ls "$dir/state/rt")" ""
if [ -e "$dir/rootfs/listen.wasm" ] || [ -e "$dir/rootfs/hello.wasm" ]; then
    bundle wasm . /hello.wasm
    rt create --bundle "$dir/wasm" "$id" > "$dir/out" 2>&1 < /dev/null
    like "wasm: refused in one sentence" "$(rt checkpoint --image-path "$dir/images" "$id" 2>&1)" "a Wasm container cannot be checkpointed"
    rt delete --force "$id"
fi

# --- what does
if "$criu" check > "$dir/check" 2>&1; then
    # what a container prints must be what it was: a file would have to have its length, so nothing is kept of it
    users='.process.user = {uid: 1000, gid: 1000}'
    capsh --print 2> /dev/null | grep -q '^Bounding.*cap_sys_resource' || users= # criu reads the limits of others' processes
    for case in . "$users" '.linux.namespaces |= map(select(.type != "network"))' \
        '.mounts += [{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro"]}]'; do
        [ -n "$case" ] || { skip "another user" "criu needs CAP_SYS_RESOURCE for it"; continue; }
        rm -rf "$dir/images" "$dir/volume/n"
        chmod 777 "$dir/volume"
        bundle plain "$case" /bin/sh -c "$count"
        rt run --detach --bundle "$dir/plain" "$id" > /dev/null 2>&1 < /dev/null
        counts_from 3
        rt checkpoint --image-path "$dir/images" "$id" > "$dir/out" 2>&1
        ok "$case: checkpoint" $? "$(cat "$dir/out")"
        like "it ends the container" "$(rt state "$id" 2>&1)" "does not exist"
        before=$(number)
        rt --log "$dir/out" restore --detach --bundle "$dir/plain" --image-path "$dir/images" --pid-file "$dir/pid" -no-subreaper "$id" > /dev/null 2>&1 < /dev/null
        ok "restore" $? "$(cat "$dir/out")"
        counts_from "$before"
        ok "it counts on" $?
        is "from where it was" "$(($(number) - before < 100))" 1
        is "its state" "$(rt state "$id" | jq -r .status)" running
        is "its pid" "$(cat "$dir/pid")" "$(rt state "$id" | jq .pid)"
        like "it is in its cgroup" "$(cat "/proc/$(cat "$dir/pid")/cgroup")" "/$id"
        is "ps lists its processes" "$(rt ps --format json "$id" | jq 'length > 0')" true
        is "exec" "$(rt exec "$id" /bin/cat /volume/n < /dev/null | grep -c '^[0-9]')" 1
        rt delete --force "$id"
        ok "delete" $?
    done

    # pipes are replaced by the new ones; the container ends as the caller's child
    rm -rf "$dir/images"
    bundle pipe . /bin/sh -c 'trap "exit 7" TERM; '"$count"
    { rt run --bundle "$dir/pipe" "$id" < /dev/null 2>&1 | cat > "$dir/first"; } &
    counts_from 3
    eventually 'grep -q tick "$dir/first"'
    rt checkpoint --leave-running --image-path "$dir/images" --work-path "$dir/work" "$id" > "$dir/out" 2>&1
    ok "checkpoint --leave-running" $? "$(cat "$dir/out")"
    before=$(number)
    counts_from "$before"
    ok "it goes on" $?
    rt delete --force "$id"
    wait
    { rt restore --bundle "$dir/pipe" --image-path "$dir/images" --work-path "$dir/work" "$id" < /dev/null 2>&1; echo "status $?"; } | cat > "$dir/second" &
    eventually 'grep -q tick "$dir/second"'
    rt kill "$id" TERM
    wait
    like "what it prints goes to the new pipe" "$(cat "$dir/second")" tick
    like "its exit status" "$(tail -1 "$dir/second")" "status 7"

    # under another name, and with images that are damaged
    rm -rf "$dir/images"
    rt run --detach --bundle "$dir/pipe" "$id" > /dev/null 2>&1 < /dev/null
    rt checkpoint --image-path "$dir/images" "$id" > "$dir/out" 2>&1
    rt --log "$dir/out" restore --detach --bundle "$dir/pipe" --image-path "$dir/images" "$id-b" > /dev/null 2>&1 < /dev/null
    ok "restore under another name" $? "$(cat "$dir/out")"
    rt delete --force "$id-b"
    rm "$dir/images/pages-1.img"
    like "damaged images: why, and where the log is" "$(rt restore --detach --bundle "$dir/pipe" --image-path "$dir/images" "$id" 2>&1 > /dev/null < /dev/null)" "criu restore failed: Error (.*restore.log"
    # one that is paused stays so, or goes
    rm -rf "$dir/images"
    rt run --detach --bundle "$dir/plain" "$id" > /dev/null 2>&1 < /dev/null
    counts_from "$(number)"
    rt pause "$id"
    rt checkpoint --leave-running --image-path "$dir/images" "$id" > "$dir/out" 2>&1
    ok "a paused container: checkpoint --leave-running" $? "$(cat "$dir/out")"
    is "it is paused still" "$(rt state "$id" | jq -r .status)" paused
    rt resume "$id"
    counts_from "$(number)"
    ok "and goes on" $?
    rt pause "$id"
    rm -rf "$dir/images"
    rt checkpoint --image-path "$dir/images" "$id" > "$dir/out" 2>&1
    ok "a paused container: checkpoint" $? "$(cat "$dir/out")"
    before=$(number)
    rt --log "$dir/out" restore --detach --bundle "$dir/plain" --image-path "$dir/images" "$id" > /dev/null 2>&1 < /dev/null
    ok "restore" $? "$(cat "$dir/out")"
    counts_from "$before"
    ok "it runs" $?
    rt delete --force "$id"
    # in two steps
    if "$criu" check --feature mem_dirty_track > "$dir/check" 2>&1; then
        rm -rf "$dir/images" "$dir/before"
        rt run --detach --bundle "$dir/pipe" "$id" > /dev/null 2>&1 < /dev/null
        rt checkpoint --pre-dump --image-path "$dir/before" "$id" > "$dir/out" 2>&1
        ok "checkpoint --pre-dump" $? "$(cat "$dir/out")"
        is "leaves it running" "$(rt state "$id" | jq -r .status)" running
        rt checkpoint --parent-path ../before --image-path "$dir/images" "$id" > "$dir/out" 2>&1
        ok "checkpoint --parent-path" $? "$(cat "$dir/out")"
        rt restore --detach --bundle "$dir/pipe" --image-path "$dir/images" "$id" > "$dir/out" 2>&1 < /dev/null
        ok "restore of both" $? "$(cat "$dir/out")"
        rt delete --force "$id"
    else
        skip "checkpoint --pre-dump" "this kernel does not track memory"
    fi
else
    skip "checkpoint and restore" "criu does not work here: $(tail -1 "$dir/check")"
fi
is "nothing is left" "$(ls "$dir/state/rt"; find /sys/fs/cgroup -maxdepth 3 -name "$id*")" ""
umount "$dir/state"
finish
