# Sourced by the benchmarks: builds what they need, gives them a folder, free ports and a way to end what they started.
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD

# BENCH_BUILD=0 measures what was built last.
build_release() {
    [[ ${BENCH_BUILD:-1} == 1 ]] || return 0
    ./scripts/setup build "$@"
    . scripts/build-options.sh
    cmake --preset release -DDURE_BENCH=ON "${cmake_options[@]}" --log-level=WARNING >/dev/null
    cmake --build build/release --target dure bench_upstream bench_load bench_ready >&2
}

work=$(mktemp -d)
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap finish EXIT

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
