#!/bin/sh
# The specification's tests that make objects, with a garbage collection at every allocation: what is still used stays.
cd "$(dirname "$0")/../.." || exit 1
COLLECT_EVERY=1 FILES=${FILES:-array struct i31 ref_ br_on extern try_table throw global elem type- table} exec tests/spec/run.sh
