//! What the store relies on of the server, and that it uses it well.

use futures_util::TryStreamExt;
use mongodb::bson::{Bson, DateTime, Document, Timestamp, doc};
use mongodb::error::{ErrorKind, WriteFailure};
use switchboard::model::{Conversation, CursorKind, Seq, StoreTime, UserId};
use switchboard::store::{Attempt, Conversations, Messages, Outcome, People, Since, Span, Store};

use super::talk::{attempt, key, run, somebody, talk};
use super::{bytes, connect, database, is_rising, place, shared, times};
use crate::support::services::Mongo;

/// Nodes of the version before write previews without what orders them, and find theirs among those of this version.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_of_an_earlier_version_gives_way_to_a_later_message() {
    let mongo = shared().await;
    let store = connect(&mongo.uri()).await;
    let talk = talk(&store).await;
    let conversations = database(&mongo).await.collection::<Document>("conversations");
    let filter = doc! { "_id": bytes(talk.id.as_bytes()) };
    let earlier = doc! { "f": "zoe", "a": mongodb::bson::DateTime::from_millis(5), "t": "earlier" };
    conversations.update_one(filter, doc! { "$set": { "n": 3_i64, "l": earlier } }).await.unwrap();
    let read = async || store.get(&[talk.id]).await.unwrap().pop().unwrap();
    assert_eq!(read().await.last.unwrap().text, "earlier");
    let said = attempt(talk.id, &talk.members[0], "later", 4);
    store.raise_new(&[said.message.at_seq(said.seq)]).await.unwrap();
    assert_eq!((read().await.last_seq, read().await.last.unwrap().text.as_str()), (Seq(4), "this is later"));
}

#[tokio::test]
async fn the_server_stamps_every_message_of_a_bulk_in_order() {
    let mongo = shared().await;
    let store = connect(&mongo.uri()).await;
    let database = database(&mongo).await;
    let talk = talk(&store).await;
    for from in [1, 101, 201] {
        let outcomes = store.append_run(run(talk.id, &talk.members[0], from, from + 99)).await;
        assert_eq!(outcomes, vec![Outcome::Stored; 100]);
        let alone = attempt(talk.id, &talk.members[1], &format!("alone{from}"), from + 100);
        if from == 201 {
            assert_eq!(store.append_each(vec![alone]).await, [Outcome::Stored]);
        }
    }
    let stamps = times(&database, talk.id).await;
    assert_eq!(stamps.len(), 301);
    assert!(stamps[0].time > 1_500_000_000, "{:?}", stamps[0]);
    assert!(is_rising(&stamps));

    let ann = somebody("ann");
    let talks: Vec<_> = (0..200).map(|n| Conversation::direct(&ann, &somebody(&format!("bob{n}"))).id).collect();
    let each: Vec<Attempt> = talks.iter().map(|id| attempt(*id, &ann, "one", 1)).collect();
    assert_eq!(store.append_each(each).await, vec![Outcome::Stored; 200]);
    for id in talks.iter().step_by(23) {
        assert!(times(&database, *id).await[0].time >= stamps[300].time);
    }
}

/// The two unique keys are told apart by what the server writes into its message. Should a later server write something
/// else, this says so (and the store calls the outcome unknown).
#[tokio::test]
async fn a_duplicate_names_the_key_that_was_taken() {
    let mongo = shared().await;
    let store = connect(&mongo.uri()).await;
    let talk = talk(&store).await;
    let ann = &talk.members[0];
    assert_eq!(store.append_run(run(talk.id, ann, 1, 3)).await, vec![Outcome::Stored; 3]);

    // By bulk, each by itself and in order.
    let cases = [("m9", 2, Outcome::SeqTaken), ("m1", 4, Outcome::KeyTaken), ("m2", 2, Outcome::SeqTaken)];
    for (name, seq, expected) in cases {
        let one = attempt(talk.id, ann, name, seq);
        let alone = store.append_each(vec![one.clone()]).await;
        assert_eq!(alone, std::slice::from_ref(&expected), "{name} at {seq}");
        assert_eq!(store.append_run(vec![one]).await, [expected], "{name} at {seq}");
    }

    // By single insert, as the server words it.
    let messages = database(&mongo).await.collection::<Document>("messages");
    let stored = messages.find_one(doc! { "c": bytes(talk.id.as_bytes()) }).await.unwrap().unwrap();
    let mut same_key = stored.clone();
    same_key.insert("_id", place(talk.id, 99));
    for (document, expected) in [(stored, " dup key: { _id: "), (same_key, " index: key ")] {
        let error = messages.insert_one(document).await.unwrap_err();
        let ErrorKind::Write(WriteFailure::WriteError(error)) = *error.kind else { panic!("{error}") };
        assert_eq!(error.code, 11_000);
        assert!(error.message.contains(expected), "{}", error.message);
        assert_ne!(error.message.contains(" index: key "), error.message.contains(" dup key: { _id: "));
    }
}

#[tokio::test]
async fn a_key_that_looks_like_a_query_is_a_key() {
    let mongo = shared().await;
    let store = connect(&mongo.uri()).await;
    let talk = talk(&store).await;
    let ann = &talk.members[0];
    assert_eq!(store.append_run(run(talk.id, ann, 1, 2)).await, vec![Outcome::Stored; 2]);
    let awkward = ["{\"$ne\":null}", "{\"$gt\":\"\"}", "$where", "m1.$", "{$regex:\"^m\"}", "'||1==1", "$[]", "_id"];
    for (seq, name) in (3..).zip(awkward) {
        assert_eq!(store.find(talk.id, ann, &key(name)).await.unwrap(), None, "{name} finds nothing else");
        assert_eq!(store.append_each(vec![attempt(talk.id, ann, name, seq)]).await, [Outcome::Stored], "{name}");
        let found = store.find(talk.id, ann, &key(name)).await.unwrap().unwrap();
        assert_eq!((found.seq, found.key), (Seq(seq), key(name)));
    }
}

/// What the server noted of one kind of request: how it found the documents, and how many it looked at.
async fn plan(database: &mongodb::Database, filter: Document) -> Document {
    let notes = database.collection::<Document>("system.profile");
    let latest = notes.find_one(filter.clone()).sort(doc! { "$natural": -1 }).await.unwrap();
    latest.unwrap_or_else(|| panic!("the server noted no {filter}"))
}

fn examined(plan: &Document) -> i64 {
    plan.get("docsExamined").and_then(Bson::as_i32).map(i64::from).expect("a read has looked at documents")
}

async fn say(store: &dyn Store, talk: &Conversation, seq: u64) {
    let said = attempt(talk.id, &talk.members[0], &format!("m{seq}"), seq);
    assert_eq!(store.append_each(vec![said.clone()]).await, [Outcome::Stored]);
    store.raise(&[said.message.at_seq(said.seq)]).await.unwrap();
}

/// A database of the test's own, in which the server notes every request from now on.
async fn noting(mongo: &Mongo, name: &str) -> mongodb::Database {
    let database = mongodb::Client::with_uri_str(mongo.uri()).await.unwrap().database(name);
    database.run_command(doc! { "profile": 2 }).await.unwrap();
    database
}

/// A primary that was elected a moment ago may not know yet what is certain: so each read names what it must see.
#[tokio::test]
async fn a_read_names_the_last_write_that_was_acknowledged() {
    let mongo = shared().await;
    let store = connect(&mongo.uri().replace("/?", "/causal?")).await;
    let talk = talk(&store).await;
    let database = noting(&mongo, "causal").await;
    for seq in 1..=3 {
        assert_eq!(store.append_each(run(talk.id, &talk.members[0], seq, seq)).await, [Outcome::Stored]);
        store.tail(talk.id, None).await.unwrap();
        let noted = plan(&database, doc! { "command.find": "messages" }).await;
        let concern = noted.get_document("readConcern").unwrap();
        assert_eq!(concern.get_str("level").unwrap(), "majority");
        let after = concern.get_timestamp("afterClusterTime").unwrap();
        let written = times(&database, talk.id).await.pop().unwrap();
        assert!((after.time, after.increment) >= (written.time, written.increment), "{concern} {written}");
    }
}

/// Every read of the hot path goes by an index in its order, and looks at no more than it answers.
#[tokio::test]
async fn reads_look_only_at_what_they_answer() {
    let mongo = shared().await;
    let store = connect(&mongo.uri().replace("/?", "/plans?")).await;
    let hub = somebody("hub");
    let talks: Vec<_> = (0..30).map(|_| Conversation::direct(&hub, &somebody("ann"))).collect();
    let strangers: Vec<UserId> = (0..499).map(|_| somebody("eve")).collect();
    for talk in &talks {
        store.open(talk).await.unwrap();
        say(&store, talk, 1).await;
    }
    let (first, ann) = (&talks[0], &talks[0].members[0]);
    let outcomes = store.append_run(run(first.id, ann, 2, 90)).await;
    assert_eq!(outcomes, vec![Outcome::Stored; 89]);
    store.advance(first.id, ann, CursorKind::Read, Seq(1)).await.unwrap();

    let database = noting(&mongo, "plans").await;

    let by_place = ["CLUSTERED_IXSCAN"];
    let by_member = ["IXSCAN { m: 1, at: 1, _id: 1 }"];

    store.tail(first.id, None).await.unwrap();
    let noted = plan(&database, doc! { "command.find": "messages" }).await;
    assert!(by_place.contains(&noted.get_str("planSummary").unwrap()) && examined(&noted) <= 2, "{noted}");

    for span in [Span::After(Seq(10)), Span::Before(Seq(60))] {
        assert_eq!(store.page(first.id, span, 20).await.unwrap().len(), 20);
        let noted = plan(&database, doc! { "command.find": "messages" }).await;
        assert!(by_place.contains(&noted.get_str("planSummary").unwrap()) && examined(&noted) <= 21, "{noted}");
        assert!(!noted.contains_key("hasSortStage"), "{noted}");
    }

    store.find(first.id, ann, &key("m7")).await.unwrap().unwrap();
    let noted = plan(&database, doc! { "command.find": "messages" }).await;
    assert_eq!((noted.get_str("planSummary").unwrap(), examined(&noted)), ("IXSCAN { c: 1, u: 1 }", 1), "{noted}");

    assert_eq!(store.list(&hub, None, 10).await.unwrap().len(), 10);
    let noted = plan(&database, doc! { "command.find": "conversations" }).await;
    assert!(by_member.contains(&noted.get_str("planSummary").unwrap()) && examined(&noted) <= 11, "{noted}");
    assert!(!noted.contains_key("hasSortStage"), "{noted}");

    let newest = store.list(&hub, None, 1).await.unwrap()[0].activity;
    let users: Vec<_> = strangers.into_iter().chain([hub.clone()]).collect();
    let since = Since { at: newest, after: None };
    let active = store.active(&users, since, 500).await.unwrap();
    assert!(!active.is_empty() && active.len() < talks.len());
    let noted = plan(&database, doc! { "command.find": "conversations" }).await;
    assert!(by_member.contains(&noted.get_str("planSummary").unwrap()), "{noted}");
    assert!(examined(&noted) <= active.len() as i64 + 1, "{noted}");

    assert_eq!(store.cursors(first.id).await.unwrap().len(), 1);
    let noted = plan(&database, doc! { "command.find": "cursors" }).await;
    assert_eq!((noted.get_str("planSummary").unwrap(), examined(&noted)), ("IXSCAN { _id: 1 }", 1), "{noted}");

    let ids: Vec<_> = talks.iter().map(|talk| (talk.id, Seq::ZERO)).collect();
    store.unread(ann, &ids).await.unwrap();
    let noted = plan(&database, doc! { "command.aggregate": "messages" }).await;
    // Each range may look at its two ends besides.
    assert!(examined(&noted) <= 89 + 3 * 30, "{noted}");
}

/// The search for a time takes few steps, wherever the time lies, and finds the same as looking at every message.
#[tokio::test]
async fn the_last_message_before_a_time_is_found_among_thousands() {
    let mongo = shared().await;
    let store = connect(&mongo.uri().replace("/?", "/thousands?")).await;
    let database = mongodb::Client::with_uri_str(mongo.uri()).await.unwrap().database("thousands");
    let talk = talk(&store).await;
    for from in (0..30).map(|run| run * 100 + 1) {
        let outcomes = store.append_run(run(talk.id, &talk.members[0], from, from + 99)).await;
        assert_eq!(outcomes, vec![Outcome::Stored; 100]);
    }
    // Times as they would be after a long conversation: one message a minute.
    let messages = database.collection::<Document>("messages");
    let start = 1_700_000_000_u32;
    for seq in 1..=3_000_u64 {
        let id = place(talk.id, seq);
        let time = Timestamp { time: start + 60 * seq as u32, increment: 1 };
        messages.update_one(doc! { "_id": id }, doc! { "$set": { "ts": time } }).await.unwrap();
    }
    let at = |seq: u64| StoreTime((u64::from(start) + 60 * seq) * 1_000);
    assert_eq!(store.tail(talk.id, Some(at(1))).await.unwrap(), None);
    for seq in [1, 2, 31, 32, 33, 1_000, 1_500, 2_998, 2_999, 3_000] {
        let tail = store.tail(talk.id, Some(StoreTime(at(seq).0 + 1))).await.unwrap().unwrap();
        assert_eq!((tail.seq, tail.stored), (Seq(seq), at(seq)));
    }
    assert_eq!(store.tail(talk.id, Some(at(3_001))).await.unwrap().unwrap().seq, Seq(3_000));

    let noted = noting(&mongo, "thousands").await;
    store.tail(talk.id, Some(at(1))).await.unwrap();
    let notes = noted.collection::<Document>("system.profile");
    let steps = notes.find(doc! { "command.find": "messages" });
    let steps: Vec<Document> = steps.await.unwrap().try_collect().await.unwrap();
    let looked_at: i64 = steps.iter().map(examined).sum();
    assert!(steps.len() <= 16 && looked_at <= 100, "{} steps, {looked_at} messages", steps.len());
}

/// A stored document that nobody here wrote is an error with a sentence, and no panic.
#[tokio::test]
async fn a_damaged_document_is_reported() {
    let mongo = shared().await;
    let store = connect(&mongo.uri()).await;
    let messages = database(&mongo).await.collection::<Document>("messages");
    let talk = talk(&store).await;
    let ann = &talk.members[0];
    assert_eq!(store.append_run(run(talk.id, ann, 1, 3)).await, vec![Outcome::Stored; 3]);
    let second = place(talk.id, 2);
    let damages = [
        doc! { "$set": { "s": 7 } },
        doc! { "$set": { "s": "not an id" } },
        doc! { "$unset": { "t": 1 } },
        doc! { "$set": { "t": DateTime::MIN } },
    ];
    for damage in damages {
        let whole = messages.find_one(doc! { "_id": second.clone() }).await.unwrap().unwrap();
        messages.update_one(doc! { "_id": second.clone() }, damage.clone()).await.unwrap();
        let error = store.page(talk.id, Span::After(Seq::ZERO), 10).await.unwrap_err();
        assert!(matches!(error, switchboard::store::StoreError::Broken(_)), "{damage}: {error}");
        messages.replace_one(doc! { "_id": second.clone() }, whole).await.unwrap();
    }
    messages.delete_one(doc! { "_id": second }).await.unwrap();
    let error = store.page(talk.id, Span::After(Seq::ZERO), 10).await.unwrap_err();
    assert!(error.to_string().contains("has a hole"), "{error}");
}
