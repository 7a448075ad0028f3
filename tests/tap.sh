# Sourced by test scripts: TAP without ceremony. A script calls ok/is/like/skip per case and ends with `finish`.
#   ok NAME STATUS          passes when STATUS is 0             is NAME GOT WANTED       equal text
#   like NAME GOT PATTERN   GOT contains a match of the basic regular expression          skip NAME REASON
#   skip_all NAME REASON    nothing here can run on this machine
#   eventually CONDITION [ARGUMENT...]   waits until the shell code CONDITION, which sees the arguments as $1..., is true: a minute at
#                           most, since a busy machine is no failure; its status is the condition's
tap_count=0 tap_failed=0
echo "TAP version 13"
tap_pass() { tap_count=$((tap_count + 1)); echo "ok $tap_count - $1"; }
tap_fail() {
    tap_count=$((tap_count + 1)) tap_failed=$((tap_failed + 1))
    echo "not ok $tap_count - $1"
    printf '%s\n' "$2" | head -20 | sed 's/^/#   /'
}
ok() { if [ "$2" -eq 0 ]; then tap_pass "$1"; else tap_fail "$1" "status $2 ${3:-}"; fi; }
is() { if [ "$2" = "$3" ]; then tap_pass "$1"; else tap_fail "$1" "got:    $2
wanted: $3"; fi; }
like() { if printf '%s\n' "$2" | grep -q -- "$3"; then tap_pass "$1"; else tap_fail "$1" "got:     $2
pattern: $3"; fi; }
skip() { tap_count=$((tap_count + 1)); echo "ok $tap_count - $1 # SKIP $2"; }
skip_all() { skip "$1" "$2"; echo 1..1; exit 0; }
eventually() {
    local condition=$1 end=$((SECONDS + 60))
    shift
    until eval "$condition"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.03
    done
}
finish() { echo "1..$tap_count"; [ $tap_failed = 0 ]; }
