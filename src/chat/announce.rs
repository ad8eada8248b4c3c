//! Tells every member's channel that something happened.

use std::sync::Arc;

use crate::bus::Bus;
use crate::model::{Assignment, Conversation, ConversationId, Cursor, Message, StoreTime, UserId};
use crate::wire::envelope::Envelope;

pub(super) struct Announcer {
    bus: Arc<dyn Bus>,
}

impl Announcer {
    pub(super) fn new(bus: Arc<dyn Bus>) -> Self {
        Self { bus }
    }

    /// A message was stored. Encoded once, queued for each member; what the bus loses is found in the store.
    pub(super) async fn message(&self, to: &Conversation, message: Arc<Message>, predecessor: Option<StoreTime>) {
        self.publish(to, &Envelope::Message { message, predecessor }).await;
    }

    /// A member's cursors moved.
    pub(super) async fn receipt(&self, to: &Conversation, conversation: ConversationId, cursor: Cursor) {
        self.publish(to, &Envelope::Receipt { conversation, cursor }).await;
    }

    /// A member writes, or has stopped.
    pub(super) async fn typing(&self, to: &Conversation, user: UserId, active: bool) {
        self.publish(to, &Envelope::Typing { conversation: to.id, user, active }).await;
    }

    /// Somebody else sees to a talk, or nobody any more: for the team, and for the talk's user.
    pub(super) async fn assignment(&self, to: &Conversation, assignment: Assignment) {
        self.publish(to, &Envelope::Assignment { conversation: to.id, assignment }).await;
    }

    /// Something was decided about a user.
    pub(super) async fn standing(&self, user: &UserId) {
        self.bus.publish(user, Envelope::Standing {}.encode()).await;
    }

    /// A user changed how they appear.
    pub(super) async fn presence(&self, user: UserId) {
        self.bus.broadcast(Envelope::Presence { users: vec![user] }.encode()).await;
    }

    async fn publish(&self, to: &Conversation, envelope: &Envelope) {
        let payload = envelope.encode();
        for member in &to.members {
            self.bus.publish(member, payload.clone()).await;
        }
    }
}
