# table.awk -v base=LABEL -v view=V: the lines of `starts` as one table; ratios are medians of the ratios within a round.
# With -v chart=FILE appends "view<TAB>label<TAB>median ms<TAB>p99 ms" there for draw.awk.
BEGIN { FS = "\t" }
{
    if (!($1 in count)) order[++cases] = $1
    n = ++count[$1]
    for (column = 3; column <= 9; column++) value[$1, column, n] = $column
    total[$1, $2] = $7; cpu[$1, $2] = $8; if ($2 > rounds) rounds = $2
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
function ratio(label, what, other,    r, n) {
    for (r = 0; r <= rounds; r++) {
        if (what == "cpu" && cpu[label, r] && cpu[other, r]) list[++n] = cpu[label, r] / cpu[other, r]
        if (what == "total" && total[label, r] && total[other, r]) list[++n] = total[label, r] / total[other, r]
    }
    if (!n) return "      -"
    sorted(n)
    return sprintf("%7.2f", list[int((n + 1) / 2)])
}
END {
    printf "%-34s %7s %7s  %6s %6s %6s %6s  %7s %7s %8s %8s\n", view, "median", "p99", "create", "start", "exit", "delete",
           "CPU", "peak", "wall", "CPU"
    printf "%-34s %7s %7s  %6s %6s %6s %6s  %7s %7s %17s\n", "", "ms", "ms", "ms", "ms", "ms", "ms", "ms", "KiB", "x " (base ~ /^floor/ ? "floor" : base)
    for (i = 1; i <= cases; i++) {
        c = order[i]
        printf "%-34s %7.2f %7.2f  %6.2f %6.2f %6.2f %6.2f  %7.2f %7d %8s %8s\n", c, quantile(c, 7, 0.5) / 1000,
            quantile(c, 7, 0.99) / 1000, quantile(c, 3, 0.5) / 1000, quantile(c, 4, 0.5) / 1000, quantile(c, 5, 0.5) / 1000,
            quantile(c, 6, 0.5) / 1000, quantile(c, 8, 0.5) / 1000, quantile(c, 9, 0.5), ratio(c, "total", base), ratio(c, "cpu", base)
        if (chart != "") printf "%s\t%s\t%.2f\t%.2f\n", view, c, quantile(c, 7, 0.5) / 1000, quantile(c, 7, 0.99) / 1000 >> chart
    }
}
