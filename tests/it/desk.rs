//! The team's inbox, on one node and across three: who sees to which talk.

use std::time::Duration;

use serde_json::{Value, json};
use switchboard::model::{ConversationId, Role};
use tokio::time::Instant;

use crate::support::client::Client;
use crate::support::cluster::{Cluster, token, token_as};

macro_rules! over_every_ground {
    ($($rule:ident),+ $(,)?) => {
        mod local {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() { super::$rule(super::Cluster::local(3).await).await; })+
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() { super::$rule(super::Cluster::redis(3).await).await; })+
        }
    };
}

over_every_ground!(
    of_agents_who_claim_at_once_one_wins_and_all_are_told,
    a_talk_is_passed_taken_over_closed_and_opened_again,
    the_inbox_shows_what_is_asked_for_latest_first,
    only_agents_handle_talks_and_only_talks_are_handled,
    a_script_handles_talks_too,
);

fn talk_of(user: &str) -> Value {
    json!(ConversationId::support(&user.parse().unwrap()))
}

async fn agent(cluster: &Cluster, node: usize, name: &str) -> Client {
    let mut client = Client::silent(cluster.nodes[node].address()).await;
    client.say(json!({ "type": "hello", "token": token_as(name, Role::Admin) })).await;
    client.expect("welcome").await;
    client
}

/// Somebody writes to the team; answers their device and their talk.
async fn asks(cluster: &Cluster, node: usize, user: &str) -> (Client, Value) {
    let mut client = Client::hello(cluster.nodes[node].address(), user).await;
    client.tell("team", "help", "Help").await;
    (client, talk_of(user))
}

/// Asks for a change; answers the refusal, or what became true by the change or was true before.
async fn handle(client: &mut Client, talk: &Value, mut wish: Value) -> Value {
    wish["type"] = "claim".into();
    wish["conversation"] = talk.clone();
    client.say(wish).await;
    // A ping marks the end: whatever was told live before is read over.
    client.say(json!({ "type": "ping" })).await;
    let mut answer = Value::Null;
    loop {
        let frame = client.next().await.expect("the connection ended");
        match frame["type"].as_str() {
            Some("pong") => return answer,
            Some("error") => answer = frame,
            Some("assignment")
                if answer["type"] != "error"
                    && frame["conversation"] == *talk
                    && answer["change"].as_u64().is_none_or(|change| change <= frame["change"].as_u64().unwrap()) =>
            {
                answer = frame;
            }
            _ => {}
        }
    }
}

/// Reads until a talk is told to be so.
async fn told(client: &mut Client, talk: &Value, state: &str, agent: Option<&str>) -> Value {
    loop {
        let frame = client.expect("assignment").await;
        if (&frame["conversation"], &frame["state"], &frame["agent"]) == (talk, &json!(state), &json!(agent)) {
            return frame;
        }
    }
}

fn assert_now(frame: &Value, state: &str, agent: Option<&str>) {
    let now = if frame["type"] == "error" { &frame["assignment"] } else { frame };
    assert_eq!((&now["state"], &now["agent"]), (&json!(state), &json!(agent)), "{frame}");
}

fn assert_conflict(frame: &Value, state: &str, agent: Option<&str>) {
    assert_eq!((&frame["code"], frame.get("retry_after_ms")), (&json!("conflict"), None), "{frame}");
    assert_now(frame, state, agent);
}

async fn of_agents_who_claim_at_once_one_wins_and_all_are_told(cluster: Cluster) {
    let (mut ann, talk) = asks(&cluster, 0, "ann").await;
    let (mut sue, mut tom, mut eve) =
        (agent(&cluster, 1, "sue").await, agent(&cluster, 2, "tom").await, agent(&cluster, 0, "eve").await);
    for round in 0..10_u64 {
        let answers = tokio::join!(
            handle(&mut sue, &talk, json!({ "action": "claim" })),
            handle(&mut tom, &talk, json!({ "action": "claim" })),
        );
        let [sues, toms] = [answers.0, answers.1];
        let (winner, won, lost) = match sues["type"] == "error" {
            true => ("tom", toms, sues),
            false => ("sue", sues, toms),
        };
        assert_now(&won, "claimed", Some(winner));
        assert_conflict(&lost, "claimed", Some(winner));
        assert_eq!((&won["by"], &won["change"]), (&json!(winner), &json!(2 * round + 1)), "{won}");
        assert_eq!(told(&mut eve, &talk, "claimed", Some(winner)).await["by"], winner);
        let shown = told(&mut ann, &talk, "claimed", Some(winner)).await;
        assert_eq!((shown.get("by"), shown.get("at")), (None, None), "the user need not know who said so: {shown}");
        let client = if winner == "sue" { &mut sue } else { &mut tom };
        assert_now(&handle(client, &talk, json!({ "action": "claim" })).await, "claimed", Some(winner));
        assert_now(&handle(client, &talk, json!({ "action": "free" })).await, "open", None);
        assert_now(&handle(client, &talk, json!({ "action": "free" })).await, "open", None);
        told(&mut eve, &talk, "open", None).await;
        told(&mut ann, &talk, "open", None).await;
    }
}

async fn a_talk_is_passed_taken_over_closed_and_opened_again(cluster: Cluster) {
    let (mut ann, talk) = asks(&cluster, 0, "ann").await;
    let (mut sue, eve) = (agent(&cluster, 1, "sue").await, agent(&cluster, 2, "eve").await);
    drop(eve);
    let mut tom = agent(&cluster, 2, "tom").await;

    // An open talk may be given to somebody; whoever never came as an agent gets none.
    for nobody in [json!({ "action": "pass", "to": "ann" }), json!({ "action": "pass" })] {
        assert_eq!(handle(&mut sue, &talk, nobody).await["code"], "invalid");
    }
    assert_now(&handle(&mut sue, &talk, json!({ "action": "pass", "to": "tom" })).await, "claimed", Some("tom"));
    assert_eq!(told(&mut tom, &talk, "claimed", Some("tom")).await["by"], "sue");
    // Now it is another's.
    for wish in ["claim", "free", "close"] {
        assert_conflict(&handle(&mut sue, &talk, json!({ "action": wish })).await, "claimed", Some("tom"));
        let mistaken = json!({ "action": wish, "from": "eve" });
        assert_conflict(&handle(&mut sue, &talk, mistaken).await, "claimed", Some("tom"));
    }
    let taken = handle(&mut sue, &talk, json!({ "action": "claim", "from": "tom" })).await;
    assert_now(&taken, "claimed", Some("sue"));
    told(&mut tom, &talk, "claimed", Some("sue")).await;
    // To an agent who is not here, but was.
    assert_now(&handle(&mut sue, &talk, json!({ "action": "pass", "to": "eve" })).await, "claimed", Some("eve"));
    assert_conflict(&handle(&mut sue, &talk, json!({ "action": "close" })).await, "claimed", Some("eve"));
    let closed = handle(&mut sue, &talk, json!({ "action": "close", "from": "eve" })).await;
    assert_now(&closed, "closed", None);
    for wish in [json!({ "action": "claim" }), json!({ "action": "free" }), json!({ "action": "pass", "to": "tom" })] {
        assert_conflict(&handle(&mut tom, &talk, wish).await, "closed", None);
    }
    // An agent's word leaves it closed, its user's opens it.
    tom.say(json!({ "type": "send", "to": "ann", "for_team": true, "key": "bye", "text": "Bye" })).await;
    tom.expect("sent").await;
    assert_now(&handle(&mut sue, &talk, json!({ "action": "close" })).await, "closed", None);
    ann.send("team", "again", "One more thing").await;
    let opened = told(&mut tom, &talk, "open", None).await;
    assert_eq!((&opened["by"], &opened["change"]), (&json!("ann"), &json!(closed["change"].as_u64().unwrap() + 1)));
    let (mut is_told, mut is_sent) = (false, false);
    while !is_told || !is_sent {
        let frame = ann.next().await.expect("the connection ended");
        is_told |= frame["type"] == "assignment" && frame["change"] == opened["change"];
        is_sent |= frame["type"] == "sent" && frame["key"] == "again";
    }
    // And so may an agent.
    assert_now(&handle(&mut tom, &talk, json!({ "action": "close" })).await, "closed", None);
    assert_now(&handle(&mut sue, &talk, json!({ "action": "reopen" })).await, "open", None);
    assert_now(&handle(&mut tom, &talk, json!({ "action": "claim" })).await, "claimed", Some("tom"));
    assert_now(&handle(&mut sue, &talk, json!({ "action": "reopen" })).await, "claimed", Some("tom"));
    ann.tell("team", "more", "Thanks").await;
    assert_now(&handle(&mut sue, &talk, json!({ "action": "reopen" })).await, "claimed", Some("tom"));
}

async fn the_inbox_shows_what_is_asked_for_latest_first(cluster: Cluster) {
    let users = ["a", "b", "c", "d", "e"];
    for (node, user) in users.iter().enumerate() {
        asks(&cluster, node % 3, user).await;
    }
    let (mut sue, mut tom) = (agent(&cluster, 1, "sue").await, agent(&cluster, 2, "tom").await);
    for (user, action) in [("a", "claim"), ("c", "close"), ("d", "claim")] {
        handle(&mut sue, &talk_of(user), json!({ "action": action })).await;
    }
    handle(&mut tom, &talk_of("b"), json!({ "action": "claim" })).await;
    let mut ask = async |filter: Option<&str>, limit: usize| {
        let mut rows: Vec<Value> = Vec::new();
        let mut behind = Value::Null;
        loop {
            tom.say(json!({ "type": "inbox", "filter": filter.unwrap_or("all"), "behind": behind, "limit": limit }))
                .await;
            let page = tom.expect("inbox").await;
            rows.extend(page["conversations"].as_array().unwrap().iter().cloned());
            behind = page["next"].clone();
            if behind.is_null() {
                return rows;
            }
        }
    };
    for (filter, expected) in [
        (None, &["e", "d", "c", "b", "a"][..]),
        (Some("open"), &["e"]),
        (Some("mine"), &["b"]),
        (Some("claimed"), &["d", "b", "a"]),
        (Some("closed"), &["c"]),
    ] {
        for limit in [1, 2, 50] {
            let rows = ask(filter, limit).await;
            let ids: Vec<&Value> = rows.iter().map(|row| &row["conversation"]).collect();
            assert_eq!(json!(ids), json!(expected.iter().map(|user| talk_of(user)).collect::<Vec<_>>()), "{filter:?}");
        }
    }
    let row = ask(Some("mine"), 50).await.remove(0);
    assert_now(&row["assignment"], "claimed", Some("tom"));
    assert_eq!((&row["unread"], &row["last"]["text"], &row["kind"]), (&json!(1), &json!("Help"), &json!("support")));
    let never = ask(Some("open"), 50).await.remove(0);
    assert_eq!(never["assignment"], json!({ "agent": null, "state": "open", "change": 0 }));
    // In its user's own list it says who sees to it, and no more.
    let mut b = Client::hello(cluster.nodes[0].address(), "b").await;
    b.say(json!({ "type": "conversations" })).await;
    let own = b.expect("conversations").await["conversations"][0].clone();
    assert_eq!(own["assignment"], json!({ "agent": "tom", "state": "claimed", "change": 1 }));
}

async fn only_agents_handle_talks_and_only_talks_are_handled(cluster: Cluster) {
    let (mut ann, talk) = asks(&cluster, 0, "ann").await;
    ann.tell("bob", "1", "hi").await;
    for frame in [json!({ "type": "claim", "conversation": talk, "action": "claim" }), json!({ "type": "inbox" })] {
        ann.say(frame.clone()).await;
        let refused = loop {
            let answer = ann.next().await.unwrap();
            if answer["type"] == "error" {
                break answer;
            }
        };
        assert_eq!(refused["code"], "forbidden", "{frame}");
    }
    let mut sue = agent(&cluster, 1, "sue").await;
    sue.tell("bob", "1", "between us").await;
    let direct = |one: &str, other: &str| json!(ConversationId::direct(&one.parse().unwrap(), &other.parse().unwrap()));
    for other in [direct("ann", "bob"), direct("sue", "bob"), talk_of("nobody")] {
        assert_eq!(handle(&mut sue, &other, json!({ "action": "claim" })).await["code"], "forbidden", "{other}");
    }
    sue.say(json!({ "type": "claim", "conversation": talk, "action": "steal" })).await;
    let refused = sue.next().await.unwrap();
    assert_eq!(refused["code"], "bad_frame", "{refused}");
    assert_now(&handle(&mut sue, &talk, json!({ "action": "claim" })).await, "claimed", Some("sue"));
}

async fn a_script_handles_talks_too(cluster: Cluster) {
    let (_ann, talk) = asks(&cluster, 0, "ann").await;
    let mut tom = agent(&cluster, 2, "tom").await;
    let http = reqwest::Client::new();
    let base = format!("http://{}/api/v1", cluster.nodes[1].address());
    let put = async |name: &str, body: Value| {
        let url = format!("{base}/conversations/{}/assignment", talk.as_str().unwrap());
        let request = http.put(url).bearer_auth(token_as(name, Role::Admin));
        let answer = request.header("content-type", "application/json").body(body.to_string()).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str::<Value>(&answer.text().await.unwrap()).unwrap())
    };
    let (status, claimed) = put("sue", json!({ "action": "claim" })).await;
    assert_eq!(status, 200);
    assert_now(&claimed, "claimed", Some("sue"));
    told(&mut tom, &talk, "claimed", Some("sue")).await;
    let (status, refused) = put("tom", json!({ "action": "claim" })).await;
    assert_eq!((status, &refused["code"]), (409, &json!("conflict")));
    assert_now(&refused["assignment"], "claimed", Some("sue"));
    let (status, taken) = put("tom", json!({ "action": "claim", "from": "sue" })).await;
    assert_eq!((status, &taken["agent"]), (200, &json!("tom")));
    // Who came only over REST is an agent, too.
    let (status, passed) = put("tom", json!({ "action": "pass", "to": "sue" })).await;
    assert_eq!((status, &passed["agent"]), (200, &json!("sue")));
    let get = async |filter: &str, token: String| {
        let answer = http.get(format!("{base}/inbox?filter={filter}")).bearer_auth(token).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str::<Value>(&answer.text().await.unwrap()).unwrap())
    };
    let (status, inbox) = get("mine", token_as("sue", Role::Admin)).await;
    assert_eq!((status, &inbox["conversations"][0]["conversation"]), (200, &talk));
    assert_eq!(inbox["conversations"][0]["assignment"], passed);
    assert_eq!(get("mine", token_as("tom", Role::Admin)).await.1["conversations"], json!([]));
    assert_eq!(get("all", token("ann")).await.0, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_talk_whose_agent_is_away_too_long_is_everybodys_again() {
    let cluster = Cluster::patient_for(Duration::from_secs(2)).await;
    let (mut ann, talk) = asks(&cluster, 0, "ann").await;
    let (mut bob, bobs) = asks(&cluster, 0, "bob").await;
    let (mut sue, mut tom) = (agent(&cluster, 0, "sue").await, agent(&cluster, 0, "tom").await);
    handle(&mut sue, &talk, json!({ "action": "claim" })).await;
    handle(&mut tom, &bobs, json!({ "action": "claim" })).await;
    drop(sue);
    let left = Instant::now();
    let freed = told(&mut tom, &talk, "open", None).await;
    assert!(left.elapsed() >= Duration::from_millis(1_900), "not before: {:?}", left.elapsed());
    assert_eq!(freed["by"], "system", "{freed}");
    told(&mut ann, &talk, "open", None).await;
    // Who comes back in time keeps it, and who is here all the while.
    let mut sue = agent(&cluster, 0, "sue").await;
    handle(&mut sue, &talk, json!({ "action": "claim" })).await;
    drop(sue);
    tokio::time::sleep(Duration::from_millis(700)).await;
    let mut sue = agent(&cluster, 0, "sue").await;
    while let Some(frame) = bob.within(Duration::from_secs(4)).await {
        assert_ne!((&frame["type"], &frame["state"]), (&json!("assignment"), &json!("open")), "{frame}");
    }
    assert_now(&handle(&mut sue, &talk, json!({ "action": "claim" })).await, "claimed", Some("sue"));
    assert_now(&handle(&mut sue, &bobs, json!({ "action": "claim" })).await, "claimed", Some("tom"));
}
