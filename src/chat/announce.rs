//! Tells every member's channel that something happened.

use std::sync::Arc;

use bytes::Bytes;

use crate::bus::{Bus, Hints};
use crate::model::limits::{CROWD_MEMBERS, TRACED_MEMBERS_MAX};
use crate::model::{Assignment, Conversation, ConversationId, Cursor, Message, StoreTime, TraceContext, UserId};
use crate::store::Talk;
use crate::wire::envelope::{Envelope, Postscript};

pub(super) struct Announcer {
    bus: Arc<dyn Bus>,
    hints: Hints,
}

impl Announcer {
    pub(super) fn new(bus: Arc<dyn Bus>, hints: Hints) -> Self {
        Self { bus, hints }
    }

    /// A message was stored. Encoded once, queued for each member; what the bus loses is found in the store. Of a group,
    /// it is queued for those who may see it: also one who leaves with it, and not those who came after it. A trace goes
    /// along to the first few of them.
    pub(super) async fn message(
        &self,
        to: &Talk,
        message: Arc<Message>,
        predecessor: Option<StoreTime>,
        trace: Option<TraceContext>,
    ) {
        let seq = message.seq;
        let seal = Some(self.hints.seal(message.conversation, seq));
        let envelope = Envelope::Message { message, predecessor, group: to.group.is_some() };
        let audience = to.group.as_ref().map(|group| group.audience(seq));
        let members = audience.as_ref().unwrap_or(&to.conversation.members);
        let (traced, others) = members.split_at(trace.map_or(0, |_| members.len().min(TRACED_MEMBERS_MAX)));
        for (members, trace) in [(traced, trace), (others, None)] {
            if !members.is_empty() {
                self.publish_bytes(members, envelope.encode_with(&Postscript { seal, trace })).await;
            }
        }
    }

    /// A member's cursors moved. In a crowd, that interests nobody but their other devices.
    pub(super) async fn receipt(&self, to: &Conversation, conversation: ConversationId, cursor: Cursor) {
        let own = [cursor.user.clone()];
        let told = if is_crowd(to) { &own[..] } else { &to.members };
        self.publish(told, &Envelope::Receipt { conversation, cursor }).await;
    }

    /// A member writes, or has stopped. In a crowd, somebody always does.
    pub(super) async fn typing(&self, to: &Conversation, user: UserId, active: bool) {
        if !is_crowd(to) {
            self.publish(&to.members, &Envelope::Typing { conversation: to.id, user, active }).await;
        }
    }

    /// Somebody else sees to a talk, or nobody any more: for the team, and for the talk's user.
    pub(super) async fn assignment(&self, to: &Conversation, assignment: Assignment) {
        self.publish(&to.members, &Envelope::Assignment { conversation: to.id, assignment }).await;
    }

    /// Something was decided about a user.
    pub(super) async fn standing(&self, user: &UserId) {
        self.bus.publish(user, Envelope::Standing {}.encode()).await;
    }

    /// A user changed how they appear.
    pub(super) async fn presence(&self, user: UserId) {
        self.bus.broadcast(Envelope::Presence { users: vec![user] }.encode()).await;
    }

    async fn publish(&self, to: &[UserId], envelope: &Envelope) {
        self.publish_bytes(to, envelope.encode()).await;
    }

    async fn publish_bytes(&self, to: &[UserId], payload: Bytes) {
        for member in to {
            self.bus.publish(member, payload.clone()).await;
        }
    }
}

/// Whether so many are in it that not everything is worth telling all of them.
pub(super) fn is_crowd(conversation: &Conversation) -> bool {
    conversation.members.len() > CROWD_MEMBERS
}
