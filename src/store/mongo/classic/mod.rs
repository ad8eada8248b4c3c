//! The old app's database: two collections of Mongoose's, `messages` and `users`. It may be live, so it is only read.

mod decode;
mod order;

use std::time::Duration;

use mongodb::bson::raw::{RawDocument, RawDocumentBuf};
use mongodb::bson::{Document, doc};
use mongodb::error::{Error, ErrorKind};
use mongodb::options::ClientOptions;
use mongodb::{Client, Collection, Cursor, Database};
use tokio::sync::mpsc;
use tokio::time::timeout;

pub use self::decode::{Flaw, OldMessage, OldPerson, Skipped};
use super::outcome::describe;
use crate::model::UserId;
use crate::model::limits::{IMPORT_AGENTS_MAX, IMPORT_READ_AHEAD, IMPORT_SOURCE_WAIT, STORE_START_WAIT};

const MESSAGES: &str = "messages";
const USERS: &str = "users";
/// Documents in one answer of the server; what it takes on the wire is bounded by the server, to 16 MB.
const BATCH: u32 = 1_000;

/// Why the old app's database cannot be read (any more): a sentence for an operator, without a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The connection string cannot be read.
    #[error(
        "SWITCHBOARD_FROM is not a MongoDB connection string, which looks like mongodb://user:password@host/database \
         with special characters in user and password percent-encoded"
    )]
    Uri,
    /// It names no database.
    #[error(
        "SWITCHBOARD_FROM names no database: put it into the path, mongodb://host/database (Mongoose uses `test` when \
         it is not told)"
    )]
    NoDatabase,
    /// There is nothing to import.
    #[error("the database {0} that SWITCHBOARD_FROM names has no collection `messages`: is it the old app's?")]
    NoMessages(String),
    /// It is one of ours.
    #[error("the database {0} that SWITCHBOARD_FROM names is Switchboard's own, not the old app's")]
    Ours(String),
    /// It did not answer in time.
    #[error("the old app's database did not answer in time")]
    Silent,
    /// More admins than fit into a question.
    #[error("the old app has more than {IMPORT_AGENTS_MAX} users of the role admin")]
    TooManyAgents,
    /// The server refused or was lost.
    #[error("the old app's database cannot be read: {0}")]
    Failed(String),
}

impl From<Error> for SourceError {
    fn from(error: Error) -> Self {
        Self::Failed(match error.kind.as_ref() {
            ErrorKind::ServerSelection { .. } => "no server answers there".to_owned(),
            _ => describe(&error),
        })
    }
}

/// The old app's database.
#[derive(Debug)]
pub struct ClassicApp {
    database: Database,
}

impl ClassicApp {
    /// Connects, and sees that it is what it should be. `uri` names the database in its path; its read preference counts,
    /// so that a secondary may be read.
    ///
    /// # Errors
    /// A sentence that says what to change.
    pub async fn connect(uri: &str) -> Result<Self, SourceError> {
        let parsed = timeout(STORE_START_WAIT, ClientOptions::parse(uri)).await.map_err(|_| SourceError::Silent)?;
        let mut options = parsed.map_err(|error| match error.kind.as_ref() {
            ErrorKind::DnsResolve { .. } => SourceError::Failed("its DNS records cannot be read".to_owned()),
            _ => SourceError::Uri,
        })?;
        let name = options.default_database.clone().ok_or(SourceError::NoDatabase)?;
        options.app_name.get_or_insert_with(|| "switchboard-import".to_owned());
        options.connect_timeout.get_or_insert(STORE_START_WAIT);
        options.server_selection_timeout.get_or_insert(STORE_START_WAIT);
        let database = Client::with_options(options).map_err(|_| SourceError::Uri)?.database(&name);
        let app = Self { database };
        app.check(name).await?;
        Ok(app)
    }

    async fn check(&self, name: String) -> Result<(), SourceError> {
        let database = self.database.clone();
        let list = doc! { "listCollections": 1, "filter": { "name": MESSAGES } };
        let listed = apart(STORE_START_WAIT, async move { database.run_command(list).await }).await?;
        let first = listed.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch")).ok();
        let Some(messages) = first.and_then(|batch| batch.first()?.as_document()) else {
            return Err(SourceError::NoMessages(name));
        };
        if messages.get_document("options").is_ok_and(|options| options.contains_key("clusteredIndex")) {
            return Err(SourceError::Ours(name));
        }
        Ok(())
    }

    /// About how many messages there are.
    ///
    /// # Errors
    /// The server did not answer.
    pub async fn about_how_many(&self) -> Result<u64, SourceError> {
        let messages = self.collection(MESSAGES);
        apart(STORE_START_WAIT, async move { messages.estimated_document_count().await }).await
    }

    /// The users of the role admin, at most [`IMPORT_AGENTS_MAX`], in the order in which the old app finds them.
    ///
    /// # Errors
    /// There are more, or the server was lost.
    pub async fn agents(&self) -> Result<Vec<UserId>, SourceError> {
        let users = self.collection(USERS);
        let found = async move { users.find(doc! { "role": "admin" }).projection(doc! { "_id": 1 }).await };
        let mut found = self.stream(found, decode::user_id);
        let mut agents = Vec::new();
        while let Some(user) = found.next().await? {
            agents.extend(user);
            if agents.len() > IMPORT_AGENTS_MAX {
                return Err(SourceError::TooManyAgents);
            }
        }
        Ok(agents)
    }

    /// All users, in any order.
    #[must_use]
    pub fn people(&self) -> Old<OldPerson> {
        let users = self.collection(USERS);
        let fields = doc! { "name": 1, "email": 1, "role": 1 };
        self.stream(async move { users.find(doc! {}).projection(fields).batch_size(BATCH).await }, decode::person)
    }

    /// All messages. Those of a conversation (of two people, or of one person and all `agents`) come together, by time and
    /// then id. The server sorts them, on its disk if need be, before the first one comes.
    #[must_use]
    pub fn messages(&self, agents: &[UserId]) -> Old<OldMessage> {
        let messages = self.collection(MESSAGES);
        let pipeline = order::pipeline(agents);
        let found = async move { messages.aggregate(pipeline).allow_disk_use(true).batch_size(BATCH).await };
        self.stream(
            async move { found.await.map(|cursor: Cursor<Document>| cursor.with_type::<RawDocumentBuf>()) },
            decode::message,
        )
    }

    fn collection(&self, name: &str) -> Collection<RawDocumentBuf> {
        self.database.collection(name)
    }

    /// Reads in a task of its own, because the driver's futures must not be dropped half-way.
    fn stream<T: Send + 'static>(
        &self,
        found: impl Future<Output = Result<Cursor<RawDocumentBuf>, Error>> + Send + 'static,
        decode: fn(&RawDocument) -> Result<T, Skipped>,
    ) -> Old<T> {
        let (sender, receiver) = mpsc::channel(IMPORT_READ_AHEAD);
        tokio::spawn(async move {
            let read = async {
                let mut cursor = found.await?;
                while cursor.advance().await? {
                    if sender.send(Ok(decode(cursor.current()))).await.is_err() {
                        break;
                    }
                }
                Ok::<(), Error>(())
            };
            if let Err(error) = read.await {
                // If nobody listens any more, nobody needs to know.
                drop(sender.send(Err(SourceError::from(error))).await);
            }
        });
        Old(receiver)
    }
}

/// Documents of the old app on their way here, a bounded number of them read ahead.
#[derive(Debug)]
pub struct Old<T>(mpsc::Receiver<Result<Result<T, Skipped>, SourceError>>);

impl<T> Old<T> {
    /// The next one, or why that document is none; nothing after the last. May be dropped and called again.
    ///
    /// # Errors
    /// The server was lost, or did not answer within [`IMPORT_SOURCE_WAIT`].
    pub async fn next(&mut self) -> Result<Option<Result<T, Skipped>>, SourceError> {
        timeout(IMPORT_SOURCE_WAIT, self.0.recv()).await.map_err(|_| SourceError::Silent)?.transpose()
    }
}

/// Runs one operation of the driver in a task of its own, and waits for it no longer than this.
async fn apart<T: Send + 'static>(
    wait: Duration,
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, SourceError> {
    match timeout(wait, tokio::spawn(work)).await {
        Ok(Ok(done)) => Ok(done?),
        Ok(Err(_)) | Err(_) => Err(SourceError::Silent),
    }
}
