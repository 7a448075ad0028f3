# Sourced by tests/k8s/run.sh: one Kubernetes node with its control plane, private to the test. The caller is already in mount,
# network and UTS namespaces of its own and has set $dir (absolute, below build/), $programs (tests/k8s/build), $shim and
# tests/containerd.sh's $containerd, ctr. Nothing of the machine is touched: /run, /var/lib/{kubelet,containerd,wherry} and /var/log are
# covered, cgroups lie below one cgroup of the node, sysctls that the kubelet writes are files with the values it wants.
#   node_prepare       mounts, network, cgroup
#   node_containerd    configuration with handlers wherry, sandbox (whose pods the shim makes), runc where its shim is there, and crun
#                      where $peers names its folder (tests/k8s/peers)
#   node_control_plane etcd, kube-apiserver, kube-scheduler, kube-controller-manager
#   node_kubelet       the kubelet, until the node is Ready
#   node_stop          everything, by pid; then the node's cgroups
#   kubectl ARGUMENT...
# K8S_CGROUP_DRIVER=systemd: kubelet and runtimes have systemd, which then is pid 1, make the cgroups, below the machine's root; for a guest
# of the test's own. PATIENCE=N: a machine N times slower is waited for N times longer.
driver=${K8S_CGROUP_DRIVER:-cgroupfs}
patience=${PATIENCE:-1}
node_address=10.99.0.1
node_cgroup=wherry-node-$K8S_TEST_INSIDE # process ids are the node's own here
node_pids=

kubectl() { timeout -k 1 $((${KUBECTL_TIMEOUT_S:-60} * patience)) "$programs/kubectl" --kubeconfig "$dir/kubeconfig" "$@"; }

# background NAME COMMAND...: its output in $dir/NAME.log, its pid in pid_NAME
background() {
    local name=$1
    shift
    "$@" > "$dir/$name.log" 2>&1 < /dev/null &
    eval "pid_$name=$!"
    node_pids="$! $node_pids"
}

# until_true SECONDS COMMAND...: polls
until_true() {
    local end=$((SECONDS + $1 * patience))
    shift
    until "$@" > /dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.2
    done
}

node_cgroups() { # prints the node's cgroup in every hierarchy
    if [ $driver = systemd ]; then
        echo /sys/fs/cgroup/kubepods.slice
    elif [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        echo "/sys/fs/cgroup/$node_cgroup"
    else
        local hierarchy
        for hierarchy in /sys/fs/cgroup/*/; do
            [ "$hierarchy" = /sys/fs/cgroup/unified/ ] || echo "$hierarchy$node_cgroup"
        done
    fi
}

node_cgroup_make() {
    local cgroup
    [ $driver = cgroupfs ] || return 0 # the kubelet has its slice made
    for cgroup in $(node_cgroups); do
        mkdir -p "$cgroup" || return
        if [ -e "$cgroup/cpuset.cpus" ] && [ ! -e "$cgroup/cgroup.controllers" ]; then
            cat "$(dirname "$cgroup")/cpuset.cpus" > "$cgroup/cpuset.cpus"
            cat "$(dirname "$cgroup")/cpuset.mems" > "$cgroup/cpuset.mems"
        fi
    done
}

node_prepare() {
    local folder
    hostname wherry-node
    mount --make-rshared /
    [ -z "${peers:-}" ] || umount /sys/fs/cgroup/unified 2> /dev/null # crun refuses the hybrid form
    [ $driver = cgroupfs ] || { mkdir -p "$dir/systemd" && mount --bind /run/systemd "$dir/systemd"; } || return
    mount -t tmpfs -o mode=755 run /run || return
    [ $driver = cgroupfs ] || { mkdir /run/systemd && mount --bind "$dir/systemd" /run/systemd; } || return
    for folder in /var/lib/kubelet /var/lib/containerd /var/lib/wherry /var/log; do
        mkdir -p "$dir/node$folder" "$folder" && mount --bind "$dir/node$folder" "$folder" || return
    done
    mkdir -p /run/lock /run/test /var/log/pods /var/log/containers
    echo nameserver 127.0.0.1 > "$dir/resolv.conf" && mount --bind "$dir/resolv.conf" /etc/resolv.conf
    ip link set lo up
    # the kubelet refuses a loopback address, the API server wants a default route
    ip link add node0 type bridge && ip addr add $node_address/24 dev node0 && ip link set node0 up &&
        ip route add default via 10.99.0.254 dev node0 && node_cgroup_make
}

node_runtime() { # HANDLER RUNTIME-TYPE [BINARY [SANDBOXER]]
    local table="plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.$1"
    cat <<END
[$table]
  runtime_type = '$2'
  sandboxer = '${4:-podsandbox}'
  pod_annotations = ['wherry.*', 'run.oci.handler', 'module.wasm.image/*']
  container_annotations = ['wherry.*', 'run.oci.handler', 'module.wasm.image/*']
END
    # no options for ours: containerd 2.3 makes no user namespace under a handler whose options are not runc's
    [ -z "${3:-}" ] || printf "  [%s.options]\n    SystemdCgroup = %s\n    BinaryName = '%s'\n" "$table" \
        "$([ $driver = systemd ] && echo true || echo false)" "$3"
}

node_containerd() {
    mkdir -p "$dir/cni"
    cat > "$dir/cni/10-pods.conflist" <<END
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "pods0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "/run/cni", "ranges": [[{"subnet": "10.98.0.0/16"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "loopback"}]}
END
    containerd_cri wherry "$shim" localhost/pause:1
    { sed "/runtimes.wherry/,\$d" "$dir/config.toml"
      node_runtime wherry "$shim"
      node_runtime sandbox "$shim" "" shim
      [ -z "${runc_shim:-}" ] || node_runtime runc io.containerd.runc.v2 "$runc_program"
      [ -z "${peers:-}" ] || node_runtime crun io.containerd.runc.v2 "$peers/crun"
      cat <<END
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ['$programs/debian/usr/lib/cni']
  conf_dir = '$dir/cni'
END
    } > "$dir/config.new" && mv "$dir/config.new" "$dir/config.toml"
    # where a shim is found by its type's name, it must be the one of this containerd's release
    PATH=$(dirname "$containerd"):$PATH containerd_start
}

node_control_plane() {
    openssl genrsa -out "$dir/service-account.key" 2048 2> /dev/null && openssl rsa -in "$dir/service-account.key" -pubout \
        -out "$dir/service-account.pub" 2> /dev/null || return
    echo 'test-token,admin,1,"system:masters"' > "$dir/tokens.csv"
    cat > "$dir/kubeconfig" <<END
apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://$node_address:6443", insecure-skip-tls-verify: true}}]
users: [{name: admin, user: {token: test-token}}]
contexts: [{name: test, context: {cluster: test, user: admin}}]
current-context: test
END
    background etcd "$programs/debian/usr/bin/etcd" --data-dir "$dir/etcd" --listen-client-urls http://127.0.0.1:2379 \
        --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 --unsafe-no-fsync
    background apiserver "$programs/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 --bind-address=$node_address \
        --advertise-address=$node_address --secure-port=6443 --cert-dir="$dir/certificates" --service-cluster-ip-range=10.96.0.0/16 \
        --token-auth-file="$dir/tokens.csv" --authorization-mode=AlwaysAllow --allow-privileged --disable-admission-plugins=ServiceAccount \
        --kubelet-preferred-address-types=InternalIP --service-account-issuer=https://wherry.test \
        --service-account-key-file="$dir/service-account.pub" --service-account-signing-key-file="$dir/service-account.key"
    until_true 120 kubectl get --raw /readyz || return
    background scheduler "$programs/kube-scheduler" --kubeconfig="$dir/kubeconfig" --leader-elect=false --bind-address=127.0.0.1
    background controllers "$programs/kube-controller-manager" --kubeconfig="$dir/kubeconfig" --leader-elect=false \
        --bind-address=127.0.0.1 --service-account-private-key-file="$dir/service-account.key" --use-service-account-credentials=false
}

# The kubelet sets some sysctls of the whole machine unless they already have the value it wants: so it finds files that do.
kubelet_exec() {
    local setting
    mount --make-private /proc
    for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1; do
        mkdir -p "$dir/sysctl/$(dirname "${setting%=*}")"
        echo "${setting#*=}" > "$dir/sysctl/${setting%=*}"
        mount --bind "$dir/sysctl/${setting%=*}" "/proc/sys/${setting%=*}" || exit 1
    done
    if ! grep -q '^cpu MHz' /proc/cpuinfo; then # user-mode Linux; cAdvisor wants to know
        { sed '/^$/d' /proc/cpuinfo && printf 'cpu MHz\t\t: 1000.000\n\n'; } > "$dir/cpuinfo"
        mount --bind "$dir/cpuinfo" /proc/cpuinfo || exit 1
    fi
    exec "$programs/kubelet" --config="$dir/kubelet.yaml" --kubeconfig="$dir/kubeconfig" --hostname-override=node \
        --node-ip=$node_address --v=2
}

node_ready() {
    [ "$(kubectl get node node -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}' 2> /dev/null)" = True ]
}

node_kubelet() {
    cat > "$dir/kubelet.yaml" <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
cgroupDriver: $driver
cgroupRoot: /$([ $driver = systemd ] || echo "$node_cgroup")
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
maxPods: 250
containerRuntimeEndpoint: unix:///run/test/containerd.sock
clusterDNS: [10.96.0.10]
clusterDomain: cluster.local
resolvConf: ""
enforceNodeAllocatable: [pods]
evictionHard: {memory.available: ${EVICTION_MEMORY:-1Mi}, nodefs.available: 1%, imagefs.available: 1%}
syncFrequency: 5s
evictionPressureTransitionPeriod: 5s
END
    export -f kubelet_exec
    export dir programs node_address
    background kubelet unshare -m --propagation unchanged bash -c kubelet_exec
    until_true 120 node_ready
}

node_stop() {
    local pid
    for pid in ${pid_kubelet:-} ${pid_controllers:-} ${pid_scheduler:-}; do kill "$pid" 2> /dev/null && wait "$pid" 2> /dev/null; done
    # an API server whose etcd is gone takes minutes to end by itself
    for pid in ${pid_apiserver:-} ${pid_etcd:-}; do kill -9 "$pid" 2> /dev/null && wait "$pid" 2> /dev/null; done
    [ -z "${containerd_pid:-}" ] || containerd_stop
    local cgroup
    for cgroup in $([ $driver = systemd ] || node_cgroups) "/sys/fs/cgroup/unified/$node_cgroup"; do # the kubelet makes the latter
        [ ! -d "$cgroup" ] || find "$cgroup" -depth -type d -exec rmdir {} \; 2> /dev/null
    done
}
