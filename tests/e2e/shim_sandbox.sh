#!/bin/bash
# The same pod as in shim_pod.sh, made by the shim itself: containerd's sandboxer "shim", no pause container.
export SANDBOXER=shim
exec "$(dirname "$0")/shim_pod.sh"
