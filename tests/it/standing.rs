//! Bans, revocations, blocks, and a policy that keeps users to the team: on sockets, on several nodes, over real Redis
//! and MongoDB, and while Redis is away.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use switchboard::model::{Clock, Policy, Role, SystemClock};
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::support::chaos::Chaos;
use crate::support::client::Client;
use crate::support::cluster::{Cluster, distributed, signed, token, token_as};
use crate::support::services::{Mongo, Redis};

/// Within a second, and some room for a busy machine.
const AT_ONCE: Duration = Duration::from_secs(5);
/// What is announced on no bus is found within this time.
const AUDITED: Duration = Duration::from_secs(60);

/// Since 1970, as in tokens.
fn seconds() -> u64 {
    SystemClock.now().0 / 1_000
}

fn service() -> String {
    token_as("backend", Role::Service)
}

/// Asks over REST; answers the status and the body.
async fn ask(node: SocketAddr, method: &str, path: &str, bearer: &str, body: Option<Value>) -> (u16, Value) {
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = reqwest::Client::new().request(method, format!("http://{node}/api/v1{path}")).bearer_auth(bearer);
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

async fn come(node: SocketAddr, token: &str) -> Client {
    let mut client = Client::silent(node).await;
    client.say(json!({ "type": "hello", "token": token })).await;
    client.expect("welcome").await;
    client
}

/// Says hello and is refused: the code of the error, and of the close.
async fn refused(node: SocketAddr, token: &str) -> (Value, Option<u16>) {
    let mut client = Client::silent(node).await;
    client.say(json!({ "type": "hello", "token": token })).await;
    let error = client.next().await.expect("an answer");
    (error["code"].clone(), client.closed().await)
}

/// Says something that is refused; answers the code.
async fn refusal(client: &mut Client, frame: Value) -> Value {
    client.say(frame.clone()).await;
    loop {
        let answer = client.next().await.expect("the connection ended");
        assert_ne!(answer["type"], "sent", "{frame}");
        if answer["type"] == "error" {
            return answer["code"].clone();
        }
    }
}

async fn ban_everywhere(cluster: &Cluster) {
    let at: Vec<SocketAddr> = cluster.nodes.iter().map(|node| node.address()).collect();
    let mut devices = [come(at[0], &token("eve")).await, come(at[1], &token("eve")).await];
    let mut ann = come(at[0], &token("ann")).await;
    let mut sue = come(at[2], &token_as("sue", Role::Admin)).await;
    sue.say(json!({ "type": "ban", "user": "eve", "active": true, "reason": "sells watches" })).await;
    let began = Instant::now();
    assert_eq!(sue.expect("banned").await, json!({ "type": "banned", "user": "eve", "active": true }));
    for device in &mut devices {
        assert_eq!(device.closed().await, Some(4403));
    }
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    println!("all sockets of the banned were closed after {:?}", began.elapsed());
    for node in &at {
        assert_eq!(refused(*node, &token("eve")).await, (json!("forbidden"), Some(4403)));
        let (status, body) = ask(*node, "GET", "/conversations", &token("eve"), None).await;
        assert_eq!((status, &body["code"]), (403, &json!("forbidden")));
    }
    let (_, ban) = ask(at[1], "GET", "/bans/eve", &token_as("sue", Role::Admin), None).await;
    assert_eq!((&ban["active"], &ban["by"], &ban["reason"]), (&json!(true), &json!("sue"), &json!("sells watches")));
    assert_eq!(ann.tell("bob", "k", "nobody else is concerned").await, 1);

    let (status, _) = ask(at[1], "DELETE", "/bans/eve", &service(), None).await;
    assert_eq!(status, 200);
    for node in at {
        come(node, &token("eve")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_banned_is_put_out_of_every_node_and_unbanned_let_in() {
    ban_everywhere(&Cluster::local(3).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_banned_is_put_out_of_a_whole_cluster() {
    ban_everywhere(&Cluster::redis(3).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_agents_and_services_ban_and_agents_no_agents() {
    let cluster = Cluster::local(2).await;
    let at = cluster.nodes[0].address();
    let mut ann = come(at, &token("ann")).await;
    let mut sue = come(at, &token_as("sue", Role::Admin)).await;
    let mut tom = come(cluster.nodes[1].address(), &token_as("tom", Role::Admin)).await;
    let mut backend = come(at, &service()).await;
    let ban = |user: &str| json!({ "type": "ban", "user": user, "active": true });
    assert_eq!(refusal(&mut ann, ban("bob")).await, "forbidden");
    assert_eq!(refusal(&mut sue, ban("tom")).await, "forbidden", "agents know who their like are");
    assert_eq!(refusal(&mut sue, ban("sue")).await, "invalid");
    assert_eq!(refusal(&mut backend, ban("team")).await, "invalid");
    let long = json!({ "type": "ban", "user": "bob", "active": true, "reason": "x".repeat(257) });
    assert_eq!(refusal(&mut sue, long).await, "invalid");
    backend.say(ban("tom")).await;
    backend.expect("banned").await;
    assert_eq!(tom.closed().await, Some(4403));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_slips_in_while_they_are_banned() {
    let cluster = Cluster::redis(2).await;
    let [here, there] = [cluster.nodes[0].address(), cluster.nodes[1].address()];
    for round in 0..12 {
        let eve = format!("eve{round}");
        let coming: Vec<_> = (0..6)
            .map(|device| {
                let (token, node) = (token(&eve), if device % 2 == 0 { here } else { there });
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(device * 3)).await;
                    let mut client = Client::silent(node).await;
                    client.say(json!({ "type": "hello", "token": token })).await;
                    client.closed().await
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(round)).await;
        let (status, _) = ask(here, "PUT", &format!("/bans/{eve}"), &service(), Some(json!({}))).await;
        assert_eq!(status, 200);
        for device in coming {
            let closed = timeout(AT_ONCE * 2, device).await.expect("somebody slipped in").unwrap();
            assert_eq!(closed, Some(4403), "round {round}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoked_tokens_end_their_sessions_and_no_others() {
    let cluster = Cluster::local(2).await;
    let [here, there] = [cluster.nodes[0].address(), cluster.nodes[1].address()];
    let issued = |ago: u64, id: &str| {
        let (iat, exp) = (seconds() - ago, seconds() + 600);
        signed(&json!({ "sub": "ann", "iat": iat, "exp": exp, "jti": id }))
    };
    let timeless = signed(&json!({ "sub": "ann", "exp": seconds() + 600 }));
    let (old, lost, kept) = (issued(100, "old"), issued(10, "lost"), issued(10, "kept"));
    let mut of_old = come(here, &old).await;
    let mut of_lost = come(there, &lost).await;
    let mut of_kept = come(there, &kept).await;
    let mut of_timeless = come(here, &timeless).await;

    let revoke = async |body: Value| ask(here, "POST", "/revocations", &service(), Some(body)).await;
    assert_eq!(revoke(json!({ "user": "ann", "jti": "lost" })).await.0, 200);
    assert_eq!(of_lost.closed().await, Some(4401));
    let before = (seconds() - 50) * 1_000;
    assert_eq!(revoke(json!({ "user": "ann", "before": before })).await.0, 200);
    assert_eq!(of_old.closed().await, Some(4401));
    assert_eq!(of_timeless.closed().await, Some(4401), "one without a time is the oldest");
    for token in [&old, &lost, &timeless] {
        assert_eq!(refused(there, token).await, (json!("unauthorized"), Some(4401)));
        let (status, body) = ask(there, "GET", "/unread", token, None).await;
        assert_eq!((status, &body["code"]), (401, &json!("unauthorized")));
    }
    of_kept.say(json!({ "type": "refresh", "token": lost })).await;
    assert_eq!(of_kept.next().await.unwrap()["code"], "unauthorized", "nor does it refresh anything");
    assert_eq!(of_kept.tell("bob", "k", "goes on").await, 1);
    assert_eq!(ask(there, "GET", "/unread", &kept, None).await.0, 200);
    for (bad, status) in [
        (json!({ "user": "ann" }), 400),
        (json!({ "user": "ann", "jti": "x", "before": 1 }), 400),
        (json!({ "user": "ann", "before": (seconds() + 60) * 1_000 }), 400),
        (json!({ "user": "ann", "jti": "" }), 400),
        (json!({ "user": "system", "before": 1 }), 400),
    ] {
        assert_eq!(revoke(bad.clone()).await.0, status, "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ban_is_found_while_redis_is_away() {
    let (redis, mongo) = tokio::join!(Redis::start(), Mongo::start());
    let proxy = Chaos::before_redis(redis.port()).await;
    let nodes = distributed(&[redis.url(), format!("redis://127.0.0.1:{}", proxy.port())], &mongo).await;
    let mut eve = come(nodes[1].address(), &token("eve")).await;
    proxy.refuse().await;
    let began = Instant::now();
    let (status, _) = ask(nodes[0].address(), "PUT", "/bans/eve", &service(), Some(json!({}))).await;
    assert_eq!(status, 200);
    assert_eq!(eve.closed().await, Some(4403));
    assert!(began.elapsed() < AUDITED, "{:?}", began.elapsed());
    println!("a ban was found without Redis after {:?}", began.elapsed());
    assert_eq!(refused(nodes[1].address(), &token("eve")).await.1, Some(4403));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_blocked_is_not_heard_and_hears_nothing() {
    let cluster = Cluster::redis(2).await;
    let mut ann = come(cluster.nodes[0].address(), &token("ann")).await;
    let mut eve = come(cluster.nodes[1].address(), &token("eve")).await;
    assert_eq!(eve.tell("ann", "before", "hello").await, 1);
    ann.expect("message").await;
    ann.say(json!({ "type": "block", "user": "eve", "active": true })).await;
    assert_eq!(ann.expect("blocked").await, json!({ "type": "blocked", "user": "eve", "active": true }));
    ann.say(json!({ "type": "blocks" })).await;
    assert_eq!(ann.expect("blocks").await["users"], json!(["eve"]));

    let (to_eve, to_ann) = (json!({ "type": "send", "to": "eve", "key": "1", "text": "x" }), "ann");
    assert_eq!(refusal(&mut ann, to_eve).await, "forbidden", "one does not write to whom one blocks");
    // The other node hears of it a moment later; until then a message may still be taken.
    let deadline = Instant::now() + AT_ONCE;
    let mut number = 0;
    loop {
        number += 1;
        eve.send(to_ann, &format!("try{number}"), "let me in").await;
        let answer = eve.next().await.unwrap();
        if answer["type"] == "error" {
            assert_eq!(answer["code"], "forbidden");
            break;
        }
        assert!(Instant::now() < deadline, "{answer}");
    }
    let talk = json!(switchboard::model::ConversationId::direct(&"ann".parse().unwrap(), &"eve".parse().unwrap()));
    for frame in [
        json!({ "type": "send", "conversation": talk, "key": "by-id", "text": "let me in" }),
        json!({ "type": "typing", "to": "ann", "active": true }),
        json!({ "type": "find", "user": "ann" }),
    ] {
        assert_eq!(refusal(&mut eve, frame).await, "forbidden");
    }
    // What was stored before is still answered with its first result, and over REST nothing gets through either.
    assert_eq!(eve.tell("ann", "before", "hello").await, 1);
    let body = || Some(json!({ "to": "ann", "text": "let me in" }));
    let rest = ask(cluster.nodes[1].address(), "POST", "/messages", &token("eve"), body()).await;
    assert_eq!((rest.0, &rest.1["code"]), (403, &json!("forbidden")));
    assert!(
        eve.tell("team", "help", "the team still hears").await == 1 && eve.tell("bob", "b", "so does bob").await == 1
    );

    let unblocked = ask(cluster.nodes[0].address(), "DELETE", "/blocks/eve", &token("ann"), None).await;
    assert_eq!(unblocked.0, 200);
    let deadline = Instant::now() + AT_ONCE;
    while {
        number += 1;
        eve.send("ann", &format!("try{number}"), "again").await;
        eve.next().await.unwrap()["type"] != "sent"
    } {
        assert!(Instant::now() < deadline);
    }
    for (frame, code) in [
        (json!({ "type": "block", "user": "ann", "active": true }), "invalid"),
        (json!({ "type": "block", "user": "team", "active": true }), "invalid"),
        (json!({ "type": "block", "user": "system", "active": true }), "invalid"),
    ] {
        assert_eq!(refusal(&mut ann, frame).await, code);
    }
}

#[tokio::test]
async fn under_the_policy_of_a_support_desk_users_write_to_the_team_only() {
    let cluster = Cluster::with_policy(2, Policy::Support).await;
    let [here, there] = [cluster.nodes[0].address(), cluster.nodes[1].address()];
    let mut ann = Client::silent(here).await;
    ann.say(json!({ "type": "hello", "token": token("ann") })).await;
    assert_eq!(ann.expect("welcome").await["policy"], "support");
    let mut bob = come(there, &token("bob")).await;
    for frame in [
        json!({ "type": "send", "to": "bob", "key": "1", "text": "psst" }),
        json!({ "type": "typing", "to": "bob", "active": true }),
        json!({ "type": "find", "user": "bob" }),
    ] {
        assert_eq!(refusal(&mut ann, frame).await, "forbidden");
    }
    let over_rest = ask(here, "POST", "/messages", &token("ann"), Some(json!({ "to": "bob", "text": "psst" }))).await;
    assert_eq!(over_rest.0, 403);
    assert_eq!(ann.tell("team", "2", "help").await, 1);
    assert_eq!(ann.tell("ann", "3", "a note to myself").await, 1);
    ann.say(json!({ "type": "find", "user": "team" })).await;
    assert_eq!(ann.expect("person").await["user"], "team");
    // What was refused made nothing.
    bob.say(json!({ "type": "conversations" })).await;
    assert_eq!(bob.expect("conversations").await["conversations"], json!([]));
    let mut sue = come(there, &token_as("sue", Role::Admin)).await;
    assert_eq!(sue.tell("bob", "4", "agents write to anybody").await, 1);
    bob.expect("message").await;
    let answer = json!({ "type": "send", "to": "sue", "key": "5", "text": "but not back" });
    assert_eq!(refusal(&mut bob, answer).await, "forbidden");
}

#[tokio::test]
async fn a_service_speaks_for_people_and_for_the_system() {
    let cluster = Cluster::local(2).await;
    let [here, there] = [cluster.nodes[0].address(), cluster.nodes[1].address()];
    let mut ann = come(there, &token("ann")).await;
    let mut sue = come(there, &token_as("sue", Role::Admin)).await;
    let send = async |bearer: &str, body: Value| ask(here, "POST", "/messages", bearer, Some(body)).await;

    let (status, sent) = send(&service(), json!({ "from": "bob", "to": "ann", "text": "from a form" })).await;
    assert_eq!((status, &sent["from"]), (201, &json!("bob")));
    assert_eq!(ann.expect("message").await["from"], "bob");
    let (status, notice) = send(&service(), json!({ "from": "system", "to": "ann", "text": "welcome" })).await;
    assert_eq!((status, &notice["from"]), (201, &json!("system")));
    assert_eq!(ann.expect("message").await["conversation"], notice["conversation"]);
    let back = json!({ "type": "send", "conversation": notice["conversation"], "key": "1", "text": "thanks" });
    assert_eq!(refusal(&mut ann, back).await, "forbidden", "nobody would read it");
    let asked = json!({ "from": "system", "to": "ann", "for_team": true, "text": "we have your order" });
    let (status, notice) = send(&service(), asked).await;
    assert_eq!(status, 201);
    for client in [&mut ann, &mut sue] {
        let heard = client.expect("message").await;
        assert_eq!((&heard["from"], &heard["conversation"]), (&json!("system"), &notice["conversation"]));
    }
    let anywhere = json!({ "from": "system", "conversation": sent["conversation"], "text": "be kind" });
    assert_eq!(send(&service(), anywhere).await.0, 201, "into a conversation of others");
    let as_agent = json!({ "from": "sue", "to": "ann", "for_team": true, "text": "I look at it" });
    assert_eq!(send(&service(), as_agent).await.0, 201);

    ask(here, "PUT", "/bans/bob", &service(), Some(json!({}))).await;
    for (bearer, body, expected) in [
        (token("ann"), json!({ "from": "bob", "to": "eve", "text": "x" }), 403),
        (token("ann"), json!({ "from": "system", "to": "eve", "text": "x" }), 403),
        (token("ann"), json!({ "to": "eve", "for_team": true, "text": "x" }), 403),
        (token_as("sue", Role::Admin), json!({ "from": "ann", "to": "eve", "text": "x" }), 403),
        (service(), json!({ "from": "team", "to": "eve", "text": "x" }), 400),
        (service(), json!({ "from": "system", "to": "team", "text": "x" }), 400),
        (service(), json!({ "from": "not an id", "to": "eve", "text": "x" }), 400),
        (service(), json!({ "from": "bob", "to": "eve", "text": "the banned say nothing" }), 403),
        (service(), json!({ "from": "eve", "conversation": sent["conversation"], "text": "not hers" }), 403),
    ] {
        let (status, answer) = send(&bearer, body.clone()).await;
        assert_eq!(status, expected, "{body}: {answer}");
    }
    for reserved in ["team", "system"] {
        assert_eq!(refused(here, &token(reserved)).await.0, "unauthorized");
    }
}

#[tokio::test]
async fn people_are_found_by_id_and_address_and_no_more_often_than_they_may() {
    let cluster = Cluster::local(2).await;
    let [here, there] = [cluster.nodes[0].address(), cluster.nodes[1].address()];
    let exp = seconds() + 600;
    let bobs = signed(&json!({ "sub": "bob", "exp": exp, "name": "Bob", "email": " Bob@Example.com " }));
    let _bob = come(there, &bobs).await;
    // Others can find him once he was remembered, a moment after his welcome.
    let sue = token_as("sue", Role::Admin);
    let deadline = Instant::now() + AT_ONCE;
    while ask(here, "GET", "/people?email=bob@example.com", &sue, None).await.0 != 200 {
        assert!(Instant::now() < deadline);
    }
    let profile = json!({ "name": "Mallory", "email": "bob@example.com" });
    assert_eq!(ask(here, "PUT", "/users/mallory", &token("mallory"), Some(profile)).await.0, 200);
    let mut ann = come(here, &token("ann")).await;
    for frame in [
        json!({ "type": "find", "user": "bob" }),
        json!({ "type": "find", "email": "BOB@example.com" }),
        json!({ "type": "find", "email": "  bob@example.com " }),
    ] {
        ann.say(frame.clone()).await;
        assert_eq!(ann.expect("person").await, json!({ "type": "person", "user": "bob", "name": "Bob" }), "{frame}");
    }
    for (frame, code) in [
        (json!({ "type": "find", "user": "nobody" }), "forbidden"),
        (json!({ "type": "find", "user": "system" }), "forbidden"),
        (json!({ "type": "find", "email": "" }), "forbidden"),
        (json!({ "type": "find", "email": "bob" }), "forbidden"),
        (json!({ "type": "find", "email": "x".repeat(255) }), "invalid"),
        (json!({ "type": "find" }), "invalid"),
        (json!({ "type": "find", "user": "bob", "email": "bob@example.com" }), "invalid"),
    ] {
        assert_eq!(refusal(&mut ann, frame.clone()).await, code, "{frame}");
    }
    // Eight of ten are taken: those that cannot be understood are not counted.
    let mut other_device = come(here, &token("ann")).await;
    other_device.say(json!({ "type": "find", "user": "bob" })).await;
    other_device.expect("person").await;
    assert_eq!(ask(here, "GET", "/people?user=bob", &token("ann"), None).await.0, 200);
    assert_eq!(refusal(&mut ann, json!({ "type": "find", "user": "bob" })).await, "rate_limited");
    assert_eq!(ask(here, "GET", "/people?user=bob", &token("ann"), None).await.0, 429, "on every door");
    assert_eq!(ask(here, "GET", "/people?user=bob", &sue, None).await.0, 200, "agents ask as they like");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_erased_leaves_places_and_no_words() {
    let cluster = Cluster::redis(2).await;
    let [here, there] = [cluster.nodes[0].address(), cluster.nodes[1].address()];
    let exp = seconds() + 600;
    let anns = signed(&json!({ "sub": "ann", "exp": exp, "name": "Ann", "role": "admin" }));
    let mut ann = come(here, &anns).await;
    for number in 0..20 {
        ann.tell("bob", &format!("k{number}"), "a secret").await;
    }
    let mut bob = come(there, &token("bob")).await;
    assert_eq!(bob.tell("ann", "back", "an answer").await, 21);
    bob.tell("team", "help", "help").await;
    ann.say(json!({ "type": "send", "to": "bob", "for_team": true, "key": "t", "text": "as an agent" })).await;
    ann.expect("sent").await;
    for stranger in [token("bob"), token_as("sue", Role::Admin)] {
        assert_eq!(ask(here, "DELETE", "/users/ann", &stranger, None).await.0, 403);
    }
    let began = Instant::now();
    let (status, first) = ask(here, "DELETE", "/users/ann", &service(), None).await;
    assert_eq!((status, &first["done"]), (200, &json!(false)), "what is under way may still come");
    assert_eq!(ann.closed().await, Some(4401));
    let erased = loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        // Any node goes on where the other was.
        let (status, erased) = ask(there, "DELETE", "/users/ann", &service(), None).await;
        assert_eq!(status, 200);
        if erased["done"] == true {
            break erased;
        }
        assert!(began.elapsed() < AUDITED, "{erased}");
    };
    assert_eq!(erased["erased"], 21);
    let talk = switchboard::model::ConversationId::direct(&"ann".parse().unwrap(), &"bob".parse().unwrap());
    let support = switchboard::model::ConversationId::support(&"bob".parse().unwrap());
    for (conversation, kept) in [(talk, "an answer"), (support, "help")] {
        let path = format!("/conversations/{conversation}/messages");
        let (_, page) = ask(here, "GET", &path, &token("bob"), None).await;
        let messages = page["messages"].as_array().unwrap();
        for message in messages {
            assert_eq!(message["text"], if message["from"] == "ann" { "" } else { kept }, "{message}");
        }
        assert!(messages.iter().any(|message| message["from"] == "ann"), "places are kept");
    }
    let (_, list) = ask(here, "GET", "/conversations", &token("bob"), None).await;
    assert!(!list.to_string().contains("as an agent") && !list.to_string().contains("Ann"), "{list}");
    assert_eq!(refused(here, &anns).await, (json!("unauthorized"), Some(4401)), "an old token is no way back");
    assert_eq!(ask(here, "GET", "/people?user=ann", &token("bob"), None).await.0, 403);
}

/// What a page of the Socket.IO door is told until its connection ends.
async fn told(node: SocketAddr, connect: &str, then: impl AsyncFnOnce()) -> Vec<String> {
    let (mut page, _) = connect_async(format!("ws://{node}/socket.io/?EIO=4&transport=websocket")).await.unwrap();
    page.send(Message::text(connect)).await.unwrap();
    let mut told = Vec::new();
    let mut then = Some(then);
    loop {
        match timeout(Duration::from_secs(20), page.next()).await.expect("the connection ought to have ended") {
            Some(Ok(Message::Text(text))) if text.as_str() == "2" => page.send(Message::text("3")).await.unwrap(),
            Some(Ok(Message::Text(text))) => {
                let is_in = text.contains("authenticated");
                // The transport's own goodbye is not the chat's.
                if text.as_str() != "1" {
                    told.push(text.to_string());
                }
                if is_in && let Some(then) = then.take() {
                    then().await;
                }
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => return told,
            Some(Ok(_)) => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_banned_page_is_told_not_to_come_back() {
    let cluster = Cluster::local(2).await;
    let [here, there] = [cluster.nodes[0].address(), cluster.nodes[1].address()];
    let connect = format!("40{}", json!({ "token": token("eve") }));
    let ban = async || {
        assert_eq!(ask(there, "PUT", "/bans/eve", &service(), Some(json!({}))).await.0, 200);
    };
    let heard = told(here, &connect, ban).await;
    assert_eq!(heard.last().map(String::as_str), Some("41"), "{heard:?}");
    assert!(heard.iter().any(|text| text.contains("\"error\"") && text.contains("forbidden")), "{heard:?}");
    let heard = told(there, &connect, async || {}).await;
    let refused = heard.last().expect("an answer");
    assert!(refused.starts_with("44") && refused.contains("Access denied"), "{heard:?}");
    // Nor does what it was given to go on with let it in.
    let recovered = {
        ask(there, "DELETE", "/bans/eve", &service(), None).await;
        let heard = told(here, &connect, ban).await;
        let pid = heard.iter().find_map(|text| {
            let answer: Value = serde_json::from_str(text.strip_prefix("40")?).ok()?;
            Some(answer["pid"].as_str()?.to_owned())
        });
        let offset = heard.iter().find_map(|text| {
            let event: Value = serde_json::from_str(text.strip_prefix("42")?).ok()?;
            Some(event.as_array()?.last()?.as_str()?.to_owned())
        });
        let again = format!("40{}", json!({ "pid": pid.expect("a pid"), "offset": offset.expect("an offset") }));
        told(there, &again, async || {}).await
    };
    assert!(recovered.last().is_some_and(|text| text.starts_with("44")), "{recovered:?}");
    let rest = reqwest::Client::new().get(format!("http://{there}/api/chat/unread-count")).bearer_auth(token("eve"));
    let answer = rest.send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 403);
    assert!(answer.text().await.unwrap().contains("Access denied"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_under_the_policy_of_a_support_desk_is_told_as_it_knows() {
    let cluster = Cluster::with_policy(1, Policy::Support).await;
    let node = cluster.nodes[0].address();
    let (mut page, _) = connect_async(format!("ws://{node}/socket.io/?EIO=4&transport=websocket")).await.unwrap();
    page.send(Message::text(format!("40{}", json!({ "token": token("ann") })))).await.unwrap();
    let send = json!(["send-message", { "receiverId": "bob", "message": "psst" }]);
    let mut said = false;
    let error = loop {
        let message = timeout(Duration::from_secs(20), page.next()).await.expect("an answer").unwrap().unwrap();
        let text = message.into_text().unwrap();
        if text.contains("\"error\"") {
            break text.to_string();
        }
        if text.contains("authenticated") && !std::mem::replace(&mut said, true) {
            page.send(Message::text(format!("42{send}"))).await.unwrap();
        }
    };
    assert!(error.contains("Failed to send message") && error.contains("forbidden"), "{error}");
    let body = json!({ "receiverId": "bob", "message": "psst" }).to_string();
    let request = reqwest::Client::new().post(format!("http://{node}/api/chat/send")).bearer_auth(token("ann"));
    let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 403);
}
