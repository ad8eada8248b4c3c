//! Groups over whole nodes: who may do what, and that nobody is shown a message that is not theirs.

mod classic;
mod erased;
mod lives;
mod lost;
mod random;
mod rest;

use serde_json::{Value, json};

use crate::support::client::Client;

/// Changes a group; answers the `sent`.
async fn change(client: &mut Client, key: &str, action: Value) -> Value {
    ask(client, key, action).await;
    let sent = client.expect("sent").await;
    assert_eq!(sent["key"], key, "{sent}");
    sent
}

/// Tries to change a group; answers the code of the refusal.
async fn refused(client: &mut Client, key: &str, action: Value) -> String {
    ask(client, key, action).await;
    refusal(client, key).await
}

async fn ask(client: &mut Client, key: &str, mut action: Value) {
    action["type"] = json!("group");
    action["key"] = json!(key);
    client.say(action).await;
}

async fn refusal(client: &mut Client, key: &str) -> String {
    loop {
        let frame = client.next().await.expect("the connection ended");
        if frame["type"] == "error" {
            assert_eq!(frame["key"], key, "{frame}");
            return frame["code"].as_str().unwrap().to_owned();
        }
        assert_ne!(frame["type"], "sent", "{frame}");
    }
}

/// Makes a group.
async fn create(client: &mut Client, members: &[&str], history: bool) -> String {
    let action = json!({ "action": "create", "name": "Cooks", "members": members, "history": history });
    change(client, "create", action).await["conversation"].as_str().unwrap().to_owned()
}

/// Writes into it; answers the place.
async fn write(client: &mut Client, group: &str, key: &str) -> u64 {
    client.say(json!({ "type": "send", "conversation": group, "key": key, "text": key })).await;
    let sent = client.expect("sent").await;
    assert_eq!(sent["key"], key, "{sent}");
    sent["seq"].as_u64().unwrap()
}

/// Reads until a place of the group was shown.
async fn reach(client: &mut Client, group: &str, seq: u64) {
    while !client.shown.get(group).is_some_and(|shown| shown.contains(&seq)) {
        let frame = client.next().await.expect("the connection ended");
        assert_ne!(frame["type"], "error", "{frame}");
    }
}

/// The places of all that somebody may read of it.
async fn history(client: &mut Client, group: &str) -> Vec<u64> {
    let mut all = Vec::new();
    let mut before = None;
    loop {
        client.say(json!({ "type": "history", "conversation": group, "before": before, "limit": 7 })).await;
        let page = client.expect("history").await;
        let places: Vec<u64> =
            page["messages"].as_array().unwrap().iter().map(|message| message["seq"].as_u64().unwrap()).collect();
        before = places.first().copied();
        all.splice(0..0, places);
        if page["more"] == false {
            return all;
        }
    }
}

/// Says and asks over REST; answers the body of what must be a success.
async fn rest(client: &reqwest::Client, request: reqwest::RequestBuilder) -> Value {
    let answer = client.execute(request.build().unwrap()).await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert!(status.is_success(), "{status}: {text}");
    serde_json::from_str(&text).unwrap()
}

fn add(group: &str, user: &str) -> Value {
    json!({ "action": "add", "conversation": group, "user": user })
}

fn remove(group: &str, user: &str) -> Value {
    json!({ "action": "remove", "conversation": group, "user": user })
}
