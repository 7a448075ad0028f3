# The Helm chart by helm itself: linted, installed, upgraded, rolled back, taken away, with a pod running all the while. Its DaemonSet
# changes this very node: the image is made here, and this script is the service manager that restarts containerd.
helm_program=$(ls "${XDG_CACHE_HOME:-$HOME/.cache}"/wherry-tests/helm-*/helm 2> /dev/null | tail -1)
if [ -z "$helm_program" ]; then
    skip "the Helm chart" "helm is not in ${XDG_CACHE_HOME:-~/.cache}/wherry-tests"
else
    helm() { HOME=$dir/helm timeout 120 "$helm_program" --kubeconfig "$dir/kubeconfig" "$@" > "$dir/helm.log" 2>&1; }
    for version in 1 2; do
        rm -rf "$dir/installer"
        mkdir -p "$dir/installer"
        cp -al "$dir/busybox/." "$dir/installer/"
        make -s install BUILD="$BUILD" DESTDIR="$dir/installer" PREFIX=/wherry > "$dir/make.log" 2>&1
        cp k8s/node/wherry-node "$dir/installer/wherry/bin/"
        [ $version = 1 ] || strip "$dir"/installer/wherry/bin/{wherry,containerd-shim-wherry-v1} # another build, as far as bytes go
        cp "$dir/installer/wherry/bin/wherry" "$dir/wherry.$version"
        image "localhost/wherry-node:$version" "$dir/installer" '{"Env": ["PATH=/bin"]}' || tap_fail "the installer's image" "$(cat "$dir/import.log" "$dir/make.log")"
    done
    cp "$dir/config.toml" "$dir/config.original"
    { # systemd's part
        while :; do
            [ ! -e "$dir/restart" ] || { rm "$dir/restart"; containerd_stop; PATH=$(dirname "$containerd"):$PATH containerd_start; echo "$containerd_pid" > "$dir/containerd.pid"; }
            sleep 0.2
        done
    } > "$dir/manager.log" 2>&1 &
    manager=$!
    cat > "$dir/values.yaml" <<END
image: localhost/wherry-node:1
handler: chart
arguments: ["--prefix", "$dir/prefix", "--config", "$dir/config.toml", "--restart", "touch $dir/restart"]
END
    helm lint k8s/helm/wherry
    ok "chart: helm lint" $? "$(cat "$dir/helm.log")"
    helm template wherry k8s/helm/wherry
    kubectl apply --dry-run=server -f "$dir/helm.log" > "$dir/apply.log" 2>&1
    ok "chart: the API server takes what it renders by default" $? "$(cat "$dir/apply.log")"
    rolled_out() { # of the DaemonSet's present form
        [ "$(kubectl get daemonset wherry-node -o json | jq '.metadata.generation == .status.observedGeneration and .status.updatedNumberScheduled == 1 and .status.numberReady == 1')" = true ]
    }
    state() { kubectl describe pods -l app.kubernetes.io/name=wherry-node | tail -12; kubectl logs -l app.kubernetes.io/name=wherry-node -c change; cat "$dir/helm.log"; }
    helm install wherry k8s/helm/wherry -f "$dir/values.yaml" && until_true 90 rolled_out
    ok "chart: helm install, and its DaemonSet has changed the node" $? "$(state)"
    until_true 30 node_ready
    pod charted chart '{containers: [{name: "c", image: "localhost/hello:1", args: ["--sleep"]}]}' > "$dir/apply.log"
    ready charted > "$dir/wait.log" 2>&1
    ok "chart: a pod of its RuntimeClass runs" $? "$(cat "$dir/wait.log"; kubectl describe pod charted | tail -6)"
    is "chart: which has the overhead" "$(kubectl get pod charted -o 'jsonpath={.spec.overhead.memory}')" 1Mi
    helm upgrade wherry k8s/helm/wherry -f "$dir/values.yaml" --set image=localhost/wherry-node:2 && until_true 90 rolled_out && cmp "$dir/prefix/bin/wherry" "$dir/wherry.2"
    ok "chart: helm upgrade puts the new programs in place" $? "$(state)"
    helm rollback wherry 1 && until_true 90 rolled_out && cmp "$dir/prefix/bin/wherry" "$dir/wherry.1"
    ok "chart: helm rollback the old ones" $? "$(state)"
    like "chart: the pod goes on through both" "$(kubectl exec charted -- /hello.wasm on 2>&1)" 'argument 1: on'
    helm upgrade wherry k8s/helm/wherry -f "$dir/values.yaml" --set action=uninstall && until_true 90 rolled_out && cmp "$dir/config.toml" "$dir/config.original"
    ok "chart: action=uninstall leads back to the old configuration" $? "$(state)"
    until_true 30 node_ready
    is "chart: and leaves the pod running" "$(field charted c .restartCount) $(phase charted)" "0 Running"
    remove charted
    helm uninstall wherry
    ok "chart: helm uninstall" $? "$(cat "$dir/helm.log")"
    no_installer() { [ -z "$(kubectl get pods -l app.kubernetes.io/name=wherry-node -o name)" ]; }
    until_true 60 no_installer
    is "chart: nothing of it is left in the cluster" "$(kubectl get daemonsets,pods,runtimeclasses -o name | grep -E 'wherry-node|charted|/chart$')" ""
    kill $manager
    wait $manager 2> /dev/null
    # from here on it is this shell's child again
    containerd_gone() { ! kill -0 "$(cat "$dir/containerd.pid")"; }
    kill "$(cat "$dir/containerd.pid")" && until_true 20 containerd_gone
    PATH=$(dirname "$containerd"):$PATH containerd_start
    until_true 60 node_ready
fi
