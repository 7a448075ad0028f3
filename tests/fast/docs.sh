#!/bin/sh
# Documents name files, so that they rot visibly: every path of the tree that a document names in backticks must be there.
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
for document in README.md docs/*.md engine/README.md k8s/README.md; do
    [ -e "$document" ] || continue
    # shellcheck disable=SC2016 # the backticks are the documents'
    gone=$(grep -oE '`(include|engine|oci|shim|tests|docs|k8s)/[A-Za-z0-9_./*-]*`' "$document" | tr -d '`' | sort -u | while read -r path; do
        # a pattern stands for the files that match
        ls -d $path > /dev/null 2>&1 || echo "$path"
    done)
    is "$document names what is there" "$gone" ""
    links=$(grep -oE '\]\([^)#:]+\)' "$document" | sed 's/^](//; s/)$//' | while read -r link; do
        [ -e "$(dirname "$document")/$link" ] || echo "$link"
    done)
    is "$document links to what is there" "$links" ""
done
finish
