//! What the database holds: collections, indexes, and one document that says which history this is.

use mongodb::bson::{Document, doc};
use mongodb::error::{Error, ErrorKind, Result};
use mongodb::options::ReturnDocument;
use mongodb::{ClientSession, Database};

use super::connect::ConnectError;
use crate::model::Generation;

/// The collection of messages, clustered by place: what is read together lies together, and there is no second index to
/// write for the order.
pub(super) const MESSAGES: &str = "messages";
/// The collection of conversations and their heads.
pub(super) const CONVERSATIONS: &str = "conversations";
/// The collection of read and delivered cursors.
pub(super) const CURSORS: &str = "cursors";
/// The collection of profiles.
pub(super) const PROFILES: &str = "profiles";
/// The collection of erasures under way.
pub(super) const ERASURES: &str = "erasures";
/// The collection of addresses that people are found by.
pub(super) const ADDRESSES: &str = "addresses";
/// The collection of what was decided about users.
pub(super) const STANDINGS: &str = "standings";
/// The collection of who left which group last, and when: so that whoever was away then is told.
pub(super) const DEPARTURES: &str = "departures";
/// The collection of how users appear to others.
pub(super) const APPEARANCES: &str = "appearances";
/// The collection of what holds for the store as a whole.
pub(super) const META: &str = "meta";

/// The unique index over conversation and digest of sender and client key. It starts with the conversation so that an
/// insert touches the part of it that the conversation's last insert touched, however large it grows.
pub(super) const KEY_INDEX: &str = "key";
/// The index over member, activity and conversation: it answers lists and questions about activity in their order.
pub(super) const MEMBER_INDEX: &str = "member";

/// The index over who left, when, and what: it answers questions about activity beside [`MEMBER_INDEX`].
pub(super) const DEPARTED_INDEX: &str = "departed";

/// The index over addresses.
const ADDRESS_INDEX: &str = "address";
/// The index over the talks with the team, by their state and activity.
pub(super) const DESK_INDEX: &str = "desk";
/// The index over the talks that somebody sees to, by that agent and their activity.
pub(super) const HOLDER_INDEX: &str = "holder";

/// The version of all this, as this program makes it. What it adds to what an earlier one made is additive: collections,
/// indexes and fields that an earlier node neither reads nor misses, and that a node of this version does without where an
/// earlier one has written.
const VERSION: i32 = 2;
/// The oldest version whose nodes may use what this one makes: raised, to [`VERSION`], only by a change that is not additive.
/// Then nodes of earlier versions stop being ready.
const OLDEST: i32 = 2;
/// The document of `meta` that says which history this is.
const STORE: &str = "store";
/// What the ids of the other documents of `meta` begin with: names under which all nodes agreed on something.
pub(super) const AGREED: &str = "agreed:";
/// "A collection of that name exists."
const NAMESPACE_EXISTS: i32 = 48;

/// What is in `meta`. What `version` says was called so before there was a difference: which version one must at least be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meta {
    generation: i64,
    oldest: i32,
    /// It is being made of a back-up, and is not a store yet.
    restoring: bool,
}

impl Meta {
    /// The generation, unless only later versions may use the store, or it is not whole yet.
    pub(super) fn check(self) -> std::result::Result<Generation, ConnectError> {
        if self.oldest > VERSION {
            return Err(ConnectError::Newer { needed: self.oldest, known: VERSION });
        }
        if self.restoring {
            return Err(ConnectError::Unfinished);
        }
        Ok(Generation(self.generation.cast_unsigned()))
    }

    fn read(document: &Document) -> Result<Self> {
        let field = |_| Error::custom("the document in `meta` lacks a field");
        Ok(Self {
            generation: document.get_i64("generation").map_err(field)?,
            oldest: document.get_i32("version").map_err(field)?,
            restoring: document.get_bool("restoring").unwrap_or_default(),
        })
    }
}

/// What finds the document that says which history this is.
pub(super) fn store_key() -> Document {
    doc! { "_id": STORE }
}

/// What the store says of itself; nothing when it is new.
pub(super) async fn meta(database: &Database, session: &mut ClientSession) -> Result<Option<Meta>> {
    let found = database.collection::<Document>(META).find_one(doc! { "_id": STORE }).session(session).await?;
    found.as_ref().map(Meta::read).transpose()
}

/// Makes what is missing. Nodes may do this at the same time; the first one's `generation` counts. Nothing is made, and
/// nothing answered, where the messages are somebody else's.
pub(super) async fn create(
    database: &Database,
    session: &mut ClientSession,
    generation: Generation,
) -> Result<Option<Meta>> {
    create_messages(database, session).await?;
    if !is_ours(database, session).await? {
        return Ok(None);
    }
    let key = doc! { "key": { "c": 1, "u": 1 }, "name": KEY_INDEX, "unique": true };
    create_index(database, session, MESSAGES, key).await?;
    let member = doc! { "key": { "m": 1, "at": 1, "_id": 1 }, "name": MEMBER_INDEX };
    create_index(database, session, CONVERSATIONS, member).await?;
    let desk = doc! {
        "key": { "s": 1, "at": 1, "_id": 1 }, "name": DESK_INDEX, "partialFilterExpression": { "k": "support" },
    };
    create_index(database, session, CONVERSATIONS, desk).await?;
    let holder = doc! {
        "key": { "g": 1, "at": 1, "_id": 1 }, "name": HOLDER_INDEX,
        "partialFilterExpression": { "g": { "$exists": true } },
    };
    create_index(database, session, CONVERSATIONS, holder).await?;
    let departed = doc! { "key": { "u": 1, "at": 1, "c": 1 }, "name": DEPARTED_INDEX };
    create_index(database, session, DEPARTURES, departed).await?;
    let address = doc! { "key": { "a": 1 }, "name": ADDRESS_INDEX };
    create_index(database, session, ADDRESSES, address).await?;
    let new = doc! { "$setOnInsert": { "generation": generation.0.cast_signed(), "version": OLDEST } };
    let meta = database.collection::<Document>(META);
    meta.update_one(doc! { "_id": STORE }, new).upsert(true).session(&mut *session).await?;
    let raise = doc! { "$max": { "version": OLDEST, "made_by": VERSION } };
    let meta = meta
        .find_one_and_update(doc! { "_id": STORE }, raise)
        .return_document(ReturnDocument::After)
        .session(session)
        .await?;
    Meta::read(&meta.ok_or_else(|| Error::custom("the update of `meta` answered nothing"))?).map(Some)
}

async fn create_messages(database: &Database, session: &mut ClientSession) -> Result<()> {
    let create = doc! {
        "create": MESSAGES,
        "clusteredIndex": { "key": { "_id": 1 }, "unique": true, "name": "place" },
        "writeConcern": { "w": "majority", "j": true },
    };
    match database.run_command(create).session(session).await {
        Err(error) if !is(&error, NAMESPACE_EXISTS) => Err(error),
        _ => Ok(()),
    }
}

async fn create_index(
    database: &Database,
    session: &mut ClientSession,
    collection: &str,
    index: Document,
) -> Result<()> {
    let create = doc! {
        "createIndexes": collection,
        "indexes": [index],
        "writeConcern": { "w": "majority", "j": true },
    };
    database.run_command(create).session(session).await.map(drop)
}

/// Whether `messages` is clustered, as only Switchboard makes it.
async fn is_ours(database: &Database, session: &mut ClientSession) -> Result<bool> {
    let list = doc! { "listCollections": 1, "filter": { "name": MESSAGES } };
    let listed = database.run_command(list).session(session).await?;
    let first = listed.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch")).ok();
    let options = first.and_then(|batch| batch.first()?.as_document()?.get_document("options").ok());
    Ok(options.is_some_and(|options| options.contains_key("clusteredIndex")))
}

fn is(error: &Error, code: i32) -> bool {
    matches!(error.kind.as_ref(), ErrorKind::Command(command) if command.code == code)
}
