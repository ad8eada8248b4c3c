//! What is older than a time is let go of, and everybody goes on: counts, histories, cursors and numbers.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use switchboard::model::{
    Conversation, CursorKind, Event, Message, MessageId, NewMessage, Seq, StoreTime, Timestamp, UserId,
};
use switchboard::store::{Archive, Attempt, Outcome, Store};
use switchboard::upkeep::{Purged, purge};

use super::Place;
use crate::support::client::Client;
use crate::support::cluster::{alone, token};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Between the fifth and the sixth of the things that were said.
const OLD: Duration = Duration::from_secs(21 * 12 * 60 * 60);
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

fn id(name: &str) -> UserId {
    name.parse().unwrap()
}

/// Says as many things in a conversation, the first of them so long ago, each a day after the one before.
async fn said_long_ago(store: &dyn Archive, talk: &Conversation, count: u64, days_ago: u64) {
    let now = store.now().await.unwrap();
    let told = |seq: u64| Message {
        conversation: talk.id,
        seq: Seq(seq),
        id: MessageId::from_bytes([u8::try_from(seq).unwrap(); 12]),
        sender: talk.members[usize::from(seq.is_multiple_of(2))].clone(),
        key: format!("old{seq}").parse().unwrap(),
        at: Timestamp(now.minus(DAY * u32::try_from(days_ago - seq + 1).unwrap()).0),
        text: format!("this is {seq}"),
        event: None,
    };
    let messages: Vec<Message> = (1..=count).map(told).collect();
    let attempt = |message: &Message| {
        let Message { conversation, seq, id, sender, key, at, text, event } = message.clone();
        Attempt { message: NewMessage { conversation, id, sender, key, at, text, event }, seq }
    };
    let attempts: Vec<Attempt> = messages.iter().map(attempt).collect();
    store.open(talk).await.unwrap();
    assert_eq!(store.adopt_run(attempts, now).await, vec![Outcome::Stored; messages.len()]);
    store.settle(&messages[messages.len() - 1..], now).await.unwrap();
}

async fn places(store: &dyn Store, talk: &Conversation) -> Vec<u64> {
    let page = store.page(talk.id, switchboard::store::Span::After(Seq::ZERO), 50).await.unwrap();
    page.iter().map(|message| message.seq.0).collect()
}

async fn what_is_old_goes_and_everybody_goes_on(place: Place) {
    let archive = place.open().await;
    let [both, quiet, new] =
        [("ann", "bob"), ("ann", "eve"), ("ann", "zoe")].map(|(one, other)| Conversation::direct(&id(one), &id(other)));
    // Ten a day apart, the newest 6 days old; three that are all older than a year; one of now.
    said_long_ago(&*archive, &both, 10, 15).await;
    said_long_ago(&*archive, &quiet, 3, 500).await;
    let store: Arc<dyn Store> = archive.clone();
    let node = alone(store.clone()).await;
    let address = node.address();
    let mut zoe = Client::hello(address, "zoe").await;
    zoe.tell("ann", "k1", "now").await;
    store.advance(both.id, &id("bob"), CursorKind::Read, Seq(4)).await.unwrap();

    let dry = purge(&*store, OLD, true, |_| {}).await.unwrap();
    let expected = Purged { conversations: 3, touched: 2, deleted: 5 + 2, emptied: 1 };
    assert_eq!(dry, expected);
    assert_eq!(places(&*store, &both).await.len(), 10, "it was only counted");
    // Beside a node that serves; and again, as after it was cut short.
    assert_eq!(purge(&*store, OLD, false, |_| {}).await.unwrap(), expected);
    let nothing = Purged { conversations: 3, ..Purged::default() };
    assert_eq!(purge(&*store, OLD, false, |_| {}).await.unwrap(), nothing);
    assert_eq!(purge(&*store, YEAR, true, |_| {}).await.unwrap(), nothing);
    assert_eq!(places(&*store, &both).await, [6, 7, 8, 9, 10]);
    assert_eq!(places(&*store, &quiet).await, [3], "the last one keeps its place");
    assert_eq!(places(&*store, &new).await, [1]);
    let last = store.page(quiet.id, switchboard::store::Span::After(Seq::ZERO), 9).await.unwrap().pop().unwrap();
    assert_eq!((last.text.as_str(), last.event), ("", Some(Event::Erased)));

    // History says where it begins.
    let mut bob = Client::hello(address, "bob").await;
    for (limit, expected) in [(2, true), (5, true), (50, false)] {
        bob.say(json!({ "type": "history", "conversation": both.id, "limit": limit })).await;
        let page = bob.expect("history").await;
        assert_eq!(page["more"], expected, "{page}");
    }
    bob.say(json!({ "type": "history", "conversation": both.id, "before": 6 })).await;
    let page = bob.expect("history").await;
    assert_eq!((&page["messages"], &page["more"]), (&json!([]), &json!(false)));
    // Nobody has unread what is gone: beyond Bob's cursor are 5 to 10, of which Ann's own and the first are not counted.
    bob.say(json!({ "type": "unread" })).await;
    let unread = bob.expect("unread").await["total"].as_u64().unwrap();
    let anns = (6..=10).filter(|seq: &usize| both.members[usize::from(seq.is_multiple_of(2))] == id("ann")).count();
    assert_eq!(unread, anns as u64);

    // Who comes back with a cursor from before is shown what there is, and then what comes.
    bob.say(json!({ "type": "ping" })).await;
    let as_of = bob.expect("pong").await["as_of"].clone();
    let mut back = Client::silent(address).await;
    let resume = json!({ "as_of": as_of, "cursors": { both.id.to_string(): 2 } });
    back.say(json!({ "type": "hello", "token": token("bob"), "resume": resume })).await;
    back.see(5).await;
    assert_eq!(back.shown[&both.id.to_string()], [6, 7, 8, 9, 10]);
    assert_eq!(back.tell("ann", "k11", "and on").await, 11, "numbers are never given again");
    let mut eve = Client::hello(address, "eve").await;
    assert_eq!(eve.tell("ann", "k4", "still here").await, 4);
    // One who knows nothing begins where the conversation does now.
    let mut ann = Client::silent(address).await;
    let long_ago = format!("{}-{}", store.generation(), StoreTime(0).0);
    ann.say(json!({ "type": "hello", "token": token("ann"), "resume": { "as_of": long_ago, "cursors": {} } })).await;
    ann.see(6 + 2 + 1).await;
    assert_eq!(ann.shown[&both.id.to_string()], [6, 7, 8, 9, 10, 11]);
    assert_eq!(ann.shown[&quiet.id.to_string()], [3, 4]);
    // The other door tells the same.
    let url = format!("http://{address}/api/chat/messages/bob");
    let answer = reqwest::Client::new().get(url).bearer_auth(token("ann")).send().await.unwrap();
    let page: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(page.as_array().map(Vec::len), Some(6), "{page}");
    assert!(node.drain().await);
    archive.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_old_goes_from_a_file() {
    let home = tempfile::tempdir().unwrap();
    what_is_old_goes_and_everybody_goes_on(Place::File(home.path().join("data"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_old_goes_from_a_database() {
    what_is_old_goes_and_everybody_goes_on(Place::database("purged").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_of_a_group_goes_on_where_its_history_begins_now() {
    let home = tempfile::tempdir().unwrap();
    let archive = Place::File(home.path().join("data")).open().await;
    let store: Arc<dyn Store> = archive.clone();
    let node = alone(store.clone()).await;
    let address = node.address();
    let mut ann = Client::hello(address, "ann").await;
    let create = json!({ "type": "group", "action": "create", "key": "g", "name": "Cooks", "members": ["bob"] });
    ann.say(create).await;
    let group: switchboard::model::ConversationId =
        ann.expect("sent").await["conversation"].as_str().unwrap().parse().unwrap();
    for number in 2..=9 {
        ann.say(json!({ "type": "send", "conversation": group, "key": format!("k{number}"), "text": "a word" })).await;
        assert_eq!(ann.expect("sent").await["seq"], number);
    }
    assert_eq!(store.purge(group, Seq(6)).await.unwrap(), 6);
    let mut bob = Client::silent(address).await;
    let as_of = format!("{}-0", store.generation());
    let resume = json!({ "as_of": as_of, "cursors": { group.to_string(): 3 } });
    bob.say(json!({ "type": "hello", "token": token("bob"), "resume": resume })).await;
    bob.see(3).await;
    assert_eq!(bob.shown[&group.to_string()], [7, 8, 9]);
    bob.say(json!({ "type": "history", "conversation": group, "limit": 50 })).await;
    let page = bob.expect("history").await;
    assert_eq!((page["messages"].as_array().unwrap().len(), &page["more"]), (3, &json!(false)));
    ann.say(json!({ "type": "send", "conversation": group, "key": "k10", "text": "a word" })).await;
    ann.expect("sent").await;
    bob.see(4).await;
    assert!(node.drain().await);
}
