# ratios.awk: what runs.c printed of labels "NAME WHO min" and "NAME WHO full", the first WHO of a name being the native build: a row a
# name with the medians over the rounds of full minus min, over the native one's of the same round, and the geometric means.
BEGIN { FS = "[\t ]" }
{ cpu[$1, $2, $3, $4] = $6 / 1e6; if (!($1 in seen)) { seen[$1] = 1; order[++n] = $1 } if ($4 > last) last = $4
  if (!($2 in known)) { known[$2] = 1; who[++engines] = $2 } }
function median(name, engine, base,    r, k, i, j, t) {
    for (r = 0; r <= last; r++) {
        t = cpu[name, engine, "full", r] - cpu[name, engine, "min", r]
        list[++k] = base == "" ? t : t / (cpu[name, base, "full", r] - cpu[name, base, "min", r])
    }
    for (i = 2; i <= k; i++) { t = list[i]; for (j = i - 1; j > 0 && list[j] > t; j--) list[j + 1] = list[j]; list[j + 1] = t }
    return list[int((k + 1) / 2)]
}
END {
    printf "%-12s %10s %10s", "kernel", "native s", "engine s"
    for (e = 2; e <= engines; e++) printf " %9s", who[e] == "engine" ? "ratio" : who[e]
    printf "\n"
    for (i = 1; i <= n; i++) {
        printf "%-12s %10.3f %10.3f", order[i], median(order[i], "native", ""), median(order[i], "engine", "")
        for (e = 2; e <= engines; e++) {
            r = median(order[i], who[e], "native"); sum[e] += log(r)
            printf " %9.2f", r
        }
        printf "\n"
    }
    if (n) {
        printf "%-12s %10s %10s", "geomean", "", ""
        for (e = 2; e <= engines; e++) printf " %9.2f", exp(sum[e] / n)
        printf "\n"
    } }
