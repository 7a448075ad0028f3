# A pod of an init container, a Wasm container and a native sidecar, and what kubectl does with it.
pod mixed wherry '{
    initContainers: [{name: "first", image: "localhost/busybox:1", command: ["sh", "-c", "echo prepared > /shared/first"],
                      volumeMounts: [{name: "shared", mountPath: "/shared"}]}],
    containers: [
        {name: "wasm", image: "localhost/hello:1", args: ["--sleep"], volumeMounts: [{name: "shared", mountPath: "/shared"}],
         resources: {limits: {memory: "64Mi", cpu: "500m"}},
         livenessProbe: {exec: {command: ["/hello.wasm", "--read", "/shared/first"]}, periodSeconds: 2}},
        {name: "web", image: "localhost/busybox:1", command: ["sh", "-c", "echo serving; trap \"exit 5\" TERM; httpd -p 8080 -h /www; while :; do sleep 0.1; done"],
         readinessProbe: {httpGet: {path: "/", port: 8080}, periodSeconds: 1}, livenessProbe: {tcpSocket: {port: 8080}, periodSeconds: 2}}],
    volumes: [{name: "shared", emptyDir: {}}]}' > "$dir/apply.log"
ready mixed > "$dir/wait.log" 2>&1
ok "a pod of an init container, a Wasm container and a sidecar becomes Ready" $? "$(cat "$dir/wait.log"; kubectl describe pod mixed | tail -20)"
like "logs of the sidecar" "$(kubectl logs mixed -c web 2>&1)" serving
like "exec runs another module with the container's grants" "$(kubectl exec mixed -c wasm -- /hello.wasm --read /shared/first 2>&1)" prepared
like "exec of a native program that the image has not: one sentence" "$(kubectl exec mixed -c wasm -- /bin/sh 2>&1)" 'no such file'
like "exec in the sidecar" "$(kubectl exec mixed -c web -- cat /proc/1/comm 2>&1)" 'sh'
is "exec hands on the input" "$(echo through | kubectl exec -i mixed -c web -- cat 2>&1)" through
like "exec hands on the input of a module" "$(printf 12345 | kubectl exec -i mixed -c wasm -- /hello.wasm --stdin 2>&1)" 'stdin: 5 bytes'
kubectl exec mixed -c wasm -- /hello.wasm --exit 7 > /dev/null 2> "$dir/exec.log"
like "exec hands on the exit code" "$(cat "$dir/exec.log")" 'exit code 7'
like "describe says what happened" "$(kubectl describe pod mixed)" 'Started container wasm\|Container started'
like "cp needs tar in the image, and says so" "$(kubectl cp "$dir/kubelet.yaml" mixed:/tmp/file -c wasm 2>&1)" '"\?tar"\?'
kubectl cp "$dir/kubelet.yaml" mixed:/tmp/file -c web > "$dir/cp.log" 2>&1
is "cp into the sidecar" "$(cat "$dir/cp.log"; kubectl exec mixed -c web -- cat /tmp/file | cmp - "$dir/kubelet.yaml" 2>&1)" ""
kubectl port-forward pod/mixed 18080:8080 > "$dir/forward.log" 2>&1 &
forward=$!
until_true 10 grep -q Forwarding "$dir/forward.log"
like "port-forward reaches the sidecar" "$(busybox wget -q -O - http://127.0.0.1:18080/ 2>&1)" welcome
kill $forward
wait $forward 2> /dev/null
statistics() { kubectl get --raw /api/v1/nodes/node/proxy/stats/summary | jq -r '.pods[] | select(.podRef.name == "mixed") | .containers[] | select(.name == "'"$1"'") | '"$2"; }
until_true 30 sh -c "[ -n '$(statistics wasm .memory.workingSetBytes)' ]"
like "the node's statistics have the Wasm container's memory" "$(statistics wasm .memory.workingSetBytes)" '^[1-9]'
like "and its CPU time" "$(statistics wasm .cpu.usageCoreNanoSeconds)" '^[1-9]'
is "probes keep it running, nothing has restarted" "$(kubectl get pod mixed -o json | jq -c '[.status.containerStatuses[].restartCount]')" '[0,0]'

limit_file() { find $(node_cgroups) \( -path "*$(field mixed wasm .containerID | sed 's,.*//,,')*" \) \( -name memory.limit_in_bytes -o -name memory.max \) | head -1; }
is "the memory limit is the cgroup's" "$(cat "$(limit_file)")" $((64 << 20))
kubectl patch pod mixed --subresource resize --patch '{"spec": {"containers": [{"name": "wasm", "resources": {"limits": {"memory": "96Mi"}, "requests": {"memory": "96Mi"}}}]}}' > "$dir/resize.log" 2>&1
ok "in-place resize is accepted" $? "$(cat "$dir/resize.log")"
resized() { [ "$(cat "$(limit_file)")" = $((96 << 20)) ]; }
until_true 30 resized
is "and reaches the running Wasm container" "$(cat "$(limit_file)") $(field mixed wasm .restartCount)" "$((96 << 20)) 0"

kubectl debug mixed --image=localhost/busybox:1 --target=wasm --container=debugger -- sh -c 'ps; echo examined' > "$dir/debug.log" 2>&1
until_true 20 sh -c "kubectl --kubeconfig '$dir/kubeconfig' logs mixed -c debugger | grep -q examined" || sleep 3
like "an ephemeral debug container joins the pod" "$(kubectl logs mixed -c debugger 2>&1)" examined
like "and sees the Wasm container's process" "$(kubectl logs mixed -c debugger 2>&1)" 'hello'

began=$SECONDS
kubectl delete pod mixed --wait=true > "$dir/delete.log" 2>&1
[ $((SECONDS - began)) -lt 9 ]
ok "the pod ends within its grace period" $? "$(cat "$dir/delete.log")"

# attach, and a sidecar that is an init container which stays
pod attached wherry '{
    initContainers: [{name: "side", image: "localhost/busybox:1", restartPolicy: "Always", command: ["sh", "-c", "echo beside; exec sleep 1000"]}],
    containers: [{name: "c", image: "localhost/hello:1", args: ["--stdin"], stdin: true, stdinOnce: true}]}' > "$dir/apply.log"
until_true 30 phase_is attached Running
like "attach hands on the input and its end to a module" "$(printf 1234567 | kubectl attach -i attached -c c 2>&1; kubectl logs attached -c c)" 'stdin: 7 bytes, then end of file'
until_true 30 ended attached
is "a native sidecar (an init container that stays) does not keep the pod from ending" "$(phase attached)" Succeeded
like "and ran beside it" "$(kubectl logs attached -c side 2>&1)" beside
remove attached
