//! Old histories, taken over with their own times.

use async_trait::async_trait;
use mongodb::bson::doc;

use super::MongoStore;
use super::conversations::raised_with;
use super::document::date;
use super::messages::of_failed_run;
use super::metrics::Operation;
use crate::model::{Message, StoreTime};
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
        let settled =
            |message: &Message| raised_with(message, doc! { "$max": { "at": date(taken(message.at, until).0) } });
        self.raise_heads(Operation::Settle, messages.iter().map(settled).collect()).await
    }
}
