//! The life of a group, on one node and on three.

use std::time::Duration;

use serde_json::{Value, json};
use switchboard::model::{ConversationId, Event, MessageId, NewMessage, Seq, Timestamp};
use switchboard::store::Attempt;

use super::{add, change, create, history, reach, refusal, refused, remove, write};
use crate::support::client::Client;
use crate::support::cluster::Cluster;

macro_rules! on_one_node_and_on_three {
    ($($rule:ident),+ $(,)?) => {
        mod one {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() { super::$rule(super::Cluster::local(1).await).await; })+
        }
        mod three {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() { super::$rule(super::Cluster::redis(3).await).await; })+
        }
    };
}

on_one_node_and_on_three!(
    members_see_from_where_they_came_to_where_they_left,
    newcomers_see_everything_where_the_group_allows_it,
    owners_decide_and_where_there_is_none_everybody,
    the_same_key_is_the_same_change,
    who_returns_is_told_what_they_may_see,
    rows_say_what_a_group_is,
    changes_at_once_leave_one_group,
    an_event_whose_node_died_takes_effect_when_somebody_meets_it,
    a_large_group_is_told_and_listed_in_bounds,
);

async fn at(cluster: &Cluster, node: usize, user: &str) -> Client {
    Client::hello(cluster.nodes[node % cluster.nodes.len()].address(), user).await
}

async fn members_see_from_where_they_came_to_where_they_left(cluster: Cluster) {
    let (mut ann, mut bob) = (at(&cluster, 0, "ann").await, at(&cluster, 1, "bob").await);
    let mut cyd = at(&cluster, 2, "cyd").await;
    let group = create(&mut ann, &["bob"], false).await;
    let made = bob.expect("message").await;
    assert_eq!(made["event"], json!({ "kind": "created", "name": "Cooks" }), "{made}");
    assert_eq!((&made["text"], &made["from"]), (&json!(""), &json!("ann")));
    write(&mut bob, &group, "2").await;
    write(&mut ann, &group, "3").await;
    assert_eq!(change(&mut ann, "4", add(&group, "cyd")).await["seq"], 4);
    let added = cyd.expect("message").await;
    assert_eq!((&added["seq"], &added["event"]), (&json!(4), &json!({ "kind": "added", "user": "cyd" })));
    write(&mut cyd, &group, "5").await;
    assert_eq!(history(&mut cyd, &group).await, [4, 5]);
    cyd.say(json!({ "type": "history", "conversation": group, "after": 0 })).await;
    assert_eq!(cyd.expect("history").await["messages"][0]["seq"], 4);

    assert_eq!(change(&mut ann, "6", remove(&group, "bob")).await["seq"], 6);
    reach(&mut bob, &group, 6).await;
    write(&mut ann, &group, "7").await;
    write(&mut cyd, &group, "8").await;
    bob.say(json!({ "type": "send", "conversation": group, "key": "late", "text": "hello?" })).await;
    assert_eq!(refusal(&mut bob, "late").await, "forbidden");
    assert_eq!(history(&mut bob, &group).await, [1, 2, 3, 4, 5, 6], "what they saw stays theirs");
    for frame in ["conversation", "read"] {
        bob.say(json!({ "type": frame, "conversation": group })).await;
        assert_eq!(bob.next().await.unwrap()["code"], "forbidden", "{frame}");
    }

    change(&mut ann, "9", add(&group, "bob")).await;
    reach(&mut bob, &group, 9).await;
    write(&mut bob, &group, "10").await;
    assert_eq!(history(&mut bob, &group).await, [9, 10], "who comes again sees from there");
    change(&mut cyd, "11", json!({ "action": "leave", "conversation": group })).await;
    write(&mut ann, &group, "12").await;
    reach(&mut bob, &group, 12).await;
    assert_eq!(history(&mut cyd, &group).await, (4..=11).collect::<Vec<_>>());
    assert_eq!(bob.shown[&group], [1, 2, 3, 4, 5, 6, 9, 10, 11, 12]);
    assert_eq!(cyd.shown[&group], (4..=11).collect::<Vec<u64>>());
    assert_eq!(cyd.within(Duration::from_millis(300)).await, None);
    let mut eve = at(&cluster, 1, "eve").await;
    eve.say(json!({ "type": "history", "conversation": group })).await;
    assert_eq!(eve.next().await.unwrap()["code"], "forbidden");
}

async fn newcomers_see_everything_where_the_group_allows_it(cluster: Cluster) {
    let (mut ann, mut bob) = (at(&cluster, 0, "ann").await, at(&cluster, 1, "bob").await);
    let group = create(&mut ann, &[], true).await;
    write(&mut ann, &group, "2").await;
    change(&mut ann, "3", add(&group, "bob")).await;
    reach(&mut bob, &group, 3).await;
    assert_eq!(history(&mut bob, &group).await, [1, 2, 3]);
    change(&mut ann, "4", remove(&group, "bob")).await;
    write(&mut ann, &group, "5").await;
    reach(&mut bob, &group, 4).await;
    assert_eq!(history(&mut bob, &group).await, [1, 2, 3, 4]);
}

async fn owners_decide_and_where_there_is_none_everybody(cluster: Cluster) {
    let (mut ann, mut bob) = (at(&cluster, 0, "ann").await, at(&cluster, 1, "bob").await);
    let group = create(&mut ann, &["bob", "cyd"], false).await;
    let role = |user: &str, role: &str| json!({ "action": "role", "conversation": group, "user": user, "role": role });
    let name = |name: &str| json!({ "action": "name", "conversation": group, "name": name });
    for action in [add(&group, "dan"), remove(&group, "cyd"), name("Mine"), role("bob", "owner")] {
        assert_eq!(refused(&mut bob, "no", action.clone()).await, "forbidden", "{action}");
    }
    let mut eve = at(&cluster, 2, "eve").await;
    assert_eq!(refused(&mut eve, "no", add(&group, "eve")).await, "forbidden");
    for action in [
        add(&group, "bob"),
        add(&group, "team"),
        remove(&group, "dan"),
        role("dan", "owner"),
        role("bob", "member"),
        name(" "),
        name(&"x".repeat(129)),
        name("bell\u{7}"),
        json!({ "action": "create", "name": "" }),
    ] {
        assert_eq!(refused(&mut ann, "no", action.clone()).await, "invalid", "{action}");
    }
    let direct = ConversationId::direct(&"ann".parse().unwrap(), &"bob".parse().unwrap()).to_string();
    ann.tell("bob", "hello", "hello").await;
    assert_eq!(refused(&mut ann, "no", add(&direct, "cyd")).await, "invalid", "only groups change");
    change(&mut ann, "owner", role("bob", "owner")).await;
    change(&mut bob, "name", name("Bakers")).await;
    change(&mut bob, "down", role("ann", "member")).await;
    assert_eq!(refused(&mut ann, "no", name("Mine")).await, "forbidden");
    change(&mut bob, "out", remove(&group, "bob")).await;
    change(&mut ann, "again", name("Ours")).await;
    ann.say(json!({ "type": "conversation", "conversation": group })).await;
    let row = ann.expect("conversation").await;
    assert_eq!((&row["name"], &row["member_count"]), (&json!("Ours"), &json!(2)), "{row}");
}

async fn the_same_key_is_the_same_change(cluster: Cluster) {
    let (mut ann, mut phone) = (at(&cluster, 0, "ann").await, at(&cluster, 1, "ann").await);
    let make = json!({ "action": "create", "name": "Cooks", "members": ["bob"] });
    let first = change(&mut ann, "k", make.clone()).await;
    let again = change(&mut phone, "k", make).await;
    assert_eq!((&first["conversation"], &first["seq"]), (&again["conversation"], &again["seq"]));
    assert_eq!(first["id"], again["id"]);
    let group = first["conversation"].as_str().unwrap().to_owned();
    let creator = "ann".parse().unwrap();
    assert_eq!(group, ConversationId::group(&creator, &"k".parse().unwrap()).to_string());
    let out = change(&mut ann, "out", remove(&group, "bob")).await;
    let again = change(&mut phone, "out", remove(&group, "bob")).await;
    assert_eq!(out["seq"], again["seq"], "it was done, so it is not `invalid`");
    let mut bob = at(&cluster, 2, "bob").await;
    change(&mut ann, "in", add(&group, "bob")).await;
    let said = write(&mut bob, &group, "said").await;
    change(&mut ann, "out-again", remove(&group, "bob")).await;
    let mut bobs_phone = at(&cluster, 0, "bob").await;
    assert_eq!(write(&mut bobs_phone, &group, "said").await, said, "stored while they were in it");
    let left = change(&mut ann, "gone", json!({ "action": "leave", "conversation": group })).await;
    let again = change(&mut phone, "gone", json!({ "action": "leave", "conversation": group })).await;
    assert_eq!(left["seq"], again["seq"]);
}

async fn who_returns_is_told_what_they_may_see(cluster: Cluster) {
    let mut ann = at(&cluster, 0, "ann").await;
    let group = create(&mut ann, &["bob", "cyd"], false).await;
    let mut away = Vec::new();
    for user in ["bob", "cyd", "dan"] {
        let mut client = at(&cluster, 1, user).await;
        if user != "dan" {
            client.say(json!({ "type": "history", "conversation": group })).await;
            client.expect("history").await;
            client.shown.insert(group.clone(), vec![1]);
        }
        client.say(json!({ "type": "ping" })).await;
        client.expect("pong").await;
        away.push(client);
    }
    write(&mut ann, &group, "2").await;
    change(&mut ann, "3", remove(&group, "bob")).await;
    write(&mut ann, &group, "4").await;
    change(&mut ann, "5", add(&group, "dan")).await;
    let last = write(&mut ann, &group, "6").await;
    let back = |user: &'static str, node: usize, names: bool| {
        let earlier = &away[["bob", "cyd", "dan"].iter().position(|name| *name == user).unwrap()];
        let address = cluster.nodes[node % cluster.nodes.len()].address();
        async move { Client::resume(address, user, earlier, |_| names).await }
    };
    for names in [true, false] {
        let mut bob = back("bob", 2, names).await;
        reach(&mut bob, &group, 3).await;
        assert_eq!(bob.within(Duration::from_millis(300)).await, None, "and nothing else");
        let from = if names { 2 } else { 1 };
        assert_eq!(bob.shown[&group], (from..=3).collect::<Vec<_>>(), "named: {names}");
        let mut cyd = back("cyd", 0, names).await;
        reach(&mut cyd, &group, last).await;
        let mut dan = back("dan", 2, names).await;
        reach(&mut dan, &group, last).await;
        assert_eq!(dan.shown[&group], [5, 6]);
    }
    let mut eve = at(&cluster, 0, "eve").await;
    eve.say(json!({ "type": "resume", "cursors": { group.as_str(): 1 } })).await;
    eve.expect("resumed").await;
    assert_eq!(eve.next().await.unwrap()["code"], "forbidden");
}

async fn rows_say_what_a_group_is(cluster: Cluster) {
    let (mut ann, mut bob) = (at(&cluster, 0, "ann").await, at(&cluster, 1, "bob").await);
    let group = create(&mut ann, &["cyd"], false).await;
    write(&mut ann, &group, "2").await;
    write(&mut ann, &group, "3").await;
    change(&mut ann, "4", add(&group, "bob")).await;
    bob.say(json!({ "type": "conversations" })).await;
    let row = bob.expect("conversations").await["conversations"][0].clone();
    assert_eq!(row["kind"], "group");
    assert_eq!((&row["name"], &row["member_count"], &row["history"]), (&json!("Cooks"), &json!(3), &json!(false)));
    assert_eq!(row["last"]["event"], json!({ "kind": "added", "user": "bob" }));
    assert_eq!(row["unread"], 0, "neither what was before nor events are unread: {row}");
    let members = row["members"].as_array().unwrap();
    let owners: Vec<&Value> = members.iter().filter(|member| member["role"] == "owner").collect();
    assert_eq!((members.len(), owners[0]["user"].as_str()), (3, Some("ann")));
    assert_eq!(owners.len(), 1);
    write(&mut ann, &group, "5").await;
    reach(&mut bob, &group, 5).await;
    bob.say(json!({ "type": "conversation", "conversation": group })).await;
    let one = bob.expect("conversation").await;
    assert_eq!((&one["unread"], &one["last_seq"], &one["last"]["text"]), (&json!(1), &json!(5), &json!("5")));
    bob.say(json!({ "type": "read", "conversation": group })).await;
    let receipt = ann.expect("receipt").await;
    assert_eq!((&receipt["user"], &receipt["read"]), (&json!("bob"), &json!(5)));
    ann.tell("bob", "direct", "hello").await;
    ann.say(json!({ "type": "conversations" })).await;
    let rows = ann.expect("conversations").await;
    let direct = &rows["conversations"][0];
    assert_eq!((&direct["kind"], &direct["member_count"]), (&json!("direct"), &json!(2)));
    assert!(direct.get("name").is_none() && direct.get("history").is_none(), "{direct}");
}

/// Several owners on several nodes, adding, removing and writing at once: all see one history, and everybody starts where
/// it says that they came.
async fn changes_at_once_leave_one_group(cluster: Cluster) {
    let mut ann = at(&cluster, 0, "ann").await;
    let group = create(&mut ann, &["o1", "o2"], false).await;
    for owner in ["o1", "o2"] {
        let role = json!({ "action": "role", "conversation": group, "user": owner, "role": "owner" });
        change(&mut ann, owner, role).await;
    }
    let mut newcomers = Vec::new();
    for number in 0..9 {
        newcomers.push(at(&cluster, number, &format!("n{number}")).await);
    }
    let work = |mut owner: Client, number: usize| {
        let group = &group;
        async move {
            for step in 0..3 {
                let user = format!("n{}", number * 3 + step);
                super::ask(&mut owner, &format!("a{step}"), add(group, &user)).await;
                let text = json!({ "type": "send", "conversation": group, "key": format!("t{step}"), "text": user });
                owner.say(text).await;
            }
            let mut answers = 0;
            while answers < 6 {
                let frame = owner.next().await.expect("the connection ended");
                assert_ne!(frame["type"], "error", "{frame}");
                answers += usize::from(frame["type"] == "sent");
            }
            owner
        }
    };
    let (one, two) = (at(&cluster, 1, "o1").await, at(&cluster, 2, "o2").await);
    let mine = at(&cluster, 0, "ann").await;
    let _owners = tokio::join!(work(mine, 0), work(one, 1), work(two, 2));
    let last = write(&mut ann, &group, "last").await;
    assert_eq!(history(&mut ann, &group).await, (1..=last).collect::<Vec<_>>());
    assert_eq!(last, 3 + 18 + 1);
    for mut newcomer in newcomers {
        reach(&mut newcomer, &group, last).await;
        let first = newcomer.shown[&group][0];
        assert_eq!(newcomer.shown[&group], (first..=last).collect::<Vec<_>>());
        assert_eq!(history(&mut newcomer, &group).await, newcomer.shown[&group]);
        newcomer.say(json!({ "type": "history", "conversation": group, "after": 0, "limit": 1 })).await;
        let page = newcomer.expect("history").await;
        assert_eq!(page["messages"][0]["event"]["kind"], "added", "{page}");
    }
}

/// As if a node had died between storing an event and letting it take effect.
async fn an_event_whose_node_died_takes_effect_when_somebody_meets_it(cluster: Cluster) {
    let store = cluster.store().await;
    let (mut ann, mut bob) = (at(&cluster, 0, "ann").await, at(&cluster, 1, "bob").await);
    let half_done = async |group: &str, seq: u64, event: Event| {
        let message = NewMessage {
            conversation: group.parse().unwrap(),
            id: MessageId::from_bytes([u8::try_from(seq).unwrap(); 12]),
            sender: "ann".parse().unwrap(),
            key: format!("half-{seq}").parse().unwrap(),
            at: Timestamp(1_700_000_000_000),
            text: String::new(),
            event: Some(event),
        };
        let stored = store.append_each(vec![Attempt { message, seq: Seq(seq) }]).await;
        assert_eq!(stored, [switchboard::store::Outcome::Stored]);
    };
    let group = create(&mut ann, &["bob"], false).await;
    reach(&mut bob, &group, 1).await;
    half_done(&group, 2, Event::Removed { user: "bob".parse().unwrap() }).await;
    // Who writes meets it, before they write.
    bob.say(json!({ "type": "send", "conversation": group, "key": "late", "text": "am I in it?" })).await;
    assert_eq!(refusal(&mut bob, "late").await, "forbidden");
    assert_eq!(write(&mut ann, &group, "3").await, 3);
    assert_eq!(history(&mut bob, &group).await, [1, 2]);

    half_done(&group, 4, Event::Added { user: "cyd".parse().unwrap() }).await;
    // Who reads meets it, too.
    assert_eq!(history(&mut ann, &group).await, [1, 2, 3, 4]);
    let mut cyd = at(&cluster, 2, "cyd").await;
    assert_eq!(history(&mut cyd, &group).await, [4]);
    half_done(&group, 5, Event::Removed { user: "cyd".parse().unwrap() }).await;
    assert_eq!(write(&mut ann, &group, "6").await, 6);
    assert_eq!(history(&mut cyd, &group).await, [4, 5]);
    // The same key again lets it take effect, as its sender would.
    half_done(&group, 7, Event::Named { name: "Bakers".to_owned() }).await;
    let name = json!({ "action": "name", "conversation": group, "name": "Bakers" });
    assert_eq!(change(&mut ann, "half-7", name).await["seq"], 7);
    ann.say(json!({ "type": "conversation", "conversation": group })).await;
    assert_eq!(ann.expect("conversation").await["name"], "Bakers");
}

async fn a_large_group_is_told_and_listed_in_bounds(cluster: Cluster) {
    let mut ann = at(&cluster, 0, "ann").await;
    let members: Vec<String> = (0..999).map(|number| format!("m{number:03}")).collect();
    let names: Vec<&str> = members.iter().map(String::as_str).collect();
    let mut one = at(&cluster, 1, "m500").await;
    let too_many: Vec<&str> = names.iter().copied().chain(["one-more"]).collect();
    let action = json!({ "action": "create", "name": "Crowd", "members": too_many });
    assert_eq!(refused(&mut ann, "no", action).await, "invalid");
    let group = create(&mut ann, &names, false).await;
    assert_eq!(refused(&mut ann, "full", add(&group, "one-more")).await, "invalid");
    for seq in 2..12 {
        assert_eq!(write(&mut ann, &group, &format!("{seq}")).await, seq);
    }
    reach(&mut one, &group, 11).await;
    assert_eq!(one.shown[&group], (1..=11).collect::<Vec<_>>());
    one.say(json!({ "type": "conversations" })).await;
    let row = one.expect("conversations").await["conversations"][0].clone();
    assert_eq!((row["members"].as_array().unwrap().len(), &row["member_count"]), (20, &json!(1_000)));
    assert_eq!((&row["members"][0]["user"], &row["last_seq"]), (&json!("ann"), &json!(11)), "owners come first");
    one.say(json!({ "type": "conversation", "conversation": group })).await;
    assert_eq!(one.expect("conversation").await["members"].as_array().unwrap().len(), 1_000);
    // In a crowd nobody else is told who read or writes.
    one.say(json!({ "type": "typing", "conversation": group, "active": true })).await;
    one.say(json!({ "type": "read", "conversation": group })).await;
    one.expect("receipt").await;
    ann.say(json!({ "type": "ping" })).await;
    assert_eq!(ann.next().await.unwrap()["type"], "pong");
}
