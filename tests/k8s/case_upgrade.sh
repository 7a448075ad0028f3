# k8s/node/wherry-node on this node: installed as a further handler, upgraded, taken away, with pods running all the while.
mkdir -p "$dir/old" "$dir/new"
for version in old new; do
    cp "$BUILD/wherry" "$shim" "$dir/$version/" && cp -r "$BUILD/libexec" "$dir/$version/"
done
strip "$dir/new/wherry" "$dir/new/$(basename "$shim")" "$dir/new"/libexec/wherry/* 2> /dev/null # another build, as far as bytes go
restart_containerd() { containerd_stop && PATH=$(dirname "$containerd"):$PATH containerd_start; }
node_installer() { # VERB VERSION
    PATH=$(dirname "$containerd"):$PATH k8s/node/wherry-node "$1" --from "$dir/$2" --prefix "$dir/prefix" --config "$dir/config.toml" --handler fleet --restart "touch '$dir/restart'" > "$dir/installer.log" 2>&1 || return
    [ ! -e "$dir/restart" ] || { rm "$dir/restart" && restart_containerd; }
}
cp "$dir/config.toml" "$dir/config.original"
node_installer install old
ok "wherry-node installs a handler on the running node" $? "$(cat "$dir/installer.log")"
kubectl apply -f - <<< '{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: fleet}, handler: fleet}' > /dev/null
until_true 60 node_ready
pod before fleet '{containers: [{name: "c", image: "localhost/hello:1", args: ["--sleep"]}]}' > "$dir/apply.log"
ready before > "$dir/wait.log" 2>&1
ok "a pod runs under it" $? "$(cat "$dir/wait.log"; kubectl describe pod before | tail -6)"
mkdir -p "$dir/warm" && cp "$BUILD/guests/hello.wasm" "$dir/warm/" && image localhost/warm:1 "$dir/warm" '{"Entrypoint": ["/hello.wasm"]}'
warmed=$(WHERRY_WARM="localhost/warm:1 localhost/absent:1" CONTAINERD_ADDRESS=/run/test/containerd.sock PATH=$(dirname "$ctr_program"):$PATH \
    k8s/node/wherry-node warm --prefix "$dir/prefix" 2>&1)
like "wherry-node compiles an image's modules beforehand" "$warmed" 'localhost/warm:1 is compiled'
like "and says which image the node has not" "$warmed" 'localhost/absent:1 was not compiled'
node_installer install new
ok "upgrade, with the pod running" $? "$(cat "$dir/installer.log")"
cmp -s "$dir/new/wherry" "$dir/prefix/bin/wherry"
ok "the new programs are in place" $?
like "the pod goes on: exec" "$(kubectl exec before -- /hello.wasm on 2>&1)" 'argument 1: on'
pod after fleet '{containers: [{name: "c", image: "localhost/hello:1", args: ["--sleep"]}]}' > "$dir/apply.log"
ready after > "$dir/wait.log" 2>&1
ok "a new pod runs on the new programs" $? "$(cat "$dir/wait.log"; kubectl describe pod after | tail -6)"
node_installer install old
ok "rollback" $? "$(cat "$dir/installer.log")"
node_installer uninstall old
like "uninstall leaves the programs while pods use them" "$(cat "$dir/installer.log")" 'pods still run under wherry'
cmp "$dir/config.toml" "$dir/config.original" > "$dir/cmp.log"
ok "and the configuration is as it was" $? "$(cat "$dir/cmp.log")"
is "both pods ran through all of it" "$(field before c .restartCount) $(field after c .restartCount) $(phase before) $(phase after)" "0 0 Running Running"
remove before after
ok "and are deleted" $? "$(cat "$dir/delete.log")"
fleet_shims() { pgrep -fa "$dir/prefix/bin/containerd-shim-wherry-v1 -namespace"; }
no_fleet_shim() { [ -z "$(fleet_shims)" ]; }
until_true 20 no_fleet_shim
is "their shims end with them" "$(fleet_shims)" ""
node_installer uninstall old
is "then uninstall takes the programs away" "$(find "$dir/prefix" -type f)" ""
kubectl delete runtimeclass fleet > /dev/null
