//! Compare and send: stored right after what its writer saw, or refused with what others wrote.

use serde_json::{Value, json};
use switchboard::model::{ConversationId, Role};

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
    of_two_agents_who_answer_at_once_one_is_stored_and_the_other_is_told,
    a_repeated_key_is_answered_with_its_first_result_on_any_node,
    what_is_said_before_and_after_a_refused_send_keeps_its_order,
    the_place_must_exist_and_others_learn_nothing,
    a_script_is_told_with_409,
);

async fn agent(cluster: &Cluster, node: usize, name: &str) -> Client {
    let mut client = Client::silent(cluster.nodes[node].address()).await;
    client.say(json!({ "type": "hello", "token": token_as(name, Role::Admin) })).await;
    client.expect("welcome").await;
    client
}

/// Reads up to the answer to the send of this key.
async fn answer(client: &mut Client, key: &str) -> Value {
    loop {
        let frame = client.next().await.expect("the connection ended");
        if frame["key"] == key && (frame["type"] == "sent" || frame["type"] == "error") {
            return frame;
        }
    }
}

async fn exact(client: &mut Client, conversation: &Value, key: &str, head: u64) {
    let send = json!({ "type": "send", "conversation": conversation, "key": key, "text": key, "head": head });
    client.say(send).await;
}

async fn of_two_agents_who_answer_at_once_one_is_stored_and_the_other_is_told(cluster: Cluster) {
    const ROUNDS: u64 = 25;
    let mut ann = Client::hello(cluster.nodes[0].address(), "ann").await;
    let (mut sue, mut tom) = (agent(&cluster, 1, "sue").await, agent(&cluster, 2, "tom").await);
    ann.say(json!({ "type": "send", "to": "team", "key": "help", "text": "Help" })).await;
    let talk = ann.expect("sent").await["conversation"].clone();
    let mut won = [0, 0];
    for head in 1..=ROUNDS {
        let keys = [format!("sue-{head}"), format!("tom-{head}")];
        let race = async |client: &mut Client, key: &str| {
            exact(client, &talk, key, head).await;
            answer(client, key).await
        };
        let answers: [Value; 2] = tokio::join!(race(&mut sue, &keys[0]), race(&mut tom, &keys[1])).into();
        let winner = answers.iter().position(|answer| answer["type"] == "sent").expect("one of them is stored");
        let (sent, refused) = (&answers[winner], &answers[1 - winner]);
        assert_eq!(sent["seq"], head + 1, "{sent}");
        assert_eq!((&refused["code"], &refused["more"]), (&json!("conflict"), &json!(false)), "{refused}");
        assert!(refused.get("retry_after_ms").is_none(), "it is final: {refused}");
        let told = &refused["messages"];
        assert_eq!(told.as_array().map(Vec::len), Some(1), "{refused}");
        assert_eq!((&told[0]["seq"], &told[0]["key"]), (&json!(head + 1), &json!(keys[winner])), "{refused}");
        won[winner] += 1;
    }
    ann.see(usize::try_from(ROUNDS).unwrap() + 1).await;
    ann.assert_whole(ROUNDS + 1);
    assert_eq!(won[0] + won[1], ROUNDS);
}

async fn a_repeated_key_is_answered_with_its_first_result_on_any_node(cluster: Cluster) {
    let mut here = Client::hello(cluster.nodes[0].address(), "ann").await;
    here.tell("bob", "1", "one").await;
    let talk = json!(ConversationId::direct(&"ann".parse().unwrap(), &"bob".parse().unwrap()));
    exact(&mut here, &talk, "mine", 1).await;
    let first = answer(&mut here, "mine").await;
    assert_eq!(first["seq"], 2);
    here.tell("bob", "3", "three").await;
    let mut there = Client::hello(cluster.nodes[1].address(), "ann").await;
    for client in [&mut here, &mut there] {
        for head in [1, 3, 0, 99] {
            exact(client, &talk, "mine", head).await;
            let again = answer(client, "mine").await;
            assert_eq!((&again["seq"], &again["id"]), (&first["seq"], &first["id"]), "{head}: {again}");
        }
    }
    // Both at once, on two nodes: one message, two answers.
    exact(&mut here, &talk, "twice", 3).await;
    exact(&mut there, &talk, "twice", 3).await;
    let (one, other) = (answer(&mut here, "twice").await, answer(&mut there, "twice").await);
    assert_eq!((&one["seq"], &one["id"]), (&json!(4), &other["id"]), "{one} {other}");
}

async fn what_is_said_before_and_after_a_refused_send_keeps_its_order(cluster: Cluster) {
    let mut ann = Client::hello(cluster.nodes[0].address(), "ann").await;
    let talk = json!(ConversationId::direct(&"ann".parse().unwrap(), &"bob".parse().unwrap()));
    ann.tell("bob", "first", "first").await;
    for n in 0..30 {
        ann.send("bob", &format!("plain-{n}"), "plain").await;
        exact(&mut ann, &talk, &format!("late-{n}"), 1).await;
        exact(&mut ann, &talk, &format!("good-{n}"), 2 + 2 * n).await;
    }
    ann.send("bob", "last", "last").await;
    let mut seqs = Vec::new();
    for _ in 0..91 {
        let frame = loop {
            let frame = ann.next().await.expect("the connection ended");
            if frame["type"] == "sent" || frame["type"] == "error" {
                break frame;
            }
        };
        let key = frame["key"].as_str().unwrap();
        if key.starts_with("late") {
            assert_eq!((&frame["code"], &frame["messages"][0]["seq"]), (&json!("conflict"), &json!(2)), "{frame}");
        } else {
            seqs.push((frame["seq"].as_u64().unwrap_or_else(|| panic!("{frame}")), key.to_owned()));
        }
    }
    seqs.sort();
    let expected = (0..30).flat_map(|n| [(2 + 2 * n, format!("plain-{n}")), (3 + 2 * n, format!("good-{n}"))]);
    assert!(seqs.into_iter().eq(expected.chain([(62, "last".to_owned())])));
}

async fn the_place_must_exist_and_others_learn_nothing(cluster: Cluster) {
    let mut ann = Client::hello(cluster.nodes[0].address(), "ann").await;
    let new = json!({ "type": "send", "to": "bob", "key": "new", "text": "the first of all", "head": 0 });
    ann.say(new.clone()).await;
    let sent = answer(&mut ann, "new").await;
    assert_eq!(sent["seq"], 1, "a conversation may begin so");
    exact(&mut ann, &sent["conversation"], "beyond", 2).await;
    assert_eq!(answer(&mut ann, "beyond").await["code"], "invalid");
    let mut bob = Client::hello(cluster.nodes[1].address(), "bob").await;
    let too = json!({ "type": "send", "to": "ann", "key": "new", "text": "me too", "head": 0 });
    bob.say(too).await;
    let refused = answer(&mut bob, "new").await;
    assert_eq!((&refused["code"], &refused["messages"][0]["from"]), (&json!("conflict"), &json!("ann")), "{refused}");
    let mut eve = Client::hello(cluster.nodes[1].address(), "eve").await;
    for head in [0, 1, 2] {
        exact(&mut eve, &sent["conversation"], "nosy", head).await;
        let refused = answer(&mut eve, "nosy").await;
        assert_eq!((&refused["code"], refused.get("messages")), (&json!("forbidden"), None), "{refused}");
    }
}

async fn a_script_is_told_with_409(cluster: Cluster) {
    let mut bob = Client::hello(cluster.nodes[1].address(), "bob").await;
    bob.tell("ann", "1", "one").await;
    let http = reqwest::Client::new();
    let post = async |body: Value| {
        let url = format!("http://{}/api/v1/messages", cluster.nodes[0].address());
        let request = http.post(url).bearer_auth(token("ann")).header("content-type", "application/json");
        let answer = request.body(body.to_string()).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str::<Value>(&answer.text().await.unwrap()).unwrap())
    };
    let (status, sent) = post(json!({ "to": "bob", "key": "2", "text": "two", "head": 1 })).await;
    assert_eq!((status, &sent["seq"]), (201, &json!(2)));
    let (status, refused) = post(json!({ "to": "bob", "key": "3", "text": "three", "head": 1 })).await;
    assert_eq!((status, &refused["code"], &refused["more"]), (409, &json!("conflict"), &json!(false)));
    assert_eq!(refused["messages"], json!([sent]), "as they are read");
    assert_eq!(post(json!({ "to": "bob", "key": "2", "text": "two", "head": 1 })).await, (201, sent));
    let (status, refused) = post(json!({ "to": "bob", "key": "4", "text": "four", "head": 9 })).await;
    assert_eq!((status, &refused["code"]), (400, &json!("invalid")));
}
