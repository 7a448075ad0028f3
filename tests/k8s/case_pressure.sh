# Figures of pods as the kubelet sees them, beside those of the kernel, and what it does with them when the node's memory is short.
pressure_pod() { # KIND: a pod that has 48 MiB of memory touched; more than it asks for
    local asks='resources: {requests: {memory: "16Mi"}}'
    if [ "$1" = wasm ]; then
        pod "heavy-wasm" wherry "{containers: [{name: \"c\", image: \"localhost/hello:1\", args: [\"--keep\", \"48\"], $asks}]}"
    else
        pod "heavy-$1" "$1" "{containers: [{name: \"c\", image: \"localhost/busybox:1\", command: [\"sh\", \"-c\", \"head -c 50331648 /dev/zero > /dev/shm/x; sleep 100000\"], $asks}]}"
    fi > "$dir/apply.log"
}
figure() { kubectl get --raw /api/v1/nodes/node/proxy/stats/summary | jq -r --arg pod "$1" "[.pods[] | select(.podRef.name == \$pod)][0] | $2 // 0"; }
has_figures() { [ "$(figure "$1" '.containers[0].memory.workingSetBytes')" -gt $((48 << 20)) ] && [ "$(figure "$1" '.containers[0].rootfs.usedBytes')" -gt 0 ]; }
# the kernel's own, of the container's cgroup: usage without file pages that nobody uses
kernel_working_set() {
    local cgroup
    cgroup=$(find $(node_cgroups) -type d -path "*$(field "$1" c .containerID | sed 's,.*//,,')" \( -path '*/memory/*' -o -path '/sys/fs/cgroup/wherry*' \) | head -1)
    echo $(($(cat "$cgroup"/memory.usage_in_bytes "$cgroup"/memory.current 2> /dev/null) - $(sed -n 's/^total_inactive_file //p; s/^inactive_file //p' "$cgroup/memory.stat" | tail -1)))
}
for kind in $HANDLERS wasm; do pressure_pod $kind; done
for kind in $HANDLERS wasm; do
    name=heavy-$kind
    ready "$name" > /dev/null 2>&1
    until_true 60 has_figures "$name"
    told=$(figure "$name" '.containers[0].memory.workingSetBytes') real=$(kernel_working_set "$name")
    [ "$told" -gt $((48 << 20)) ] && [ $((told > real ? told - real : real - told)) -lt $((4 << 20)) ]
    ok "$kind: memory in the kubelet's statistics is the cgroup's" $? "told $told, kernel $real"
    sum_has_it() { [ "$(figure "$name" .memory.workingSetBytes)" -gt $((48 << 20)) ]; }
    until_true 30 sum_has_it
    ok "$kind: and in the pod's sum" $? "$(figure "$name" .memory.workingSetBytes)"
    like "$kind: CPU time" "$(figure "$name" '.containers[0].cpu.usageCoreNanoSeconds')" '^[1-9]'
    like "$kind: what its root file system takes" "$(figure "$name" '.containers[0].rootfs.usedBytes')" '^[1-9]'
    like "$kind: the resource metrics that kubectl top reads" "$(kubectl get --raw /api/v1/nodes/node/proxy/metrics/resource | grep "^container_memory_working_set_bytes{.*pod=\"$name\"")" ' [1-9]'
    like "$kind: and CPU" "$(kubectl get --raw /api/v1/nodes/node/proxy/metrics/resource | grep "^container_cpu_usage_seconds_total{.*pod=\"$name\"")" 'container="c"'
    [ "$kind" = wasm ] || remove "$name"
done

# a kubelet for which memory is always short: the pod that takes most beyond what it asked for goes first
pod light-wasm wherry '{containers: [{name: "c", image: "localhost/hello:1", args: ["--sleep"], resources: {requests: {memory: "16Mi"}}}]}' > "$dir/apply.log"
ready light-wasm > /dev/null 2>&1
kill "$pid_kubelet" && wait "$pid_kubelet" 2> /dev/null
EVICTION_MEMORY=99% node_kubelet
until_true 90 ended heavy-wasm
is "wasm: eviction when the node is short of memory" "$(kubectl get pod heavy-wasm -o 'jsonpath={.status.phase} {.status.reason}')" "Failed Evicted"
like "wasm: which says what it took" "$(kubectl get pod heavy-wasm -o 'jsonpath={.status.message}')" 'low on resource: memory.*was using [4-9][0-9]*Ki'
is "wasm: before one that stays within its request" "$(kubectl get events --field-selector reason=Evicted -o json | jq -r '[.items | sort_by(.firstTimestamp) | .[].involvedObject.name] | first')" heavy-wasm
kill "$pid_kubelet" && wait "$pid_kubelet" 2> /dev/null
node_kubelet
no_pressure() { [ "$(kubectl get node node -o 'jsonpath={.spec.taints}')" = "" ]; }
until_true 400 no_pressure
remove heavy-wasm light-wasm
