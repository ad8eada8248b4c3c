//! A secret that the nodes of one store share, so that they know each other where the store is not.

use super::{Store, StoreError};
use crate::model::Chance;

/// Under which name the nodes agree on it.
const SECRET: &str = "secret";

/// A secret that all nodes of this store share, made by the first that asks.
///
/// # Errors
/// If the store does not answer.
pub async fn shared_secret(store: &dyn Store, chance: &dyn Chance) -> Result<String, StoreError> {
    let proposal: String = (0..4).map(|_| format!("{:016x}", chance.bits())).collect();
    let agreed = store.agree(SECRET, Some(&proposal)).await?;
    agreed.ok_or_else(|| StoreError::Broken("what was agreed on was not kept".to_owned()))
}
