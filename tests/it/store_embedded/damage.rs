//! A disk that changes what was written, and a second process that wants to write.

use std::sync::Arc;

use switchboard::model::{Conversation, SystemChance, SystemClock, UserId};
use switchboard::model::{MessageId, NewMessage, Seq, Timestamp};
use switchboard::store::embedded::EmbeddedStore;
use switchboard::store::{Attempt, Conversations, Messages, Outcome, People, Span, Store, StoreError};

use super::{everything, open};

fn saying(talk: &Conversation, seq: u64, text: &str) -> Attempt {
    let message = NewMessage {
        conversation: talk.id,
        id: MessageId::from_bytes([7; 12]),
        sender: talk.members[0].clone(),
        key: format!("m{seq}").parse().unwrap(),
        at: Timestamp(1),
        text: text.to_owned(),
        event: None,
    };
    Attempt { message, seq: Seq(seq) }
}

#[tokio::test]
async fn a_flipped_bit_is_noticed_and_spoils_nothing_else() {
    const MARK: &[u8] = b"these very bytes";
    let home = tempfile::tempdir().unwrap();
    let [ann, bob, eve] = ["ann", "bob", "eve"].map(|name| name.parse::<UserId>().unwrap());
    let [spoilt, sound] = [Conversation::direct(&ann, &bob), Conversation::direct(&ann, &eve)];
    let store = open(home.path());
    for talk in [&spoilt, &sound] {
        store.open(talk).await.unwrap();
    }
    for seq in 1..=3 {
        let text = if seq == 2 { std::str::from_utf8(MARK).unwrap() } else { "something" };
        let outcomes = store.append_each(vec![saying(&spoilt, seq, text), saying(&sound, seq, "something")]).await;
        assert_eq!(outcomes, [Outcome::Stored, Outcome::Stored]);
    }
    // Another message hides the marked one from the heads, which carry a piece of the last.
    store.close().await;
    drop(store);

    let file = home.path().join("data/switchboard.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let places: Vec<_> = (0..bytes.len() - MARK.len()).filter(|at| bytes[*at..].starts_with(MARK)).collect();
    assert!(!places.is_empty(), "the text is not in the file");
    for at in places {
        bytes[at + 5] ^= 0b0000_0100;
    }
    std::fs::write(&file, bytes).unwrap();

    let store = open(home.path());
    let met = store.page(spoilt.id, Span::After(Seq::ZERO), 10).await;
    assert!(matches!(&met, Err(StoreError::Broken(what)) if what.contains("message 2 of conversation")), "{met:?}");
    let found = store.find(spoilt.id, &spoilt.members[0], &"m2".parse().unwrap()).await;
    assert!(matches!(found, Err(StoreError::Broken(_))), "{found:?}");
    assert_eq!(store.page(spoilt.id, Span::After(Seq(2)), 10).await.unwrap().len(), 1, "what is sound is served");
    assert_eq!(everything(&store, sound.id).await.len(), 3);
    assert_eq!(store.append_each(vec![saying(&sound, 4, "on")]).await, [Outcome::Stored]);
    assert!(store.now().await.is_ok());
    store.close().await;
}

#[tokio::test]
async fn one_directory_has_one_owner_until_it_closes() {
    let home = tempfile::tempdir().unwrap();
    let try_open = || EmbeddedStore::open(&home.path().join("data"), Arc::new(SystemClock), &SystemChance);
    let first = try_open().unwrap();
    let refusal = try_open().unwrap_err().to_string();
    assert!(refusal.contains("is in use by process") && refusal.contains("stop that one first"), "{refusal}");

    first.close().await;
    let second = try_open().unwrap();
    assert!(matches!(first.now().await, Err(StoreError::Unavailable(_))), "it is closed");
    assert!(matches!(first.profiles(&["ann".parse().unwrap()]).await, Err(StoreError::Unavailable(_))));
    let talk = Conversation::direct(&"ann".parse().unwrap(), &"bob".parse().unwrap());
    let refused = first.append_each(vec![saying(&talk, 1, "late")]).await;
    assert!(matches!(refused[0], Outcome::Refused(StoreError::Unavailable(_))), "{refused:?}");
    first.close().await;
    second.close().await;
}
