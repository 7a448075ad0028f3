#!/bin/sh
# tests/vm/systemd.sh: the guest of run.sh with systemd as its pid 1 and cgroup v2: the systemd cgroup driver against the system's own
# manager, and a Kubernetes node whose kubelet and runtime use it (the short form of tests/k8s/run.sh; K8S_CASES=all: all of it).
# Slow: a quarter of an hour.
cd "$(dirname "$0")/../.." || exit 1
export VM_INIT=systemd VM_MEMORY="${VM_MEMORY:-3072M}" GUEST_TEST_TIMEOUT_S="${GUEST_TEST_TIMEOUT_S:-3400}"
# a guest's system calls take some five times longer, and what a node does is little else
export VM_ENVIRONMENT="K8S_CGROUP_DRIVER=systemd PATIENCE=6 ${K8S_CASES:+K8S_CASES=$K8S_CASES}"
[ $# -gt 0 ] || set -- tests/e2e/systemd.sh tests/k8s/run.sh
exec tests/vm/run.sh "$@"
