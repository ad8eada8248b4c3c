//! Who may write to whom: by the node's policy, and by what people decided about each other.

use std::sync::Arc;

use crate::model::{Code, Conversation, Kind, Policy, Refusal, Role, Standing, UserId};
use crate::store::{StandingCache, StoreError};

/// What a writer may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// What their token lets them be.
    pub role: Role,
    /// What was decided about them, as their session knows it.
    pub standing: Arc<Standing>,
    /// They write anywhere, as no member: only the system does.
    pub everywhere: bool,
}

impl Rights {
    /// The rights of somebody of this role and standing.
    #[must_use]
    pub fn of(role: Role, standing: Arc<Standing>) -> Self {
        Self { role, standing, everywhere: false }
    }

    /// The rights of the system, for which a service speaks.
    #[must_use]
    pub fn of_system() -> Self {
        Self { role: Role::Service, standing: Arc::default(), everywhere: true }
    }
}

/// The rules of a node.
pub(super) struct Rules {
    pub(super) policy: Policy,
    pub(super) standings: Arc<StandingCache>,
}

impl Rules {
    /// Why somebody may not write in this conversation, though they are in it; none if they may. Costs no read, but for
    /// those whom very many have blocked.
    pub(super) async fn refusal(
        &self,
        writer: &UserId,
        rights: &Rights,
        conversation: &Conversation,
    ) -> Result<Option<Refusal>, StoreError> {
        if rights.everywhere || conversation.kind != Kind::Direct {
            return Ok(None);
        }
        let Some(other) = conversation.members.iter().find(|member| *member != writer) else { return Ok(None) };
        if *other == UserId::system() {
            return Ok(Some(Refusal::new(Code::Forbidden, "nobody reads what is written to the system")));
        }
        if self.policy == Policy::Support && rights.role == Role::User {
            return Ok(Some(Refusal::new(Code::Forbidden, "users write to the team only")));
        }
        if rights.standing.blocks(other) {
            return Ok(Some(Refusal::new(Code::Forbidden, "you have blocked this person: unblock them first")));
        }
        let is_blocked = rights.standing.is_blocked_by(other)
            || (rights.standing.blocked_by_more && self.standings.recent(other).await?.blocks(writer));
        Ok(is_blocked.then(|| Refusal::new(Code::Forbidden, "this person cannot be written to")))
    }

    /// Why somebody may not bring these into a group, whoever is in it: one of them blocked the writer. Costs no read, but
    /// for those whom very many have blocked.
    pub(super) async fn bars(
        &self,
        writer: &UserId,
        rights: &Rights,
        brought: &[UserId],
    ) -> Result<Option<Refusal>, StoreError> {
        if !rights.standing.blocked_by_more {
            return Ok(None);
        }
        for other in brought.iter().filter(|other| *other != writer) {
            if self.standings.recent(other).await?.blocks(writer) {
                return Ok(Some(cannot_be_added()));
            }
        }
        Ok(None)
    }
}

/// The one answer of all who do not want to be in a group with somebody.
pub(super) fn cannot_be_added() -> Refusal {
    Refusal::new(Code::Forbidden, "this person cannot be added")
}
