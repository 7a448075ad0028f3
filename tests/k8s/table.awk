# table.awk: the output of tests/k8s/run.sh as a table: one row a feature, one column a kind of container (test names "KIND: feature").
match($0, /^(not )?ok [0-9]+ - (wherry|wasm|sandbox|runc): /) {
    name = substr($0, RLENGTH + 1); kind = $0
    sub(/^(not )?ok [0-9]+ - /, "", kind); sub(/: .*/, "", kind)
    sub(/ # SKIP.*/, "", name)
    if (!(name in seen)) { seen[name] = 1; order[++rows] = name }
    result[name, kind] = /^not/ ? "**no**" : "yes"
}
END {
    print "| feature | wherry, ordinary | wherry, Wasm | wherry, without pause | runc |\n|---|---|---|---|---|"
    for (i = 1; i <= rows; i++) {
        n = order[i]
        printf "| %s |", n
        for (j = split("wherry wasm sandbox runc", kinds, " ") - 3; j <= 4; j++)
            printf " %s |", ((n, kinds[j]) in result) ? result[n, kinds[j]] : ""
        print ""
    }
}
