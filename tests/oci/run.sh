#!/bin/bash
# The outside suites of OCI runtimes: make suite-oci [SUITE=DIR] [SUITES="crun runc runtime-tools"] [RUNTIMES="wherry runc crun"]
# [TESTS="NAME..."]: the suites are others' work, no part of the tree and not fetched: DIR (~/.cache/wherry-tests/oci) holds
# built checkouts, each is left out by name where it is missing.
#
#   DIR/crun            tests/*.py, tests/init (static)                    python3
#   DIR/runc            tests/integration/*.bats, tests/cmd/_bin (built with the tag seccomp)  bats, jq, gawk, script
#                       its testdata: busybox-amd64.tar.xz without proc and sys, debian-amd64.tar.xz with bash and util-linux
#   DIR/runtime-tools   validation/*/*.t, runtimetest, rootfs-*.tar.gz
#
# wherry's results are the test. Known failures are listed beside this script, and one that passes fails the run, so that the list
# only shrinks; a reason that begins with "timing" is for a race of the test's own, which may end either way, one with "hangs"
# for a test that is left out. Those of runc and crun on the same machine are for comparison.
# Everything runs in a mount and a pid namespace of its own: some tests leave mounts and processes behind.
cd "$(dirname "$0")/../.." || exit 1
BUILD=$(realpath "${BUILD:-build}")
suites_dir=${SUITE:-$HOME/.cache/wherry-tests/oci}
if [ "${OCI_INSIDE:-}" = "" ] && [ "$(id -u)" = 0 ] && [ -d "$suites_dir" ]; then
    OCI_INSIDE=1 exec unshare -m -p --fork --mount-proc --propagation private "$0" "$@"
fi
. tests/tap.sh
[ "$(id -u)" = 0 ] || skip_all "outside OCI suites" "needs root"
[ -d "$suites_dir" ] || skip_all "outside OCI suites" "no checkouts: $suites_dir is missing (SUITE=DIR)"

out=$BUILD/suite-oci
known=tests/oci/known-failures.txt
mkdir -p "$out"
work=$(mktemp -d "${TMPDIR:-/tmp}/wherry-oci.XXXXXX")
chmod 755 "$work"
mount -t tmpfs -o mode=755 work "$work"
trap 'thaw; umount -l "$work"; rmdir "$work"' EXIT

# bin RUNTIME: where it is
bin() {
    case $1 in
    wherry) echo "$BUILD/wherry" ;;
    runc) echo "${RUNC:-$(command -v runc)}" ;;
    crun) echo "${CRUN:-$(command -v crun)}" ;;
    esac
}
wanted() { [ -z "${TESTS:-}" ] || case " $TESTS " in *" $1 "*) ;; *) return 1 ;; esac; }

# Results are lines "pass NAME", "fail NAME", "skip NAME reason"; TAP="ok N - NAME" in, one suite's habits out.
from_tap() {
    sed -E 's/ # [0-9.]+s$//' | sed -nE '
        s/^ok [0-9]+ (- )?(.*[^ ]) *# ?(skip|SKIP):? *(.*)$/skip \2\t\4/p; t
        s/^ok [0-9]+ (- )?(.*)$/pass \2/p; t
        s/^not ok [0-9]+ (- )?(.*)$/fail \2/p'
}

# test_delete freezes its container in a cgroup of its own; left so, it would keep our pid namespace alive for ever
thaw() { [ ! -e /sys/fs/cgroup/freezer/frozen ] || { echo THAWED > /sys/fs/cgroup/freezer/frozen/freezer.state; sleep 0.2; rmdir /sys/fs/cgroup/freezer/frozen; }; }

# crun's suite leaves cgroups of that name, and who joins them then is refused what its device rules refuse
test_cgroups() { find /sys/fs/cgroup -depth -type d 2> /dev/null | grep -E '/test(/|$)'; }

# --- crun's Python suite: flags that runc lacks are taken off on the way
wrap_for_crun_suite() {
    if [ "$1" != runc ]; then bin "$1"; return; fi
    cat > "$work/runc-wrapper" <<END
#!/bin/bash
words=()
while [ \$# -gt 0 ]; do
    case \$1 in --cgroup-manager | --config) shift 2; continue ;; --cgroup-manager=*) shift; continue ;; esac
    words+=("\$1")
    shift
done
exec $(bin runc) "\${words[@]}"
END
    chmod +x "$work/runc-wrapper"
    echo "$work/runc-wrapper"
}
# tests_of FILE NAME: those of one file of crun's that are to run, without those that hang
tests_of() {
    sed -nE '/^all_tests/,/^}/s/^ *"([^"]+)" *:.*/\1/p' "$1" | while read -r test; do
        [ -z "${TESTS:-}" ] || wanted "$test" || continue
        grep -q "^crun:$2:$test  *# hangs" "$known" || echo "$test"
    done | tr '\n' ' '
}
run_crun() {
    local runtime test name names cgroups_before
    runtime=$(wrap_for_crun_suite "$1")
    cgroups_before=$(test_cgroups)
    mkdir -p "$work/crun"
    for test in "$suites_dir"/crun/tests/test_*.py; do
        name=$(basename "$test" .py)
        names=$(tests_of "$test" "$name")
        [ -n "$names" ] || continue
        (cd "$work/crun" && env OCI_RUNTIME="$runtime" INIT="$suites_dir/crun/tests/init" CGROUP_MANAGER=cgroupfs \
            RUN_TESTS="$names" timeout -k 10 300 /usr/bin/python3 "$test" < /dev/null > "$work/log" 2>&1)
        thaw
        cat "$work/log" >> "$out/$1.crun.log"
        from_tap < "$work/log" | sed "s/^\([a-z]*\) /\1 $name:/"
    done
    test_cgroups | grep -vxF "${cgroups_before:-none}" | xargs -r rmdir
}

# --- runtime-tools: RUNTIME is one word, so a wrapper gives it a state directory
run_runtime_tools() {
    local test name status
    printf '#!/bin/sh\nexec %s --root %s/rt-state "$@"\n' "$(bin "$1")" "$work" > "$work/rt-wrapper"
    chmod +x "$work/rt-wrapper"
    for test in "$suites_dir"/runtime-tools/validation/*/*.t; do
        name=$(basename "$test" .t)
        wanted "$name" || continue
        (cd "$suites_dir/runtime-tools" && RUNTIME=$work/rt-wrapper timeout -k 10 60 "$test" < /dev/null > "$work/log" 2>&1)
        status=$?
        { echo "== $name: status $status"; cat "$work/log"; } >> "$out/$1.runtime-tools.log"
        if [ $status != 0 ] || grep -q '^ *not ok' "$work/log" || { ! grep -q '^ *ok' "$work/log" && grep -q '"error"' "$work/log"; }; then
            echo "fail $name"
        elif grep -qi '^ *1\.\.0 *# *skip' "$work/log"; then
            echo "skip $name	$(grep -m1 -i skip "$work/log")"
        else # one that has nothing to say on success is a pass
            echo "pass $name"
        fi
    done
}

# crun sends its init into a frozen cgroup of runc's tests and waits there for ever
thaw_again() {
    while sleep 60; do
        find /sys/fs/cgroup/freezer/runc-cgroups-integration-test -name freezer.state -exec sh -c 'echo THAWED > "$1"' - {} \;
    done 2> /dev/null
}

# --- runc's bats: they want a terminal, and `go env GOARCH`
run_runc() {
    local file name go=$work/go-stub thawing=
    [ "$1" != crun ] || { thaw_again & thawing=$!; }
    mkdir -p "$go" "$work/bats"
    printf '#!/bin/sh\necho amd64\n' > "$go/go"
    chmod +x "$go/go"
    for file in "$suites_dir"/runc/tests/integration/*.bats; do
        name=$(basename "$file" .bats)
        wanted "$name" || continue
        case $name in checkpoint | mounts_sshfs | selinux) continue ;; esac # criu, sshfs, SELinux: not on our machines
        tail -f /dev/null | PATH=$go:$PATH RUNC=$(bin "$1") TMPDIR=$work/bats timeout -k 10 "${FILE_TIMEOUT_S:-600}" \
            script -qec "bats --tap $file" "$work/log" > /dev/null 2>&1
        tr -d '\r' < "$work/log" > "$work/log.unix"
        cat "$work/log.unix" >> "$out/$1.runc.log"
        from_tap < "$work/log.unix" | sed "s/^\([a-z]*\) /\1 $name:/"
        rm -rf /non-existent-dir # as a test of a state directory calls it; runc 1.1 makes it, in the way of who comes next
    done
    [ -z "$thawing" ] || kill "$thawing"
}

# crun before 1.30 does not run where v2 has controllers beside v1
hide_unified() { [ ! -d /sys/fs/cgroup/unified ] || [ "$1" != crun ] || mount -t tmpfs none /sys/fs/cgroup/unified; }
show_unified() { [ ! -d /sys/fs/cgroup/unified ] || [ "$1" != crun ] || umount /sys/fs/cgroup/unified; }

judge() {
    local verdict name reason
    while IFS=$'\t' read -r name reason; do
        verdict=${name%% *} name=$1:${name#* }
        if grep -qxF "$name" <(sed 's/  *#.*//' "$known"); then
            if [ "$verdict" = pass ] && grep -qE "^${name//[^a-zA-Z0-9:_-]/.}  *# (timing)" "$known"; then tap_pass "$name"
            elif [ "$verdict" = pass ]; then tap_fail "$name" "passes: take it off $known"; else skip "$name" "known failure"; fi
        elif [ "$verdict" = skip ]; then skip "$name" "${reason:-by the suite}"
        elif [ "$verdict" = fail ]; then tap_fail "$name" "see $out/wherry.$1.log"
        else tap_pass "$name"; fi
    done
}

count() { grep -c "^$2 " "$out/$1" 2> /dev/null; }
for suite in ${SUITES:-crun runtime-tools runc}; do
    if [ ! -d "$suites_dir/$suite" ]; then skip "$suite" "no $suites_dir/$suite"; continue; fi
    for runtime in ${RUNTIMES:-wherry}; do
        if [ ! -x "$(bin "$runtime")" ]; then skip "$suite with $runtime" "it is not installed"; continue; fi
        rm -f "$out/$runtime.$suite.log"
        hide_unified "$runtime"
        "run_${suite//-/_}" "$runtime" > "$out/$runtime.$suite"
        show_unified "$runtime"
        echo "# $suite with $runtime: $(count "$runtime.$suite" pass) passed, $(count "$runtime.$suite" fail) failed, $(count "$runtime.$suite" skip) skipped"
        [ "$runtime" != wherry ] || judge "$suite" < "$out/wherry.$suite"
    done
done
finish
