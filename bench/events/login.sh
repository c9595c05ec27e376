# Sourced by run-events: logins a second, and what they do to other requests: the p99 of authenticated GETs beside an idle
# server, and beside four clients that log in without a pause.
other_requests() {   # CASE
    "$tools/bench_load" --url "$dure_url/users/me" --method GET -c 1 -d 5 -w 1 \
        -H "Authorization: Bearer $dure_token" --pid "$dure_pid" --name "GET /users/me" --case "$1, $kind" --json >>"$work/login-results"
}
measure_logins() {
    other_requests "nobody logs in"
    "$tools/bench_load" --url "$dure_url/auth/jwt/login" --method POST -c 4 -d 9 -w 1 --expect access_token \
        -H 'Content-Type: application/x-www-form-urlencoded' --pid "$dure_pid" \
        --data "username=admin%40localhost&password=$admin_password" --name "POST /auth/jwt/login" \
        --case "4 clients, $kind" --json >"$work/logins" &
    local logins=$!
    sleep 2
    other_requests "while 4 clients log in"
    wait "$logins" || true
    cat "$work/logins" >>"$work/login-results"
    stop "$dure_pid"
}
for kind in sqlite postgres; do
    if [[ $kind == sqlite ]]; then
        start_with_login
    else
        fresh_postgres
        start_with_login "DATABASE_URL=$place"
    fi
    measure_logins
done
table 'request|case|req/s|p50 ms|p99 ms' 'name case rps:%.0f p50:%.2f p99:%.2f' <"$work/login-results"
