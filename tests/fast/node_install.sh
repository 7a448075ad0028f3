#!/bin/bash
# k8s/node/wherry-node: what it does to a node's configuration and programs, and that the way back leads to where it began.
# A folder stands for the node; the judgement on the configuration is a real containerd's where one is installed.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
. tests/tap.sh
dir=$BUILD/fast/node-install
rm -rf "$dir"
mkdir -p "$dir/etc"
config=$dir/etc/config.toml
export work=$dir # a name that the script uses too, and must not take from its caller
node() { k8s/node/wherry-node "$1" --from "$BUILD" --prefix "$dir/prefix" --config "$config" --restart "echo restarted >> $dir/restarts" "${@:2}" 2>&1; }
restarts() { cat "$dir/restarts" 2> /dev/null | wc -l; }

# a node without a configuration
node install > "$dir/log"
ok "installs where there is no configuration" $? "$(cat "$dir/log")"
like "the file names the handler" "$(cat "$config")" 'runtimes.wherry\]'
ok "programs are in place" "$([ -x "$dir/prefix/bin/containerd-shim-wherry-v1" ] && [ -x "$dir/prefix/libexec/wherry/engine" ]; echo $?)"
is "the daemon was restarted once" "$(restarts)" 1
node install > "$dir/log"
is "a second time changes nothing and restarts nothing" "$(restarts)" 1
like "status says so" "$(node status)" 'names wherry'
node uninstall > "$dir/log"
is "uninstall removes a file that was all ours" "$(ls "$dir/etc")" ""
is "and the programs" "$(find "$dir/prefix" -type f)" ""

# configurations of others
cat > "$config" <<'END'
# our node
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.example/pause:3.9"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = true
END
cp "$config" "$dir/original"
node install > "$dir/log"
ok "installs into a configuration of version 2" $? "$(cat "$dir/log")"
like "where the shim makes no pods: one sentence" "$(node install --sandboxer shim)" 'needs containerd 2.x'
like "with its kind of plugin" "$(cat "$config")" "^\[plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.wherry\]"
if command -v containerd > /dev/null; then
    like "containerd has the handler, and what was there" "$(containerd --config "$config" config dump 2>&1 | grep -c 'runtimes.wherry\]\|registry.example/pause:3.9')" 2
else
    skip "containerd has the handler" "containerd is not installed"
fi
sed -i 's/pod_annotations/# pod_annotations/' "$config"
node install > "$dir/log"
is "a block that somebody changed is replaced" "$(grep -c 'wherry-node: begin' "$config") $(grep -c '# pod_annotations' "$config")" "1 0"
node uninstall > "$dir/log"
cmp "$config" "$dir/original" > "$dir/log"
ok "uninstall leaves the file as it was, byte for byte" $? "$(cat "$dir/log")"

printf 'version = 3\n[grpc]\n  address = "/run/c.sock"\n' > "$config"
cp "$config" "$dir/original"
newer=${XDG_CACHE_HOME:-$HOME/.cache}/wherry-tests/containerd-2.3.7
if [ -x "$newer/containerd" ]; then
    PATH=$newer:$PATH node install > "$dir/log"
    ok "installs into a configuration of version 3" $? "$(cat "$dir/log")"
    like "which containerd 2 reads" "$("$newer/containerd" --config "$config" config dump 2>&1)" "runtimes.wherry\]"
    PATH=$newer:$PATH node install --sandboxer shim > "$dir/log"
    like "with pods that the shim makes" "$("$newer/containerd" --config "$config" config dump 2>&1 | sed -n '/runtimes.wherry\]/,/^$/p')" "sandboxer = 'shim'"
    node uninstall > "$dir/log"
    cmp -s "$config" "$dir/original"
    ok "and back" $?
else
    skip "installs into a configuration of version 3" "containerd 2.3.7 is not in the cache folder"
fi

printf '[plugins.cri]\n' > "$config"
like "a configuration of version 1 is refused" "$(node install)" "version '1'"
is "and left alone" "$(cat "$config")" '[plugins.cri]'
if command -v containerd > /dev/null; then
    printf 'version = 2\nthis is no TOML\n' > "$config"
    like "one that containerd refuses is refused" "$(node install)" 'does not accept'
    is "and left alone, with nothing beside it" "$(cat "$config" | tail -1) $(ls "$dir/etc")" 'this is no TOML config.toml'
else
    skip "one that containerd refuses is refused" "containerd is not installed"
fi

# k3s and CRI-O: another file each
mkdir -p "$dir/node/var/lib/rancher/k3s/agent/etc/containerd" "$dir/crio/etc/crio"
other() { k8s/node/wherry-node "$2" --root "$dir/$1" --from "$BUILD" --restart true 2>&1; }
other node install > "$dir/log"
like "k3s: its template is extended" "$(cat "$dir/node/var/lib/rancher/k3s/agent/etc/containerd/config.toml.tmpl" 2>&1)" 'template "base" .'
like "k3s: with the handler" "$(cat "$dir/node/var/lib/rancher/k3s/agent/etc/containerd/config.toml.tmpl" 2>&1)" 'runtimes.wherry'
other node uninstall > "$dir/log"
is "k3s: and back" "$(ls "$dir/node/var/lib/rancher/k3s/agent/etc/containerd")" ""
other crio install > "$dir/log"
like "CRI-O: a drop-in" "$(cat "$dir/crio/etc/crio/crio.conf.d/50-wherry.conf" 2>&1)" "crio.runtime.runtimes.wherry"
other crio uninstall > "$dir/log"
is "CRI-O: and back" "$(ls "$dir/crio/etc/crio/crio.conf.d")" ""

# a program that runs is never written into
node install > "$dir/log"
"$dir/prefix/bin/wherry" --version > /dev/null && before=$(stat -c %i "$dir/prefix/bin/wherry")
echo old > "$dir/prefix/bin/wherry"
exec 8< "$dir/prefix/bin/wherry"
node install > "$dir/log"
is "upgrade replaces a program by rename: who has it open keeps it" "$(cat <&8)" old
like "and the new one is there" "$("$dir/prefix/bin/wherry" --version)" wherry
(exec -a "$dir/prefix/bin/containerd-shim-wherry-v1" sleep 60) &
pod=$!
until [ "$(tr '\0' ' ' < /proc/$pod/cmdline)" = "$dir/prefix/bin/containerd-shim-wherry-v1 60 " ]; do sleep 0.05; done
like "status counts shims" "$(node status)" 'shims running: 1'
like "uninstall leaves the programs while a shim runs" "$(node uninstall)" 'its programs stay'
ok "so they are there" "$([ -x "$dir/prefix/bin/containerd-shim-wherry-v1" ]; echo $?)"
kill $pod
wait $pod 2> /dev/null
node uninstall > "$dir/log"
is "and go when it has ended" "$(find "$dir/prefix" -type f)" ""
like "bad arguments: one sentence" "$(node install --handler 'a b')" "not 'a b'"
like "a sandboxer that there is not: one sentence" "$(node install --sandboxer vm)" "not 'vm'"
like "no programs: one sentence" "$(k8s/node/wherry-node install --from "$dir/etc" --prefix "$dir/p" --config "$config" 2>&1)" 'no programs'
finish
