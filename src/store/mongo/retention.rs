//! What is not kept any more.

use async_trait::async_trait;
use futures_util::FutureExt;
use mongodb::bson::doc;

use super::MongoStore;
use super::conversations::preview_order;
use super::document::{binary, date, read_activity, read_tail};
use super::erasure::read_id;
use super::messages::key;
use super::metrics::Operation;
use super::read::{Read, read};
use super::run::Failure;
use crate::model::limits::PURGE_STEP_MESSAGES;
use crate::model::{ConversationId, Seq};
use crate::store::{Retention, StoreError};

#[async_trait]
impl Retention for MongoStore {
    async fn conversations_after(
        &self,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<ConversationId>, StoreError> {
        let mut filter = doc! { "at": { "$gt": date(0) } };
        if let Some(after) = after {
            filter.insert("_id", doc! { "$gt": binary(after.as_bytes()) });
        }
        let what = Read { filter, sort: doc! { "_id": 1 }, limit, projection: doc! { "_id": 1 } };
        self.read(Operation::ConversationsAfter, &self.conversations, what, read_id).await
    }

    async fn purge(&self, conversation: ConversationId, up_to: Seq) -> Result<u64, StoreError> {
        let (messages, conversations) = (self.messages.clone(), self.conversations.clone());
        self.runner
            .run(Operation::Purge, move |session| {
                async move {
                    let whole = doc! { "$gte": key(conversation, Seq::ZERO), "$lte": key(conversation, Seq(u64::MAX)) };
                    let end = |direction: i32| Read {
                        filter: doc! { "_id": whole.clone() },
                        sort: doc! { "_id": direction },
                        limit: 1,
                        projection: doc! { "ts": 1 },
                    };
                    let first = read(&messages, &mut *session, end(1), read_tail).await?.pop();
                    let last = read(&messages, &mut *session, end(-1), read_tail).await?.pop();
                    let filter = doc! { "_id": binary(conversation.as_bytes()) };
                    let head = Read { filter, limit: 1, ..Read::default() };
                    let head = read(&conversations, &mut *session, head, read_activity).await?.pop();
                    let (Some(first), Some(last), Some(head)) = (first, last, head) else { return Ok(0) };
                    let step = Seq(first.seq.0.saturating_add(PURGE_STEP_MESSAGES - 1));
                    let up_to = up_to.min(step).min(last.seq.previous()).min(head.last_seq);
                    if up_to < first.seq {
                        return Ok(0);
                    }
                    let range = doc! { "$gte": key(conversation, first.seq), "$lte": key(conversation, up_to) };
                    let gone = messages.delete_many(doc! { "_id": range }).session(session).await?;
                    Ok(gone.deleted_count)
                }
                .boxed()
            })
            .await
            .map_err(Failure::into_error)
    }

    async fn blank(&self, conversation: ConversationId, seq: Seq) -> Result<bool, StoreError> {
        let said = doc! { "_id": key(conversation, seq), "t": { "$ne": "" } };
        let number = i64::try_from(seq.0).unwrap_or(i64::MAX);
        let shown = doc! { "_id": binary(conversation.as_bytes()), "n": number, "l.t": { "$ne": "" } };
        let (messages, conversations) = (self.messages.clone(), self.conversations.clone());
        self.runner
            .run(Operation::Blank, move |session| {
                async move {
                    let erased = doc! { "kind": "erased" };
                    let blank = doc! { "$set": { "t": "", "v": erased.clone() } };
                    let blanked = messages.update_one(said, blank).session(&mut *session).await?;
                    let unshown = doc! { "$set": { "l.t": "", "l.v": erased, "l.o": preview_order(seq, true) } };
                    conversations.update_one(shown, unshown).session(session).await?;
                    Ok(blanked.modified_count > 0)
                }
                .boxed()
            })
            .await
            .map_err(Failure::into_error)
    }
}
