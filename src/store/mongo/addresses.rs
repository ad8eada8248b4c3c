//! Under which address somebody can be found: `_id` user, `a` address.

use async_trait::async_trait;
use futures_util::FutureExt;
use mongodb::bson::doc;
use mongodb::bson::raw::RawDocument;

use super::MongoStore;
use super::metrics::Operation;
use super::outcome::Malformed;
use super::read::Read;
use super::run::Failure;
use crate::model::UserId;
use crate::store::{Addresses, StoreError};

#[async_trait]
impl Addresses for MongoStore {
    async fn set_address(&self, user: &UserId, address: &str) -> Result<(), StoreError> {
        let (addresses, filter) = (self.addresses.clone(), doc! { "_id": user.as_str() });
        let set = (!address.is_empty()).then(|| doc! { "$set": { "a": address } });
        self.runner
            .run(Operation::SetAddress, move |session| {
                async move {
                    match set {
                        Some(set) => addresses.update_one(filter, set).upsert(true).session(session).await.map(drop),
                        None => addresses.delete_one(filter).session(session).await.map(drop),
                    }
                }
                .boxed()
            })
            .await
            .map_err(Failure::into_error)
    }

    async fn by_address(&self, address: &str) -> Result<Vec<UserId>, StoreError> {
        let what = Read { filter: doc! { "a": address }, limit: 2, ..Read::default() };
        self.read(Operation::ByAddress, &self.addresses, what, read_user).await
    }
}

fn read_user(document: &RawDocument) -> Result<UserId, Malformed> {
    Ok(document.get_str("_id")?.parse()?)
}
