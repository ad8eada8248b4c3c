//! Secrets that the nodes of one store share, so that they know each other where the store is not.

use super::{Store, StoreError};
use crate::model::Chance;

/// What a secret is for. Each has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretOf {
    /// What is sealed and given to clients, who bring it back later, perhaps to a store that was restored meanwhile.
    Clients,
    /// What nodes tell each other. It is never part of a back-up: who holds one must not speak as a node.
    Nodes,
}

impl SecretOf {
    /// Under which name the nodes agree on it.
    const fn name(self) -> &'static str {
        match self {
            Self::Clients => "secret",
            Self::Nodes => KEPT_BACK,
        }
    }
}

/// What is agreed on under this name stays out of back-ups.
pub(super) const KEPT_BACK: &str = "secret of nodes";

/// A secret that all nodes of this store share, made by the first that asks.
///
/// # Errors
/// If the store does not answer.
pub async fn shared_secret(store: &dyn Store, of: SecretOf, chance: &dyn Chance) -> Result<String, StoreError> {
    let proposal: String = (0..4).map(|_| format!("{:016x}", chance.bits())).collect();
    let agreed = store.agree(of.name(), Some(&proposal)).await?;
    agreed.ok_or_else(|| StoreError::Broken("what was agreed on was not kept".to_owned()))
}
