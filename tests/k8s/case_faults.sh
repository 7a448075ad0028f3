# What dies and comes back: containerd, the kubelet, a shim. Wasm and ordinary pods run on, or are reported and restarted.
for i in $(seq 20); do
    case $((i % 2)) in
    0) pod "stays-$i" wherry '{containers: [{name: "c", image: "localhost/hello:1", args: ["--sleep"]}]}' ;;
    1) pod "stays-$i" wherry '{containers: [{name: "c", image: "localhost/busybox:1", args: ["sleep", "100000"]}]}' ;;
    esac
done > "$dir/apply.log"
running() { [ "$(kubectl get pods --field-selector=status.phase=Running -o name | grep -c stays-)" = 20 ]; }
until_true 120 running
ok "20 pods, half of them Wasm, run" $? "$(kubectl get pods | tail -25)"
pids() { ctr task ls 2> /dev/null | awk '$3 == "RUNNING" { print $1, $2 }' | sort; }
before=$(pids)
containerd_kill
PATH=$(dirname "$containerd"):$PATH containerd_start > "$dir/restart.log" 2>&1
ok "containerd, killed, starts again" $? "$(cat "$dir/restart.log")"
is "every task is the same process" "$(pids)" "$before"
kill -9 $pid_kubelet
wait $pid_kubelet 2> /dev/null
node_kubelet
ok "the kubelet, killed, is Ready again" $?
sleep 3
is "no pod was lost or restarted" "$(kubectl get pods -o json | jq '[.items[] | select(.metadata.name | startswith("stays-")) | .status | select(.phase == "Running") | .containerStatuses[0].restartCount] | length, add' | tr '\n' ' ')" "20 0 "
like "exec goes on working" "$(kubectl exec stays-2 -- /hello.wasm again 2>&1)" 'argument 1: again'
kubectl get pods -o name | grep stays- | xargs "$programs/kubectl" --kubeconfig "$dir/kubeconfig" delete --wait=true --timeout=120s --grace-period=1 > "$dir/delete.log" 2>&1

pod revived wherry '{restartPolicy: "Always", containers: [{name: "c", image: "localhost/hello:1", args: ["--sleep"]}]}' > "$dir/apply.log"
ready revived > /dev/null 2>&1
shim_pid=$(pgrep -f "$shim -namespace k8s.io" | head -1)
kill -9 "$shim_pid"
again() { [ "$(field revived c .restartCount)" -ge 1 ] && [ "$(field revived c .ready)" = true ]; }
until_true 90 again
ok "a killed shim is noticed, and its pod's containers are restarted" $? "$(kubectl describe pod revived | tail -12)"
remove revived
none_sleeps() { ! pgrep -f 'hello.wasm --sleep'; }
until_true 30 none_sleeps
is "and nothing of the dead shim's containers is left" "$(pgrep -fa 'hello.wasm --sleep')" ""
