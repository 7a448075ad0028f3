# Sourced by tests of podman. podman_config NETWORKS: prints a containers.conf for one that is the test's alone: its networks in the
# folder NETWORKS, nothing of the machine's cgroup manager, journal or limits.
podman_config() {
    cat <<END
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime_supports_json = ["crun", "runc", "wherry"]
[network]
network_backend = "netavark"
network_config_dir = "$1"
END
}
