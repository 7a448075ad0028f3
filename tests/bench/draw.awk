# draw.awk -v title=T -v unit=U: "group<TAB>label<TAB>value<TAB>upper" as a horizontal bar chart (SVG); a thin line reaches
# from the bar to the upper value (p99), cut at the edge of the picture.
BEGIN { FS = "\t"; row = 22; left = 260; width = 520 }
{ group[NR] = $1; label[NR] = $2; value[NR] = $3; upper[NR] = $4; if ($3 > max) max = $3 }
function text(x, y, s, class) {
    gsub(/&/, "\\&amp;", s); gsub(/</, "\\&lt;", s)
    printf "<text x=\"%d\" y=\"%d\" class=\"%s\">%s</text>\n", x, y, class, s
}
END {
    max *= 1.15
    height = 50
    for (i = 1; i <= NR; i++) { if (group[i] != group[i - 1]) height += 30; height += row }
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\">\n", left + width + 90, height
    print "<style>.t{font-size:16px;font-weight:bold}.g{font-size:13px;font-weight:bold;fill:#555}.l{font-size:12px;text-anchor:end}.v{font-size:12px}</style>"
    print "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
    text(20, 28, title, "t")
    y = 40
    for (i = 1; i <= NR; i++) {
        if (group[i] != group[i - 1]) { y += 24; text(20, y, group[i], "g"); y += 6 }
        w = value[i] / max * width; u = upper[i] / max * width; if (u > width) u = width
        text(left - 8, y + 14, label[i], "l")
        printf "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"14\" fill=\"%s\"/>\n", left, y + 3, w, label[i] ~ /wherry/ ? "#2a6f97" : label[i] ~ /^floor/ ? "#9aa5b1" : "#d08c60"
        if (u > w) printf "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#888\"/>\n", left + w, y + 10, left + u, y + 10
        text(left + (u > w ? u : w) + 6, y + 14, value[i] " " unit, "v")
        y += row
    }
    print "</svg>"
}
