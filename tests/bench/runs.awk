# runs.awk -v base=LABEL: the lines of `runs` as a table: wall microseconds min / median / p99, CPU, peak, ratio to base.
BEGIN { FS = "\t" }
{
    if (!($1 in count)) order[++cases] = $1
    n = ++count[$1]
    for (column = 3; column <= 5; column++) value[$1, column, n] = $column
    wall[$1, $2] = $3; if ($2 > rounds) rounds = $2
}
function sorted(n,    i, j, t) {
    for (i = 2; i <= n; i++) { t = list[i]; for (j = i - 1; j > 0 && list[j] > t; j--) list[j + 1] = list[j]; list[j + 1] = t }
}
function quantile(label, column, q,    i, n) {
    n = count[label]
    for (i = 1; i <= n; i++) list[i] = value[label, column, i] + 0
    sorted(n)
    i = int(q * n + 0.9999); return list[i < 1 ? 1 : i]
}
function ratio(label,    r, n) {
    for (r = 0; r <= rounds; r++) if (wall[label, r] && wall[base, r]) list[++n] = wall[label, r] / wall[base, r]
    if (!n) return "-"
    sorted(n); return sprintf("%.2f", list[int((n + 1) / 2)])
}
END {
    printf "%-44s %8s %8s %8s %8s %8s  %s\n", "exec to exit", "min us", "median", "p99", "CPU us", "peak KiB", "x " base
    for (i = 1; i <= cases; i++) {
        c = order[i]
        printf "%-44s %8d %8d %8d %8d %8d  %s\n", c, quantile(c, 3, 0), quantile(c, 3, 0.5), quantile(c, 3, 0.99),
            quantile(c, 4, 0.5), quantile(c, 5, 0.5), ratio(c)
    }
}
