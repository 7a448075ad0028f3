#!/bin/sh
# The only allowed include directions, checked over every #include "..." of the tree.
# One line a pair: files below the first may include files below the second (itself is always allowed).
set -u
cd "$(dirname "$0")/.." || exit 1
allowed='
include/base    -
include/wherry  include/base
engine          include/base include/wherry
engine/x64      include/base engine/baseline/masm.h engine/gen engine/types.h engine/module.h engine/opcodes.h
engine/a64      include/base engine/baseline/masm.h engine/gen engine/types.h engine/module.h engine/opcodes.h
engine/wasi     include/base include/wherry engine/rt/host.h engine/gen/abi.h
oci             include/base include/wherry
shim            include/base oci
'
status=0 n=0
echo "TAP version 13"
pairs=$(find include engine oci shim -name '*.[ch]' | while read -r file; do
    grep -hoE '^#include "[^"]+"' "$file" | cut -d'"' -f2 | while read -r inc; do
        case $inc in base/*|wherry/*) inc=include/$inc ;; *.pb-c.h|shim/*.pb-c.h) continue ;; esac
        [ -e "$inc" ] || { [ -e "$(dirname "$file")/$inc" ] && inc=$(dirname "$file")/$inc; }
        echo "$file $inc"
    done
done)
bad=$(printf '%s\n' "$pairs" | awk -v allowed="$allowed" '
    BEGIN { n = split(allowed, lines, "\n")
        for (i = 1; i <= n; i++) { m = split(lines[i], f, " "); if (m) { from[++k] = f[1]; to[k] = ""; for (j = 2; j <= m; j++) to[k] = to[k] " " f[j] } } }
    NF == 2 { best = 0
        for (i = 1; i <= k; i++) if (index($1, from[i] "/") == 1 && (!best || length(from[i]) > length(from[best]))) best = i
        ok = 0
        if (best && index($2, from[best] "/") == 1) ok = 1
        m = split(to[best], f, " ")
        for (j = 1; j <= m; j++) if ($2 == f[j] || index($2, f[j] "/") == 1) ok = 1
        if (!ok) print "# " $1 " must not include " $2 }')
if [ -z "$bad" ]; then echo "ok 1 - includes follow the layers"; else printf '%s\n' "$bad"; echo "not ok 1 - includes follow the layers"; status=1; fi

cycle=$(printf '%s\n' "$pairs" | grep '\.h .*\.h$' | tsort 2>&1 >/dev/null | head -5)
if [ -z "$cycle" ]; then echo "ok 2 - no header cycles"; else printf '# %s\n' "$cycle"; echo "not ok 2 - no header cycles"; status=1; fi

odd=$(ls -A | grep -vxE 'Makefile|README\.md|LICENSE|include|engine|oci|shim|k8s|tests|docs|build|\..*')
if [ -z "$odd" ]; then echo "ok 3 - the top level holds what it should"; else echo "# $odd"; echo "not ok 3 - the top level holds what it should"; status=1; fi
echo 1..3
exit $status
