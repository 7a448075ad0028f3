#!/bin/sh
# tests/spec/validate.sh: the specification's suite through decoder and validator alone (tests/spec/front.c).
set -u
cd "$(dirname "$0")/../.." || exit 1
if ! folder=$(tests/suite-dir spec); then
    echo "ok 1 - spec suite, validation # SKIP $folder"
    exit 0
fi
exec "${BUILD:-build}/tests/spec/front" "$folder"
