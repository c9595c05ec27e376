# Sourced by the benchmarks: builds what they need, gives them a folder, free ports and a way to end what they started.
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
dure_program=$(realpath -m "${BENCH_DURE:-build/release/dure}")   # absolute: a server is started in a folder of its own

# BENCH_BUILD=0 measures what was built last.
build_release() {
    [[ ${BENCH_BUILD:-1} == 1 ]] || return 0
    ./scripts/setup build "$@"
    . scripts/build-options.sh
    cmake --preset release -DDURE_BENCH=ON "${cmake_options[@]}" --log-level=WARNING >/dev/null
    cmake --build build/release --target dure bench_upstream bench_load bench_ready ${more_targets:-} >&2
}

work=$(mktemp -d)
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap finish EXIT

# JSON lines of bench_load as a Markdown table: table 'case|req/s' 'case rps:%.0f' <results
table() { awk -v heads="$1" -v fields="$2" -f bench/table.awk; }

# The first port from $1 on that nobody answers on.
free_port() {
    local port=$1
    while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
    echo "$port"
}
wait_for_port() {
    local end=$((SECONDS + 20))
    until (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do
        ((SECONDS < end)) || { echo "nothing answers on port $1" >&2; return 1; }
        sleep 0.05
    done
}

# ---- the servers of the proxied road

tools=$root/build/release/bench
dure_pid=
dure_key=

# Every turn is stored in a session of its connection: message, answer and event are durable before the client has its answer.
in_sessions=(-H 'X-OpenWebUI-Chat-Id: bench-{{conn}}-{{n/500}}' -H 'X-OpenWebUI-User-Message-Id: m-{{conn}}-{{n}}')

# The mock model server: upstream_port, upstream_pid.
start_upstream() {
    upstream_port=$(free_port 18080)
    "$tools/bench_upstream" --port "$upstream_port" &
    upstream_pid=$!
    pids+=("$upstream_pid")
    wait_for_port "$upstream_port"
}

enter_empty_folder() {
    rm -rf "$work/dure"
    mkdir -p "$work/dure"
    cd "$work/dure"
}

# Dure in front of it, on a new database, with nothing in the way of a load: dure_port, dure_pid, dure_key.
#   start_dure [COMMAND...]    (a command in front of the server, e.g. env LD_PRELOAD=...)
start_dure() {
    enter_empty_folder
    cat >dure.toml <<CONF
[log]
level = "warn"
[agent]
prompts = "$root/config/prompts"
model = "mock-tools"
[sessions]
max_turns = 1000   # summaries are model calls of their own
[server.limits]
connections = 8192
connections_per_address = 8192
requests_per_connection = 100000000
[limits.admin]
chat_per_minute = 10000000
requests_per_minute = 10000000
streams = 100000
[breaker]
failures = 0
[[providers]]
name = "up"
dialect = "openai"
base_url = "http://127.0.0.1:$upstream_port/v1"
keys_env = ["BENCH_UPSTREAM_KEY"]
max_running = 4096
$(for model in mock-64 mock-64-each mock-64-20ms mock-tools ${more_models:-}; do printf '[[model]]\nid = "%s"\ntargets = ["up/%s"]\n' "$model" "$model"; done)
CONF
    serve_dure env BENCH_UPSTREAM_KEY=bench "$@"
    dure_key=$(grep -oE 'dk_[A-Za-z0-9]+' out | head -n 1)
    cd "$root"
}

# Runs the server in the present folder, with dure.toml: dure_pid, dure_url, dure_port.
#   serve_dure COMMAND...    (e.g. env VARIABLE=value)     BENCH_DURE=PROGRAM measures another one
serve_dure() {
    : >out
    : >err
    "$@" "$dure_program" serve --config dure.toml --port 0 >out 2>err &
    dure_pid=$!
    pids+=("$dure_pid")
    local end=$((SECONDS + 20))
    until grep -q 'listening on' err; do
        kill -0 "$dure_pid" 2>/dev/null && ((SECONDS < end)) || { cat out err >&2; return 1; }
        sleep 0.05
    done
    dure_url=$(sed -nE 's|.*listening on (http://[^ ]*).*|\1|p' err | head -n 1)
    dure_port=${dure_url##*:}
}

# Dure on a new database with an administrator who is logged in: dure_pid, dure_url, dure_token.
#   start_with_login [VARIABLE=value ...]    (more of the environment, e.g. DATABASE_URL=...)
start_with_login() {
    enter_empty_folder
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
    serve_dure env ADMIN_EMAIL=admin@localhost ADMIN_PASSWORD="$admin_password" SECRET_KEY=only-for-this-measurement-0123456789 "$@"
    dure_token=$(curl -fsS "$dure_url/auth/jwt/login" -d "username=admin@localhost&password=$admin_password" |
        sed -E 's/.*"access_token":"([^"]+)".*/\1/')
    cd "$root"
}
admin_password=a-long-enough-password
stop() { kill "$1"; wait "$1" || true; }
