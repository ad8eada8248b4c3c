//! The team's inbox. An assignment is part of its conversation's document, so that one update compares and sets it, and
//! one index lists by it and by activity.

use async_trait::async_trait;
use futures_util::FutureExt;
use mongodb::bson::{Bson, Document, doc};

use super::MongoStore;
use super::conversations::listed;
use super::document::{binary, date, read_summary, state_name};
use super::metrics::Operation;
use super::run::Failure;
use crate::model::limits::{AGENTS_MAX, ATTEMPT_WAIT};
use crate::model::{Assignment, ConversationId, Summary, TalkState, UserId};
use crate::store::{Assignments, Behind, StoreError, Talks};

#[async_trait]
impl Assignments for MongoStore {
    async fn assign(&self, talk: ConversationId, new: &Assignment) -> Result<bool, StoreError> {
        let (filter, update) = assigned(talk, new);
        let conversations = self.conversations.clone();
        let set = self
            .runner
            .run(Operation::Assign, move |session| {
                async move { conversations.update_one(filter, update).session(session).await }.boxed()
            })
            .await
            .map_err(Failure::into_error)?;
        Ok(set.modified_count > 0)
    }

    async fn talks(&self, which: &Talks, behind: Option<Behind>, limit: usize) -> Result<Vec<Summary>, StoreError> {
        let filter = match which {
            Talks::All => doc! { "m": UserId::team().as_str() },
            // Those that were never changed have no state.
            Talks::In(TalkState::Open) => {
                doc! { "k": "support", "s": { "$in": [Bson::Null, Bson::from(state_name(TalkState::Open))] } }
            }
            Talks::In(state) => doc! { "k": "support", "s": state_name(*state) },
            Talks::Of(agent) => doc! { "g": agent.as_str() },
        };
        self.read(Operation::Talks, &self.conversations, listed(filter, behind, limit), read_summary).await
    }

    async fn holders(&self) -> Result<Vec<UserId>, StoreError> {
        let conversations = self.conversations.clone();
        let distinct = self.runner.run(Operation::Holders, move |session| {
            async move {
                let held = doc! { "g": { "$exists": true } };
                conversations.distinct("g", held).max_time(ATTEMPT_WAIT).session(session).await
            }
            .boxed()
        });
        let names = distinct.await.map_err(Failure::into_error)?;
        Ok(names.iter().filter_map(|name| name.as_str()?.parse().ok()).take(AGENTS_MAX).collect())
    }
}

/// What finds a talk that was changed one time less, and what it becomes.
fn assigned(talk: ConversationId, new: &Assignment) -> (Document, Document) {
    let change = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let before = match new.change {
        0 | 1 => Bson::Null,
        change_now => Bson::from(change(change_now - 1)),
    };
    let filter = doc! { "_id": binary(talk.as_bytes()), "k": "support", "v": before };
    let mut set = doc! { "s": state_name(new.state), "v": change(new.change) };
    if let Some(by) = &new.by {
        set.insert("b", by.as_str());
    }
    if let Some(at) = new.at {
        set.insert("c", date(at.0));
    }
    let update = match &new.agent {
        Some(agent) => {
            set.insert("g", agent.as_str());
            doc! { "$set": set }
        }
        None => doc! { "$set": set, "$unset": { "g": "" } },
    };
    (filter, update)
}
