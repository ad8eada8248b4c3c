# Brings about, on a cluster that is watched, what a healthy one does not do, so that every metric can be seen to move. Sourced
# by scripts/deploy-checks/live, which says what it uses here; nothing is judged but the metrics.

DEAFENING=$((BASE_PORT + 45))

# The process id of part $1 of the cluster.
pid_of_part() { cut -d' ' -f1 "$CLUSTER/$1.pid"; }

# Freezes the parts after $1 for so many seconds, all at once.
freeze_for() {
    local seconds=$1 part
    shift
    for part in "$@"; do kill -STOP "$(pid_of_part "$part")"; done
    sleep "$seconds"
    thaw "$@"
}

thaw() {
    local part
    for part in "$@"; do kill -CONT "$(pid_of_part "$part" 2>/dev/null)" 2>/dev/null || true; done
}

# Plays the scenario $1 of the load generator with the options after it; what it finds is not judged here.
play_at() {
    local scenario=$1
    shift
    timeout 60 "$LOADTEST" "$scenario" "$@" >>"$SCRATCH/stirred.log" 2>&1 || true
}

# The same on the cluster's gateways.
play_on_gateways() { play_at "$1" --secret-file "$CLUSTER/jwt-secret" --targets "$GATEWAYS" "${@:2}"; }

redis() { redis-cli -p $((BASE_PORT + 10)) "$@" >/dev/null; }

# A token that does not count, a page that nobody has, and more connections than one address may have.
strangers() {
    curl -sS -o /dev/null -H 'Authorization: Bearer nonsense' "http://127.0.0.1:$BASE_PORT/api/v1/conversations" || true
    seq 150 | xargs -P 150 -I{} curl -sS -m 5 -o /dev/null --http1.1 -N \
        -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' \
        -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' "http://127.0.0.1:$ALONE/ws" 2>/dev/null || true
}

# More messages than are traced for their senders; where one of them is, with all gateways there and with one that is silent.
where_is_it() {
    local asked message
    message=$(TOKEN=$1 $PYTHON scripts/deploy-checks/traced.py "127.0.0.1:$((BASE_PORT + 1))" 30)
    asked="http://127.0.0.1:$((BASE_PORT + 1))/api/v1/messages/$message/trace"
    get -o /dev/null -H "Authorization: Bearer $1" "$asked"
    kill -STOP "$(pid_of_part gateway3)"
    get -o /dev/null -H "Authorization: Bearer $1" "$asked" || true
    thaw gateway3
}

# So much is written to the embedded store that its log is folded into the file; and read again.
fill_the_file() {
    play_at chat --token-file "$SCRATCH/guests" --targets "ws://127.0.0.1:$ALONE" --placement same --pairs 20 --rate 350 \
        --size 4000 --messages 3500 --aftermath 1 --read-back
}

# Redis refuses what it is asked: first to take publications, then to run scripts, for longer than a lease holds.
redis_refuses() {
    play_on_gateways presence --people 60 --rate 20 --seconds 14 &
    sleep 3
    redis acl setuser default -publish -spublish
    sleep 3
    redis acl setuser default +publish +spublish -@scripting
    sleep 8
    redis acl setuser default +@scripting
    wait $!
}

# Much is published at once, while Redis is slow and while a gateway is.
queues_fill() {
    play_on_gateways fanout --members 90 --rate 40 --seconds 10 &
    sleep 4
    for _ in 1 2 3; do
        freeze_for 0.7 redis
        sleep 0.8
    done
    freeze_for 2 gateway2
    wait $!
}

# Readers who do not read for 20 s, until they have missed much; the store is away when they want it, whose reads are given up
# after 3 s.
readers_are_behind() {
    play_on_gateways slow --pairs 4 --rate 48 --size 16000 --seconds 20 --slow 25 --stopped 25 --rest-ms 300 &
    sleep 18
    freeze_for 8 mongo1 mongo2 mongo3
    wait $!
}

# Redis is gone for a while, and comes back empty.
redis_is_gone() {
    deploy/local-cluster kill redis >/dev/null
    play_on_gateways chat --pairs 10 --rate 50 --messages 300 --cuts 2
    deploy/local-cluster restart redis >/dev/null
}

# Every member of MongoDB is frozen, one after the other: one of them is the primary.
mongodb_moves() {
    local member
    for member in mongo1 mongo2 mongo3; do
        freeze_for 5 "$member" &
        play_on_gateways chat --pairs 10 --rate 50 --messages 300 --cuts 2
        wait $!
    done
}

# Whether gateway 2 says that it is deaf ($1 is 1), or not (0).
says_deaf() { grep -qx "switchboard_canary_deaf $1" <(get "http://127.0.0.1:$((OPS + 2))/metrics"); }

a_gateway_is_deaf() {
    begin deafen $PYTHON scripts/deploy-checks/deafen.py $DEAFENING $((BASE_PORT + 10)) "$SCRATCH/deafen"
    REDIS_PORT=$DEAFENING deploy/local-cluster restart 2 >/dev/null
    touch "$SCRATCH/deafen"
    await says_deaf 1
    # A scrape.
    sleep 2
    rm "$SCRATCH/deafen"
    await says_deaf 0
}

# Stirs the cluster whose gateways are $1, by somebody whose token is $2. What no scrape would meet is found in SCRATCH/glanced.
stir() {
    local GATEWAYS="$1" glance
    begin glance $PYTHON scripts/deploy-checks/glance.py "$SCRATCH/glanced" \
        "127.0.0.1:$((OPS + 1))" "127.0.0.1:$((OPS + 2))" "127.0.0.1:$((OPS + 3))" "127.0.0.1:$ALONE_OPS"
    glance=${STARTED[-1]}
    strangers
    where_is_it "$2"
    fill_the_file
    # Something on the bus that is no envelope.
    redis publish switchboard:all nonsense
    # Polling through a load balancer that does not care to which gateway.
    GATEWAYS="ws://127.0.0.1:$BASE_PORT" play_on_gateways chat --door socketio-polling --pairs 5 --rate 20 --messages 200
    # Writers that send too fast, and many in one conversation.
    play_on_gateways history --messages 400 --rate 400 --writers 20 --pages 5
    queues_fill
    readers_are_behind
    redis_refuses
    redis_is_gone
    mongodb_moves
    a_gateway_is_deaf
    # Two scrapes more.
    sleep 3
    kill "$glance"
}
