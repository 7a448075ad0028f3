#!/bin/sh
# tests/bench/systemd.sh: create + start + exit + delete with the systemd cgroup driver, under wherry, runc and crun, with docker's
# seccomp profile. Where systemd is pid 1: in the guest, make bench-systemd (user-mode Linux: times are several times a
# machine's, so only the ratios say something). ROUNDS (default 15).
set -eu
cd "$(dirname "$0")/../.."
out=${BUILD:-build}/bench/systemd
[ "$(cat /proc/1/comm)" = systemd ] || { echo "ok 1 - the systemd driver's starts # SKIP systemd is not pid 1"; exit 0; }
rm -rf "$out"
mkdir -p "$out/state"
# crun asks by the system's bus, which the guest does not start by itself
systemctl --job-mode=ignore-dependencies start dbus.socket dbus.service || echo "# no D-Bus, so no crun"
cases=
for runtime in "$BUILD/wherry" "$(command -v runc)" "$(command -v crun)"; do
    [ -x "$runtime" ] || continue
    name=${runtime##*/}
    mkdir -p "$out/$name/rootfs/bin" "$out/$name/rootfs/proc" "$out/$name/rootfs/sys" "$out/$name/rootfs/dev"
    cp "$(command -v busybox)" "$out/$name/rootfs/bin/true"
    tests/bundle "$out/$name" rootfs --seccomp --cgroup "system.slice:bench:$name" -- /bin/true
    cases="$cases $name=$runtime=$out/$name"
done
# labels and paths have no spaces
# shellcheck disable=SC2086
"$BUILD/bench/starts" --rounds "${ROUNDS:-15}" --gap 100 --flag --systemd-cgroup --root "$out/state" $cases > "$out/starts.tsv"
awk -v base=wherry -v view="systemd driver, cgroup v2" -f tests/bench/table.awk "$out/starts.tsv"
echo "ok 1 - the systemd driver's starts"
