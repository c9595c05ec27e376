# Sourced by run-events: logins a second, and what they do to other requests: the p99 of authenticated GETs beside an idle
# server, and beside four clients that log in without a pause.
login_tools=$root/build/release/bench
login_password=a-long-enough-password

start_login_server() {   # [VARIABLE=value ...]: more of the environment
    mkdir -p "$work/login"
    cd "$work/login"
    cat >dure.toml <<CONF
[log]
level = "warn"
[agent]
prompts = "$root/config/prompts"
[server.limits]
requests_per_connection = 100000000
[limits.anonymous]
requests_per_minute = 10000000
[limits.admin]
requests_per_minute = 10000000
CONF
    env ADMIN_EMAIL=admin@localhost ADMIN_PASSWORD=$login_password SECRET_KEY=only-for-this-measurement-0123456789 "$@" \
        "$root/build/release/dure" serve --config dure.toml --port 0 >out 2>err &
    login_pid=$!
    pids+=("$login_pid")
    local end=$((SECONDS + 20))
    until grep -q 'listening on' err 2>/dev/null; do
        kill -0 "$login_pid" 2>/dev/null && ((SECONDS < end)) || { cat out err >&2; return 1; }
        sleep 0.05
    done
    login_url=$(sed -nE 's|.*listening on (http://[^ ]*).*|\1|p' err | head -n 1)
    login_token=$(curl -fsS "$login_url/auth/jwt/login" -d "username=admin@localhost&password=$login_password" |
        sed -E 's/.*"access_token":"([^"]+)".*/\1/')
    cd "$root"
}
other_requests() {   # CASE
    "$login_tools/bench_load" --url "$login_url/users/me" --method GET -c 1 -d 5 -w 1 \
        -H "Authorization: Bearer $login_token" --pid "$login_pid" --name "GET /users/me" --case "$1"
}
measure_logins() {
    other_requests "nobody logs in"
    "$login_tools/bench_load" --url "$login_url/auth/jwt/login" --method POST -c 4 -d 9 -w 1 --expect access_token \
        -H 'Content-Type: application/x-www-form-urlencoded' --pid "$login_pid" \
        --data "username=admin%40localhost&password=$login_password" --name "POST /auth/jwt/login" --case "4 clients" \
        >"$work/logins" &
    local logins=$!
    sleep 2
    other_requests "while 4 clients log in"
    wait "$logins" || true
    cat "$work/logins"
    kill "$login_pid"
    wait "$login_pid" || true
}
for kind in sqlite postgres; do
    echo "== login, $kind"
    if [[ $kind == sqlite ]]; then
        start_login_server
    else
        fresh_postgres
        start_login_server "DATABASE_URL=$place"
    fi
    measure_logins
    rm -rf "$work/login"
done
