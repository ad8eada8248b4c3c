//! An old app in a real MongoDB, a store to import it into, and what the store should hold then: found out from the old
//! documents once more, by other means than the import's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::TryStreamExt;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, DateTime, Document, doc};
use mongodb::{Client, Database};
use switchboard::import::{self, Count};
use switchboard::model::{
    Chance, Conversation, ConversationId, Kind, Message, Seq, SystemChance, SystemClock, Timestamp, UserId,
    limits::PAGE_MESSAGES_MAX,
};
use switchboard::store::embedded::EmbeddedStore;
use switchboard::store::mongo::classic::ClassicApp;
use switchboard::store::mongo::{MongoOptions, MongoStore};
use switchboard::store::{Archive, Span};
use tempfile::TempDir;

use crate::store_mongo::shared;
use crate::support::services::Mongo;

pub(super) struct World {
    pub(super) store: Arc<dyn Archive>,
    pub(super) old: Database,
    /// Where the old app's database is.
    pub(super) from: String,
    mongo: Arc<Mongo>,
    next: AtomicU64,
    _home: Option<TempDir>,
}

/// 2024-01-01.
pub(super) const BEGIN: i64 = 1_704_067_200_000;

impl World {
    pub(super) async fn on_disk() -> Self {
        let home = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(&home.path().join("data"), Arc::new(SystemClock), &SystemChance).unwrap();
        Self::new(shared().await, Arc::new(store), Some(home)).await
    }

    pub(super) async fn on_mongo() -> Self {
        let mongo = shared().await;
        let uri = database(&mongo, &unique("new"));
        let store = MongoStore::connect(&uri, MongoOptions::default(), &SystemChance).await.unwrap();
        Self::new(mongo, Arc::new(store), None).await
    }

    async fn new(mongo: Arc<Mongo>, store: Arc<dyn Archive>, home: Option<TempDir>) -> Self {
        let name = unique("old");
        let from = database(&mongo, &name);
        let old = Client::with_uri_str(&from).await.unwrap().database(&name);
        Self { store, old, from, mongo, next: AtomicU64::new(1), _home: home }
    }

    pub(super) fn another_database(&self) -> String {
        database(&self.mongo, &unique("other"))
    }

    /// An id that sorts behind all before it.
    pub(super) fn id(&self) -> ObjectId {
        let mut bytes = [7; 12];
        bytes[4..].copy_from_slice(&self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        ObjectId::from_bytes(bytes)
    }

    /// A user with a document.
    pub(super) async fn user(&self, name: &str, role: &str) -> ObjectId {
        let id = self.id();
        let email = format!("{name}@example.org");
        let user = doc! { "_id": id, "name": name, "email": email, "role": role, "status": "active", "__v": 0 };
        self.old.collection("users").insert_one(user).await.unwrap();
        id
    }

    /// A message as Mongoose makes it, `at` milliseconds after [`BEGIN`].
    pub(super) fn message(&self, sender: ObjectId, receiver: ObjectId, at: i64, read: bool) -> Document {
        let (id, at) = (self.id(), DateTime::from_millis(BEGIN + at));
        doc! {
            "_id": id, "sender": sender, "receiver": receiver, "message": format!("$text of {id}"), "read": read,
            "createdAt": at, "updatedAt": at, "__v": 0,
        }
    }

    pub(super) async fn insert(&self, messages: impl IntoIterator<Item = Document>) {
        self.old.collection("messages").insert_many(messages).await.unwrap();
    }

    pub(super) async fn app(&self) -> ClassicApp {
        ClassicApp::connect(&self.from).await.unwrap()
    }

    pub(super) async fn import(&self) -> Count {
        import::run(&self.app().await, self.store.clone(), |_| {}).await.unwrap()
    }

    /// All messages of a conversation, of which no page may have a hole.
    pub(super) async fn messages(&self, conversation: ConversationId) -> Vec<Message> {
        let mut all: Vec<Message> = Vec::new();
        loop {
            let last = all.last().map_or(Seq::ZERO, |message| message.seq);
            let page = self.store.page(conversation, Span::After(last), PAGE_MESSAGES_MAX).await.unwrap();
            if page.is_empty() {
                return all;
            }
            all.extend(page);
        }
    }

    /// What the old documents amount to, where all of them are whole.
    pub(super) async fn expected(&self) -> Expected {
        let all = |name| async move {
            let found = self.old.collection::<Document>(name).find(doc! {}).await.unwrap();
            found.try_collect::<Vec<_>>().await.unwrap()
        };
        let agents: BTreeSet<ObjectId> = all("users")
            .await
            .iter()
            .filter(|user| user.get_str("role").is_ok_and(|role| role == "admin"))
            .map(|user| user.get_object_id("_id").unwrap())
            .collect();
        let mut expected = Expected::default();
        for message in all("messages").await {
            let [sender, receiver] = ["sender", "receiver"].map(|field| message.get_object_id(field).unwrap());
            let talk = match [sender, receiver].map(|party| agents.contains(&party)) {
                [true, false] => Conversation::support(&user(receiver), &UserId::team()),
                [false, true] => Conversation::support(&user(sender), &UserId::team()),
                _ => Conversation::direct(&user(sender), &user(receiver)),
            };
            expected.0.entry(talk.id).or_insert((talk, Vec::new())).1.push(message);
        }
        for (_, messages) in expected.0.values_mut() {
            messages.sort_by_key(|message| (at(message), message.get_object_id("_id").unwrap()));
        }
        expected
    }

    /// Sees that the store holds exactly what the old documents amount to.
    pub(super) async fn assert_whole(&self) {
        let expected = self.expected().await;
        for (talk, old) in expected.0.values() {
            let stored = self.messages(talk.id).await;
            assert_eq!(stored.len(), old.len(), "messages of {talk:?}");
            for (seq, (stored, old)) in (1..).zip(stored.iter().zip(old)) {
                assert_eq!(stored.seq, Seq(seq));
                assert_eq!(stored.id.to_string(), old.get_object_id("_id").unwrap().to_hex());
                assert_eq!(stored.sender, user(old.get_object_id("sender").unwrap()), "the true author");
                assert_eq!(stored.text, old.get_str("message").unwrap());
                assert_eq!(stored.at, Timestamp(at(old)));
            }
            let row = self.store.get(&[talk.id]).await.unwrap().remove(0);
            assert_eq!(row.conversation, *talk);
            assert_eq!(row.last_seq, Seq(old.len() as u64));
            assert_eq!(row.last.unwrap().text, old.last().unwrap().get_str("message").unwrap());
            assert_eq!(row.activity.0, at(old.last().unwrap()));
            let cursors = self.store.cursors(talk.id).await.unwrap();
            for member in &talk.members {
                let cursor = cursors.iter().find(|cursor| cursor.user == *member).map_or(0, |cursor| cursor.read.0);
                assert_eq!(cursor, read_up_to(member, talk, old), "how far {member} has read in {talk:?}");
            }
        }
    }
}

/// Conversations, and their old messages in order.
#[derive(Default)]
pub(super) struct Expected(pub(super) BTreeMap<ConversationId, (Conversation, Vec<Document>)>);

/// The highest place up to which `member` has read every message for them: of a support conversation, what the person
/// wrote is for the team, whoever answered.
fn read_up_to(member: &UserId, talk: &Conversation, old: &[Document]) -> u64 {
    let is_for_member = |message: &Document| {
        let [sender, receiver] = ["sender", "receiver"].map(|field| user(message.get_object_id(field).unwrap()));
        match talk.kind {
            Kind::Support if *member == UserId::team() => talk.has(&sender),
            Kind::Support => sender != *member,
            Kind::Group => panic!("the old app has no groups"),
            Kind::Direct => receiver == *member && sender != receiver,
        }
    };
    let is_read = |message: &Document| message.get_bool("read").unwrap() || !is_for_member(message);
    old.iter().take_while(|message| is_read(message)).count() as u64
}

fn at(message: &Document) -> u64 {
    u64::try_from(message.get_datetime("createdAt").unwrap().timestamp_millis()).unwrap()
}

pub(super) fn user(id: ObjectId) -> UserId {
    id.to_hex().parse().unwrap()
}

fn unique(name: &str) -> String {
    format!("{name}-{:016x}", SystemChance.bits())
}

fn database(mongo: &Mongo, name: &str) -> String {
    mongo.uri().replace("/?", &format!("/{name}?"))
}

/// A field with something odd in it.
pub(super) fn with(mut message: Document, field: &str, value: impl Into<Bson>) -> Document {
    message.insert(field, value);
    message
}

pub(super) fn without(mut message: Document, field: &str) -> Document {
    message.remove(field);
    message
}
