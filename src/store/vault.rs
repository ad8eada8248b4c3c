//! A store as a whole: read for a back-up, and made of one.

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::{Record, StoreError};
use crate::model::Generation;

/// A store that a back-up is made of, while nodes use it.
#[async_trait]
pub trait Original: Send {
    /// Which history it holds.
    fn generation(&self) -> Generation;

    /// Hands over everything that the store holds at one moment, in the order of [`Record`]. Waits where nobody takes it;
    /// fails where nobody ever will.
    async fn dump(self: Box<Self>, to: mpsc::Sender<Record>) -> Result<(), StoreError>;
}

/// An empty store that is made of a back-up. No node can use it before it is finished.
#[async_trait]
pub trait Vessel: Send {
    /// Takes some records, in the order in which a store handed them over. What the store is said to have taken counts as
    /// old: by its own clock, nothing was taken later than the restore began.
    async fn put(&mut self, records: Vec<Record>) -> Result<(), StoreError>;

    /// Everything was put: nodes may use it. It is another history than the one that the back-up was made of.
    async fn finish(self: Box<Self>) -> Result<Generation, StoreError>;
}
