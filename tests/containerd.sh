# Sourced by tests that need a containerd of their own: root, state and sockets below $dir, in a private mount namespace
# with a /run of its own, so that nothing of the machine's is touched. The caller has done
# `exec unshare -m --propagation private` and set $dir (absolute) and $BUILD.
#   containerd_programs VERSION   sets $containerd and $ctr_program, or fails with the reason in $why. VERSION is "debian" or a
#                                 release built beforehand: go install github.com/containerd/containerd/v2/cmd/{containerd,ctr}
#                                 into ${XDG_CACHE_HOME:-~/.cache}/wherry-tests/containerd-VERSION (1.7: see there; its go.mod must
#                                 be the main one: unpack github.com/containerd/containerd and go build ./cmd/{containerd,ctr})
#   containerd_start              starts it and waits until it answers; again after containerd_kill: the same state
#   containerd_stop, containerd_kill
#   ctr ARGUMENT...               the client, which the caller defines; containers in namespace "test"
#   image NAME ROOTFS CONFIG...   makes and imports an image (tests/image)
export CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS=1 # 2.x on cgroup v1 says so in every command
containerd_pid=

containerd_programs() {
    if [ "$1" = debian ]; then
        containerd=$(type -P containerd) || why="containerd is not installed"
        ctr_program=$(type -P ctr) || why="ctr is not installed"
    else
        containerd=${XDG_CACHE_HOME:-$HOME/.cache}/wherry-tests/containerd-$1/containerd
        ctr_program=$(dirname "$containerd")/ctr
        [ -x "$containerd" ] && [ -x "$ctr_program" ] || why="containerd $1 is not in ${XDG_CACHE_HOME:-~/.cache}/wherry-tests"
    fi
    [ -z "${why:-}" ]
}

containerd_private() {
    mount -t tmpfs tmpfs /run || return
    mkdir -p "$dir/root" "$dir/state" /run/test
    ip link set lo up 2>/dev/null
    cat > "$dir/config.toml" <<END
version = 2
root = "$dir/root"
state = "/run/containerd-test"
oom_score = 0
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.opt",
                    "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper",
                    "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.blockfile"]
[grpc]
  address = "/run/test/containerd.sock"
[ttrpc]
  address = "/run/test/containerd.sock.ttrpc"
END
}

# containerd_cri HANDLER SHIM PAUSE-IMAGE: configuration of a 2.x with CRI, before containerd_start; with SANDBOXER=shim the shim
# itself makes the pods, without a pause container
containerd_cri() {
    cat > "$dir/config.toml" <<END
version = 3
root = "$dir/root"
state = "/run/containerd-test"
oom_score = 0
[grpc]
  address = "/run/test/containerd.sock"
[ttrpc]
  address = "/run/test/containerd.sock.ttrpc"
[plugins.'io.containerd.cri.v1.images']
  snapshotter = 'overlayfs'
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = '$3'
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  disable_apparmor = true
  tolerate_missing_hugetlb_controller = true
  [plugins.'io.containerd.cri.v1.runtime'.containerd]
    default_runtime_name = '$1'
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.$1]
      runtime_type = '$2'
      sandboxer = '${SANDBOXER:-podsandbox}'
      [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.$1.options]
        SystemdCgroup = false
END
}

containerd_start() {
    "$containerd" -c "$dir/config.toml" -l "${CONTAINERD_LOG_LEVEL:-info}" >> "$dir/containerd.log" 2>&1 < /dev/null &
    containerd_pid=$!
    for _ in $(seq 1200); do
        ctr version > /dev/null 2>&1 && return
        sleep 0.05
    done
    tail -20 "$dir/containerd.log"
    return 1
}

containerd_stop() { kill "$containerd_pid"; wait "$containerd_pid" 2>/dev/null; }
containerd_kill() { kill -9 "$containerd_pid"; wait "$containerd_pid" 2>/dev/null; }

image() {
    tests/image "$dir/image.tar" "$@" && ctr images import --all-platforms "$dir/image.tar" > "$dir/import.log" 2>&1
}
