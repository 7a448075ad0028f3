# How a container's end and its failures become readable: exit codes, traps, out of memory, what cannot be created.
# ends NAME RUNTIME-CLASS IMAGE ARGUMENTS-JSON [MORE-JSON]: runs one container to its end
ends() {
    pod "$1" "$2" "$(jq -nc --arg image "localhost/$3:1" --argjson args "$4" --argjson more "${5:-{\}}" '
        {containers: [{name: "c", image: $image, args: $args} + $more]}')" > "$dir/apply.log"
    until_true 30 ended "$1"
}
small='{"resources": {"limits": {"memory": "24Mi"}}}'
for kind in $HANDLERS wasm; do
    if [ $kind = wasm ]; then
        ends "exit-$kind" wherry hello '["--exit", "3"]'
        ends "oom-$kind" wherry hello '["--grow", "100"]' "$small"
    else
        ends "exit-$kind" $kind busybox '["sh", "-c", "exit 3"]'
        ends "oom-$kind" $kind busybox '["tail", "/dev/zero"]' "$small"
    fi
    is "$kind: exit code" "$(field "exit-$kind" c .state.terminated.exitCode)" 3
    is "$kind: out of memory is said" "$(field "oom-$kind" c '"\(.state.terminated.reason) \(.state.terminated.exitCode)"')" 'OOMKilled 137'
    remove "exit-$kind" "oom-$kind"
done
ends trap-wasm wherry hello '["unreachable"]' '{"command": ["/trap.wasm"]}'
is "wasm: a trap is exit code 134" "$(field trap-wasm c .state.terminated.exitCode)" 134
like "wasm: and its reason the termination message" "$(field trap-wasm c .state.terminated.message)" 'unreachable\|trap'
like "wasm: which kubectl describe shows" "$(kubectl describe pod trap-wasm)" 'Message: .*\(unreachable\|trap\)'
remove trap-wasm

# refused NAME SPEC: a container that cannot be created; prints what kubectl describe says
was_refused() { kubectl describe pod "$1" | grep -q 'Warning  *Failed .*Error: '; }
refused() {
    pod "$1" wherry "$2" > "$dir/apply.log"
    until_true 30 was_refused "$1"
    kubectl describe pod "$1"
}
command() { jq -nc --arg program "$1" '{containers: [{name: "c", image: "localhost/hello:1", command: [$program]}]}'; }
like "wasm: a bad module is an event with one sentence" "$(refused bad "$(command /bad.wasm)")" 'bad.wasm'
like "wasm: so is a program that is not there" "$(refused absent "$(command /absent.wasm)")" 'absent.wasm'
like "wasm: so is an import that does not exist, by its name" "$(refused import "$(command /import.wasm)")" 'nowhere.*env'
like "wasm: so is a grant that is refused" "$(refused grant '{"annotations": {"wherry.wasm.sails": "1"}, "containers": [{"name": "c", "image": "localhost/hello:1"}]}')" 'wherry.wasm.sails'
remove bad absent import grant
