//! How users appear to others: when they were last seen, and whether they wish to be shown as offline.

use async_trait::async_trait;

use super::StoreError;
use crate::model::{Appearance, Timestamp, UserId};

/// The appearances.
#[async_trait]
pub trait Appearances: Send + Sync + 'static {
    /// Notes when these users (each once, at most
    /// [`USERS_PER_QUESTION_MAX`](crate::model::limits::USERS_PER_QUESTION_MAX)) were last seen. A later time that is known
    /// stays, and so does that of a user who appears offline: what they do then is seen by nobody.
    async fn seen(&self, users: &[(UserId, Timestamp)]) -> Result<(), StoreError>;

    /// Sets whether a user appears offline to others, from now on and for ever; who begins to was last seen at `at`.
    async fn appear(&self, user: &UserId, offline: bool, at: Timestamp) -> Result<(), StoreError>;

    /// How these users (at most [`USERS_PER_QUESTION_MAX`](crate::model::limits::USERS_PER_QUESTION_MAX)) appear, in the
    /// order given.
    async fn appearances(&self, users: &[UserId]) -> Result<Vec<Appearance>, StoreError>;
}
