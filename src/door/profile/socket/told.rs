//! What a session says, and what its client is told of it.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use super::heard::FAILED_SEND;
use super::{ChatSocket, Entry};
use crate::delivery::{Item, SharedMessage};
use crate::door::profile::recovery::PrivateId;
use crate::door::profile::render::{self, callback, event, soon};
use crate::door::profile::{Desk, presence};
use crate::model::{ClientKey, Code, ConversationId, Cursor, Identity, Message, Seen, Seq, UserId};
use crate::wire::ServerFrame;
use crate::wire::server::{Fault, Sent};

impl ChatSocket {
    /// What the client is to bring back, if it may.
    pub(super) fn offset(&self) -> Option<String> {
        let (recovery, viewer, outbox) = (self.desk.recovery.as_ref()?, self.viewer.as_ref()?, self.outbox.as_ref()?);
        let as_of = self.desk.services.delivery.as_of_written(outbox);
        recovery.seal(&self.id, viewer, as_of, self.since, &self.shown)
    }

    /// Notes that the client is shown this, and answers what it is to bring back then.
    fn note(&mut self, conversation: ConversationId, seq: Seq) -> Option<String> {
        if self.desk.recovery.is_some()
            && let Some(outbox) = &self.outbox
        {
            let delivery = &self.desk.services.delivery;
            self.shown.note(conversation, seq, delivery.here().at, delivery.as_of_written(outbox));
        }
        self.offset()
    }

    pub(super) fn on_item(&mut self, item: Item) {
        match item {
            Item::Message(shared) => self.on_message(shared),
            Item::Notice(notice) => match &notice.frame {
                ServerFrame::Receipt { conversation, cursor } => self.on_receipt(*conversation, cursor.clone()),
                ServerFrame::Typing { conversation, user, active, .. } => {
                    self.on_typing(*conversation, user.clone(), *active);
                }
                _ => {}
            },
            Item::Answer(frame) => self.on_answer(*frame),
        }
    }

    fn on_answer(&mut self, frame: ServerFrame) {
        match frame {
            ServerFrame::Welcome { .. } => self.on_welcome(),
            ServerFrame::Refreshed { .. } => self.tell_authenticated(),
            ServerFrame::Sent(Sent { message, .. }) => self.on_sent(message),
            ServerFrame::Error(fault) => self.on_fault(fault),
            ServerFrame::Presence { users } => self.on_presence(users),
            // A page of this family asks for nothing else, and comes back by itself.
            _ => {}
        }
    }

    fn on_welcome(&mut self) {
        let was = self.entry;
        if was != Entry::Inside {
            self.let_in();
        }
        if was != Entry::Recovering {
            self.tell_authenticated();
        }
        self.company.begin(was == Entry::Recovering);
    }

    fn on_presence(&mut self, users: Vec<Seen>) {
        let Some(viewer) = self.viewer.clone() else { return };
        let news = self.company.news(users);
        if !news.is_empty() {
            self.tell(presence::tell(self.desk.clone(), viewer, news));
        }
    }

    fn tell_authenticated(&mut self) {
        let Some(viewer) = self.viewer.clone() else { return };
        let id = self.tokens.pop_front().and_then(|offered| offered.callback);
        let (desk, offset) = (self.desk.clone(), self.offset());
        self.tell(async move {
            if let Err(refusal) = soon(|| desk.people.welcome(&viewer)).await {
                // Who came is known all the same. A name is told again with the next token, and the team's with the next input.
                tracing::debug!(%refusal, "somebody's name could not be kept");
            }
            let answer = json!({ "success": true, "userId": viewer.user, "role": viewer.role });
            let told = event(desk.profile.hears.authenticated, &answer, offset.as_deref());
            id.map(|id| callback(id, &answer)).into_iter().chain([told]).collect()
        });
    }

    /// A message of somebody else. One's own is shown by the answer to the socket that sent it, and by nothing else: also
    /// when that answer was lost with the connection before this one.
    fn on_message(&mut self, shared: Arc<SharedMessage>) {
        let Some(viewer) = self.viewer.clone() else { return };
        let message = &shared.message;
        let offset = self.note(message.conversation, message.seq);
        if message.sender != viewer.user {
            self.typists.forget(message.conversation, &message.sender);
            self.company.meet(&message.sender);
            self.tell(render::received(self.desk.clone(), viewer, shared, offset));
        } else if message.key.as_str().starts_with(&self.id.mark()) {
            self.tell(render::sent(self.desk.clone(), viewer, message.clone(), None, offset));
        }
    }

    fn on_sent(&mut self, message: Arc<Message>) {
        let Some(viewer) = self.viewer.clone() else { return };
        let offset = self.note(message.conversation, message.seq);
        let callback_id = self.callback(&message.key);
        self.tell(render::sent(self.desk.clone(), viewer, message, callback_id, offset));
    }

    fn callback(&mut self, key: &ClientKey) -> Option<u64> {
        let at = self.callbacks.iter().position(|(of, _)| of == key)?;
        Some(self.callbacks.swap_remove(at).1)
    }

    fn on_fault(&mut self, fault: Fault) {
        let Fault { code, message, key, conversation, retry_after_ms, .. } = fault;
        match (code, key) {
            (_, Some(key)) => {
                let told = json!({
                    "message": FAILED_SEND, "error": message, "code": code, "clientMessageId": key,
                    "retryAfterMs": retry_after_ms,
                });
                if let Some(id) = self.callback(&key) {
                    let answer =
                        json!({ "success": false, "ok": false, "error": message, "code": code, "tempId": key });
                    self.replies.push_back(callback(id, &answer));
                }
                self.replies.push_back(event(self.desk.profile.hears.error, &told, None));
            }
            (Code::Unauthorized | Code::TokenExpired, None) if self.entry == Entry::WithToken => {
                self.tokens.pop_front();
                self.turn_away("Invalid token", code);
            }
            (Code::Forbidden, None) if matches!(self.entry, Entry::WithToken | Entry::Recovering) => {
                self.tokens.pop_front();
                self.turn_away("Access denied", code);
            }
            (Code::Unauthorized, None) if self.entry == Entry::Recovering => {
                // Nothing is gone on with: the client comes in as a new one, whose token does not count.
                self.id = PrivateId::by(&*self.desk.services.chance);
                self.let_in();
                self.turn_down("Invalid token", None);
            }
            (Code::Unauthorized | Code::TokenExpired, None) => {
                let id = self.tokens.pop_front().and_then(|offered| offered.callback);
                self.turn_down("Invalid token", id);
            }
            // Such a page has no cursors of its own, and reads its history anew.
            (Code::Reset, None) => {}
            // Nothing was said there yet: there is nothing to be read.
            (Code::Forbidden, None) if conversation.is_some() => {}
            // A connection stays with its user, but a page may change its user: then it goes on as another session.
            (Code::Forbidden, None) if self.tokens.front().is_some_and(|offered| offered.is_refresh) => {
                self.newcomer = self.tokens.pop_front();
            }
            // They may not come in; or the node is too busy, or the store is away, and they come again.
            (_, None) if conversation.is_none() && self.entry == Entry::Inside && !self.tokens.is_empty() => {
                let id = self.tokens.pop_front().and_then(|offered| offered.callback);
                let message = if code == Code::Forbidden { "Access denied" } else { "Try again later" };
                self.turn_down(message, id);
            }
            (code, None) => {
                let told = json!({ "message": message, "code": code, "retryAfterMs": retry_after_ms });
                self.replies.push_back(event(self.desk.profile.hears.error, &told, None));
            }
        }
    }

    fn on_receipt(&mut self, conversation: ConversationId, cursor: Cursor) {
        let Some(viewer) = self.viewer.clone().filter(|_| cursor.read > Seq::ZERO) else { return };
        let desk = self.desk.clone();
        self.tell(async move {
            let reader = render::other_side(&desk, &viewer, conversation, &cursor.user).await;
            let told = |reader: UserId| {
                let told = json!({ "readBy": reader, "conversationId": conversation, "seq": cursor.read });
                event(desk.profile.hears.read, &told, None)
            };
            reader.map(told).into_iter().collect()
        });
    }

    fn on_typing(&mut self, conversation: ConversationId, user: UserId, active: bool) {
        let Some(viewer) = self.viewer.clone().filter(|_| self.typists.note(conversation, &user, active)) else {
            return;
        };
        self.tell(typing(self.desk.clone(), viewer, conversation, user, active));
    }
}

/// The event that somebody writes in a conversation, or has stopped.
pub(super) async fn typing(
    desk: Arc<Desk>,
    viewer: Arc<Identity>,
    conversation: ConversationId,
    user: UserId,
    active: bool,
) -> Vec<Bytes> {
    let Some(user) = render::other_side(&desk, &viewer, conversation, &user).await else { return Vec::new() };
    let name = if active { desk.profile.hears.typing } else { desk.profile.hears.stop_typing };
    vec![event(name, &json!({ "userId": user, "from": user, "conversationId": conversation }), None)]
}
