# ratios.awk: what runs.c printed of labels "NAME WHO min" and "NAME WHO full", the first WHO of a name being the native build: a row a
# name with the medians over the rounds of full minus min, over the native one's of the same round, and the geometric means. A WHO
# without "min" is taken whole, and so is native beside it. -v seconds=WHO: his seconds too; -v drawing=FILE: the same for draw.awk.
BEGIN { FS = "[\t ]" }
{ cpu[$1, $2, $3, $4] = $6 / 1e6; if (!($1 in seen)) { seen[$1] = 1; order[++n] = $1 } if ($4 > last) last = $4
  if (!($2 in known)) { known[$2] = 1; who[++engines] = $2 } }
function time(name, engine, whole, r) { return cpu[name, engine, "full", r] - (whole ? 0 : cpu[name, engine, "min", r]) }
function median(name, engine, base,    r, k, i, j, t, whole) {
    whole = !((name, engine, "min", 0) in cpu)
    for (r = 0; r <= last; r++) {
        t = time(name, engine, whole, r)
        list[++k] = base == "" ? t : t / time(name, base, whole, r)
    }
    for (i = 2; i <= k; i++) { t = list[i]; for (j = i - 1; j > 0 && list[j] > t; j--) list[j + 1] = list[j]; list[j + 1] = t }
    return list[int((k + 1) / 2)]
}
function cell(engine) { return length(engine) > 9 ? length(engine) : 9 }
END {
    printf "%-12s %10s", "", "native s"
    if (seconds != "") printf " %10s", seconds " s"
    for (e = 2; e <= engines; e++) printf " %*s", cell(who[e]), who[e]
    printf "\n"
    for (i = 1; i <= n; i++) {
        printf "%-12s %10.3f", order[i], median(order[i], "native", "")
        if (seconds != "") printf " %10.3f", median(order[i], seconds, "")
        for (e = 2; e <= engines; e++) {
            if (!((order[i], who[e], "full", 0) in cpu)) { printf " %*s", cell(who[e]), "-"; continue }
            r = median(order[i], who[e], "native"); sum[e] += log(r); rows[e]++
            printf " %*.2f", cell(who[e]), r
            if (drawing != "") printf "%s\t%s\t%.2f\t%.2f\n", order[i], who[e], r, r > drawing
        }
        printf "\n"
    }
    if (n) {
        printf "%-12s %10s", "geomean", ""
        if (seconds != "") printf " %10s", ""
        for (e = 2; e <= engines; e++) {
            printf " %*.2f", cell(who[e]), rows[e] ? exp(sum[e] / rows[e]) : 0
            if (drawing != "") printf "geomean\t%s\t%.2f\t0\n", who[e], rows[e] ? exp(sum[e] / rows[e]) : 0 > drawing
        }
        printf "\n"
    } }
