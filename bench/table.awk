# JSON lines of bench_load as rows of a Markdown table: awk -v heads='case|req/s' -v fields='case rps' -f bench/table.awk
# A field may have a printf format behind a colon (rps:%.0f). Without `heads` only rows are printed.
function field(name,   at) {
    if (!match($0, "\"" name "\":(\"[^\"]*\"|[^,}]*)")) return ""
    at = RSTART + length(name) + 3
    at = substr($0, at, RSTART + RLENGTH - at)
    gsub(/"/, "", at)
    return at
}
BEGIN {
    number = split(fields, names, " ")
    if (heads != "") {
        line = heads; gsub(/\|/, " | ", line); print "| " line " |"
        for (i = 1; i <= number; ++i) printf "| --- "; print "|"
    }
}
{
    for (i = 1; i <= number; ++i) {
        colon = index(names[i], ":")
        name = colon ? substr(names[i], 1, colon - 1) : names[i]
        printf "| %s ", colon ? sprintf(substr(names[i], colon + 1), field(name)) : field(name)
    }
    print "|"
}
