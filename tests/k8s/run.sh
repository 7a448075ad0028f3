#!/bin/bash
# Kubernetes: API server, scheduler, controllers and a kubelet of a current release over containerd 2.x, all private to this
# test (node.sh), with RuntimeClass wherry of k8s/runtimeclass.yaml. Each tests/k8s/case_*.sh is about one topic. Which are run: those
# that arguments or K8S_CASES (verbs,volumes) name, all with K8S_CASES=all (`make check-k8s`), else the short ones (`make check`). What the
# node needs is built once by `make check-k8s` (tests/k8s/build); where that has not been done, this is skipped.
cd "$(dirname "$0")/../.." || exit 1
title=Kubernetes
. tests/k8s/setup.sh

cases=("$@")
[ $# -gt 0 ] || cases=(tests/k8s/case_{pod,end}.sh)
case ${K8S_CASES:-} in
all) cases=(tests/k8s/case_*.sh) ;;
?*) IFS=, read -ra cases <<< "$K8S_CASES" && cases=("${cases[@]/#/tests/k8s/case_}") && cases=("${cases[@]/%/.sh}") ;;
esac
for case in "${cases[@]}"; do . "$case"; done

kubectl delete pods --all --wait=true --timeout=$((60 * patience))s > "$dir/delete.log" 2>&1
ok "all pods are deleted" $? "$(cat "$dir/delete.log")"
no_shim() { ! pgrep -f "$shim -namespace k8s.io"; }
until_true 30 no_shim
is "nothing is left: shims" "$(pgrep -fa "$shim -namespace k8s.io")" ""
is "nothing is left: runtime state" "$(ls /run/containerd/wherry/k8s.io 2> /dev/null)" ""
is "nothing is left: mounts of containers" "$(grep '/rootfs \|/run/containerd.*/shm \|/kubelet/pods/' /proc/self/mountinfo)" ""
is "nothing is left: cgroups of pods" "$(find $(node_cgroups) -mindepth 2 -type d \( -name 'pod*' -o -name '*-pod*.slice' \) 2> /dev/null)" ""
is "nothing is left: network namespaces" "$(ls /run/netns 2> /dev/null)" ""
node_stop
trap - EXIT
finish
