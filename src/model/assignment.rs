//! Who of the team sees to a talk.

use serde::{Deserialize, Serialize};

use super::{Timestamp, UserId};

/// Whether somebody sees to a talk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TalkState {
    /// Nobody does yet.
    #[default]
    Open,
    /// One agent does.
    Claimed,
    /// It is done with, until its user writes again.
    Closed,
}

/// What an agent may do with a talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Handling {
    /// See to it oneself.
    Claim,
    /// Have another agent see to it.
    Pass,
    /// Give it back to the team.
    Free,
    /// Be done with it.
    Close,
    /// Not be done with it after all.
    Reopen,
}

/// Which talks an inbox shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InboxFilter {
    /// Those that nobody sees to.
    Open,
    /// Those that the asking agent sees to.
    Mine,
    /// Those that anybody sees to.
    Claimed,
    /// Those that are done with.
    Closed,
    /// All.
    #[default]
    All,
}

impl TalkState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Open, Self::Claimed, Self::Closed];
}

/// Who of the team sees to a talk, since when, and who said so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The agent: where it is claimed, and only there.
    pub agent: Option<UserId>,
    /// Whether somebody sees to it.
    pub state: TalkState,
    /// Who last changed this; nobody while it never was.
    pub by: Option<UserId>,
    /// When, by the clock of that one's node.
    pub at: Option<Timestamp>,
    /// How often it was changed: what is compared before it is set.
    pub change: u64,
}

impl Assignment {
    /// The next change of this: claimed by this agent, or in that state without one.
    #[must_use]
    pub fn changed(&self, to: Result<UserId, TalkState>, by: &UserId, at: Timestamp) -> Self {
        let (agent, state) = match to {
            Ok(agent) => (Some(agent), TalkState::Claimed),
            Err(state) => (None, state),
        };
        Self { agent, state, by: Some(by.clone()), at: Some(at), change: self.change + 1 }
    }
}
