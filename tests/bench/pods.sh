#!/bin/bash
# tests/bench/pods.sh: what a pod costs on a real node, by kind: wherry with an ordinary container and with a module, each with
# containerd's pause container and with pods that the shim makes (sandboxer "shim"), runc, crun.
#   time    from the object in the API to Ready, one pod at a time, interleaved, ROUNDS times. Where it goes is read from containerd's
#           log: RunPodSandbox (what `crictl runp` asks for), CreateContainer, StartContainer; the rest is the kubelet's, the scheduler's
#           and the API server's
#   memory  of PODS idle pods of a kind, each with its own network namespace and cgroups, made through CRI alone: proportional set size
#           of the shims and of what runs in the pods, and the kernel's memory by difference (slab, stacks, page tables, per-CPU); then
#           what a second container in FURTHER (100) of the pods adds. The machine's caches are dropped for that
# KINDS names the kinds; ROUNDS=0 or PODS=0 leaves one part out; ACCOUNTS=1 keeps the kernel's own accounts of each step.
cd "$(dirname "$0")/../.." || exit 1
title="pod starts"
peers=$(tests/k8s/peers -n 2> /dev/null)
. tests/k8s/setup.sh
kinds=${KINDS:-wherry wasm sandbox wasm-sandbox${runc_shim:+ runc}${peers:+ crun}}
text() {
    case $1 in
    wherry) echo "wherry, ordinary container" ;; wasm) echo "wherry, module" ;;
    sandbox) echo "wherry, no pause, ordinary" ;; wasm-sandbox) echo "wherry, no pause, module" ;;
    runc) "$runc_program" --version | sed -n '1s/version //p' ;; crun) "$peers/crun" --version | sed -n '1s/version //p' ;;
    esac
}
# kind KIND: handler, image and command (JSON) of its pods
kind() {
    case $1 in *sandbox) handler=sandbox ;; wasm) handler=wherry ;; *) handler=$1 ;; esac
    case $1 in wasm*) image=localhost/hello:1 command='["/hello.wasm", "--sleep"]' ;; *) image=localhost/busybox:1 command='["sleep", "100000"]' ;; esac
}
rounds=${ROUNDS:-15}
echo "# pods on Kubernetes $("$programs/kubelet" --version | awk '{print $2}'), containerd $("$containerd" --version | awk '{print $3}'), load $(cut -d' ' -f1 /proc/loadavg)"
# one line a change of a pod: when, which, Ready or not; the first is its creation
"$programs/kubectl" --kubeconfig "$dir/kubeconfig" get pods -w --no-headers \
    -o 'custom-columns=NAME:.metadata.name,READY:.status.conditions[?(@.type=="Ready")].status' 2> /dev/null |
    while read -r name ready; do echo "$EPOCHREALTIME $name $ready"; done > "$dir/changes" &
watcher=$!
seen_ready() { grep -q " $1 True" "$dir/changes"; }
for round in $([ "$rounds" = 0 ] || seq 0 "$rounds"); do # round 0 warms caches and does not count
    for case in $kinds; do
        kind "$case"
        pod "$case-$round" "$handler" "{terminationGracePeriodSeconds: 1, containers: [{name: \"c\", image: \"$image\", command: $command}]}" > /dev/null
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
        for (name in ready) { match(name, /-[0-9]*$/); round = substr(name, RSTART + 1); if (round > 0)
            printf "%s\t%s\t%.1f\t%.1f\t%.1f\t%.1f\n", substr(name, 1, RSTART - 1), round, sandbox[name] * 1000, made[name] * 1000, started[name] * 1000, (ready[name] - created[name]) * 1000 }
    }' "$dir/changes" "$dir/calls" | sort -k1,1 -k2,2n > "$dir/pods.tsv"
[ "$rounds" = 0 ] || printf '%-28s %9s %9s %9s %14s %8s\n' "median, ms" sandbox create start "API to Ready" "x runc"
for case in $([ "$rounds" = 0 ] || echo "$kinds"); do
    awk -F'\t' -v kind="$case" -v text="$(text "$case")" '
        function median(label, column,    i, j, t, n) {
            n = count[label]
            for (i = 1; i <= n; i++) list[i] = value[label, column, i]
            for (i = 2; i <= n; i++) { t = list[i]; for (j = i - 1; j > 0 && list[j] > t; j--) list[j + 1] = list[j]; list[j + 1] = t }
            return list[int((n + 1) / 2)]
        }
        { n = ++count[$1]; for (c = 3; c <= 6; c++) value[$1, c, n] = $c }
        END {
            if (count[kind])
                printf "%-28s %9.1f %9.1f %9.1f %14.1f %8s\n", text, median(kind, 3), median(kind, 4), median(kind, 5), median(kind, 6),
                    count["runc"] ? sprintf("%.2f", median(kind, 6) / median("runc", 6)) : "-"
        }' "$dir/pods.tsv"
done

pods=${PODS:-250} further=${FURTHER:-100}
crictl_program=${XDG_CACHE_HOME:-$HOME/.cache}/wherry-tests/cri-tools-1.36.0/crictl
[ "$pods" = 0 ] || [ -x "$crictl_program" ] || { echo "# no memory: crictl 1.36.0 is not in the cache folder"; pods=0; }
[ "$further" -le "$pods" ] || further=$pods
if [ "$pods" != 0 ]; then
    # the kubelet would remove pods that it does not know; the rest only takes time
    for pid in $pid_kubelet $pid_controllers $pid_scheduler; do kill "$pid" && wait "$pid" 2> /dev/null; done
    printf 'runtime-endpoint: unix:///run/test/containerd.sock\nimage-endpoint: unix:///run/test/containerd.sock\ntimeout: 60\n' > "$dir/crictl.yaml"
    crictl() { "$crictl_program" -c "$dir/crictl.yaml" "$@"; }
    # idle_pod HANDLER IMAGE COMMAND NUMBER: a pod, and its container; idle_container: another one in it
    idle_pod() {
        printf '{"metadata": {"name": "idle-%s", "uid": "%s", "namespace": "default"}, "linux": {"cgroup_parent": "/%s/idle/%s", "security_context": {"namespace_options": {"pid": 1}}}}' \
            "$4" "$4" "$node_cgroup" "$4" > "$dir/idle-$4.json"
        idle_config "$2" "$3" "$4" first
        "$crictl_program" -c "$dir/crictl.yaml" run --no-pull -r "$1" "$dir/idle-$4-first.json" "$dir/idle-$4.json"
    }
    idle_config() { # IMAGE COMMAND NUMBER NAME
        printf '{"metadata": {"name": "%s"}, "image": {"image": "%s"}, "command": %s, "linux": {"security_context": {"namespace_options": {"pid": 1}}}}' "$4" "$1" "$2" > "$dir/idle-$3-$4.json"
    }
    idle_container() { # IMAGE COMMAND NUMBER
        idle_config "$1" "$2" "$3" second
        "$crictl_program" -c "$dir/crictl.yaml" start "$("$crictl_program" -c "$dir/crictl.yaml" create "$(sed -n "s/^idle-$3 //p" "$dir/idle.pods")" "$dir/idle-$3-second.json" "$dir/idle-$3.json")"
    }
    export -f idle_pod idle_config idle_container
    export node_cgroup crictl_program dir
    pss_kib() { for pid; do awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup" 2> /dev/null; done | awk '{ sum += $1 } END { print sum + 0 }'; }
    # what is free and only not given back is no pod's: caches of names and inodes, pages that hold on to cgroups of removed pods
    kernel_kib() {
        sync
        echo 3 > /proc/sys/vm/drop_caches
        sleep 4
        awk '/^(Slab|KernelStack|PageTables|Percpu):/ { s += $2 } END { print s }' /proc/meminfo
        [ -z "${ACCOUNTS:-}" ] || keep_accounts "$dir/accounts.$EPOCHREALTIME"
    }
    keep_accounts() { # DIR: where it all is
        local pid
        mkdir "$1" && cp /proc/meminfo /proc/slabinfo "$1"
        for pid in $(shims | tail -1) $(in_pods | tail -2); do cat "/proc/$pid/comm" "/proc/$pid/status" "/proc/$pid/smaps" > "$1/$pid"; done 2> /dev/null
    }
    in_pods() { find "$(node_cgroups | head -1)/idle" -name cgroup.procs -exec cat {} + | sort -u; }
    shims() { if [ "$handler" = runc ] || [ "$handler" = crun ]; then pgrep -f 'containerd-shim-runc-v2 -namespace k8s.io'; else pgrep -f "$shim -namespace k8s.io"; fi; }
    figures() { echo "$(kernel_kib) $(pss_kib $(shims)) $(pss_kib $(in_pods))"; }
    make_pods() { # COUNT
        seq "$1" | xargs -P 3 -I N bash -c 'idle_pod "$0" "$1" "$2" N' "$handler" "$image" "$command" > "$dir/idle.log" 2>&1 || echo "# $case: $(tail -1 "$dir/idle.log")"
    }
    remove_pods() {
        crictl pods -q | xargs -P 3 -n 25 "$crictl_program" -c "$dir/crictl.yaml" rmp -f > /dev/null 2>&1
        no_shims() { [ -z "$(shims)" ]; }
        until_true 60 no_shims
    }
    printf '\n%-28s %7s %7s %7s %7s   %s\n' "KiB a pod, $pods idle pods" shim "in pod" kernel sum "each further container (of $further)"
    for case in $kinds; do
        kind "$case"
        make_pods 8 # what the first ones only cost stays out
        remove_pods
        set -- $(kernel_kib)
        make_pods "$pods"
        set -- "$@" $(figures)
        crictl pods -o json | jq -r '.items[] | "\(.metadata.name) \(.id)"' > "$dir/idle.pods"
        seq "$further" | xargs -P 3 -I N bash -c 'idle_container "$0" "$1" N' "$image" "$command" > "$dir/idle.log" 2>&1 || echo "# $case: $(tail -1 "$dir/idle.log")"
        set -- "$@" $(figures)
        made=$(wc -l < "$dir/idle.pods")
        [ "$made" = "$pods" ] || echo "# $case: only $made pods of $pods"
        printf '%-28s %7d %7d %7d %7d   %d\n' "$(text "$case")" $(($3 / made)) $(($4 / made)) $((($2 - $1) / made)) $((($2 - $1 + $3 + $4) / made)) \
            $((($5 + $6 + $7 - $2 - $3 - $4) / further))
        remove_pods
    done
fi
node_stop
trap - EXIT
