//! What is found in a file, and what becomes of it.

use super::*;
use crate::model::{Conversation, Message, MessageId, Preview, Seq, SystemChance, Timestamp, UserId};
use crate::store::Span;
use crate::store::embedded::directory::prepare;
use crate::store::embedded::questions;
use crate::store::embedded::row::checksum;

#[test]
fn a_newer_file_is_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    let place = prepare(home.path()).unwrap();
    let (connection, _) = open(&place, &SystemChance).unwrap();
    connection.execute("UPDATE meta SET schema = ?1", [VERSION + 1]).unwrap();
    drop(connection);
    let refusal = open(&place, &SystemChance).unwrap_err();
    assert!(matches!(refusal, OpenError::Newer { found: 3, known: 2, .. }), "{refusal}");
    assert!(refusal.to_string().contains("newer version (schema 3, this one knows 2)"), "{refusal}");
}

#[test]
fn a_file_to_which_a_newer_version_has_only_added_is_used_and_left_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let place = prepare(home.path()).unwrap();
    let (connection, made) = open(&place, &SystemChance).unwrap();
    assert_eq!(integer(&connection, "PRAGMA user_version").unwrap(), VERSION);
    let added = "CREATE TABLE later (x INTEGER) STRICT; ALTER TABLE profiles ADD COLUMN later TEXT; \
                 INSERT INTO later VALUES (7)";
    connection.execute_batch(added).unwrap();
    connection.pragma_update(None, "user_version", VERSION + 1).unwrap();
    drop(connection);
    let (connection, found) = open(&place, &SystemChance).unwrap();
    assert_eq!(found.generation, made.generation);
    assert_eq!(integer(&connection, "PRAGMA user_version").unwrap(), VERSION + 1);
    assert_eq!(integer(&connection, "SELECT x FROM later").unwrap(), 7);
}

#[test]
fn a_file_from_before_there_were_two_figures_is_opened_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let place = prepare(home.path()).unwrap();
    let (connection, _) = open(&place, &SystemChance).unwrap();
    connection.pragma_update(None, "user_version", 0).unwrap();
    drop(connection);
    let (connection, _) = open(&place, &SystemChance).unwrap();
    assert_eq!(integer(&connection, "SELECT schema FROM meta").unwrap(), OLDEST);
    drop(open(&place, &SystemChance).unwrap());
}

#[test]
fn an_upgraded_file_is_like_a_new_one_and_keeps_what_it_held() {
    let schema = |connection: &Connection| -> Vec<(String, Option<String>)> {
        let mut all = connection.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name").unwrap();
        all.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    };
    let home = tempfile::tempdir().unwrap();
    let (old, new) = (prepare(&home.path().join("old")).unwrap(), prepare(&home.path().join("new")).unwrap());
    let first = Connection::open(old.file()).unwrap();
    first.execute_batch(TABLES).unwrap();
    first.pragma_update(None, "application_id", APPLICATION).unwrap();
    first
        .execute_batch(
            "INSERT INTO meta (one, schema, generation, clock) VALUES (1, 1, 77, 5);
             INSERT INTO profiles (user, name, email) VALUES ('ann', 'Ann', '');
             INSERT INTO conversations (id, kind, last_seq, activity) VALUES (x'01', 1, 3, 8), (x'02', 2, 4, 9);",
        )
        .unwrap();
    drop(first);
    let (upgraded, meta) = open(&old, &SystemChance).unwrap();
    assert_eq!((meta.generation, meta.clock), (Generation(77), StoreTime(5)));
    assert_eq!(integer(&upgraded, "SELECT schema FROM meta").unwrap(), OLDEST);
    assert_eq!(integer(&upgraded, "PRAGMA user_version").unwrap(), VERSION);
    assert_eq!(integer(&upgraded, "SELECT count(*) FROM profiles").unwrap(), 1);
    let inbox = "SELECT sum(activity) FROM talks WHERE conversation = x'02' AND state = 1 AND change = 0";
    assert_eq!(integer(&upgraded, inbox).unwrap(), 9, "talks with the team are in its inbox");
    assert_eq!(integer(&upgraded, "SELECT count(*) FROM talks").unwrap(), 1);
    assert_eq!(schema(&upgraded), schema(&open(&new, &SystemChance).unwrap().0));
    drop(upgraded);
    open(&old, &SystemChance).unwrap();
}

/// Written as version 1 wrote it, checksum and all.
#[test]
fn what_version_one_held_is_read_as_it_was() {
    let home = tempfile::tempdir().unwrap();
    let place = prepare(home.path()).unwrap();
    let [ann, bob]: [UserId; 2] = ["ann", "bob"].map(|user| user.parse().unwrap());
    let talk = Conversation::direct(&ann, &bob);
    let message = Message {
        conversation: talk.id,
        seq: Seq(1),
        id: MessageId::from_bytes([3; 12]),
        sender: ann.clone(),
        key: "k".parse().unwrap(),
        at: Timestamp(7),
        text: "hello".to_owned(),
        event: None,
    };
    let old = Connection::open(place.file()).unwrap();
    old.execute_batch(TABLES).unwrap();
    old.pragma_update(None, "application_id", APPLICATION).unwrap();
    old.execute("INSERT INTO meta (one, schema, generation, clock) VALUES (1, 1, 77, 9)", []).unwrap();
    let sql = "INSERT INTO messages (conversation, seq, id, sender, key, at, stored, text, checksum) \
               VALUES (?1, 1, ?2, 'ann', 'k', 7, 9, 'hello', ?3)";
    old.execute(sql, (talk.id.as_bytes(), message.id.as_bytes(), checksum(&message, StoreTime(9)))).unwrap();
    let sql = "INSERT INTO conversations (id, kind, last_seq, last_from, last_at, last_text, activity) \
               VALUES (?1, 1, 1, 'ann', 7, 'hello', 9)";
    old.execute(sql, [talk.id.as_bytes()]).unwrap();
    for (user, read) in [("ann", 1), ("bob", 0)] {
        let sql = "INSERT INTO members (conversation, user, read, delivered) VALUES (?1, ?2, ?3, 1)";
        old.execute(sql, (talk.id.as_bytes(), user, read)).unwrap();
        let sql = "INSERT INTO recent (user, activity, conversation) VALUES (?1, 9, ?2)";
        old.execute(sql, (user, talk.id.as_bytes())).unwrap();
    }
    old.execute("INSERT INTO agreed (name, value) VALUES ('team alias', 'desk')", []).unwrap();
    drop(old);
    let (new, _) = open(&place, &SystemChance).unwrap();
    assert_eq!(questions::page(&new, talk.id, Span::After(Seq::ZERO), 10).unwrap(), std::slice::from_ref(&message));
    assert_eq!(questions::find(&new, talk.id, &ann, &message.key).unwrap().as_ref(), Some(&message));
    let row = questions::list(&new, &bob, None, 10).unwrap().remove(0);
    assert_eq!((&row.conversation, row.last_seq, row.activity), (&talk, Seq(1), StoreTime(9)));
    assert_eq!((row.last, row.group), (Some(Preview::of(&message)), None));
    assert_eq!(questions::unread(&new, &bob, &[(talk.id, Seq::ZERO)]).unwrap(), [1]);
    assert_eq!(questions::cursors(&new, talk.id).unwrap().len(), 2);
    assert_eq!(questions::agreed(&new, "team alias").unwrap().as_deref(), Some("desk"));
}

#[test]
fn a_foreign_file_is_refused_and_left_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let place = prepare(home.path()).unwrap();
    let foreign = Connection::open(place.file()).unwrap();
    foreign.execute_batch("CREATE TABLE birds (name TEXT)").unwrap();
    drop(foreign);
    let text = b"dear diary, this is not a database at all, and it is longer than any header of one".repeat(20);
    for content in [std::fs::read(place.file()).unwrap(), text] {
        std::fs::write(place.file(), &content).unwrap();
        let refusal = open(&place, &SystemChance).unwrap_err();
        assert!(matches!(refusal, OpenError::Foreign { .. }), "{refusal}");
        assert_eq!(std::fs::read(place.file()).unwrap(), content);
    }
}

#[test]
fn each_file_is_a_history_of_its_own() {
    let generation = || {
        let home = tempfile::tempdir().unwrap();
        let place = prepare(home.path()).unwrap();
        let (connection, made) = open(&place, &SystemChance).unwrap();
        drop(connection);
        let (_, found) = open(&place, &SystemChance).unwrap();
        assert_eq!(made.generation, found.generation);
        made.generation
    };
    assert_ne!(generation(), generation());
}

#[test]
fn every_commit_is_synced() {
    let home = tempfile::tempdir().unwrap();
    let place = prepare(home.path()).unwrap();
    let (first, _) = open(&place, &SystemChance).unwrap();
    for connection in [first, writer(&place).unwrap()] {
        assert_eq!(integer(&connection, "PRAGMA synchronous").unwrap(), 2, "FULL");
        let mode: String = connection.query_one("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        assert_eq!(mode, "wal");
        assert_eq!(integer(&connection, "PRAGMA wal_autocheckpoint").unwrap(), 0);
    }
}
