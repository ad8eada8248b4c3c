//! Under which address somebody can be found.

use async_trait::async_trait;

use super::StoreError;
use crate::model::UserId;

/// The addresses that are vouched for, as [`address`](crate::model::address) writes them. They are not unique.
#[async_trait]
pub trait Addresses: Send + Sync + 'static {
    /// Sets somebody's address; an empty one takes it away.
    async fn set_address(&self, user: &UserId, address: &str) -> Result<(), StoreError>;

    /// Those who have this address: at most two, because more make no difference. Nobody has an empty one.
    async fn by_address(&self, address: &str) -> Result<Vec<UserId>, StoreError>;
}
