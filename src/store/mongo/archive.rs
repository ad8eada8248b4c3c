//! Old histories, taken over with their own times.

use async_trait::async_trait;
use mongodb::bson::raw::cstr;
use mongodb::bson::{Document, doc, rawdoc};

use super::MongoStore;
use super::conversations::{opened, raised_with};
use super::document::date;
use super::messages::of_failed_run;
use super::metrics::Operation;
use super::people::{advanced, known_as};
use super::schema::{CONVERSATIONS, CURSORS, PROFILES};
use crate::model::{Conversation, ConversationId, CursorKind, Message, Profile, Seq, StoreTime, UserId};
use crate::store::archive::{Archive, taken};
use crate::store::{Attempt, Outcome, StoreError};

#[async_trait]
impl Archive for MongoStore {
    async fn adopt_run(&self, attempts: Vec<Attempt>, until: StoreTime) -> Vec<Outcome> {
        let count = attempts.len();
        let inserted = self.insert(Operation::Adopt, &attempts, Some(until)).await;
        inserted.unwrap_or_else(|failure| of_failed_run(count, failure))
    }

    async fn settle(&self, messages: &[Message], until: StoreTime) -> Result<(), StoreError> {
        let settled = |message: &Message| {
            raised_with(message, (cstr!("$max"), rawdoc! { "at": date(taken(message.at, until).0) }))
        };
        self.update_each(Operation::Settle, CONVERSATIONS, messages.iter().map(settled).collect()).await
    }

    async fn open_all(&self, conversations: &[Conversation]) -> Result<(), StoreError> {
        let statements = conversations.iter().map(|conversation| upsert(opened(conversation))).collect();
        self.update_each(Operation::OpenAll, CONVERSATIONS, statements).await
    }

    async fn advance_all(&self, read: &[(ConversationId, UserId, Seq)]) -> Result<(), StoreError> {
        let moved = read.iter().filter(|(_, _, to)| *to > Seq::ZERO);
        let statement = |(conversation, user, to): &(ConversationId, UserId, Seq)| {
            upsert(advanced(*conversation, user, CursorKind::Read, *to))
        };
        self.update_each(Operation::AdvanceAll, CURSORS, moved.map(statement).collect()).await
    }

    async fn put_profiles(&self, people: &[(UserId, Profile)]) -> Result<(), StoreError> {
        let statements = people.iter().map(|(user, profile)| upsert(known_as(user, profile))).collect();
        self.update_each(Operation::PutProfiles, PROFILES, statements).await
    }
}

fn upsert((filter, update): (Document, Document)) -> Document {
    doc! { "q": filter, "u": update, "upsert": true }
}
