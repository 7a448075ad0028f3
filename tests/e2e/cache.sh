#!/bin/bash
# The cache under containers: nobody in one can write it, ten of one module share its pages, and a start compiles once.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
if [ "${CACHE_INSIDE:-}" = "" ]; then
    why=
    [ "$(id -u)" = 0 ] || why="needs root"
    for tool in jq busybox; do command -v $tool > /dev/null || why="$tool is not installed"; done
    for file in wherry guests/hello.wasm tests/e2e/hostile_engine bench/big_module; do [ -e "$BUILD/$file" ] || why="$BUILD/$file is not built"; done
    if [ -z "$why" ]; then CACHE_INSIDE=1 exec unshare -m --propagation private "$0" "$@"; fi
fi
. tests/tap.sh
[ -z "${why:-}" ] || skip_all "the cache under containers" "$why"

dir=$BUILD/e2e/cache id=wherry-cache-$$
rm -rf "$dir"
mkdir -p "$dir/state" "$dir/var" "$dir/rootfs/"{proc,sys,dev} "$dir/hostile/libexec/wherry"
mount -t tmpfs state "$dir/state"
# a cache of this test's own, in the place where root's is
mkdir -p /var/lib/wherry
mount --bind "$dir/var" /var/lib/wherry
cp "$BUILD/guests/hello.wasm" "$dir/rootfs/"
"$BUILD/bench/big_module" sleeping > "$dir/rootfs/big.wasm"
run() { "$1" --root "$dir/state/rt" run --bundle "$dir/bundle" "$id" 2>&1 < /dev/null; }

# --- the engine taken over
cp "$BUILD/wherry" "$dir/hostile/wherry"
cp "$BUILD/libexec/wherry/compile" "$BUILD/libexec/wherry/system" "$dir/hostile/libexec/wherry/"
cp "$BUILD/tests/e2e/hostile_engine" "$dir/hostile/libexec/wherry/engine"
baseline='.annotations["wherry.wasm.tier"] = "baseline"' # so that the number of artifacts is certain
tests/bundle "$dir/bundle" "$dir/rootfs" --cgroup "/$id" --edit "$baseline" -- /hello.wasm
is "an engine taken over, as root, cannot write the cache (fresh)" "$(run "$dir/hostile/wherry")" "0 attempts succeeded"
is "and not from the cache either" "$(run "$dir/hostile/wherry")" "0 attempts succeeded"
jq '.process.capabilities |= map_values(["CAP_CHOWN","CAP_DAC_OVERRIDE","CAP_FOWNER","CAP_FSETID","CAP_LINUX_IMMUTABLE",
    "CAP_SYS_PTRACE","CAP_DAC_READ_SEARCH","CAP_MKNOD"])' "$dir/bundle/config.json" > "$dir/config.json"
cp "$dir/config.json" "$dir/bundle/config.json"
is "nor with capabilities over all files" "$(run "$dir/hostile/wherry")" "0 attempts succeeded"
tests/bundle "$dir/bundle.live" "$dir/rootfs" --cgroup "/$id" -- /big.wasm
is "nor the live file of a first start" "$("$dir/hostile/wherry" --root "$dir/state/rt" run --bundle "$dir/bundle.live" "$id" 2>&1 < /dev/null)" "0 attempts succeeded"
ok "which there was" $(($(find "$dir/var/cache" -name '*.live' | wc -l) == 0)) "there is none"
# the job that the start asked for may only be about to begin, and has the lowest priority; what it makes must not come into the emptied
# cache of what follows
for _ in $(seq 3000); do
    "$BUILD/wherry" cache optimize > /dev/null
    [ "$("$BUILD/wherry" cache stat --json | jq -c '[.toOptimize, .optimizing]')" = '[0,false]' ] && break
    sleep 0.1
done
is "what is in the cache is whole" "$("$BUILD/wherry" cache verify)" "3 intact, 0 damaged and removed"
like "and runs" "$(run "$BUILD/wherry")" "[Hh]ello"

# --- many starts
"$BUILD/wherry" cache prune --all > /dev/null
before=$("$BUILD/wherry" cache stat --json | jq .artifacts)
for i in 1 2 3 4 5 6 7 8 9 10; do tests/bundle "$dir/bundle.$i" "$dir/rootfs" --cgroup "/$id-$i" --edit "$baseline" -- /big.wasm; done
for i in 1 2 3 4 5 6 7 8 9 10; do
    "$BUILD/wherry" --root "$dir/state/rt" run --detach --pid-file "$dir/pid.$i" --bundle "$dir/bundle.$i" "$id-$i" > "$dir/out.$i" 2>&1 < /dev/null &
done
wait
running=0 pss=0 rss=0
for i in 1 2 3 4 5 6 7 8 9 10; do
    pid=$(cat "$dir/pid.$i" 2> /dev/null) || continue
    eventually 'grep -q State:.S "/proc/$pid/status" 2> /dev/null'
    # of the artifact's mapping alone
    set -- $(awk -v name="$(ls -S "$dir/var/cache" | grep -E '^.{64}$' | head -1)" '
        /^[0-9a-f]+-/ { mine = index($0, name) > 0 } mine && $1 == "Rss:" { rss += $2 } mine && $1 == "Pss:" { pss += $2 }
        END { print rss + 0, pss + 0 }' "/proc/$pid/smaps")
    running=$((running + 1)) rss=$((rss + $1)) pss=$((pss + $2))
done
is "ten containers of one module run" "$running" 10
is "and it was compiled once" "$(($("$BUILD/wherry" cache stat --json | jq .artifacts) - before))" 1
echo "# the module's code in ten containers: $rss KiB resident in their sum, $pss KiB of memory (PSS)"
ok "its pages are shared" $((rss == 0 || pss * 5 > rss)) "resident $rss KiB, PSS $pss KiB"

# --- the second tier
compilers() { "$BUILD/wherry" cache list --json | jq -r '[.[].compiler] | sort | join(" ")'; }
# the leader of a session: its worker has the name too, until it is executed; in our mount namespace: others may test here too
optimizer() {
    for pid in $(awk '$2 == "(wherry-optimize)" && $1 == $6 { print $1 }' /proc/[0-9]*/stat 2> /dev/null); do
        [ "$(readlink "/proc/$pid/ns/mnt")" = "$(readlink /proc/self/ns/mnt)" ] && grep -q wherry-optimize "/proc/$pid/cgroup" && echo "$pid"
    done
}
"$BUILD/wherry" cache prune --all > /dev/null
tests/bundle "$dir/bundle.t" "$dir/rootfs" --cgroup "/$id-t" -- /big.wasm
"$BUILD/wherry" --root "$dir/state/rt" run --detach --pid-file "$dir/pid.t" --bundle "$dir/bundle.t" "$id-t" > "$dir/out.t" 2>&1 < /dev/null
eventually 'pid=$(optimizer); [ -n "$pid" ]'
[ -z "$pid" ] || kill -STOP "$pid" # so that it is not done before it has been looked at
is "a first start runs baseline code" "$(compilers)" baseline
ok "a process optimizes" $((pid == 0)) "there is none"
if [ -n "$pid" ]; then
    theirs=$(readlink "/proc/$pid/fd/"* | grep -v -e "^/dev/null$" -e "/wherry/cache" -e "^/memfd:module" -e "/wherry-optimize/" -e "^pipe:")
    is "it has no descriptor of its caller's" "$theirs" ""
    is "nor a session" "$(awk '{ print $6 }' "/proc/$pid/stat")" "$pid"
    like "nor a group of processes" "$(tr '\n' ' ' < "/proc/$pid/cgroup")" 'wherry-optimize/slot-0'
    is "and is the first to go when memory is short" "$(cat "/proc/$pid/oom_score_adj")" 1000
    kill -9 "$pid"
    while "$BUILD/wherry" cache stat --json | jq -e .optimizing > /dev/null; do sleep 0.1; done
fi
is "killed, it leaves its work to be done" "$("$BUILD/wherry" cache stat --json | jq .toOptimize)" 1
is "the container runs on" "$(kill -0 "$(cat "$dir/pid.t")" && echo yes)" yes
live() { awk '/ r-xs .*live/ { print "code" } / r--s .*live/ { n++ } / .w.s .*live/ { print "writable" } END { if (n > 0) print "tables" }' "/proc/$(cat "$dir/pid.t")/maps" | sort | tr '\n' ' '; }
eventually '[ -n "$(live)" ]'
is "it has the live file mapped, to read and to execute" "$(live)" "code tables "
is "cache optimize does it" "$("$BUILD/wherry" cache optimize)" "1 optimized"
is "both are there" "$(compilers)" "baseline optimizing"
is "the live file is gone, but for who has it" "$(find "$dir/var/cache" -name '*.live' | wc -l) $(live)" "0 code tables "
tests/bundle "$dir/bundle.u" "$dir/rootfs" --cgroup "/$id-u" -- /big.wasm
"$BUILD/wherry" --root "$dir/state/rt" run --detach --pid-file "$dir/pid.u" --bundle "$dir/bundle.u" "$id-u" > "$dir/out.u" 2>&1 < /dev/null
optimized=$("$BUILD/wherry" cache list --json | jq -r '.[] | select(.compiler == "optimizing").name')
eventually 'grep -q "$optimized" "/proc/$(cat "$dir/pid.u")/maps"'
grep -q "$optimized" "/proc/$(cat "$dir/pid.u")/maps"
ok "the next start runs optimized code" $? "it is not mapped"
is "and nothing is asked for" "$("$BUILD/wherry" cache stat --json | jq -c '[.toOptimize, .optimizing]')" '[0,false]'
for i in t u; do "$BUILD/wherry" --root "$dir/state/rt" delete --force "$id-$i" > /dev/null 2>&1; done

# upgraded, downgraded, removed: who runs keeps its code
"$BUILD/wherry" cache prune --all > /dev/null
alive=0
for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$(cat "$dir/pid.$i")" 2> /dev/null && alive=$((alive + 1)); done
is "the cache emptied under them, they run on" "$alive" 10
for i in 1 2 3 4 5 6 7 8 9 10; do "$BUILD/wherry" --root "$dir/state/rt" delete --force "$id-$i" > /dev/null 2>&1; done
is "no lock or half file is left" "$(find "$dir/var/cache" -maxdepth 1 -name '*.lock' -o -maxdepth 1 -name '*.new' | wc -l)" 0
finish
