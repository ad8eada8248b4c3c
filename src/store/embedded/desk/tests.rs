//! Failures that only the file itself can be made to show.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;

use super::*;
use crate::model::{
    Clock, Conversation, Message, MessageId, NewMessage, Profile, Seq, SystemChance, Timestamp, UserId,
};
use crate::store::embedded::{directory, questions};
use crate::store::{Attempt, Outcome, Span};

struct Hand(AtomicU64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

fn desk(home: &Path, hand: &Arc<Hand>) -> Desk {
    let place = directory::prepare(&home.join("data")).unwrap();
    let (connection, meta) = schema::open(&place, &SystemChance).unwrap();
    let clock = Arc::new(SteadyClock::new(Arc::<Hand>::clone(hand), meta.clock));
    let (_, commands) = sync_channel(1);
    Desk::new(commands, place, connection, clock, Arc::default(), Arc::new(WriteMeters::new()))
}

fn hand(at: u64) -> Arc<Hand> {
    Arc::new(Hand(AtomicU64::new(at)))
}

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

fn talk() -> Conversation {
    Conversation::direct(&user("ann"), &user("bob"))
}

fn attempt(seq: u64, bytes: usize) -> Attempt {
    let message = NewMessage {
        conversation: talk().id,
        id: MessageId::from_bytes([1; 12]),
        sender: user("ann"),
        key: format!("m{seq}").parse().unwrap(),
        at: Timestamp(5),
        text: "x".repeat(bytes),
        event: None,
    };
    Attempt { message, seq: Seq(seq) }
}

fn append(desk: &mut Desk, seq: u64, bytes: usize) -> Result<Outcome, Unwritten> {
    let mut written = desk.commit(vec![Write::Each(vec![attempt(seq, bytes)])])?;
    match written.remove(0) {
        Ok(Written::Outcomes(mut outcomes)) => Ok(outcomes.remove(0)),
        other => panic!("{other:?}"),
    }
}

fn page(desk: &mut Desk) -> rusqlite::Result<Vec<Message>> {
    let connection = desk.connection().unwrap();
    let page = questions::page(&connection, talk().id, Span::After(Seq::ZERO), 100);
    desk.connection = Some(connection);
    page
}

fn tell(desk: &mut Desk, sql: &str) {
    let connection = desk.connection().unwrap();
    connection.execute_batch(sql).unwrap();
    desk.connection = Some(connection);
}

#[test]
fn one_that_fails_leaves_the_rest_of_its_group_alone() {
    let home = tempfile::tempdir().unwrap();
    let mut desk = desk(home.path(), &hand(1));
    let run = vec![attempt(2, 10), attempt(0, 10), attempt(3, 10)];
    let profile = Profile { name: "Ann".to_owned(), email: String::new() };
    let written = desk
        .commit(vec![
            Write::Open(talk()),
            Write::Each(vec![attempt(1, 10)]),
            Write::Each(vec![attempt(u64::MAX, 10)]),
            Write::Run(run),
            Write::PutProfile { user: user("ann"), profile: profile.clone() },
        ])
        .unwrap();

    let outcomes = |answer: &Result<Written, StoreError>| match answer {
        Ok(Written::Outcomes(outcomes)) => outcomes.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(outcomes(&written[1]), [Outcome::Stored]);
    assert!(matches!(outcomes(&written[2])[0], Outcome::Refused(StoreError::Broken(_))), "no such place");
    let run = outcomes(&written[3]);
    assert!(matches!(run[..], [Outcome::Stored, Outcome::Refused(_), Outcome::Untried]), "{run:?}");
    assert_eq!(page(&mut desk).unwrap().len(), 2);
    let connection = desk.connection().unwrap();
    assert_eq!(questions::profiles(&connection, &[user("ann")]).unwrap(), [Some(profile)]);
    assert_eq!(questions::summaries(&connection, &[talk().id]).unwrap()[0].last_seq, Seq(2), "the head was raised too");
}

#[test]
fn without_room_it_refuses_and_with_room_it_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let mut desk = desk(home.path(), &hand(1));
    tell(&mut desk, "PRAGMA max_page_count = 40");
    let mut seq = 1;
    let refused = loop {
        match append(&mut desk, seq, 8_000) {
            Ok(Outcome::Stored) => seq += 1,
            other => break other,
        }
    };
    assert!(matches!(refused, Err(Unwritten::Refused(StoreError::Full(_)))), "{refused:?}");
    assert!(desk.full.is_some());
    assert_eq!(page(&mut desk).unwrap().len() as u64, seq - 1);

    // The connection at hand is a new one, whose file may grow.
    assert!(matches!(append(&mut desk, seq, 8_000), Ok(Outcome::Stored)));
    assert!(desk.full.is_none());
    assert!(desk.health.check().is_ok(), "a full disk is no broken one");
}

#[test]
fn a_failed_commit_is_an_unknown_outcome_for_all_of_its_group() {
    let home = tempfile::tempdir().unwrap();
    let mut desk = desk(home.path(), &hand(1));
    // A constraint that is looked at in the commit and nowhere before.
    tell(
        &mut desk,
        "CREATE TABLE parents (id INTEGER PRIMARY KEY);
         CREATE TABLE children (parent INTEGER REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
         CREATE TEMP TRIGGER spoil AFTER INSERT ON main.messages BEGIN INSERT INTO children VALUES (1); END;",
    );
    let failed = desk.commit(vec![Write::Open(talk()), Write::Each(vec![attempt(1, 10)])]);
    assert!(matches!(failed, Err(Unwritten::Unknown(_))), "{failed:?}");
    assert!(desk.connection.is_none(), "nothing of the old connection's state counts");

    assert_eq!(page(&mut desk).unwrap(), []);
    assert!(matches!(append(&mut desk, 1, 10), Ok(Outcome::Stored)));
    assert_eq!(page(&mut desk).unwrap().len(), 1);
}

#[test]
fn a_changed_row_is_never_served() {
    for change in [
        "text = 'y'",
        "sender = 'eve'",
        "key = 'other'",
        "at = 6",
        "stored = stored + 1",
        "id = x'020202020202020202020202'",
        "checksum = checksum + 1",
        "sender = 'not a user id'",
        "text = CAST(x'ff' AS TEXT)",
    ] {
        let home = tempfile::tempdir().unwrap();
        let mut desk = desk(home.path(), &hand(1));
        append(&mut desk, 1, 1).unwrap();
        assert_eq!(page(&mut desk).unwrap().len(), 1);
        tell(&mut desk, &format!("UPDATE messages SET {change}"));
        let refused = page(&mut desk).map_err(|error| meaning(&error));
        assert!(
            matches!(&refused, Err(StoreError::Broken(what)) if what.contains("message 1 of")),
            "{change}: {refused:?}"
        );
    }
}

#[test]
fn a_lost_row_is_noticed() {
    let home = tempfile::tempdir().unwrap();
    let mut desk = desk(home.path(), &hand(1));
    for seq in 1..=3 {
        append(&mut desk, seq, 1).unwrap();
    }
    tell(&mut desk, "DELETE FROM messages WHERE seq = 2");
    let refused = page(&mut desk).unwrap_err().to_string();
    assert!(refused.contains("a hole behind message 1"), "{refused}");
}

#[test]
fn the_clock_is_kept_across_a_restart_whose_machine_stepped_back() {
    let home = tempfile::tempdir().unwrap();
    let mut first = desk(home.path(), &hand(5_000_000));
    append(&mut first, 1, 1).unwrap();
    drop(first);

    let hand = hand(1_000);
    let mut second = desk(home.path(), &hand);
    assert_eq!(second.clock.now(), StoreTime(5_000_000));
    append(&mut second, 2, 1).unwrap();
    let connection = second.connection().unwrap();
    let tail = questions::tail(&connection, talk().id).unwrap().unwrap();
    assert_eq!((tail.seq, tail.stored), (Seq(2), StoreTime(5_000_000)));

    // Shown but not stamped on anything: the beat keeps it.
    second.connection = Some(connection);
    hand.0.store(9_000_000, Ordering::Relaxed);
    assert_eq!(second.clock.now(), StoreTime(9_000_000));
    second.record_clock();
    drop(second);
    let third = Arc::new(Hand(AtomicU64::new(2_000)));
    assert_eq!(desk(home.path(), &third).clock.now(), StoreTime(9_000_000));
}

#[test]
fn the_log_is_folded_in_when_it_has_grown() {
    let home = tempfile::tempdir().unwrap();
    let mut desk = desk(home.path(), &hand(1));
    let pending =
        |desk: &Desk| schema::checkpoint(desk.connection.as_ref().unwrap(), Checkpoint::Look).unwrap().pending;
    let (mut seq, mut most) = (0, 0);
    while seq < 1_200 {
        let run: Vec<_> = (seq + 1..=seq + 50).map(|seq| attempt(seq, 8_000)).collect();
        seq += 50;
        desk.commit(vec![Write::Run(run)]).unwrap();
        most = most.max(pending(&desk));
        desk.checkpoint_if_due();
        assert!(pending(&desk) < LOG_PAGES_PENDING);
    }
    assert!(most >= LOG_PAGES_PENDING, "it never grew beyond {most} pages");
}
