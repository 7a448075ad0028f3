# What kubectl does with a running container, the same for every kind: KIND is a runtime class with an ordinary container, or wasm.
# tests/k8s/table.awk makes the table in docs/kubernetes.md of the names.
verbs_pod() { # KIND: a pod that serves on port 8080, with three kinds of probe and limits
    local probes='readinessProbe: {httpGet: {path: "/", port: 8080}, periodSeconds: 1}, livenessProbe: {tcpSocket: {port: 8080}, periodSeconds: 2}'
    local limits='resources: {limits: {memory: "64Mi", cpu: "500m"}}'
    if [ "$1" = wasm ]; then
        pod verbs-wasm wherry "{annotations: {\"wherry.wasm.listen\": \"8080\"}, containers: [{name: \"c\", image: \"localhost/hello:1\", command: [\"/serve.wasm\"],
            startupProbe: {exec: {command: [\"/hello.wasm\"]}, periodSeconds: 1}, $probes, $limits}]}"
    else
        pod "verbs-$1" "$1" "{containers: [{name: \"c\", image: \"localhost/busybox:1\", command: [\"sh\", \"-c\", \"echo serving; httpd -p 8080 -h /www; trap 'exit 143' TERM; while :; do sleep 0.1; done\"],
            startupProbe: {exec: {command: [\"true\"]}, periodSeconds: 1}, $probes, $limits}]}"
    fi
}
statistics() { kubectl get --raw /api/v1/nodes/node/proxy/stats/summary | jq -r --arg pod "$1" ".pods[] | select(.podRef.name == \$pod) | .containers[0] | $2"; }
has_statistics() { [ "$(statistics "$1" .memory.workingSetBytes)" != null ] && [ -n "$(statistics "$1" .memory.workingSetBytes)" ]; }
limit_file() { find $(node_cgroups) -path "*$(field "$1" c .containerID | sed 's,.*//,,')*" \( -name memory.limit_in_bytes -o -name memory.max \) | head -1; }
resized() { [ "$(cat "$(limit_file "$1")")" = $((96 << 20)) ]; }
debugged() { kubectl logs "$1" -c debugger 2>&1 | grep -q examined; }

# in POD CONTAINER-KIND VERB...: what `kubectl exec` runs there for the same purpose
verbs_of() {
    local kind=$1 name=verbs-$1 port=$2 say count leave began
    if [ "$kind" = wasm ]; then
        say=(/hello.wasm said) count=(/hello.wasm --stdin) leave=(/hello.wasm --exit 7)
    else
        say=(echo said) count=(sh -c 'wc -c; echo end of file') leave=(sh -c 'exit 7')
    fi
    ready "$name" > "$dir/wait.log" 2>&1
    ok "$kind: exec, HTTP and TCP probes" $? "$(cat "$dir/wait.log"; kubectl describe pod "$name" | tail -8)"
    like "$kind: logs" "$(kubectl logs "$name" 2>&1)" serving
    like "$kind: exec" "$(kubectl exec "$name" -- "${say[@]}" 2>&1)" said
    like "$kind: exec, input and its end" "$(printf 12345 | kubectl exec -i "$name" -- "${count[@]}" 2>&1 | tr '\n' ' ')" '5.*end of file'
    like "$kind: exec, exit code" "$(kubectl exec "$name" -- "${leave[@]}" 2>&1)" 'exit code 7'
    like "$kind: describe" "$(kubectl describe pod "$name")" 'Started container c\|Container started'
    is "$kind: service at the pod's address" "$(busybox wget -q -O - "http://$(kubectl get pod "$name" -o 'jsonpath={.status.podIP}'):8080/" 2>&1 | wc -w)" "$([ "$kind" = wasm ] && echo 4 || echo 1)"
    kubectl port-forward "pod/$name" "$port:8080" > "$dir/forward-$kind.log" 2>&1 &
    local forward=$!
    until_true 10 grep -q Forwarding "$dir/forward-$kind.log"
    busybox wget -q -O - "http://127.0.0.1:$port/" > "$dir/answer" 2>&1
    ok "$kind: port-forward" $? "$(cat "$dir/answer" "$dir/forward-$kind.log")"
    kill $forward
    wait $forward 2> /dev/null
    until_true 30 has_statistics "$name"
    like "$kind: statistics, memory" "$(statistics "$name" .memory.workingSetBytes)" '^[1-9]'
    like "$kind: statistics, CPU" "$(statistics "$name" .cpu.usageCoreNanoSeconds)" '^[1-9]'
    is "$kind: memory limit in the cgroup" "$(cat "$(limit_file "$name")")" $((64 << 20))
    kubectl patch pod "$name" --subresource resize --patch '{"spec": {"containers": [{"name": "c", "resources": {"limits": {"memory": "96Mi"}, "requests": {"memory": "96Mi"}}}]}}' > "$dir/resize.log" 2>&1
    until_true 30 resized "$name"
    is "$kind: in-place resize" "$(cat "$(limit_file "$name")") $(field "$name" c .restartCount)" "$((96 << 20)) 0"
    kubectl debug "$name" --image=localhost/busybox:1 --target=c --container=debugger -- sh -c 'ps; echo examined' > "$dir/debug.log" 2>&1
    until_true 20 debugged "$name"
    like "$kind: ephemeral debug container, in its process namespace" "$(kubectl logs "$name" -c debugger 2>&1)" "$([ "$kind" = wasm ] && echo serve || echo httpd)"
    began=$SECONDS
    kubectl delete pod "$name" --wait=true > "$dir/delete.log" 2>&1
    [ $((SECONDS - began)) -lt 9 ]
    ok "$kind: stop within the grace period" $? "$(cat "$dir/delete.log")"
}
for kind in $HANDLERS wasm; do verbs_pod $kind > "$dir/apply.log"; done
port=18080
for kind in $HANDLERS wasm; do verbs_of $kind $((port++)); done
like "wasm: exec of a native program that the image has not: one sentence" "$(pod verbs-shell wherry '{containers: [{name: "c", image: "localhost/hello:1", args: ["--sleep"]}]}' > /dev/null; ready verbs-shell > /dev/null 2>&1; kubectl exec verbs-shell -- /bin/sh 2>&1)" 'no such file'
like "wasm: cp needs tar in the image, and says so" "$(kubectl cp "$dir/kubelet.yaml" verbs-shell:/tmp/file 2>&1)" 'tar'
remove verbs-shell
