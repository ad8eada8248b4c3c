//! A send that waits in a lane.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::chat::gate::Gate;
use crate::chat::groups::may_change;
use crate::chat::metrics::Waiting;
use crate::chat::rights::Rights;
use crate::chat::send::Sent;
use crate::model::limits::SEND_WAIT;
use crate::model::{Code, Conversation, Group, NewMessage, Refusal, Seq, TraceContext, UserId};
use crate::store::Talk;
use crate::telemetry::Sending;

/// A conversation to make exist first, where its id was derived.
pub(in crate::chat) enum Opening {
    /// From its members.
    Talk(Conversation),
    /// From who made it.
    Group(Box<(Conversation, Group)>),
}

/// A send that waits for its place.
pub(in crate::chat) struct Pending {
    pub(in crate::chat) new: NewMessage,
    /// Whether its sender may write for the team.
    pub(in crate::chat) for_team: bool,
    pub(in crate::chat) rights: Rights,
    /// The place that it must be stored right after, or not at all.
    pub(in crate::chat) exact: Option<Seq>,
    /// Since when that place is looked for.
    pub(in crate::chat) unseen_since: Option<Instant>,
    /// The conversation to make exist first.
    pub(in crate::chat) open: Option<Opening>,
    /// The gate of the session that sent it, at which it has arrived.
    pub(in crate::chat) gate: Option<Arc<Gate>>,
    pub(in crate::chat) accepted: Instant,
    pub(in crate::chat) reply: oneshot::Sender<Result<Sent, Refusal>>,
    /// Its trace, if it is one of the few that have one.
    pub(in crate::chat) trace: Option<Box<Sending>>,
    /// Counted as long as it waits.
    pub(in crate::chat) _waiting: Waiting,
}

impl Pending {
    /// Answers with a refusal. The gate is closed behind a send that may come back.
    pub(in crate::chat) fn refuse(self, refusal: Refusal) {
        if let Some(trace) = self.trace {
            trace.refuse(refusal.code);
        }
        match self.gate {
            Some(gate) if refusal.code.is_retryable() => gate.close(self.new.conversation, &self.new.key),
            Some(gate) => gate.settle(self.new.conversation, &self.new.key),
            None => {}
        }
        let _ = self.reply.send(Err(refusal));
    }

    pub(super) fn may_write_in(&self, conversation: &Conversation) -> bool {
        conversation.has(&self.new.sender)
            || (self.for_team && conversation.has(&UserId::team()))
            || self.rights.everywhere
    }

    /// Whether what it changes may not be changed, as it is.
    pub(super) fn check_change(&self, talk: &Talk) -> Result<(), Refusal> {
        match (&self.new.event, &talk.group) {
            (Some(event), Some(group)) => may_change(group, &self.new.sender, event),
            (Some(_), None) => Err(Refusal::new(Code::Invalid, "it is not a group")),
            (None, _) => Ok(()),
        }
    }

    /// Where in its trace it is.
    pub(super) fn context(&self) -> Option<TraceContext> {
        self.trace.as_ref()?.context()
    }

    pub(super) const fn is_change(&self) -> bool {
        self.new.event.is_some()
    }

    pub(super) fn deadline(&self) -> Instant {
        self.accepted + SEND_WAIT
    }

    pub(super) fn is_held_up(&self) -> bool {
        self.gate.as_ref().is_some_and(|gate| !gate.admits(self.new.conversation, &self.new.key))
    }
}
