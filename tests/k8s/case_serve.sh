# A module that serves: a listening socket by annotation, reached through the pod's address, by probes and by port-forward.
pod serve wherry '{annotations: {"wherry.wasm.listen": "8080"},
    containers: [{name: "c", image: "localhost/hello:1", command: ["/serve.wasm"], ports: [{containerPort: 8080}],
                  readinessProbe: {httpGet: {path: "/", port: 8080}, periodSeconds: 1}, livenessProbe: {tcpSocket: {port: 8080}, periodSeconds: 2},
                  startupProbe: {httpGet: {path: "/", port: 8080}, periodSeconds: 1}}]}' > "$dir/apply.log"
ready serve > "$dir/wait.log" 2>&1
ok "a module with HTTP and TCP probes becomes Ready" $? "$(cat "$dir/wait.log"; kubectl describe pod serve | tail -8)"
is "it answers at the pod's address" "$(busybox wget -q -O - "http://$(kubectl get pod serve -o 'jsonpath={.status.podIP}'):8080/" 2>&1)" "served by a Wasm"
kubectl port-forward pod/serve 18081:8080 > "$dir/forward.log" 2>&1 &
forward=$!
until_true 10 grep -q Forwarding "$dir/forward.log"
is "and through port-forward" "$(busybox wget -q -O - http://127.0.0.1:18081/ 2>&1)" "served by a Wasm"
kill $forward
wait $forward 2> /dev/null
is "without a restart" "$(field serve c .restartCount)" 0
pod closed wherry '{containers: [{name: "c", image: "localhost/hello:1", command: ["/serve.wasm"]}]}' > "$dir/apply.log"
until_true 30 ended closed
is "without the annotation it is granted no socket" "$(kubectl logs closed 2>&1)" "serve: no socket to listen on was granted"
remove serve closed
