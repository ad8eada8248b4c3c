# What the long runs share. Sourced, never run: it is not executable.
#
# SWITCHBOARD_BIN and LOADTEST_BIN name other programs than the ones built from here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PATH="$PATH:/usr/sbin:/sbin"

# Nodes would take it for a setting that they do not know.
export -n SWITCHBOARD_BIN
RUN="$(basename "$0")"
FIGURES="$PWD/target/verified"
SCRATCH="$PWD/target/long/$RUN"
READY_SECONDS=60

fail() {
    printf 'FAIL %s: %s\n' "$RUN" "$*" >&2
    exit 1
}

# The programs, built for speed unless they are given.
programs() {
    if [ -z "${SWITCHBOARD_BIN:-}" ] || [ -z "${LOADTEST_BIN:-}" ]; then
        cargo build --release --locked --workspace
    fi
    SWITCHBOARD_BIN="${SWITCHBOARD_BIN:-$PWD/target/release/switchboard}"
    LOADTEST_BIN="${LOADTEST_BIN:-$PWD/target/release/switchboard-loadtest}"
}

# An empty place for data, logs and process ids; no figures yet.
scratch() {
    ulimit -n "$(ulimit -Hn)"
    rm -rf "$SCRATCH" "$FIGURES/$RUN".*
    mkdir -p "$SCRATCH" "$FIGURES"
    (umask 077 && od -An -vtx1 -N32 /dev/urandom | tr -d ' \n' >"$SCRATCH/secret")
}

# An empty cluster on BASE_PORT, which ends with this script.
local_cluster() {
    CLUSTER="$PWD/.tools/local-cluster/$BASE_PORT"
    programs
    scratch
    export BINARY="$SWITCHBOARD_BIN"
    deploy/local-cluster stop >/dev/null
    rm -rf "$CLUSTER"
    trap 'stop_cluster $?' EXIT
    deploy/local-cluster start
}

# After exit code $1.
stop_cluster() {
    deploy/local-cluster stop >/dev/null 2>&1 || true
    [ "$1" = 0 ] || printf 'FAIL %s (exit code %s); logs are in %s\n' "$RUN" "$1" "$CLUSTER"
}

# Where its nodes listen.
gateways() {
    printf 'ws://127.0.0.1:%s,ws://127.0.0.1:%s,ws://127.0.0.1:%s' $((BASE_PORT + 1)) $((BASE_PORT + 2)) $((BASE_PORT + 3))
}

# Starts the node of this run on PORT with what the environment says, and waits until it is ready.
start_node() {
    local deadline=$((SECONDS + READY_SECONDS))
    SWITCHBOARD_LISTEN="127.0.0.1:$PORT" SWITCHBOARD_OPS_LISTEN="127.0.0.1:$((PORT + 1))" \
        SWITCHBOARD_DATA_DIR="$SCRATCH/data" SWITCHBOARD_JWT_SECRET_FILE="$SCRATCH/secret" \
        setsid "$SWITCHBOARD_BIN" serve </dev/null >>"$SCRATCH/node.log" 2>&1 &
    echo $! >"$SCRATCH/node.pid"
    # It will be killed, and bash would say so.
    disown
    until curl -fsS -m 2 "http://127.0.0.1:$((PORT + 1))/readyz" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || fail "the node is not ready; the end of $SCRATCH/node.log:
$(tail -n 5 "$SCRATCH/node.log")"
        sleep 0.05
    done
}

# Ends process $1 of this run, named by its pid file, with signal $2, and waits until it is gone.
end() {
    local pid
    pid=$(cat "$SCRATCH/$1.pid" 2>/dev/null) || return 0
    rm -f "$SCRATCH/$1.pid"
    kill "-$2" "$pid" 2>/dev/null || return 0
    while kill -0 "$pid" 2>/dev/null; do
        ! [ "$(awk '/^State:/ {print $2}' "/proc/$pid/status" 2>/dev/null)" = Z ] || return 0
        sleep 0.02
    done
}

# Plays a scenario: its figures are added to those of this run in target/verified.
play() {
    local scenario=$1 code=0
    shift
    rm -f "$SCRATCH"/figures.*
    "$LOADTEST_BIN" "$scenario" --json "$SCRATCH/figures.json" --markdown "$SCRATCH/figures.md" "$@" || code=$?
    if [ -s "$SCRATCH/figures.md" ]; then
        [ ! -s "$FIGURES/$RUN.md" ] || echo >>"$FIGURES/$RUN.md"
        cat "$SCRATCH/figures.md" >>"$FIGURES/$RUN.md"
        cat "$SCRATCH/figures.json" >>"$FIGURES/$RUN.json"
    fi
    return "$code"
}
