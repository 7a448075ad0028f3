# A pod of an init container, a Wasm container, an ordinary one and a sidecar that is an init container which stays.
pod mixed wherry '{
    initContainers: [
        {name: "first", image: "localhost/busybox:1", command: ["sh", "-c", "echo prepared > /shared/first"], volumeMounts: [{name: "shared", mountPath: "/shared"}]},
        {name: "side", image: "localhost/busybox:1", restartPolicy: "Always", command: ["sh", "-c", "echo beside; exec sleep 1000"]}],
    containers: [
        {name: "wasm", image: "localhost/hello:1", args: ["--stdin"], stdin: true, stdinOnce: true, volumeMounts: [{name: "shared", mountPath: "/shared"}],
         livenessProbe: {exec: {command: ["/hello.wasm", "--read", "/shared/first"]}, periodSeconds: 2}},
        {name: "web", image: "localhost/busybox:1", command: ["sh", "-c", "echo serving; httpd -p 8080 -h /www; trap \"exit 5\" TERM; while :; do sleep 0.1; done"],
         readinessProbe: {httpGet: {path: "/", port: 8080}, periodSeconds: 1}}],
    volumes: [{name: "shared", emptyDir: {}}]}' > "$dir/apply.log"
ready mixed > "$dir/wait.log" 2>&1
ok "a pod of an init container, a module, an ordinary container and a sidecar becomes Ready" $? "$(cat "$dir/wait.log"; kubectl describe pod mixed | tail -20)"
one_shim() { [ "$(pgrep -fc "$shim -namespace k8s.io")" = 1 ]; } # while a probe starts, its worker looks like a second one
until_true 10 one_shim
ok "one shim serves it" $? "$(pgrep -fa "$shim -namespace k8s.io")"
like "logs of the ordinary container" "$(kubectl logs mixed -c web 2>&1)" serving
like "logs of the sidecar" "$(kubectl logs mixed -c side 2>&1)" beside
like "exec runs another module with the container's grants" "$(kubectl exec mixed -c wasm -- /hello.wasm --read /shared/first 2>&1)" prepared
like "exec in the ordinary container" "$(kubectl exec mixed -c web -- cat /proc/1/comm 2>&1)" 'sh'
kubectl cp "$dir/kubelet.yaml" mixed:/tmp/file -c web > "$dir/cp.log" 2>&1
is "cp into the ordinary container" "$(cat "$dir/cp.log"; kubectl exec mixed -c web -- cat /tmp/file | cmp - "$dir/kubelet.yaml" 2>&1)" ""
like "attach hands on the input and its end to a module" "$(printf 1234567 | kubectl attach -i mixed -c wasm 2>&1; kubectl logs mixed -c wasm)" 'stdin: 7 bytes, then end of file'
terminated() { [ "$(field mixed wasm .state.terminated.exitCode)" = 0 ]; }
until_true 20 terminated
is "the module's end leaves the others alone" "$(field mixed web .ready) $(field mixed web .restartCount)" "true 0"
remove mixed
ok "the pod is deleted" $? "$(cat "$dir/delete.log")"
