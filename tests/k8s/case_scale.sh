# Many pods: a Deployment scaled up and down, a hundred pods made and deleted, a drain; and the examples of k8s/examples.
kubectl apply -f k8s/examples/deployment.yaml > "$dir/apply.log" 2>&1
ok "the example Deployment is accepted" $? "$(cat "$dir/apply.log")"
available() { [ "$(kubectl get deployment fleet -o 'jsonpath={.status.readyReplicas}')" = "$1" ]; }
gone() { [ -z "$(kubectl get pods -l "$1" -o name)" ]; }
until_true 60 available 1
for count in 50 0; do
    kubectl delete horizontalpodautoscaler fleet > /dev/null 2>&1 # it would scale by itself
    kubectl scale deployment fleet --replicas=$count > /dev/null
    if [ $count = 0 ]; then until_true 120 gone app=fleet; else until_true 240 available $count; fi
    ok "a Deployment of Wasm pods scales to $count" $? "$(kubectl get deployment fleet -o wide; kubectl get pods -l app=fleet | tail -5)"
done
kubectl delete deployment fleet > /dev/null

kubectl apply -f k8s/examples/worker.yaml > "$dir/apply.log" 2>&1
ready worker > "$dir/wait.log" 2>&1
ok "the example worker becomes Ready" $? "$(cat "$dir/wait.log"; kubectl describe pod worker | tail -8)"
remove worker
kubectl apply -f k8s/examples/cronjob.yaml > "$dir/apply.log" 2>&1 && kubectl create job --from=cronjob/every-minute now > "$dir/job.log" 2>&1
kubectl wait --for=condition=complete job/now --timeout=60s > "$dir/wait.log" 2>&1
ok "a Job of the example CronJob completes" $? "$(cat "$dir/job.log" "$dir/wait.log")"
kubectl delete cronjob every-minute > /dev/null
kubectl delete job now > /dev/null

shims_before=$(pgrep -fc "$shim -namespace k8s.io")
for i in $(seq 100); do
    pod "many-$i" wherry '{terminationGracePeriodSeconds: 2, containers: [{name: "c", image: "localhost/hello:1", args: ["--exit", "0"]}]}'
done > "$dir/apply.log"
succeeded() { [ "$(kubectl get pods --field-selector=status.phase=Succeeded -o name | grep -c many-)" = 100 ]; }
until_true 300 succeeded
ok "100 pods run to their end" $? "$(kubectl get pods | grep many- | grep -v Completed | head)"
kubectl get pods -o name | grep many- | xargs "$programs/kubectl" --kubeconfig "$dir/kubeconfig" delete --wait=true --timeout=120s > "$dir/delete.log" 2>&1
ok "and are deleted" $? "$(tail -3 "$dir/delete.log")"
as_before() { [ "$(pgrep -fc "$shim -namespace k8s.io")" = "$shims_before" ]; }
until_true 30 as_before
is "with their shims" "$(pgrep -fc "$shim -namespace k8s.io")" "$shims_before"

pod drained wherry '{containers: [{name: "c", image: "localhost/hello:1", args: ["--sleep"]}]}' > "$dir/apply.log"
ready drained > /dev/null 2>&1
kubectl drain node --force --delete-emptydir-data --ignore-daemonsets --timeout=60s > "$dir/drain.log" 2>&1
ok "drain ends Wasm pods like others" $? "$(tail -3 "$dir/drain.log")"
kubectl uncordon node > /dev/null
