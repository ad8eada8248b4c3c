# A local cluster under the eyes of a real Prometheus and Alertmanager, with all rules, every duration divided by 30, and
# somebody to be paged. Sourced by whoever sets BASE_PORT, BINARY, CLUSTER (where deploy/local-cluster keeps it) and SCRATCH,
# is in the top directory, and calls `unwatch` at its end.

OPS=$((BASE_PORT + 6464))
PROMETHEUS=$((BASE_PORT + 40)) ALERTMANAGER=$((BASE_PORT + 41)) PAGER=$((BASE_PORT + 42)) ISSUER=$((BASE_PORT + 44))
ALONE=$((BASE_PORT + 50)) ALONE_OPS=$((BASE_PORT + 51))
PYTHON=.tools/venv/bin/python
DIVIDE=30
WAIT_SECONDS=60

declare -a STARTED=()

# Starts the program after its name $1, which also names its log.
begin() {
    local name=$1
    shift
    "$@" </dev/null >"$SCRATCH/$name.log" 2>&1 &
    STARTED+=($!)
}

# Waits until the command succeeds.
await() {
    local deadline=$((SECONDS + WAIT_SECONDS))
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || fail "in vain, for $WAIT_SECONDS s: $*"
        sleep 0.2
    done
}

get() { curl -fsS -m 5 "$@"; }

watch() {
    local targets
    mkdir -p "$SCRATCH/alone"
    # What a cluster does not have: the embedded store, keys that an issuer publishes, and traces, to whom nobody answers.
    begin issuer $PYTHON scripts/deploy-checks/issuer.py $ISSUER 40 "$SCRATCH/guests"
    begin alone env SWITCHBOARD_LISTEN="127.0.0.1:$ALONE" SWITCHBOARD_OPS_LISTEN="127.0.0.1:$ALONE_OPS" \
        SWITCHBOARD_DATA_DIR="$SCRATCH/alone" SWITCHBOARD_JWT_JWKS_URL="http://127.0.0.1:$ISSUER/keys" \
        SWITCHBOARD_JWT_ALGORITHM=EdDSA SWITCHBOARD_OTLP_ENDPOINT=http://127.0.0.1:1 "$BINARY" serve
    targets="127.0.0.1:$((OPS + 1)),127.0.0.1:$((OPS + 2)),127.0.0.1:$((OPS + 3)),127.0.0.1:$ALONE_OPS"
    $PYTHON deploy/prometheus/rules.py --divide $DIVIDE --into "$SCRATCH" --targets "$targets" \
        --alertmanager "127.0.0.1:$ALERTMANAGER" --webhook "http://127.0.0.1:$PAGER"
    begin pager $PYTHON scripts/deploy-checks/pager.py $PAGER "$SCRATCH/paged"
    begin alertmanager prometheus-alertmanager --config.file="$SCRATCH/alertmanager.yml" \
        --storage.path="$SCRATCH/alerts" --web.listen-address="127.0.0.1:$ALERTMANAGER" --cluster.listen-address=
    begin prometheus prometheus --config.file="$SCRATCH/prometheus.yml" --storage.tsdb.path="$SCRATCH/series" \
        --web.listen-address="127.0.0.1:$PROMETHEUS"
    await get "http://127.0.0.1:$PROMETHEUS/-/ready"
    await get "http://127.0.0.1:$ALERTMANAGER/-/ready"
    await get "http://127.0.0.1:$ALONE_OPS/livez"
}

# Ends what was begun here; not the cluster.
unwatch() {
    local pid
    for pid in "${STARTED[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${STARTED[@]}"; do wait "$pid" 2>/dev/null || true; done
    STARTED=()
}

# Waits until the pager heard of the alert $1 that it is $2, of the instance $3 if given.
paged() { await grep -qE "^(page|ticket) $1 $2 ${3:-}" "$SCRATCH/paged"; }

# What the pager heard of but $1.
paged_but() { grep firing "$SCRATCH/paged" | cut -d' ' -f-4 | grep -vE " ($1) " | sort -u | tr '\n' ';' || true; }
