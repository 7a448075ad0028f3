#!/bin/bash
# tests/bench/pods.sh: how long a pod takes on a real node, from the object in the API to Ready, by runtime: wherry with an ordinary
# container, wherry with a module, runc; one pod at a time, interleaved, ROUNDS times. Where the time goes is read from
# containerd's log: sandbox, create and start of the container; the rest is the kubelet's, the scheduler's and the API server's. Then
# what PODS idle ones keep in memory.
cd "$(dirname "$0")/../.." || exit 1
title="pod starts"
. tests/k8s/setup.sh
rounds=${ROUNDS:-15}
echo "# pods on Kubernetes $("$programs/kubelet" --version | awk '{print $2}'), containerd $("$containerd" --version | awk '{print $3}'), load $(cut -d' ' -f1 /proc/loadavg)"
# one line a change of a pod: when, which, Ready or not; the first is its creation
"$programs/kubectl" --kubeconfig "$dir/kubeconfig" get pods -w --no-headers \
    -o 'custom-columns=NAME:.metadata.name,READY:.status.conditions[?(@.type=="Ready")].status' 2> /dev/null |
    while read -r name ready; do echo "$EPOCHREALTIME $name $ready"; done > "$dir/changes" &
watcher=$!
seen_ready() { grep -q " $1 True" "$dir/changes"; }
for round in $(seq 0 "$rounds"); do # round 0 warms caches and does not count
    for case in $HANDLERS wasm; do
        case $case in
        wasm) handler=wherry container='{name: "c", image: "localhost/hello:1", args: ["--sleep"]}' ;;
        *) handler=$case container='{name: "c", image: "localhost/busybox:1", args: ["sleep", "1000"]}' ;;
        esac
        pod "$case-$round" "$handler" "{terminationGracePeriodSeconds: 1, containers: [$container]}" > /dev/null
        until_true 30 seen_ready "$case-$round" || echo "# $case-$round did not become Ready"
        remove "$case-$round"
    done
done
kill $watcher 2> /dev/null
# containerd's own times: "RunPodSandbox for name:..." begins, the same with "returns sandbox id" ends; likewise the other two
sed -n 's/^time="\([^"]*\)" level=info msg="\(.*\)"$/\1 \2/p' "$dir/containerd.log" > "$dir/calls"
awk -v rounds="$rounds" '
    function seconds(stamp,    t) { split(stamp, t, /[T:Z]/); return t[2] * 3600 + t[3] * 60 + t[4] }
    FILENAME ~ /changes$/ {
        if (!($2 in created)) created[$2] = $1
        if ($3 == "True" && !($2 in ready)) ready[$2] = $1
        next
    }
    /RunPodSandbox for name/ {
        match($0, /name:\\"[^"\\]*/); name = substr($0, RSTART + 7, RLENGTH - 7)
        if (/returns sandbox id/) { sandbox[name] = seconds($1) - begin; match($0, /returns sandbox id \\"[0-9a-f]*/); pod[substr($0, RSTART + 21, RLENGTH - 21)] = name }
        else begin = seconds($1)
    }
    /CreateContainer within sandbox/ {
        match($0, /sandbox \\"[0-9a-f]*/); name = pod[substr($0, RSTART + 10, RLENGTH - 10)]
        if (/returns container id/) { made[name] = seconds($1) - begin; match($0, /returns container id \\"[0-9a-f]*/); of[substr($0, RSTART + 23, RLENGTH - 23)] = name }
        else begin = seconds($1)
    }
    /StartContainer for/ {
        match($0, /for \\"[0-9a-f]*/); name = of[substr($0, RSTART + 6, RLENGTH - 6)]
        if (/returns successfully/) started[name] = seconds($1) - begin; else begin = seconds($1)
    }
    END {
        for (name in ready) { split(name, part, "-"); if (part[2] > 0)
            printf "%s\t%s\t%.1f\t%.1f\t%.1f\t%.1f\n", part[1], part[2], sandbox[name] * 1000, made[name] * 1000, started[name] * 1000, (ready[name] - created[name]) * 1000 }
    }' "$dir/changes" "$dir/calls" | sort -k1,1 -k2,2n > "$dir/pods.tsv"
awk -F'\t' '
    function median(label, column,    i, j, t, n) {
        n = count[label]
        for (i = 1; i <= n; i++) list[i] = value[label, column, i]
        for (i = 2; i <= n; i++) { t = list[i]; for (j = i - 1; j > 0 && list[j] > t; j--) list[j + 1] = list[j]; list[j + 1] = t }
        return list[int((n + 1) / 2)]
    }
    { n = ++count[$1]; for (c = 3; c <= 6; c++) value[$1, c, n] = $c }
    END {
        printf "%-28s %9s %9s %9s %14s %8s\n", "median, ms", "sandbox", "create", "start", "API to Ready", "x runc"
        text["wherry"] = "wherry, ordinary container"; text["wasm"] = "wherry, module"; text["runc"] = "runc"
        for (i = 1; i <= 3; i++) {
            label = i == 1 ? "wherry" : i == 2 ? "wasm" : "runc"
            if (!count[label]) continue
            printf "%-28s %9.1f %9.1f %9.1f %14.1f %8s\n", text[label], median(label, 3), median(label, 4), median(label, 5), median(label, 6),
                count["runc"] ? sprintf("%.2f", median(label, 6) / median("runc", 6)) : "-"
        }
    }' "$dir/pods.tsv"

# What idle pods keep: PODS of each kind at once, the proportional set size of shims and of what runs in the pods (pause and
# container), and by how much the machine's available memory shrank, which has the kernel's share in it and everybody's noise.
pods=${PODS:-50}
pss_kib() { for pid; do awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup" 2> /dev/null; done | awk '{ sum += $1 } END { print sum + 0 }'; }
available_kib() { awk '/^MemAvailable/ { print $2 }' /proc/meminfo; }
in_pods() { find $(node_cgroups | head -1)/kubepods -name cgroup.procs -exec cat {} + | sort -u; }
all_run() { [ "$(kubectl get pods --field-selector=status.phase=Running -o name | wc -l)" = "$pods" ]; }
echo
printf '%-28s %9s %9s %9s\n' "KiB a pod, $pods idle pods" shim "in pod" "machine"
for case in $HANDLERS wasm; do
    sleep 5
    before=$(available_kib)
    for i in $(seq "$pods"); do
        case $case in
        wasm) handler=wherry container='{name: "c", image: "localhost/hello:1", args: ["--sleep"]}' ;;
        *) handler=$case container='{name: "c", image: "localhost/busybox:1", args: ["sleep", "100000"]}' ;;
        esac
        pod "idle-$i" "$handler" "{terminationGracePeriodSeconds: 1, containers: [$container]}" > /dev/null
    done
    until_true 300 all_run || echo "# not all of the $case pods run"
    sleep 5
    if [ "$case" = runc ]; then name=containerd-shim-runc-v2; else name=$shim; fi
    printf '%-28s %9d %9d %9d\n' "$case" $(($(pss_kib $(pgrep -f "$name -namespace")) / pods)) $(($(pss_kib $(in_pods)) / pods)) \
        $(((before - $(available_kib)) / pods))
    kubectl delete pods --all --wait=true --timeout=120s > /dev/null 2>&1
done
node_stop
trap - EXIT
