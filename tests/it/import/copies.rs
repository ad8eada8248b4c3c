//! What is copied, and how it looks afterwards.

use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, DateTime, doc};
use switchboard::model::limits::IMPORT_TEXT_BYTES_MAX;
use switchboard::model::{Chance, Conversation, ConversationId, Kind, Profile, Seq, StoreTime, SystemChance, UserId};
use switchboard::store::mongo::classic::Flaw;
use switchboard::store::{Since, TEAM_ALIAS};

use super::world::{World, user, with, without};

/// Several hundred messages among agents, users and people who are gone, many of the same moment.
pub(super) async fn crowd(world: &World, messages: u64) -> Vec<ObjectId> {
    let mut people = Vec::new();
    for (name, role) in [("kim", "admin"), ("lea", "admin"), ("ann", "user"), ("bob", "user"), ("eve", "user")] {
        people.push(world.user(name, role).await);
    }
    people.extend([world.id(), world.id()]);
    talk(world, &people, messages).await;
    people
}

/// So many messages of anybody to anybody.
pub(super) async fn talk(world: &World, people: &[ObjectId], messages: u64) {
    let pick = |bits: u64| people[bits as usize % people.len()];
    let said = (0..messages).map(|_| {
        let bits = SystemChance.bits();
        world.message(pick(bits), pick(bits >> 8), (bits >> 16) as i64 % 100, bits >> 32 & 3 > 0)
    });
    world.insert(said.collect::<Vec<_>>()).await;
}

pub(super) async fn everything_is_copied_in_order(world: World) {
    crowd(&world, 700).await;
    let count = world.import().await;
    assert_eq!((count.imported, count.already_there, count.refused_conversations), (700, 0, 0));
    assert_eq!((count.people, count.skipped_messages()), (5, 0));
    assert_eq!(count.conversations, world.expected().await.0.len() as u64);
    world.assert_whole().await;
}

pub(super) async fn talks_with_any_admin_become_one(world: World) {
    let (kim, lea) = (world.user("kim", "admin").await, world.user("lea", "admin").await);
    let (ann, gone) = (world.user("ann", "user").await, world.id());
    world
        .insert([
            world.message(ann, kim, 40, true),
            world.message(lea, ann, 30, true),
            world.message(kim, ann, 10, true),
            world.message(ann, lea, 20, false),
            world.message(kim, lea, 25, true),
            world.message(gone, kim, 5, true),
            world.message(ann, gone, 15, true),
        ])
        .await;
    assert_eq!(world.import().await.conversations, 4);
    world.assert_whole().await;
    let alias = world.store.agree(TEAM_ALIAS, Some("somebody later")).await.unwrap();
    assert_eq!(alias, Some(kim.to_hex()), "the admin whom the old app named");

    let row = world.store.get(&[ConversationId::support(&user(ann))]).await.unwrap().remove(0);
    assert_eq!(row.conversation, Conversation::support(&user(ann), &UserId::team()));
    assert_eq!(row.conversation.kind, Kind::Support);
    let authors: Vec<UserId> =
        world.messages(row.conversation.id).await.into_iter().map(|message| message.sender).collect();
    assert_eq!(authors, [kim, ann, lea, ann].map(user));
    let inbox = world.store.list(&UserId::team(), None, 10).await.unwrap();
    assert_eq!(inbox.len(), 2, "of ann and of somebody who is gone: {inbox:?}");
    for direct in [Conversation::direct(&user(kim), &user(lea)), Conversation::direct(&user(ann), &user(gone))] {
        assert_eq!(world.store.get(&[direct.id]).await.unwrap()[0].conversation, direct);
    }
}

pub(super) async fn messages_of_one_moment_go_by_id(world: World) {
    let (ann, bob) = (world.user("ann", "user").await, world.user("bob", "user").await);
    let mut said: Vec<_> = (0..250).map(|n| world.message([ann, bob][n % 2], [bob, ann][n % 2], 7, true)).collect();
    let expected: Vec<String> = said.iter().map(|message| message.get_object_id("_id").unwrap().to_hex()).collect();
    said.sort_by_cached_key(|_| SystemChance.bits());
    world.insert(said).await;
    world.import().await;
    let stored = world.messages(ConversationId::direct(&user(ann), &user(bob))).await;
    assert_eq!(stored.iter().map(|message| message.id.to_string()).collect::<Vec<_>>(), expected);
    assert!(stored.iter().all(|message| message.key.as_str() == format!("import:{}", message.id)));
}

pub(super) async fn users_become_profiles(world: World) {
    let (ann, odd, long) = (world.user("ann", "user").await, world.id(), world.id());
    let users = world.old.collection("users");
    let email = format!("{}@example.org", "x".repeat(254));
    users.insert_one(doc! { "_id": odd, "name": 7, "email": null, "role": ["admin"] }).await.unwrap();
    users
        .insert_one(doc! { "_id": long, "name": format!("  A\u{7}{}", "ä".repeat(100)), "email": email })
        .await
        .unwrap();
    users.insert_one(doc! { "_id": "a text", "name": "Nobody" }).await.unwrap();
    world.insert([world.message(ann, odd, 1, true)]).await;

    let count = world.import().await;
    assert_eq!((count.people, count.skipped_people), (3, 1));
    let profile = |name: &str, email: &str| Some(Profile { name: name.to_owned(), email: email.to_owned() });
    let known = world.store.profiles(&[ann, odd, long, world.id()].map(user)).await.unwrap();
    let cut = format!("A{}", "ä".repeat(63));
    assert_eq!(known, [profile("ann", "ann@example.org"), profile("", ""), profile(&cut, ""), None]);

    users.update_one(doc! { "_id": ann }, doc! { "$set": { "name": "Ann" } }).await.unwrap();
    world.import().await;
    assert_eq!(world.store.profiles(&[user(ann)]).await.unwrap(), [profile("Ann", "ann@example.org")], "run again");
}

pub(super) async fn unread_is_what_it_was(world: World) {
    let (kim, ann, bob) =
        (world.user("kim", "admin").await, world.user("ann", "user").await, world.user("bob", "user").await);
    world
        .insert([
            world.message(ann, kim, 1, true),
            world.message(kim, ann, 2, true),
            world.message(ann, kim, 3, false),
            world.message(ann, kim, 4, false),
            world.message(bob, ann, 1, true),
            world.message(bob, ann, 2, false),
            world.message(bob, ann, 3, true),
            world.message(ann, bob, 4, true),
            without(world.message(ann, bob, 5, true), "read"),
        ])
        .await;
    world.import().await;
    let (support, direct) = (ConversationId::support(&user(ann)), ConversationId::direct(&user(ann), &user(bob)));
    assert_eq!(world.store.unread(&UserId::team(), &[(support, Seq::ZERO)]).await.unwrap(), [2]);
    assert_eq!(
        world.store.unread(&user(ann), &[(support, Seq::ZERO), (direct, Seq::ZERO)]).await.unwrap(),
        [0, 2],
        "a cursor stops at a gap"
    );
    assert_eq!(world.store.unread(&user(bob), &[(direct, Seq::ZERO)]).await.unwrap(), [1]);
}

pub(super) async fn a_long_text_is_copied_whole(world: World) {
    let (ann, bob) = (world.user("ann", "user").await, world.user("bob", "user").await);
    let text = "é".repeat(IMPORT_TEXT_BYTES_MAX / 2);
    world
        .insert([
            world.message(ann, bob, 1, true),
            with(world.message(ann, bob, 2, true), "message", text),
            with(world.message(bob, ann, 3, true), "message", ""),
        ])
        .await;
    assert_eq!(world.import().await.imported, 3);
    world.assert_whole().await;
}

pub(super) async fn what_is_malformed_is_skipped_and_counted(world: World) {
    let (kim, ann) = (world.user("kim", "admin").await, world.user("ann", "user").await);
    let good = |at| world.message(ann, kim, at, true);
    let long = "x".repeat(IMPORT_TEXT_BYTES_MAX + 1);
    let huge = Bson::Binary(mongodb::bson::Binary {
        subtype: mongodb::bson::spec::BinarySubtype::Generic,
        bytes: vec![1; 15 * 1024 * 1024],
    });
    let before_1970 = DateTime::from_millis(-1);
    let cases = [
        (Flaw::Id, with(good(1), "_id", "a text")),
        (Flaw::Id, with(good(2), "_id", doc! { "a": 1 })),
        (Flaw::Sender, without(good(3), "sender")),
        (Flaw::Sender, with(good(4), "sender", ann.to_hex())),
        (Flaw::Sender, with(good(4), "sender", huge.clone())),
        (Flaw::Receiver, with(good(5), "receiver", Bson::Null)),
        (Flaw::Receiver, with(good(6), "receiver", vec![kim])),
        (Flaw::Text, without(good(7), "message")),
        (Flaw::Text, with(good(8), "message", 5)),
        (Flaw::Text, with(good(9), "message", doc! { "$ne": 1 })),
        (Flaw::Text, with(good(9), "message", huge)),
        (Flaw::Length, with(good(10), "message", long)),
        (Flaw::Time, without(good(11), "createdAt")),
        (Flaw::Time, with(good(12), "createdAt", "2024-01-01")),
        (Flaw::Time, with(good(13), "createdAt", before_1970)),
    ];
    world.insert((0..30).map(good)).await;
    for (_, malformed) in &cases {
        world.insert([malformed.clone()]).await;
    }
    world.old.collection("messages").insert_one(doc! {}).await.unwrap();

    let count = world.import().await;
    assert_eq!(count.imported, 30);
    let mut expected = Flaw::ALL.map(|flaw| (flaw, cases.iter().filter(|(other, _)| *other == flaw).count() as u64));
    // The empty one, to which MongoDB gave an id.
    expected[1].1 += 1;
    assert_eq!(count.skipped, expected);
    let stored = world.messages(ConversationId::support(&user(ann))).await;
    assert_eq!(stored.last().map(|last| last.seq), Some(Seq(30)), "they leave no gap");
    assert!(count.to_string().contains("3: sender is no ObjectId\n") || expected[1].1 != 3, "{count}");
}

pub(super) async fn lists_keep_the_old_order(world: World) {
    let (ann, mut others) = (world.user("ann", "user").await, Vec::new());
    for at in [50, 20, 90, 70] {
        let other = world.id();
        others.push((at, ConversationId::direct(&user(ann), &user(other))));
        world.insert([world.message(other, ann, 1, true), world.message(ann, other, at, true)]).await;
    }
    others.sort_by(|one, other| other.cmp(one));
    world.import().await;
    let listed = world.store.list(&user(ann), None, 10).await.unwrap();
    let ids: Vec<_> = listed.iter().map(|row| row.conversation.id).collect();
    assert_eq!(ids, others.into_iter().map(|(_, id)| id).collect::<Vec<_>>());
}

/// Whoever is connected asks the store where something happened lately; the import is not among it.
pub(super) async fn nobody_is_told(world: World) {
    let people = crowd(&world, 100).await;
    let began = world.store.now().await.unwrap();
    world.import().await;
    let everybody: Vec<UserId> = people.into_iter().map(user).chain([UserId::team()]).collect();
    let since = |at| Since { at, after: None };
    assert_eq!(world.store.active(&everybody, since(began), 100).await.unwrap(), []);
    assert!(!world.store.active(&everybody, since(StoreTime(0)), 100).await.unwrap().is_empty());
}
