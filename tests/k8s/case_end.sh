# How a container's end and its failures become readable: exit codes, traps, out of memory, what cannot be created.
# ends NAME RUNTIME-CLASS IMAGE ARGUMENTS-JSON [MORE-JSON]: runs one container to its end
ends() {
    pod "$1" "$2" "$(jq -nc --arg image "localhost/$3:1" --argjson args "$4" --argjson more "${5:-{\}}" '
        {containers: [{name: "c", image: $image, args: $args} + $more]}')" > "$dir/apply.log"
    until_true 30 ended "$1"
}
for handler in $HANDLERS; do
    ends "exit-$handler" "$handler" busybox '["sh", "-c", "echo bye; exit 3"]'
    is "$handler: exit code of a native container" "$(field "exit-$handler" c .state.terminated.exitCode)" 3
    is "$handler: its log" "$(kubectl logs "exit-$handler")" bye
    ends "oom-$handler" "$handler" busybox '["tail", "/dev/zero"]' '{"resources": {"limits": {"memory": "24Mi"}}}'
    is "$handler: a native container over its memory limit" "$(field "oom-$handler" c '"\(.state.terminated.reason) \(.state.terminated.exitCode)"')" 'OOMKilled 137'
done
ends exit-wasm wherry hello '["--exit", "3"]'
is "wasm: exit code" "$(field exit-wasm c .state.terminated.exitCode)" 3
ends oom-wasm wherry hello '["--grow", "100"]' '{"resources": {"limits": {"memory": "24Mi"}}}'
is "wasm: over its memory limit" "$(field oom-wasm c '"\(.state.terminated.reason) \(.state.terminated.exitCode)"')" 'OOMKilled 137'
ends trap-wasm wherry hello '["unreachable"]' '{"command": ["/trap.wasm"]}'
is "wasm: a trap is 134" "$(field trap-wasm c .state.terminated.exitCode)" 134
like "and its reason is the termination message" "$(field trap-wasm c .state.terminated.message)" 'unreachable\|trap'
like "which kubectl describe shows" "$(kubectl describe pod trap-wasm)" 'Message: .*\(unreachable\|trap\)'

# refused NAME ARGUMENTS...: a container that cannot be created; prints the events' messages
was_refused() { kubectl describe pod "$1" | grep -q 'Warning  *Failed .*Error: '; }
refused() {
    pod "$1" wherry "$2" > "$dir/apply.log"
    until_true 30 was_refused "$1"
    kubectl describe pod "$1"
}
like "a bad module is an event with one sentence" "$(refused bad '{"containers": [{"name": "c", "image": "localhost/hello:1", "command": ["/bad.wasm"]}]}')" 'bad.wasm'
like "so is a program that is not there" "$(refused absent '{"containers": [{"name": "c", "image": "localhost/hello:1", "command": ["/absent.wasm"]}]}')" 'absent.wasm'
like "so is an import that does not exist, by its name" "$(refused import '{"containers": [{"name": "c", "image": "localhost/hello:1", "command": ["/import.wasm"]}]}')" 'nowhere.*env'
like "so is a grant that is refused" "$(refused grant '{"annotations": {"wherry.wasm.sails": "1"}, "containers": [{"name": "c", "image": "localhost/hello:1"}]}')" 'wherry.wasm.sails'
remove bad absent import grant
