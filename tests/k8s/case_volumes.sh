# Volumes of every kind, in a native and in a Wasm container: what a module reads and writes is what the pod grants.
kubectl apply -f - > "$dir/apply.log" 2>&1 <<'END'
{apiVersion: v1, kind: Secret, metadata: {name: word}, stringData: {password: hush}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {colour: blue, sub: part}}
END
volumes='[{"name": "secret", "secret": {"secretName": "word"}}, {"name": "settings", "configMap": {"name": "settings"}},
    {"name": "memory", "emptyDir": {"medium": "Memory"}}, {"name": "scratch", "emptyDir": {}},
    {"name": "projected", "projected": {"sources": [{"configMap": {"name": "settings"}}, {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}}]}}]'
mounts='[{"name": "secret", "mountPath": "/secret", "readOnly": true}, {"name": "settings", "mountPath": "/settings"},
    {"name": "memory", "mountPath": "/memory"}, {"name": "scratch", "mountPath": "/scratch"}, {"name": "projected", "mountPath": "/projected"},
    {"name": "scratch", "mountPath": "/read-only", "readOnly": true}, {"name": "settings", "mountPath": "/etc/part", "subPath": "sub"}]'
for kind in $HANDLERS wasm; do
    if [ $kind = wasm ]; then name=hello args='["--sleep"]' handler=wherry; else name=busybox args='["sleep", "1000"]' handler=$kind; fi
    pod "volumes-$kind" $handler "$(jq -nc --arg image "localhost/$name:1" --argjson args "$args" --argjson volumes "$volumes" --argjson mounts "$mounts" '
        {volumes: $volumes, containers: [{name: "c", image: $image, args: $args, volumeMounts: $mounts}]}')" > "$dir/apply.log"
done
for kind in $HANDLERS wasm; do
    ready "volumes-$kind" > "$dir/wait.log" 2>&1
    ok "$kind: a pod with volumes of every kind" $? "$(cat "$dir/wait.log"; kubectl describe pod "volumes-$kind" | tail -8)"
    if [ $kind = wasm ]; then
        reads() { kubectl exec "volumes-wasm" -- /hello.wasm --read "$1" 2>&1; }
        writes() { kubectl exec "volumes-wasm" -- /hello.wasm --write "$1" text 2>&1; }
    else
        reads() { kubectl exec "volumes-$kind" -- cat "$1" 2>&1; }
        writes() { kubectl exec "volumes-$kind" -- sh -c "echo text > $1 && echo wrote" 2>&1; }
    fi
    like "$kind: secret" "$(reads /secret/password)" hush
    like "$kind: config map" "$(reads /settings/colour)" blue
    like "$kind: projected, downward API" "$(reads /projected/name)" "volumes-$kind"
    like "$kind: subPath of one file" "$(reads /etc/part)" part
    like "$kind: emptyDir in memory is writable" "$(writes /memory/file)" wrote
    like "$kind: emptyDir on disk is writable" "$(writes /scratch/file)" wrote
    like "$kind: and seen through another mount of it" "$(reads /read-only/file)" text
    like "$kind: which is read-only" "$(writes /read-only/file)" 'Read-only file system'
    like "$kind: a secret is read-only" "$(writes /secret/password)" 'Read-only file system'
done

# recursively read-only: a mount below the volume is too
mkdir -p "$dir/tree/below" && mount -t tmpfs tmpfs "$dir/tree/below"
recursive() { # NAME IMAGE ARGS
    pod "$1" wherry "$(jq -nc --arg image "localhost/$2:1" --argjson args "$3" --arg path "$dir/tree" '
        {volumes: [{name: "tree", hostPath: {path: $path}}],
         containers: [{name: "c", image: $image, args: $args, volumeMounts: [{name: "tree", mountPath: "/tree", readOnly: true, recursiveReadOnly: "Enabled"}]}]}')" > "$dir/apply.log"
    until_true 30 ended "$1"
    kubectl logs "$1" 2>&1
}
like "wherry: recursive read-only mounts" "$(recursive recursive-wherry busybox '["sh", "-c", "echo x > /tree/below/file"]')" 'Read-only file system'
# a module reaches no mount below a volume: paths are resolved inside one grant
like "wasm: recursive read-only mounts" "$(recursive recursive-wasm hello '["--write", "/tree/below/file", "x"]')" 'Operation not permitted'
remove recursive-wherry recursive-wasm
umount "$dir/tree/below"

# the kubelet watches how full a volume is, whoever fills it
filled() { # KIND HANDLER CONTAINER-JSON COMMAND FIRST [LAST]: a pod, and what becomes of it when
           # COMMAND FIRST /small/N LAST has written more than fits
    local name=full-$1
    pod "$name" "$2" "$(jq -nc --argjson container "$3" '{volumes: [{name: "small", emptyDir: {sizeLimit: "16Ki"}}],
        containers: [$container + {name: "c", volumeMounts: [{name: "small", mountPath: "/small"}]}]}')" > "$dir/apply.log"
    ready "$name" > "$dir/wait.log" 2>&1
    local i
    for i in 1 2 3 4 5 6; do kubectl exec "$name" -- "${@:4:2}" "/small/$i" "${@:6}" > "$dir/exec.log" 2>&1; done
    until_true 60 ended "$name"
    kubectl get pod "$name" -o 'jsonpath={.status.phase} {.status.reason}'
    remove "$name"
}
text=$(head -c 4000 /dev/zero | tr '\0' x)
is "wherry: eviction over a volume's size limit" "$(filled wherry wherry '{"image": "localhost/busybox:1", "args": ["sleep", "1000"]}' cp /bin/busybox)" "Failed Evicted"
is "wasm: eviction over a volume's size limit" "$(filled wasm wherry '{"image": "localhost/hello:1", "args": ["--sleep"]}' /hello.wasm --write "$text")" "Failed Evicted"
