# Pods that the shim makes by itself (containerd's sandboxer "shim"): no pause container, and what containers of a pod share.
pod bare sandbox '{hostname: "named", containers: [
    {name: "wasm", image: "localhost/hello:1", args: ["--sleep"]},
    {name: "web", image: "localhost/busybox:1", command: ["sh", "-c", "echo from-web > /dev/shm/word; httpd -p 8080 -h /www; exec sleep 1000"]},
    {name: "other", image: "localhost/busybox:1", args: ["sleep", "1000"]}]}' > "$dir/apply.log"
ready bare > "$dir/wait.log" 2>&1
ok "sandbox: a pod of a module and two ordinary containers becomes Ready" $? "$(cat "$dir/wait.log"; kubectl describe pod bare | tail -8)"
cgroup_of_pod() { find "$(node_cgroups | head -1)" -type d -name "pod$(kubectl get pod "$1" -o 'jsonpath={.metadata.uid}')"; }
is "sandbox: its cgroup has its containers, and no pause" "$(find "$(cgroup_of_pod bare)" -mindepth 1 -type d | wc -l) $(find "$(cgroup_of_pod bare)" -name cgroup.procs -exec cat {} + | wc -l)" "3 4"
like "sandbox: containers share the network" "$(kubectl exec bare -c other -- wget -q -O - http://127.0.0.1:8080/ 2>&1)" welcome
is "sandbox: and /dev/shm" "$(kubectl exec bare -c other -- cat /dev/shm/word 2>&1)" from-web
is "sandbox: and the host name" "$(kubectl exec bare -c other -- sh -c 'hostname; cat /etc/hostname' 2>&1 | tr '\n' ' ')" "named named "
is "sandbox: and the IPC namespace, which is not the host's" "$(for c in web other; do kubectl exec bare -c $c -- readlink /proc/self/ns/ipc; done | sort -u | grep -vc "$(readlink /proc/self/ns/ipc | tr -d '[]')")" 1
like "sandbox: resolv.conf is the cluster's" "$(kubectl exec bare -c other -- cat /etc/resolv.conf 2>&1)" 'nameserver 10.96.0.10'
like "sandbox: a module reads it too" "$(kubectl exec bare -c wasm -- /hello.wasm --read /etc/resolv.conf 2>&1)" 'nameserver'
remove bare
no_sandbox_shim() { ! pgrep -f "$shim -namespace k8s.io"; }
until_true 20 no_sandbox_shim
is "sandbox: nothing is left of it" "$(pgrep -fa "$shim -namespace k8s.io"; grep 'sandbox.controller' /proc/self/mountinfo)" ""

# a PID namespace lives as long as its init: such a pod has a process of its own
pod shared sandbox '{shareProcessNamespace: true, containers: [
    {name: "wasm", image: "localhost/hello:1", args: ["--sleep"]}, {name: "other", image: "localhost/busybox:1", args: ["sleep", "1000"]}]}' > "$dir/apply.log"
ready shared > "$dir/wait.log" 2>&1
like "sandbox: a shared PID namespace has the shim's program as its init" "$(kubectl exec shared -c other -- ps 2>&1)" ' 1 .*/pause pause'
like "sandbox: and the module's process in it" "$(kubectl exec shared -c other -- ps 2>&1)" 'hello.wasm'
remove shared

# containerd killed under such a pod; its shim killed
pod stays sandbox '{restartPolicy: "Always", containers: [{name: "c", image: "localhost/hello:1", args: ["--sleep"]}]}' > "$dir/apply.log"
ready stays > /dev/null 2>&1
containerd_kill
PATH=$(dirname "$containerd"):$PATH containerd_start > "$dir/restart.log" 2>&1
until_true 60 node_ready
sleep 3
like "sandbox: a pod outlives containerd" "$(kubectl exec stays -- /hello.wasm again 2>&1)" 'argument 1: again'
is "sandbox: without a restart" "$(field stays c .restartCount)" 0
kill -9 "$(pgrep -f "$shim -namespace k8s.io" | head -1)"
stays_again() { [ "$(field stays c .ready)" = true ] && [ "$(field stays c .restartCount)" -ge 1 ]; }
until_true 90 stays_again
ok "sandbox: a killed shim is noticed, and its pod made anew" $? "$(kubectl describe pod stays | tail -12)"
remove stays
none_stays() { ! pgrep -f 'hello.wasm --sleep'; }
until_true 30 none_stays
is "sandbox: and nothing of the dead shim's pod is left" "$(pgrep -fa 'hello.wasm --sleep'; grep 'sandbox.controller' /proc/self/mountinfo)" ""
