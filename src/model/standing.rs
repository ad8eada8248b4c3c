//! What was decided about a user: whether they may come, which of their tokens count, and who does not want to hear
//! from whom.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Code, Identity, Refusal, Timestamp, UserId};

/// What users may do with each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Anybody writes to anybody.
    #[default]
    Open,
    /// Users write to the team only; agents and services to anybody.
    Support,
}

impl Policy {
    /// The policy's name, as in the setting and on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Support => "support",
        }
    }
}

/// That somebody may not come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// Who said so.
    pub by: UserId,
    /// When, by the clock of the node that was told.
    pub at: Timestamp,
    /// Why, for those who may look: at most [`BAN_REASON_BYTES_MAX`](super::limits::BAN_REASON_BYTES_MAX) bytes.
    pub reason: String,
}

/// A token that does not count any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// Its id (`jti`).
    pub token: Arc<str>,
    /// When it expires, where that is known: then this may be forgotten.
    pub until: Option<Timestamp>,
}

/// What was decided about a user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// They may not come.
    pub ban: Option<Ban>,
    /// Tokens that were issued before this do not count.
    pub tokens_before: Option<Timestamp>,
    /// Single tokens that do not count, by their ids.
    pub revoked: Vec<Revoked>,
    /// Whom they blocked, sorted.
    pub blocks: Vec<UserId>,
    /// Who blocked them, sorted: at most [`BLOCKED_BY_MAX`](super::limits::BLOCKED_BY_MAX).
    pub blocked_by: Vec<UserId>,
    /// More people blocked them than are named here: of the others, it must be asked.
    pub blocked_by_more: bool,
    /// They have come as an agent of the team.
    pub agent: bool,
}

impl Standing {
    /// Why this bearer may not come, if they may not.
    #[must_use]
    pub fn refuses(&self, who: &Identity) -> Option<Refusal> {
        if self.ban.is_some() {
            return Some(Refusal::new(Code::Forbidden, "you are banned"));
        }
        let issued = who.issued.unwrap_or_default();
        let is_old = self.tokens_before.is_some_and(|before| issued < before);
        let is_named = who.token_id.as_ref().is_some_and(|id| self.revoked.iter().any(|revoked| revoked.token == *id));
        (is_old || is_named).then(|| Refusal::new(Code::Unauthorized, "the token does not count any more"))
    }

    /// Whether they blocked this other.
    #[must_use]
    pub fn blocks(&self, other: &UserId) -> bool {
        self.blocks.binary_search(other).is_ok()
    }

    /// Whether this other blocked them, as far as it is known here (see [`blocked_by_more`](Self::blocked_by_more)).
    #[must_use]
    pub fn is_blocked_by(&self, other: &UserId) -> bool {
        self.blocked_by.binary_search(other).is_ok()
    }

    /// Whether the two hear nothing of each other: neither who is there nor who writes.
    #[must_use]
    pub fn hides(&self, other: &UserId) -> bool {
        self.blocks(other) || self.is_blocked_by(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Role;

    fn bearer(issued: Option<u64>, token_id: Option<&str>) -> Identity {
        Identity {
            user: "ann".parse().unwrap(),
            role: Role::User,
            name: None,
            email: None,
            token_id: token_id.map(Arc::from),
            issued: issued.map(Timestamp),
            expires: Timestamp(u64::MAX),
        }
    }

    fn code(standing: &Standing, who: &Identity) -> Option<Code> {
        standing.refuses(who).map(|refusal| refusal.code)
    }

    #[test]
    fn nobody_is_refused_for_nothing() {
        assert_eq!(code(&Standing::default(), &bearer(None, None)), None);
    }

    #[test]
    fn a_ban_is_for_every_token() {
        let ban = Ban { by: "sue".parse().unwrap(), at: Timestamp(5), reason: String::new() };
        let banned = Standing { ban: Some(ban), ..Standing::default() };
        assert_eq!(code(&banned, &bearer(Some(u64::MAX), Some("x"))), Some(Code::Forbidden));
    }

    #[test]
    fn tokens_are_refused_by_age_and_by_name() {
        let standing = Standing {
            tokens_before: Some(Timestamp(1_000)),
            revoked: vec![Revoked { token: "lost".into(), until: None }],
            ..Standing::default()
        };
        assert_eq!(code(&standing, &bearer(Some(999), None)), Some(Code::Unauthorized));
        assert_eq!(code(&standing, &bearer(Some(1_000), None)), None);
        assert_eq!(code(&standing, &bearer(None, None)), Some(Code::Unauthorized), "one without a time is the oldest");
        assert_eq!(code(&standing, &bearer(Some(2_000), Some("lost"))), Some(Code::Unauthorized));
        assert_eq!(code(&standing, &bearer(Some(2_000), Some("los"))), None);
    }

    #[test]
    fn blocks_hide_both_ways() {
        let [ann, bob, eve] = ["ann", "bob", "eve"].map(|name| name.parse::<UserId>().unwrap());
        let standing = Standing { blocks: vec![ann.clone()], blocked_by: vec![bob.clone()], ..Standing::default() };
        assert!(standing.hides(&ann) && standing.hides(&bob) && !standing.hides(&eve));
        assert!(standing.blocks(&ann) && !standing.blocks(&bob));
        assert!(standing.is_blocked_by(&bob) && !standing.is_blocked_by(&ann));
    }
}
