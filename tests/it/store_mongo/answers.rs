//! What the store makes of answers that are late, half or missing. The server is told to give them.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use mongodb::bson::{Document, doc};
use switchboard::model::limits::{ATTEMPT_WAIT, ROOM_WAIT};
use switchboard::model::{CursorKind, Seq};
use switchboard::store::{Conversations, Messages, Outcome, People, Store, StoreError};

use super::talk::{attempt, is_unknown, key, run, talk};
use super::{connect, shared};
use crate::support::services::Mongo;

/// Makes the server fail commands of one client in some way, until it is told to stop.
async fn fail(mongo: &Mongo, client: &str, how: Document) {
    let mut data = doc! { "appName": client };
    data.extend(how);
    mongo.admin(0, doc! { "configureFailPoint": "failCommand", "mode": "alwaysOn", "data": data }).await;
}

async fn heal(mongo: &Mongo) {
    mongo.admin(0, doc! { "configureFailPoint": "failCommand", "mode": "off" }).await;
}

/// A server of the test's own (a fail point is the server's), and a store that calls itself `trial`.
async fn trial(options: &str) -> (Mongo, switchboard::store::mongo::MongoStore) {
    let mongo = Mongo::start().await;
    let store = connect(&format!("{}&appName=trial{options}", mongo.uri())).await;
    (mongo, store)
}

/// More time than anything may take that is bound by the attempt's limit, on a busy machine.
const LATE: Duration = Duration::from_secs(8);

#[tokio::test]
async fn an_unconfirmed_write_is_unknown_whatever_else_the_server_says() {
    let (mongo, store) = trial("").await;
    let talk = talk(&store).await;
    let ann = &talk.members[0];
    assert_eq!(store.append_run(run(talk.id, ann, 1, 3)).await, vec![Outcome::Stored; 3]);
    let concern = doc! { "code": 64, "errmsg": "waiting for replication timed out" };
    fail(&mongo, "trial", doc! { "failCommands": ["insert", "update"], "writeConcernError": concern }).await;

    let outcomes = store.append_run(run(talk.id, ann, 4, 6)).await;
    assert!(outcomes.iter().all(is_unknown), "{outcomes:?}");
    let taken = vec![attempt(talk.id, ann, "m1", 7), attempt(talk.id, ann, "m8", 8)];
    let outcomes = store.append_run(taken).await;
    assert!(outcomes.iter().all(is_unknown), "a duplicate of what may be rolled back is no duplicate: {outcomes:?}");
    let message = attempt(talk.id, ann, "m3", 3).message.at_seq(Seq(3));
    assert!(matches!(store.raise(&[message]).await, Err(StoreError::Unavailable(_))));

    heal(&mongo).await;
    let again = store.append_each(vec![attempt(talk.id, ann, "m4", 7)]).await;
    assert_eq!(again, [Outcome::KeyTaken], "it was done after all");
    assert_eq!(store.find(talk.id, ann, &key("m6")).await.unwrap().unwrap().seq, Seq(6));
}

#[tokio::test]
async fn an_error_for_the_whole_command_is_unknown() {
    let (mongo, store) = trial("").await;
    let talk = talk(&store).await;
    for code in [91, 189, 11_602, 10_107] {
        fail(&mongo, "trial", doc! { "failCommands": ["insert"], "errorCode": code }).await;
        let outcomes = store.append_run(run(talk.id, &talk.members[0], 1, 2)).await;
        assert!(outcomes.iter().all(is_unknown), "{code}: {outcomes:?}");
        heal(&mongo).await;
    }
    fail(&mongo, "trial", doc! { "failCommands": ["insert"], "closeConnection": true }).await;
    let outcomes = store.append_each(vec![attempt(talk.id, &talk.members[0], "m1", 1)]).await;
    assert!(outcomes.iter().all(is_unknown), "{outcomes:?}");
    heal(&mongo).await;
    assert_eq!(store.append_run(run(talk.id, &talk.members[0], 1, 2)).await, vec![Outcome::Stored; 2]);
}

#[tokio::test]
async fn a_late_answer_is_not_waited_for_and_may_still_be_a_message() {
    let (mongo, store) = trial("").await;
    let talk = talk(&store).await;
    let ann = &talk.members[0];
    let block = doc! { "failCommands": ["insert", "find"], "blockConnection": true, "blockTimeMS": 6_000 };
    fail(&mongo, "trial", block).await;

    let began = Instant::now();
    let each = store.append_each(vec![attempt(talk.id, ann, "m1", 1)]);
    let other = store.append_run(run(talk.id, &talk.members[1], 2, 4));
    let (each, other, read) = tokio::join!(each, other, store.tail(talk.id, None));
    let took = began.elapsed();
    assert!(took >= ATTEMPT_WAIT && took < LATE, "{took:?}");
    assert!(each.iter().chain(&other).all(is_unknown), "{each:?} {other:?}");
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");

    heal(&mongo).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    while store.find(talk.id, ann, &key("m1")).await.unwrap().is_none() {
        assert!(Instant::now() < deadline, "an abandoned operation goes on");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_frozen_server_piles_up_no_more_than_there_is_room_for() {
    let (mongo, store) = trial("&maxPoolSize=4").await;
    let talk = talk(&store).await;
    let [ann, bob] = [&talk.members[0], &talk.members[1]];
    let block = doc! { "failCommands": ["insert", "find"], "blockConnection": true, "blockTimeMS": 12_000 };
    fail(&mongo, "trial", block).await;

    let one = |n: u64| store.append_each(vec![attempt(talk.id, ann, &format!("m{n}"), n)]);
    let began = Instant::now();
    let (first, behind) = tokio::join!(join_all((1..=4).map(one)), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let began = Instant::now();
        let outcome = store.append_run(run(talk.id, bob, 5, 7)).await;
        (outcome, began.elapsed())
    });
    assert!(first.iter().flatten().all(is_unknown), "{first:?}");
    let (outcomes, waited) = behind;
    assert!(matches!(outcomes[..], [Outcome::Refused(_), Outcome::Untried, Outcome::Untried]), "{outcomes:?}");
    assert!(waited >= ROOM_WAIT / 2 && waited < ATTEMPT_WAIT, "it waits for room, but no attempt's time: {waited:?}");

    // All room is taken by what nobody waits for: there is nothing to wait for either.
    let refused = Instant::now();
    for n in 10..20 {
        assert!(matches!(one(n).await[..], [Outcome::Refused(StoreError::Unavailable(_))]));
        assert!(matches!(store.cursors(talk.id).await, Err(StoreError::Unavailable(_))));
    }
    assert!(refused.elapsed() < ROOM_WAIT && began.elapsed() < Duration::from_secs(12), "{:?}", refused.elapsed());

    heal(&mongo).await;
    let deadline = Instant::now() + Duration::from_secs(40);
    while store.now().await.is_err() {
        assert!(Instant::now() < deadline, "room comes back with the answers");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for n in 10..20 {
        assert_eq!(
            store.find(talk.id, ann, &key(&format!("m{n}"))).await.unwrap(),
            None,
            "what was refused was not done"
        );
    }
}

#[tokio::test]
async fn with_nobody_to_send_it_to_a_message_is_refused() {
    let (mongo, store) = trial("").await;
    let talk = talk(&store).await;
    mongo.kill(0);
    // The first may have been on its way; soon it is known that nobody is there.
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let began = Instant::now();
        let outcome = store.append_each(vec![attempt(talk.id, &talk.members[0], "m1", 1)]).await;
        assert!(began.elapsed() < LATE, "{:?}", began.elapsed());
        match &outcome[..] {
            [Outcome::Refused(StoreError::Unavailable(why))] => {
                assert_eq!(why, "no MongoDB primary can be reached");
                break;
            }
            [Outcome::Unknown(_)] => assert!(Instant::now() < deadline),
            other => panic!("{other:?}"),
        }
    }
    assert!(store.now().await.is_err());
    mongo.restart(0).await;
    let deadline = Instant::now() + Duration::from_secs(60);
    while store.now().await.is_err() {
        assert!(Instant::now() < deadline, "the store comes back by itself");
    }
    assert_eq!(store.append_each(vec![attempt(talk.id, &talk.members[0], "m1", 1)]).await, [Outcome::Stored]);
}

#[tokio::test]
async fn more_than_there_is_room_for_only_waits_its_turn() {
    let mongo = shared().await;
    let store = connect(&format!("{}&maxPoolSize=4", mongo.uri())).await;
    let talk = talk(&store).await;
    let ann = &talk.members[0];
    let moved = join_all((1..=40).map(|to| store.advance(talk.id, ann, CursorKind::Read, Seq(to)))).await;
    assert!(moved.iter().all(Result::is_ok), "{moved:?}");
    assert_eq!(store.cursors(talk.id).await.unwrap()[0].read, Seq(40));
}
