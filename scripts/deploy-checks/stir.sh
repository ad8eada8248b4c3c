# Brings about, on a cluster that is watched, what a healthy one does not do, so that every metric can be seen to move. Sourced
# by scripts/deploy-checks/live, which says what it uses here; nothing is judged but the metrics.

# The process id of part $1 of the cluster.
pid_of_part() { cut -d' ' -f1 "$CLUSTER/$1.pid"; }

# Plays the scenario $1 of the load generator with the options after it; what it finds is not judged here.
play_at() {
    local scenario=$1
    shift
    timeout 60 "$LOADTEST" "$scenario" --secret-file "$CLUSTER/jwt-secret" "$@" >>"$SCRATCH/stirred.log" 2>&1 || true
}

stir() {
    local chat="http://127.0.0.1:$BASE_PORT" gateways="$1" primary stopped
    # Strangers: a token that does not count, a page that nobody has, and more connections than one address may have.
    curl -sS -o /dev/null -H 'Authorization: Bearer nonsense' "$chat/api/v1/conversations" || true
    seq 150 | xargs -P 150 -I{} curl -sS -m 5 -o /dev/null --http1.1 -N \
        -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' \
        -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' "http://127.0.0.1:$ALONE/ws" 2>/dev/null || true
    # Something on the bus that is no envelope.
    redis-cli -p $((BASE_PORT + 10)) publish switchboard:all nonsense >/dev/null
    # Polling through a load balancer that does not care to which gateway.
    play_at chat --door socketio-polling --targets "ws://127.0.0.1:$BASE_PORT" --pairs 5 --rate 20 --messages 200
    # Readers that do not read, writers that send too fast, and many in one conversation.
    play_at slow --targets "$gateways" --pairs 10 --rate 60 --size 4000 --seconds 15 --slow 20 --stopped 30
    play_at history --targets "$gateways" --messages 400 --rate 400 --writers 20 --pages 5
    # Redis is gone for a while, and comes back empty.
    deploy/local-cluster kill redis >/dev/null
    play_at chat --targets "$gateways" --pairs 10 --rate 50 --messages 300 --cuts 2
    deploy/local-cluster restart redis >/dev/null
    # Every member of MongoDB is frozen, one after the other: one of them is the primary.
    for primary in 1 2 3; do
        stopped=$(pid_of_part "mongo$primary")
        kill -STOP "$stopped"
        (sleep 5 && kill -CONT "$stopped") &
        play_at chat --targets "$gateways" --pairs 10 --rate 50 --messages 300 --cuts 2
        wait $!
    done
    # Two scrapes more.
    sleep 3
}
