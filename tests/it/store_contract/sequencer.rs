//! Rules that hold only if the unique keys do: several writers at once, and a restart.

use std::sync::Arc;
use std::time::Duration;

use switchboard::model::limits::PAGE_MESSAGES_MAX;
use switchboard::model::{ConversationId, CursorKind, Message, Profile, Seq, UserId};
use switchboard::store::{Outcome, Span, Store};

use super::{Fixture, append, message, say, talk};

const RIVALS: usize = 4;
const SENDS: usize = 200;

/// Stores one message as a lane does: at the highest place and one, and again until it has one.
async fn send(store: &dyn Store, conversation: ConversationId, sender: &UserId, key: &str) -> Seq {
    let message = message(conversation, sender, key);
    loop {
        let highest = store.tail(conversation, None).await.unwrap().map_or(Seq::ZERO, |tail| tail.seq);
        match append(store, &message, highest.next().0).await {
            Outcome::Stored => return highest.next(),
            Outcome::SeqTaken => {}
            Outcome::KeyTaken => {
                return store.find(conversation, sender, &message.key).await.unwrap().expect("taken").seq;
            }
            Outcome::Unknown(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            refused => panic!("{refused:?}"),
        }
    }
}

async fn everything(store: &dyn Store, conversation: ConversationId) -> Vec<Message> {
    let mut all: Vec<Message> = Vec::new();
    loop {
        let last = all.last().map_or(Seq::ZERO, |message| message.seq);
        let page = store.page(conversation, Span::After(last), PAGE_MESSAGES_MAX).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

pub(crate) async fn rivals_leave_no_gap_and_no_double(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    let rivals: Vec<_> = (0..RIVALS)
        .map(|rival| {
            let (store, talk) = (Arc::clone(&store), talk.clone());
            tokio::spawn(async move {
                let mut places = Vec::new();
                for n in 0..SENDS {
                    places.push(send(&*store, talk.id, &talk.members[rival % 2], &format!("r{rival}-{n}")).await);
                }
                places
            })
        })
        .collect();

    let mut places = Vec::new();
    for rival in rivals {
        let own = rival.await.unwrap();
        assert!(own.is_sorted_by(|one, other| one < other), "each rival's own order was kept");
        places.extend(own);
    }
    places.sort();
    let dense: Vec<_> = (1..=(RIVALS * SENDS) as u64).map(Seq).collect();
    assert_eq!(places, dense);

    let all = everything(&*store, talk.id).await;
    assert_eq!(all.iter().map(|message| message.seq).collect::<Vec<_>>(), dense);
    let mut keys: Vec<_> = all.iter().map(|message| &message.key).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), RIVALS * SENDS);
}

pub(crate) async fn a_restart_keeps_everything(fixture: impl Fixture) {
    let store = fixture.store();
    let generation = store.generation();
    let talk = talk(&*store).await;
    let ann = &talk.members[0];
    let said = say(&*store, message(talk.id, ann, "one"), 1).await;
    store.advance(talk.id, ann, CursorKind::Read, Seq(1)).await.unwrap();
    let profile = Profile { name: "Ann".to_owned(), email: String::new() };
    store.put_profile(ann, &profile).await.unwrap();
    let summary = store.get(&[talk.id]).await.unwrap();
    let list = store.list(ann, None, 10).await.unwrap();
    let tail = store.tail(talk.id, None).await.unwrap();
    let now = store.now().await.unwrap();
    drop(store);

    let fixture = fixture.reopen().await;
    let store = fixture.store();
    assert_eq!(store.generation(), generation);
    assert!(store.now().await.unwrap() >= now);
    assert_eq!(store.tail(talk.id, None).await.unwrap(), tail);
    assert_eq!(everything(&*store, talk.id).await, [said]);
    assert_eq!(store.get(&[talk.id]).await.unwrap(), summary);
    assert_eq!(store.list(ann, None, 10).await.unwrap(), list);
    assert_eq!(store.cursors(talk.id).await.unwrap().len(), 1);
    assert_eq!(store.profiles(std::slice::from_ref(ann)).await.unwrap(), [Some(profile)]);
    assert_eq!(append(&*store, &message(talk.id, ann, "one"), 2).await, Outcome::KeyTaken);
    assert_eq!(append(&*store, &message(talk.id, ann, "two"), 1).await, Outcome::SeqTaken);
    assert_eq!(append(&*store, &message(talk.id, ann, "two"), 2).await, Outcome::Stored);
}
