//! Who is speaking, as their token says.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Timestamp, UserId};

/// What a token lets its bearer be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A person.
    #[default]
    User,
    /// An agent of the team.
    Admin,
    /// A backend.
    Service,
}

/// A verified bearer. Exists only where a token was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The subject.
    pub user: UserId,
    /// What they may be.
    pub role: Role,
    /// The display name in the token, if it had one (at most 128 bytes).
    pub name: Option<Arc<str>>,
    /// The e-mail address in the token, if it had one (at most 254 bytes).
    pub email: Option<Arc<str>>,
    /// The token's own id (`jti`), if it had one (at most 128 bytes): what a revocation names.
    pub token_id: Option<Arc<str>>,
    /// When the token was issued, if it said so.
    pub issued: Option<Timestamp>,
    /// When the token stops counting. Leeway is not included.
    pub expires: Timestamp,
}

impl Identity {
    /// As whom they are a member of conversations: as themselves, and an agent of the team as the team too.
    #[must_use]
    pub fn seats(&self) -> Vec<UserId> {
        match self.role {
            Role::Admin => vec![self.user.clone(), UserId::team()],
            Role::User | Role::Service => vec![self.user.clone()],
        }
    }
}
