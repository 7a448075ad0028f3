#!/bin/sh
# tests/bench/wasmtime.sh: prints the command that runs a WASI module by wasmtime, as PyPI's package, which is put into
# the tests' cache once; where it is not to be had, says so on standard error and prints nothing.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
packages=${WHERRY_TEST_CACHE:-$HOME/.cache/wherry-tests}/python
python=$(command -v "${PYTHON:-python3}") || { echo "wasmtime: no python3" >&2; exit 0; }
if ! PYTHONPATH=$packages "$python" -c 'import wasmtime' 2> /dev/null; then
    "$python" -m pip --quiet install --target "$packages" wasmtime > /dev/null 2>&1 < /dev/null ||
        { echo "wasmtime: pip cannot bring its package" >&2; exit 0; }
fi
echo "$(command -v env) PYTHONPATH=$packages XDG_CACHE_HOME=$packages/cache $python $top/tests/bench/engine.py"
