# Lines "WHAT KIND ROUND WALL-us CPU-us": medians, and the median over the rounds of the ratio to runc; CPU net of the shim
# that does nothing.
function median(list, n,    i, j, t) {
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && list[j - 1] > list[j]; j--) { t = list[j]; list[j] = list[j - 1]; list[j - 1] = t }
    return n == 0 ? 0 : n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}
{ wall[$1, $2, $3] = $4; cpu[$1, $2, $3] = $5; if (!($2 in seen)) { seen[$2] = 1; kinds[++count] = $2 } if ($3 > rounds) rounds = $3 }
END {
    split("run start", whats, " ")
    title["run"] = "ctr run --rm"; title["start"] = "ctr run -d"
    for (w = 1; w <= 2; w++) {
        what = whats[w]
        n = 0
        for (r = 1; r <= rounds; r++) if ((what, "nothing", r) in cpu) list[++n] = cpu[what, "nothing", r]
        base = median(list, n)
        printf "%-14s %10s %10s %12s %10s %12s\n", title[what], "wall ms", "CPU ms", "net CPU ms", "wall x", "net CPU x"
        for (k = 1; k <= count; k++) {
            kind = kinds[k]
            n = m = 0
            for (r = 1; r <= rounds; r++) {
                if (!((what, kind, r) in cpu)) continue
                n++; a[n] = wall[what, kind, r]; b[n] = cpu[what, kind, r]
                if ((what, "runc", r) in cpu && cpu[what, "runc", r] > base) {
                    m++; c[m] = wall[what, kind, r] / wall[what, "runc", r]
                    d[m] = (cpu[what, kind, r] - base) / (cpu[what, "runc", r] - base)
                }
            }
            x = median(b, n)
            printf "%-14s %10.1f %10.1f %12.1f %10.2f %12.2f\n", kind, median(a, n) / 1000, x / 1000, (x - base) / 1000, median(c, m), median(d, m)
        }
    }
}
