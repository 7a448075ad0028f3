# securityContext and the namespaces a pod shares, native and Wasm.
context() { # NAME HANDLER IMAGE ARGS CONTAINER-JSON [POD-JSON]
    pod "$1" "$2" "$(jq -nc --arg image "localhost/$3:1" --argjson args "$4" --argjson container "$5" --argjson pod "${6:-{\}}" '
        $pod + {containers: [{name: "c", image: $image, args: $args} + $container]}')" > "$dir/apply.log"
    until_true 30 ended "$1"
    kubectl logs "$1" 2>&1
}
for handler in $HANDLERS; do
    like "$handler: runAsUser" "$(context "user-$handler" "$handler" busybox '["id"]' '{"securityContext": {"runAsUser": 1000, "runAsGroup": 1000}}')" 'uid=1000 gid=1000'
    like "$handler: readOnlyRootFilesystem" "$(context "readonly-$handler" "$handler" busybox '["sh", "-c", "echo x > /tmp/x"]' '{"securityContext": {"readOnlyRootFilesystem": true}}')" 'Read-only file system'
    like "$handler: capabilities" "$(context "caps-$handler" "$handler" busybox '["grep", "CapEff", "/proc/self/status"]' '{"securityContext": {"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}}')" '0000000000000400'
    like "$handler: seccomp RuntimeDefault" "$(context "seccomp-$handler" "$handler" busybox '["grep", "Seccomp:", "/proc/self/status"]' '{"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}}')" '2'
    like "$handler: shareProcessNamespace" "$(context "share-$handler" "$handler" busybox '["ps"]' '{}' '{"shareProcessNamespace": true}')" '1 .*\(pause\|sleep\)'
    like "$handler: hostNetwork" "$(context "hostnet-$handler" "$handler" busybox '["ip", "addr"]' '{}' '{"hostNetwork": true}')" node0
    like "$handler: hostPID" "$(context "hostpid-$handler" "$handler" busybox '["ps"]' '{}' '{"hostPID": true}')" 'kube-apiserver'
done
like "wasm: readOnlyRootFilesystem" "$(context readonly-wasm wherry hello '["--write", "/tmp/x", "text"]' '{"securityContext": {"readOnlyRootFilesystem": true}}')" 'Read-only file system'
like "wasm: seccomp RuntimeDefault and a user without rights" "$(context seccomp-wasm wherry hello '["given"]' '{"securityContext": {"runAsUser": 1000, "runAsNonRoot": true, "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}}}')" 'argument 1: given'
like "wasm: shareProcessNamespace" "$(context share-wasm wherry hello '["shared"]' '{}' '{"shareProcessNamespace": true}')" 'argument 1: shared'

# a seccomp profile of the node: every call but one
mkdir -p /var/lib/kubelet/seccomp
echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}' > /var/lib/kubelet/seccomp/no-directories.json
localhost='{"securityContext": {"seccompProfile": {"type": "Localhost", "localhostProfile": "no-directories.json"}}}'
for handler in $HANDLERS; do
    like "$handler: seccomp Localhost" "$(context "localhost-$handler" "$handler" busybox '["mkdir", "/tmp/new"]' "$localhost")" 'not supported'
done
like "wasm: seccomp Localhost" "$(context localhost-wasm wherry hello '["allowed"]' "$localhost")" 'argument 1: allowed'
# bookworm's runc has no user namespaces to offer to Kubernetes
for handler in wherry sandbox; do
    like "$handler: hostUsers: false" "$(context "users-$handler" "$handler" busybox '["cat", "/proc/self/uid_map"]' '{}' '{"hostUsers": false}')" ' 65536$'
done
like "wasm: hostUsers: false" "$(context users-wasm wherry hello '["mapped"]' '{}' '{"hostUsers": false}')" 'argument 1: mapped'
