//! What a live session does with each frame.

use std::future::Future;

use crate::chat::{self, Sent, Target, Unread, Want, Wish};
use crate::model::{ClientKey, Code, ConversationId, CursorKind, Identity, Refusal, Role, UserId};
use crate::wire::server::{Assigned, Fault};
use crate::wire::{ClientFrame, Close, DecodeError, ServerFrame, client};

use super::greeting::authenticate;
use super::live::{Change, Live};
use super::resume;

impl Live {
    /// Begins what a frame asks for. Every frame gets an answer: now, or from what it began.
    pub(super) fn on_frame(&mut self, frame: ClientFrame) {
        match frame {
            ClientFrame::Send(send) => self.on_send(send),
            ClientFrame::Read(mark) => self.on_mark(mark, CursorKind::Read),
            ClientFrame::Delivered(mark) => self.on_mark(mark, CursorKind::Delivered),
            ClientFrame::Typing(typing) => self.on_typing(typing),
            ClientFrame::History(history) => self.on_history(&history),
            ClientFrame::Conversations(page) => self.on_conversations(page),
            ClientFrame::Conversation { conversation } => self.on_conversation(conversation),
            ClientFrame::Group(group) => self.on_group(group),
            ClientFrame::Claim(claim) => self.on_claim(claim),
            ClientFrame::Inbox(page) => self.on_inbox(page),
            ClientFrame::Receipts { conversation } => self.on_receipts(conversation),
            ClientFrame::Unread {} => self.on_unread(),
            ClientFrame::Resume { cursors } => self.on_resume(cursors),
            ClientFrame::Watch { users } => self.on_watch(users),
            ClientFrame::Appear { offline } => self.on_appear(offline),
            ClientFrame::Refresh { token } => self.on_refresh(token),
            ClientFrame::Block(block) => self.on_block(block),
            ClientFrame::Blocks {} => self.on_blocks(),
            ClientFrame::Ban(ban) => self.on_ban(ban),
            ClientFrame::Find(find) => self.on_find(find),
            ClientFrame::Ping {} => {
                let as_of = self.services.delivery.as_of(&self.outbox);
                self.outbox.push(ServerFrame::Pong { as_of });
            }
            ClientFrame::Hello(_) => self.refuse(Refusal::new(Code::NotHello, "hello was said; see refresh")),
        }
    }

    /// What cannot be read is answered too, a few times.
    pub(super) fn on_unreadable(&mut self, error: &DecodeError) {
        self.bad_frames += 1;
        self.refuse(Refusal::new(Code::BadFrame, error.to_string()));
    }

    fn on_send(&mut self, send: client::Send) {
        let target = match self.target(send.to, send.conversation, send.for_team) {
            Ok(target) => target,
            Err(refusal) => return self.refuse_send(refusal, send.key, None),
        };
        let for_team = self.identity.role == Role::Admin;
        let sender = self.identity.user.clone();
        let rights = self.rights();
        let client::Send { key, text, head: exact, traceparent: trace, .. } = send;
        let send = chat::Send { sender, for_team, rights, target, key, text, exact, trace };
        let (conversation, key) = (send.conversation(), send.key.clone());
        if self.may_send(conversation, &key) {
            let answer = self.services.chat.send(send, Some(self.gate.clone()));
            self.await_sent(conversation, key, answer);
        }
    }

    /// A change of a group is a message: it is paced, answered and shown like one.
    fn on_group(&mut self, group: client::Group) {
        let client::Group { key, action } = group;
        let change =
            chat::Change { sender: self.identity.user.clone(), rights: self.rights(), key: key.clone(), action };
        let conversation = change.conversation();
        if self.may_send(conversation, &key) {
            let answer = self.services.chat.change(change, Some(self.gate.clone()));
            self.await_sent(conversation, key, answer);
        }
    }

    /// Whether the session may send now. If not, that is answered.
    fn may_send(&mut self, conversation: ConversationId, key: &ClientKey) -> bool {
        if let Err(wait) = self.sends.take(tokio::time::Instant::now()) {
            self.gate.close(conversation, key);
            let refusal = Refusal::new(Code::RateLimited, "too many messages").after(wait);
            self.refuse_send(refusal, key.clone(), Some(conversation));
            return false;
        }
        self.typing.ended_by_send(conversation);
        self.outbox.sending(conversation, key.clone());
        true
    }

    fn await_sent(
        &mut self,
        conversation: ConversationId,
        key: ClientKey,
        answer: impl Future<Output = Result<Sent, Refusal>> + Send + 'static,
    ) {
        let (outbox, services) = (self.outbox.clone(), self.services.clone());
        self.requests.push(Box::pin(async move {
            match answer.await {
                Ok(Sent { message, predecessor, group }) => outbox.sent(message, predecessor, group),
                Err(refusal) => {
                    services.metrics.refused(refusal.code);
                    let fault = Fault { key: Some(key.clone()), conversation: Some(conversation), ..refusal.into() };
                    outbox.send_refused(conversation, &key, ServerFrame::Error(fault));
                }
            }
        }));
    }

    /// Whom a frame is to.
    fn target(
        &self,
        to: Option<UserId>,
        conversation: Option<ConversationId>,
        for_team: bool,
    ) -> Result<Target, Refusal> {
        match (to, conversation) {
            (Some(person), None) if for_team && self.identity.role == Role::Admin => Ok(Target::Support(person)),
            (Some(_), None) if for_team => Err(Refusal::new(Code::Forbidden, "only agents write for the team")),
            (Some(person), None) => Ok(Target::to(&self.identity.user, person)),
            (None, Some(conversation)) => Ok(Target::Conversation(conversation)),
            _ => Err(Refusal::new(Code::Invalid, "there must be either `to` or `conversation`")),
        }
    }

    fn on_typing(&mut self, typing: client::Typing) {
        let target = match self.target(typing.to, typing.conversation, typing.for_team) {
            Ok(target) => target,
            Err(refusal) => return self.refuse(refusal),
        };
        let conversation = target.conversation(&self.identity.user);
        let news = self.typing.news(conversation, target, typing.active, tokio::time::Instant::now());
        if news.is_empty() {
            return;
        }
        let (services, outbox, who) = (self.services.clone(), self.outbox.clone(), self.identity.clone());
        let rights = self.rights();
        self.exclusive = Some(Box::pin(async move {
            for (target, active) in news {
                if let Err(refusal) = services.chat.typing(&who, &rights, &target, active).await {
                    outbox.push(refused(&services, refusal, Some(conversation)));
                }
            }
            Change::None
        }));
    }

    /// Whoever leaves writes no more. If the node dies instead, what was said of them wears off.
    pub(super) fn stop_typing(&mut self) {
        let Some(target) = self.typing.end() else { return };
        let (services, who, rights) = (self.services.clone(), self.identity.clone(), self.rights());
        tokio::spawn(async move {
            if let Err(error) = services.chat.typing(&who, &rights, &target, false).await {
                tracing::debug!(%error, "nobody was told that a writer left; it wears off");
            }
        });
    }

    fn on_mark(&mut self, mark: client::Mark, kind: CursorKind) {
        let (services, outbox, who) = (self.services.clone(), self.outbox.clone(), self.identity.clone());
        self.exclusive = Some(Box::pin(async move {
            let answer = match services.chat.mark(&who, mark.conversation, kind, mark.seq).await {
                Ok(cursor) => ServerFrame::Receipt { conversation: mark.conversation, cursor },
                Err(refusal) => refused(&services, refusal, Some(mark.conversation)),
            };
            outbox.push(answer);
            Change::None
        }));
    }

    fn on_history(&mut self, history: &client::History) {
        let (services, outbox, who) = (self.services.clone(), self.outbox.clone(), self.identity.clone());
        let want = Want::of(history.conversation, history.before, history.after, history.limit);
        self.exclusive = Some(Box::pin(async move {
            let conversation = want.conversation;
            let answer = match services.chat.history(&who, want).await {
                Ok(page) => ServerFrame::History { conversation, messages: page.messages, more: page.more },
                Err(refusal) => refused(&services, refusal, Some(conversation)),
            };
            outbox.push(answer);
            Change::None
        }));
    }

    fn on_conversations(&mut self, page: client::Conversations) {
        let (services, outbox, user) = (self.services.clone(), self.outbox.clone(), self.identity.user.clone());
        self.exclusive = Some(Box::pin(async move {
            let answer = match services.chat.conversations(&user, page.behind.as_deref(), page.limit).await {
                Ok(listing) => ServerFrame::Conversations { conversations: listing.rows, next: listing.next },
                Err(refusal) => refused(&services, refusal, None),
            };
            outbox.push(answer);
            Change::None
        }));
    }

    fn on_conversation(&mut self, conversation: ConversationId) {
        let (services, outbox, who) = (self.services.clone(), self.outbox.clone(), self.identity.clone());
        self.exclusive = Some(Box::pin(async move {
            let answer = match services.chat.conversation(&who, conversation).await {
                Ok(row) => ServerFrame::Conversation(Box::new(row)),
                Err(refusal) => refused(&services, refusal, Some(conversation)),
            };
            outbox.push(answer);
            Change::None
        }));
    }

    fn on_claim(&mut self, claim: client::Claim) {
        let (services, outbox, who) = (self.services.clone(), self.outbox.clone(), self.identity.clone());
        let client::Claim { conversation, action, to, from } = claim;
        self.exclusive = Some(Box::pin(async move {
            let answer = match services.chat.handle(&who, &Wish { conversation, action, to, from }).await {
                Ok(now) => ServerFrame::Assignment { conversation, assignment: Assigned::of(now, true) },
                Err(refusal) => refused(&services, refusal, Some(conversation)),
            };
            outbox.push(answer);
            Change::None
        }));
    }

    fn on_inbox(&mut self, page: client::Inbox) {
        let (services, outbox, who) = (self.services.clone(), self.outbox.clone(), self.identity.clone());
        self.exclusive = Some(Box::pin(async move {
            let client::Inbox { filter, behind, limit } = page;
            let answer = match services.chat.inbox(&who, filter, behind.as_deref(), limit).await {
                Ok(listing) => ServerFrame::Inbox { conversations: listing.rows, next: listing.next },
                Err(refusal) => refused(&services, refusal, None),
            };
            outbox.push(answer);
            Change::None
        }));
    }

    fn on_receipts(&mut self, conversation: ConversationId) {
        let (services, outbox, who) = (self.services.clone(), self.outbox.clone(), self.identity.clone());
        self.exclusive = Some(Box::pin(async move {
            let answer = match services.chat.receipts(&who, conversation).await {
                Ok(cursors) => ServerFrame::Receipts { conversation, cursors },
                Err(refusal) => refused(&services, refusal, Some(conversation)),
            };
            outbox.push(answer);
            Change::None
        }));
    }

    fn on_unread(&mut self) {
        let (services, outbox, who) = (self.services.clone(), self.outbox.clone(), self.identity.clone());
        self.exclusive = Some(Box::pin(async move {
            let answer = match services.chat.unread(&who).await {
                Ok(Unread { total, more, conversations, .. }) => {
                    ServerFrame::Unread { total, more, conversations: conversations.into_iter().collect() }
                }
                Err(refusal) => refused(&services, refusal, None),
            };
            outbox.push(answer);
            Change::None
        }));
    }

    fn on_resume(&mut self, cursors: std::collections::BTreeMap<ConversationId, crate::model::Seq>) {
        let (services, outbox) = (self.services.clone(), self.outbox.clone());
        self.exclusive = Some(Box::pin(async move {
            match resume::resume_cursors(&services, &outbox, &cursors).await {
                Ok(resets) => {
                    outbox.owe(cursors.keys().copied(), tokio::time::Instant::now());
                    outbox.push(ServerFrame::Resumed { continued: cursors.len() - resets.len() });
                    resets.iter().for_each(|reset| outbox.push(reset.frame()));
                }
                Err(refusal) => outbox.push(refused(&services, refusal, None)),
            }
            Change::None
        }));
    }

    fn on_refresh(&mut self, token: String) {
        let (services, outbox, user) = (self.services.clone(), self.outbox.clone(), self.identity.user.clone());
        self.exclusive = Some(Box::pin(async move {
            let known = authenticate(&services, &token).await;
            let counts = |identity: &Identity| outbox.standing().refuses(identity).map_or(Ok(()), Err);
            match known.and_then(|identity| counts(&identity).map(|()| identity)) {
                Ok(identity) if identity.user == user => {
                    outbox.push(ServerFrame::Refreshed { expires: identity.expires });
                    Change::Identity(Box::new(identity))
                }
                Ok(_) => {
                    let refusal = Refusal::new(Code::Forbidden, "a connection stays with its user");
                    outbox.push(refused(&services, refusal, None));
                    Change::Close(Close::Forbidden)
                }
                Err(refusal) => {
                    outbox.push(refused(&services, refusal, None));
                    Change::None
                }
            }
        }));
    }

    pub(super) fn refuse(&self, refusal: Refusal) {
        self.outbox.push(refused(&self.services, refusal, None));
    }

    fn refuse_send(&self, refusal: Refusal, key: ClientKey, conversation: Option<ConversationId>) {
        self.services.metrics.refused(refusal.code);
        self.outbox.push(ServerFrame::Error(Fault { key: Some(key), conversation, ..refusal.into() }));
    }
}

pub(super) fn refused(
    services: &super::Services,
    refusal: Refusal,
    conversation: Option<ConversationId>,
) -> ServerFrame {
    services.metrics.refused(refusal.code);
    ServerFrame::Error(Fault { conversation, ..refusal.into() })
}
