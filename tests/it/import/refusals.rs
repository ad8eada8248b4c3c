//! Conversations in which somebody living was before the import, and databases that are not the old app's.

use mongodb::bson::oid::ObjectId;
use switchboard::model::{ConversationId, MessageId, NewMessage, Seq, SystemChance, Timestamp};
use switchboard::store::mongo::classic::{ClassicApp, SourceError};
use switchboard::store::mongo::{MongoOptions, MongoStore};
use switchboard::store::{Attempt, Outcome};

use super::world::{World, user};

/// Somebody says something, as they do in a running cluster.
async fn live(world: &World, from: ObjectId, to: ObjectId, seq: u64) -> ConversationId {
    let (sender, other) = (user(from), user(to));
    let talk = switchboard::model::Conversation::direct(&sender, &other);
    world.store.open(&talk).await.unwrap();
    let message = NewMessage {
        conversation: talk.id,
        id: MessageId::from_bytes([9; 12]),
        sender,
        key: "live".parse().unwrap(),
        at: Timestamp(1_800_000_000_000),
        text: "alive".to_owned(),
        event: None,
    };
    let outcomes = world.store.append_each(vec![Attempt { message: message.clone(), seq: Seq(seq) }]).await;
    assert_eq!(outcomes, [Outcome::Stored]);
    world.store.raise(&[message.at_seq(Seq(seq))]).await.unwrap();
    talk.id
}

pub(super) async fn a_living_conversation_is_refused(world: World) {
    let (ann, bob, eve) =
        (world.user("ann", "user").await, world.user("bob", "user").await, world.user("eve", "user").await);
    world.insert((0..250).map(|at| world.message(ann, bob, at, true))).await;
    world.insert((0..50).map(|at| world.message(ann, eve, at, true))).await;
    let living = live(&world, ann, bob, 1).await;
    let before = world.store.get(&[living]).await.unwrap();

    for imported in [50, 0] {
        let count = world.import().await;
        assert_eq!((count.imported, count.already_there), (imported, 50 - imported));
        assert_eq!((count.refused_conversations, count.refused_messages), (1, 250));
        assert_eq!(world.messages(living).await.len(), 1);
        assert_eq!(world.store.get(&[living]).await.unwrap(), before);
        assert_eq!(world.store.cursors(living).await.unwrap(), []);
    }
}

pub(super) async fn life_after_the_import_is_no_obstacle(world: World) {
    let (ann, bob) = (world.user("ann", "user").await, world.user("bob", "user").await);
    world.insert((0..20).map(|at| world.message(ann, bob, at, true))).await;
    world.import().await;
    let living = live(&world, ann, bob, 21).await;
    let before = world.store.get(&[living]).await.unwrap();
    let count = world.import().await;
    assert_eq!((count.already_there, count.refused_conversations), (20, 0));
    assert_eq!(world.store.get(&[living]).await.unwrap(), before);

    // What the old app went on to say has no place any more.
    world.insert([world.message(ann, bob, 30, true)]).await;
    let count = world.import().await;
    assert_eq!((count.already_there, count.refused_conversations, count.refused_messages), (20, 1, 1));
    assert_eq!(world.messages(living).await.len(), 21);
}

pub(super) async fn life_in_the_middle_is_refused(world: World) {
    let (ann, bob) = (world.user("ann", "user").await, world.user("bob", "user").await);
    world.insert((0..120).map(|at| world.message(ann, bob, at, true))).await;
    world.import().await;
    let living = live(&world, bob, ann, 121).await;
    world.insert((200..300).map(|at| world.message(ann, bob, at, true))).await;
    let count = world.import().await;
    assert_eq!((count.already_there, count.refused_conversations, count.refused_messages), (120, 1, 100));
    assert_eq!(world.messages(living).await.len(), 121);
}

async fn refused(uri: &str) -> SourceError {
    ClassicApp::connect(uri).await.unwrap_err()
}

#[tokio::test]
async fn what_is_not_the_old_apps_database_is_refused_in_words() {
    let world = World::on_disk().await;
    let empty = world.another_database();
    assert!(matches!(refused(&empty).await, SourceError::NoMessages(_)));
    MongoStore::connect(&empty, MongoOptions::default(), &SystemChance).await.unwrap();
    assert!(matches!(refused(&empty).await, SourceError::Ours(_)));
    assert_eq!(refused("mongodb://127.0.0.1:1/").await, SourceError::NoDatabase);
    assert_eq!(refused("mongodb://user:hunter2@/x").await, SourceError::Uri);
    let nobody = "mongodb://user:hunter2@127.0.0.1:1/old?serverSelectionTimeoutMS=300&connectTimeoutMS=300";
    let error = refused(nobody).await.to_string();
    assert!(error.contains("no server answers there") && !error.contains("hunter2"), "{error}");
}

/// The old app's database as the target, too: it is left as it is.
#[tokio::test]
async fn the_old_database_is_no_store() {
    let world = World::on_disk().await;
    let (ann, bob) = (world.user("ann", "user").await, world.user("bob", "user").await);
    world.insert([world.message(ann, bob, 1, true)]).await;
    let refusal = MongoStore::connect(&world.from, MongoOptions::default(), &SystemChance).await.err().unwrap();
    assert!(refusal.to_string().contains("that Switchboard did not make"), "{refusal}");
    let indexes = world.old.collection::<mongodb::bson::Document>("messages").list_index_names().await.unwrap();
    assert_eq!(indexes, ["_id_"], "nothing was made in it");
    let collections = world.old.list_collection_names().await.unwrap();
    assert_eq!(collections.len(), 2, "{collections:?}");
}
