//! Who is erased leaves their groups, and is shown as nobody in particular; and who was blocked brings nobody into one.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use switchboard::model::limits::BLOCKED_BY_MAX;
use switchboard::model::{Clock, Role, SystemClock, UserId};

use super::{add, change, create, history, reach, refused, rest, write};
use crate::support::client::Client;
use crate::support::cluster::{Cluster, signed, token, token_as};

/// What an erasure takes at the most: it waits until nothing that was under way can be stored any more.
const PATIENCE: Duration = Duration::from_secs(60);

fn seconds() -> u64 {
    SystemClock.now().0 / 1_000
}

async fn come(cluster: &Cluster, node: usize, bearer: &str) -> Client {
    let mut client = Client::silent(cluster.nodes[node].address()).await;
    client.say(json!({ "type": "hello", "token": bearer })).await;
    client.expect("welcome").await;
    client
}

async fn erase(cluster: &Cluster, user: &str) {
    let http = reqwest::Client::new();
    let began = Instant::now();
    for turn in 0.. {
        // Any node goes on where the other was.
        let node = cluster.nodes[turn % cluster.nodes.len()].address();
        let request = http.delete(format!("http://{node}/api/v1/users/{user}"));
        let erased = rest(&http, request.bearer_auth(token_as("backend", Role::Service))).await;
        if erased["done"] == true {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{erased}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_erased_is_out_of_each_group_and_shown_as_deleted() {
    let cluster = Cluster::local(2).await;
    let named = |user: &str, name: &str| signed(&json!({ "sub": user, "exp": seconds() + 600, "name": name }));
    let mut ann = come(&cluster, 0, &named("ann", "Ann")).await;
    let mut bob = come(&cluster, 1, &named("bob", "Bob")).await;
    let mut eve = come(&cluster, 0, &token("eve")).await;
    // Ann owns one of her own and is one of several owners' in none: the last owner leaves those who stay to themselves.
    let hers = create(&mut ann, &["bob", "eve"], false).await;
    write(&mut ann, &hers, "hello").await;
    let bobs = change(
        &mut bob,
        "bobs",
        json!({ "action": "create", "name": "Bakers", "members": ["ann", "eve"], "history": true }),
    )
    .await["conversation"]
        .as_str()
        .unwrap()
        .to_owned();
    let direct = ann.tell("bob", "direct", "a secret").await;
    assert_eq!(direct, 1);
    assert_eq!(refused(&mut bob, "too-early", add(&hers, "pat")).await, "forbidden", "ann owns it");

    erase(&cluster, "ann").await;

    for (group, seq) in [(&hers, 3), (&bobs, 2)] {
        reach(&mut bob, group, seq).await;
        reach(&mut eve, group, seq).await;
        let left = last(&cluster, "bob", group).await;
        assert_eq!((&left["seq"], &left["from"]), (&json!(seq), &json!("ann")), "{left}");
        assert_eq!(left["event"], json!({ "kind": "left", "user": "ann" }), "{left}");
        let http = reqwest::Client::new();
        let row = http.get(format!("http://{}/api/v1/conversations/{group}", cluster.nodes[0].address()));
        let row = rest(&http, row.bearer_auth(token("bob"))).await;
        let members: Vec<&Value> = row["members"].as_array().unwrap().iter().map(|member| &member["user"]).collect();
        assert_eq!(members, [&json!("bob"), &json!("eve")], "{row}");
    }
    // As after any last owner.
    change(&mut eve, "in", add(&hers, "pat")).await;
    assert_eq!(write(&mut bob, &hers, "on").await, 5);
    assert_eq!(history(&mut bob, &hers).await, [1, 2, 3, 4, 5], "and every place is kept");

    // On each door they are shown as nobody in particular.
    let (http, at) = (reqwest::Client::new(), cluster.nodes[1].address());
    bob.say(json!({ "type": "conversations" })).await;
    let listed = bob.expect("conversations").await.to_string();
    assert!(listed.contains("Deleted user") && !listed.contains("Ann") && !listed.contains("a secret"), "{listed}");
    let profile = http.get(format!("http://{at}/api/v1/users/ann")).bearer_auth(token("bob"));
    assert_eq!(rest(&http, profile).await, json!({ "user": "ann", "name": "Deleted user", "email": "" }));
    let page = http.get(format!("http://{at}/api/chat/messages/ann")).bearer_auth(token("bob"));
    let page = rest(&http, page).await;
    let sender = &page[0]["sender"];
    assert_eq!((&sender["_id"], &sender["name"]), (&json!("ann"), &json!("Deleted user")), "{page}");
    let found = http.get(format!("http://{at}/api/v1/people?user=ann")).bearer_auth(token_as("sue", Role::Admin));
    assert_eq!(found.send().await.unwrap().status().as_u16(), 403, "nor found by those who may find anybody");

    // Somebody who comes back under that id is who their new token says.
    let back = signed(&json!({ "sub": "ann", "exp": seconds() + 600, "iat": seconds(), "name": "Another Ann" }));
    let _back = come(&cluster, 0, &back).await;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let profile = http.get(format!("http://{at}/api/v1/users/ann")).bearer_auth(token("bob"));
        if rest(&http, profile).await["name"] == "Another Ann" {
            break;
        }
        assert!(Instant::now() < deadline);
    }
}

/// The last message of a group, as one of its members reads it.
async fn last(cluster: &Cluster, user: &str, group: &str) -> Value {
    let http = reqwest::Client::new();
    let path = format!("http://{}/api/v1/conversations/{group}/messages?limit=1", cluster.nodes[0].address());
    rest(&http, http.get(path).bearer_auth(token(user))).await["messages"][0].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_more_people_blocked_than_can_be_named_brings_none_of_them_into_a_group() {
    let cluster = Cluster::local(2).await;
    let store = cluster.store().await;
    let eve: UserId = "eve".parse().unwrap();
    let by: Vec<UserId> = (0..=BLOCKED_BY_MAX).map(|number| format!("b{number:04}").parse().unwrap()).collect();
    for some in by.chunks(100) {
        let blocked = join_all(some.iter().map(|by| store.block(by, &eve, true))).await;
        assert!(blocked.into_iter().all(|blocked| blocked.unwrap()));
    }
    let standing = store.standings(&[eve]).await.unwrap().pop().unwrap().1;
    let unnamed = by.iter().find(|by| !standing.is_blocked_by(by)).expect("one that has no room among the named");
    assert!(standing.blocked_by_more);

    let mut eve = Client::hello(cluster.nodes[0].address(), "eve").await;
    let create_with = |members: &[&str]| json!({ "action": "create", "name": "Crowd", "members": members });
    for blocker in [unnamed.as_str(), by[0].as_str()] {
        assert_eq!(refused(&mut eve, blocker, create_with(&["ann", blocker])).await, "forbidden");
    }
    let group = change(&mut eve, "create", create_with(&["ann"])).await["conversation"].as_str().unwrap().to_owned();
    for blocker in [unnamed.as_str(), by[0].as_str()] {
        assert_eq!(refused(&mut eve, &format!("add-{blocker}"), add(&group, blocker)).await, "forbidden");
    }
    change(&mut eve, "add", add(&group, "bob")).await;
    let listed = store.list(unnamed, None, 10).await.unwrap();
    assert_eq!(listed, [], "no group came to be with them in it");
}
