# Sourced by the scripts: PostgreSQL and Redis of one run's own, on free ports, with everything in one temporary folder.
# stop_services ends them, by the process ids recorded there, and removes the folder.
services_folder=
postgres_programs=/usr/lib/postgresql/15/bin

make_services_folder() {
    [[ -z $services_folder ]] || return 0
    services_folder=$(mktemp -d)
    chmod 711 "$services_folder"   # PostgreSQL runs under an account of its own
}

free_port() {
    local port
    for port in $(shuf -i 20000-32000 -n 50); do
        (echo >"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return 0; }
    done
    return 1
}

as_postgres() {
    if ((EUID == 0)); then setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
    else "$@"; fi
}

# start_postgres [setting=value ...]: leaves the server's address in postgres_url.
start_postgres() {
    local data setting port options
    make_services_folder
    data=$services_folder/postgres
    if ((EUID == 0)); then install -d -m 700 -o postgres -g postgres "$data"; else mkdir -m 700 "$data"; fi
    port=$(free_port)
    options="-p $port -k $data -c listen_addresses=127.0.0.1 -c max_connections=200"
    for setting in "$@"; do options+=" -c $setting"; done
    (
        cd "$data"
        as_postgres "$postgres_programs/initdb" -D "$data/data" -U app -A trust --no-sync -E UTF8 --locale=C.UTF-8 \
            >"$services_folder/initdb.log"
        as_postgres "$postgres_programs/pg_ctl" -D "$data/data" -l "$data/log" -w -t 30 -o "$options" start >/dev/null
    ) || { cat "$services_folder/initdb.log" "$data/log" >&2; return 1; }
    postgres_url="postgresql://app@127.0.0.1:$port/postgres?sslmode=disable"
}

# Leaves the server's address in redis_url.
start_redis() {
    local port end=$((SECONDS + 10))
    make_services_folder
    port=$(free_port)
    redis-server --bind 127.0.0.1 --port "$port" --dir "$services_folder" --save '' --appendonly no --daemonize yes \
        --pidfile "$services_folder/redis.pid" --logfile "$services_folder/redis.log" >/dev/null
    until redis-cli -p "$port" ping &>/dev/null; do
        ((SECONDS < end)) || { cat "$services_folder/redis.log" >&2; return 1; }
        sleep 0.05
    done
    redis_url="redis://127.0.0.1:$port"
}

stop_services() {
    [[ -n $services_folder ]] || return 0
    if [[ -f $services_folder/postgres/data/postmaster.pid ]]; then
        (cd "$services_folder/postgres" &&
            as_postgres "$postgres_programs/pg_ctl" -D "$services_folder/postgres/data" -m fast -w stop >/dev/null) || true
    fi
    if [[ -f $services_folder/redis.pid ]]; then
        kill "$(<"$services_folder/redis.pid")" 2>/dev/null || true
    fi
    rm -rf "$services_folder"
    services_folder=
}
