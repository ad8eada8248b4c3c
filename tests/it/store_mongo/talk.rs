//! Things said, for the tests of this store.

use switchboard::model::{
    Chance, ClientKey, Conversation, ConversationId, MessageId, NewMessage, Seq, SystemChance, Timestamp, UserId,
};
use switchboard::store::{Attempt, Outcome, Store};

/// A user that no other test knows.
pub(super) fn somebody(name: &str) -> UserId {
    format!("{name}-{:016x}", SystemChance.bits()).parse().unwrap()
}

/// A conversation of two strangers, opened.
pub(super) async fn talk(store: &dyn Store) -> Conversation {
    let talk = Conversation::direct(&somebody("ann"), &somebody("bob"));
    store.open(&talk).await.unwrap();
    talk
}

/// A client key as a client may make it up.
pub(super) fn key(text: &str) -> ClientKey {
    text.parse().unwrap()
}

/// An attempt at a place.
pub(super) fn attempt(conversation: ConversationId, sender: &UserId, key: &str, seq: u64) -> Attempt {
    let mut id = [0; 12];
    id[..8].copy_from_slice(&SystemChance.bits().to_be_bytes());
    let message = NewMessage {
        conversation,
        id: MessageId::from_bytes(id),
        sender: sender.clone(),
        key: key.parse().unwrap(),
        at: Timestamp(1_700_000_000_000),
        text: format!("this is {key}"),
        event: None,
    };
    Attempt { message, seq: Seq(seq) }
}

/// A run of messages at these places, called `m<seq>`.
pub(super) fn run(conversation: ConversationId, sender: &UserId, from: u64, to: u64) -> Vec<Attempt> {
    (from..=to).map(|seq| attempt(conversation, sender, &format!("m{seq}"), seq)).collect()
}

/// Whether nobody knows what became of it.
pub(super) fn is_unknown(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Unknown(_))
}
