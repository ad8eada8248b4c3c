//! What is backed up is what is restored, from either kind of store into either.

use std::sync::Arc;
use std::time::Duration;

use switchboard::model::{
    Ban, ClientKey, Conversation, ConversationId, CursorKind, Event, Group, Message, MessageId, NewMessage, Profile,
    Revoked, Seq, StoreTime, SystemChance, Timestamp, UserId,
};
use switchboard::store::{Archive, Attempt, Outcome, Progress, Record, SecretOf, TEAM_ALIAS, shared_secret};

use super::{Place, back_up, restore};

fn id(name: &str) -> UserId {
    name.parse().unwrap()
}

fn message(conversation: ConversationId, sender: &str, seq: u64, text: &str, event: Option<Event>) -> Message {
    let new = NewMessage {
        conversation,
        id: MessageId::from_bytes([u8::try_from(seq % 256).unwrap(); 12]),
        sender: id(sender),
        key: format!("{sender}-{seq}").parse::<ClientKey>().unwrap(),
        at: Timestamp(1_700_000_000_000 + seq),
        text: text.to_owned(),
        event,
    };
    new.at_seq(Seq(seq))
}

/// Stores a message, lets it take effect, and raises the head.
async fn say(store: &dyn Archive, message: Message) {
    let Message { conversation, seq, id, sender, key, at, text, event } = message.clone();
    let attempt = Attempt { message: NewMessage { conversation, id, sender, key, at, text, event }, seq };
    assert_eq!(store.append_each(vec![attempt]).await, [Outcome::Stored]);
    store.apply(&message).await.unwrap();
    store.raise(&[message]).await.unwrap();
}

/// Something of everything that a store can hold.
pub(super) async fn furnish(store: &Arc<dyn Archive>) {
    let store = &**store;
    let (ann, bob, eve, sue) = (id("ann"), id("bob"), id("eve"), id("sue"));
    let talk = Conversation::direct(&ann, &bob);
    store.open(&talk).await.unwrap();
    for (seq, text) in (1..).zip(["Hello", "$set", "{\"is\":\"end\",", "line\nbreak \u{0}\u{1F600}", "bye"]) {
        say(store, message(talk.id, if seq % 2 == 0 { "ann" } else { "bob" }, seq, text, None)).await;
    }
    store.advance(talk.id, &ann, CursorKind::Read, Seq(3)).await.unwrap();
    store.advance(talk.id, &bob, CursorKind::Delivered, Seq(2)).await.unwrap();
    store.open(&Conversation::direct(&ann, &eve)).await.unwrap();

    let support = Conversation::support(&ann, &UserId::team());
    store.open(&support).await.unwrap();
    say(store, message(support.id, "ann", 1, "Help", None)).await;
    let assignment = store.get(&[support.id]).await.unwrap().pop().unwrap().assignment.unwrap();
    let claimed = assignment.changed(Ok(sue.clone()), &sue, Timestamp(5));
    assert!(store.assign(support.id, &claimed).await.unwrap());
    let quiet = Conversation::support(&eve, &UserId::team());
    store.open(&quiet).await.unwrap();

    let key = "group".parse().unwrap();
    let group = ConversationId::group(&ann, &key);
    let (conversation, founded) = Group::new(group, &ann, &[bob.clone(), eve.clone()], "Cooks", false);
    store.found(&conversation, &founded).await.unwrap();
    say(store, message(group, "ann", 1, "", Some(Event::Created { name: "Cooks".to_owned() }))).await;
    say(store, message(group, "bob", 2, "soup", None)).await;
    say(store, message(group, "bob", 3, "", Some(Event::Left { user: bob.clone() }))).await;
    say(store, message(group, "ann", 4, "", Some(Event::Added { user: sue.clone() }))).await;
    store.advance(group, &bob, CursorKind::Read, Seq(2)).await.unwrap();

    store.put_profile(&ann, &Profile { name: "Ann".to_owned(), email: "ann@example.com".to_owned() }).await.unwrap();
    store.put_profile(&eve, &Profile::deleted()).await.unwrap();
    store.set_address(&ann, "ann@example.com").await.unwrap();
    store.seen(&[(ann.clone(), Timestamp(7)), (bob.clone(), Timestamp(8))]).await.unwrap();
    store.appear(&bob, true, Timestamp(9)).await.unwrap();
    let ban = Ban { by: sue.clone(), at: Timestamp(3), reason: "sells $watches".to_owned() };
    store.ban(&eve, Some(&ban)).await.unwrap();
    store.revoke_before(&eve, Timestamp(2)).await.unwrap();
    for (token, until) in [("$lost", None), ("stolen", Some(Timestamp(4_000_000_000_000)))] {
        let revoked = Revoked { token: token.into(), until };
        assert!(store.revoke_token(&bob, &revoked, Timestamp(1)).await.unwrap());
    }
    assert!(store.block(&ann, &eve, true).await.unwrap());
    assert!(store.block(&bob, &eve, true).await.unwrap());
    store.note_agent(&sue).await.unwrap();
    store.agree(TEAM_ALIAS, Some("sue")).await.unwrap();
    let progress = Progress { began: Timestamp(4), conversation: Some(talk.id), seq: Seq(2), ..Progress::default() };
    store.keep_erasure(&id("gone"), Some(&progress)).await.unwrap();
}

/// What the nodes of a store share.
async fn secrets(store: &dyn Archive) -> [String; 2] {
    let mut found = Vec::new();
    for of in [SecretOf::Clients, SecretOf::Nodes] {
        found.push(shared_secret(store, of, &SystemChance).await.unwrap());
    }
    found.try_into().unwrap()
}

/// The same, with times as coarse as MongoDB keeps those of messages.
fn coarse(records: Vec<Record>) -> Vec<Record> {
    let coarse = |record| match record {
        Record::Message { message, stored } => Record::Message { message, stored: StoreTime(stored.0 / 1_000) },
        other => other,
    };
    records.into_iter().map(coarse).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_backed_up_is_restored_whole_into_either_store() {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str| Place::File(home.path().join(name));
    for (name, source) in [("file", file("source")), ("mongo", Place::database("copies-source").await)] {
        let store = source.open().await;
        furnish(&store).await;
        let [of_clients, of_nodes] = secrets(&*store).await;
        let backup = home.path().join(format!("{name}.backup"));
        let contents = back_up(&source, &backup).await;
        let original = source.records().await;
        let kinds = ["agreed", "profile", "address", "appearance", "standing", "erasure", "conversation", "cursor"];
        for kind in kinds.into_iter().chain(["departure", "message"]) {
            let count = original.iter().filter(|record| record.kind() == kind).count() as u64;
            assert!(count > 0 && contents.counts[kind] == count, "{kind}: {count} in {:?}", contents.counts);
        }
        let targets = [file(&format!("{name}-file")), Place::database(&format!("copies-{name}")).await];
        for target in targets {
            let generation = restore(&backup, &target).await;
            assert_ne!(generation, contents.generation, "it is another history");
            assert_eq!(coarse(target.records().await), coarse(original.clone()), "from {name}");
            // A copy of a copy is the same, and nothing is lost by opening it.
            let copy = target.open().await;
            assert_eq!(copy.generation(), generation);
            let of_copy = secrets(&*copy).await;
            assert_eq!(of_copy[0], of_clients, "clients come back with what was sealed before");
            assert_ne!(of_copy[1], of_nodes, "who holds a back-up does not speak as a node");
            assert_same_answers(&store, &copy).await;
            copy.close().await;
            let refused = target.vessel().await.err().expect("it is not empty");
            assert!(refused.contains("not empty"), "{refused}");
        }
        store.close().await;
    }
}

/// What nodes ask for is answered the same.
async fn assert_same_answers(one: &Arc<dyn Archive>, other: &Arc<dyn Archive>) {
    for user in ["ann", "bob", "eve", "sue", "team"] {
        let user = id(user);
        let list = one.list(&user, None, 50).await.unwrap();
        assert_eq!(list, other.list(&user, None, 50).await.unwrap(), "{user}");
        let places: Vec<_> = list.iter().map(|summary| (summary.conversation.id, Seq::ZERO)).collect();
        assert_eq!(one.unread(&user, &places).await.unwrap(), other.unread(&user, &places).await.unwrap(), "{user}");
        let users = std::slice::from_ref(&user);
        assert_eq!(one.standings(users).await.unwrap(), other.standings(users).await.unwrap(), "{user}");
        let since = switchboard::store::Since { at: StoreTime(0), after: None };
        assert_eq!(
            one.active(users, since, 50).await.unwrap(),
            other.active(users, since, 50).await.unwrap(),
            "{user}"
        );
    }
    let mine = switchboard::store::Talks::Of(id("sue"));
    assert_eq!(one.talks(&mine, None, 9).await.unwrap(), other.talks(&mine, None, 9).await.unwrap());
    let open = switchboard::store::Talks::In(switchboard::model::TalkState::Open);
    assert_eq!(one.talks(&open, None, 9).await.unwrap(), other.talks(&open, None, 9).await.unwrap());
    // Both go on where they were.
    let talk = Conversation::direct(&id("ann"), &id("bob"));
    let again = message(talk.id, "bob", 5, "bye", None);
    assert_eq!(other.find(talk.id, &id("bob"), &again.key).await.unwrap().as_ref(), Some(&again));
    let Message { conversation, id: message_id, sender, key, at, text, event, .. } = again;
    let new = NewMessage { conversation, id: message_id, sender, key, at, text, event };
    let outcomes = other.append_each(vec![Attempt { message: new, seq: Seq(6) }]).await;
    assert_eq!(outcomes, [Outcome::KeyTaken], "what is in the back-up is not doubled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_was_cut_short_is_no_store() {
    let home = tempfile::tempdir().unwrap();
    let source = Place::File(home.path().join("source"));
    furnish(&source.open().await).await;
    let backup = home.path().join("backup");
    back_up(&source, &backup).await;
    let records = source.records().await;

    let target = Place::File(home.path().join("target"));
    let mut vessel = target.vessel().await.unwrap();
    vessel.put(records[..5].to_vec()).await.unwrap();
    let refused = target.vessel().await.err().expect("the first is at it");
    assert!(refused.contains("in use"), "{refused}");
    drop(vessel);
    assert_eq!(target.open().await.list(&id("ann"), None, 9).await.unwrap(), [], "what was begun is not there");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while target.vessel().await.is_err() {
        assert!(tokio::time::Instant::now() < deadline, "a store that was dropped closes in the background");
    }
    restore(&backup, &target).await;
    assert_eq!(target.records().await, records);

    let target = Place::database("cut-short").await;
    let mut vessel = target.vessel().await.unwrap();
    vessel.put(records[..5].to_vec()).await.unwrap();
    drop(vessel);
    let Place::Mongo(uri, _) = &target else { unreachable!() };
    let options = switchboard::store::mongo::MongoOptions::default();
    let chance = &switchboard::model::SystemChance;
    let refused = switchboard::store::mongo::MongoStore::connect(uri, options, chance).await.err().unwrap();
    assert!(refused.to_string().contains("did not come to its end"), "no node starts on it: {refused}");
    let refused = target.vessel().await.err().expect("it is half full");
    assert!(refused.contains("did not come to its end"), "{refused}");
}
