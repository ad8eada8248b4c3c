//! One client of the family, as a session sees it.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::header::AUTHORIZATION;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::Desk;
use super::recovery::{PrivateId, Shown};
use super::render::{self, callback, event, insist};
use super::said::{self, Outbound, Said};
use super::typists::Typists;
use super::view::View;
use crate::delivery::{Item, Outbox, SharedMessage};
use crate::door::engineio::{self, EngineSocket, Opening, Outgoing};
use crate::door::socketio::{Connection, INVALID_NAMESPACE, Input};
use crate::door::websocket::Fault as Broken;
use crate::model::limits::{FRAME_BYTES_MAX, REPLIES_MAX, SOCKETIO_HELLO_WAIT};
use crate::model::{ClientKey, Code, ConversationId, Cursor, Identity, Message, Seq, StoreTime, UserId};
use crate::session::{Gone, Incoming, Manners, Outward, Socket};
use crate::wire::client::{Hello, Mark, Send, Typing};
use crate::wire::server::{Fault, Sent};
use crate::wire::socketio::{Event, MAIN, connect, connect_error, disconnect};
use crate::wire::{ClientFrame, Close, ServerFrame};

/// How far a client has come into the main namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    /// It has not asked.
    Outside,
    /// It asked with a token, and is answered when that was looked at.
    WithToken,
    /// It asked to go on where it was, and is answered when that is found.
    Recovering,
    /// It is in.
    Inside,
}

/// A client.
pub(super) struct ChatSocket {
    desk: Arc<Desk>,
    engine: EngineSocket,
    connection: Connection,
    entry: Entry,
    /// The token that came with the first request, if any.
    token: Option<String>,
    viewer: Option<Arc<Identity>>,
    outbox: Option<Arc<Outbox>>,
    /// What the client calls this connection when it comes back.
    id: PrivateId,
    shown: Shown,
    /// Nothing from before this is owed, in conversations of which nothing was shown: the client's first connection began
    /// then.
    since: StoreTime,
    /// Packets to write. Bounded: at [`REPLIES_MAX`] the client is not read.
    replies: VecDeque<Bytes>,
    is_unflushed: bool,
    /// What is being put into words: what comes next waits for it.
    telling: Option<BoxFuture<'static, Vec<Bytes>>>,
    /// A frame of the client's that something must be looked up for.
    asking: Option<BoxFuture<'static, ClientFrame>>,
    /// Sends under way whose client wants to be called back.
    callbacks: Vec<(ClientKey, u64)>,
    /// The same for a token.
    token_callback: Option<u64>,
    sends: u64,
    typists: Typists,
    /// The session asked for a sign of life. Engine.IO sees to that by itself.
    is_alive: bool,
}

impl ChatSocket {
    pub(super) fn new(desk: Arc<Desk>, engine: EngineSocket, opening: &Opening) -> Self {
        let token = opening.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let id = PrivateId::by(&*desk.services.chance);
        Self {
            desk,
            engine,
            connection: Connection::new(&[MAIN], FRAME_BYTES_MAX),
            entry: Entry::Outside,
            token: token.and_then(|token| said::token(&Value::from(token))),
            viewer: None,
            outbox: None,
            id,
            shown: Shown::default(),
            since: StoreTime(0),
            replies: VecDeque::new(),
            is_unflushed: false,
            telling: None,
            asking: None,
            callbacks: Vec::new(),
            token_callback: None,
            sends: 0,
            typists: Typists::default(),
            is_alive: false,
        }
    }

    /// Ends the connection. A client comes back by itself unless it was put out.
    pub(super) async fn close(mut self, how: Option<Close>) {
        if how == Some(Close::Forbidden) && self.entry == Entry::Inside {
            let ready = std::future::poll_fn(|cx| self.engine.poll_ready(cx)).await;
            if ready.is_ok() {
                // If that fails, the close that follows says all there is to say.
                let _ = self.engine.start_send(Outgoing::Text(disconnect(MAIN)));
            }
        }
        let (code, reason) = how.map_or((1000, ""), |close| (close.code(), close.reason()));
        self.engine.close(code, reason).await;
    }

    /// Takes a message of the client's; answers what it means for the session, if anything.
    fn on_text(&mut self, text: &Bytes) -> Incoming {
        match self.connection.text(text) {
            Ok(Input::Connect { auth, .. }) => self.on_connect(auth),
            Ok(Input::Unknown(namespace)) => self.reply(connect_error(namespace, INVALID_NAMESPACE)),
            Ok(Input::Disconnect(_)) => Incoming::Gone,
            Ok(Input::Event { event, .. }) => self.on_event(&event),
            Ok(Input::Ack { .. } | Input::More) => Incoming::Alive,
            Err(_) => Incoming::Broken(Close::Protocol),
        }
    }

    /// Text is all that a chat is made of: what is binary is read to its end and refused.
    fn on_binary(&mut self, bytes: Bytes) -> Incoming {
        let id = match self.connection.binary(bytes) {
            Ok(Input::Event { event, .. }) => event.id,
            Ok(_) => return Incoming::Alive,
            Err(_) => return Incoming::Broken(Close::Protocol),
        };
        self.refuse(id, "Binary data is not supported", Code::Invalid)
    }

    fn on_connect(&mut self, auth: Option<&str>) -> Incoming {
        let auth: Value = auth.and_then(|auth| serde_json::from_str(auth).ok()).unwrap_or_default();
        if let Some(known) = self.recognise(&auth) {
            return known;
        }
        match said::token(&auth["token"]).or_else(|| self.token.take()) {
            Some(token) => {
                self.entry = Entry::WithToken;
                Incoming::Frame(ClientFrame::Hello(Hello { token, resume: None }))
            }
            None => self.let_in(),
        }
    }

    /// Somebody who was here before, as far as what they bring back says so.
    fn recognise(&mut self, auth: &Value) -> Option<Incoming> {
        let (id, offset) = (auth["pid"].as_str()?, auth["offset"].as_str()?);
        let (id, known) = self.desk.recovery.as_ref()?.open(id, offset, self.desk.services.clock.now())?;
        self.id = id;
        self.shown = Shown::of(&known.resume, self.desk.services.delivery.here().at);
        self.since = known.since;
        self.entry = Entry::Recovering;
        Some(Incoming::Known(Box::new(known)))
    }

    /// Tells the client that it is in.
    fn let_in(&mut self) -> Incoming {
        self.entry = Entry::Inside;
        let mut answer = json!({ "sid": self.id.public() });
        if self.desk.recovery.is_some() {
            answer["pid"] = self.id.as_str().into();
        }
        self.reply(connect(MAIN, &answer.to_string()))
    }

    fn on_event(&mut self, event: &Event<'_>) -> Incoming {
        let id = event.id;
        match said::understand(self.desk.profile, event) {
            Said::Authenticate(token) => self.on_token(token, id),
            _ if self.viewer.is_none() => self.refuse(id, "Not authenticated", Code::NotHello),
            Said::Send(outbound) => self.on_send(outbound, id),
            Said::Read(Some(from)) => self.about(&from, id, |view, other| {
                ClientFrame::Read(Mark { conversation: view.conversation_with(other), seq: None })
            }),
            Said::Typing { to: Some(to), active } => self.about(&to, id, move |view, other| {
                let (for_team, to) = addressee(view, other);
                ClientFrame::Typing(Typing { to: Some(to), conversation: None, for_team, active })
            }),
            Said::Join(who) => self.on_join(who.as_deref(), id),
            Said::Read(None) | Said::Typing { to: None, .. } => self.refuse(id, "A user id is required", Code::Invalid),
            Said::Unknown => self.refuse(id, "There is no such event", Code::Invalid),
        }
    }

    fn on_token(&mut self, token: Option<String>, id: Option<u64>) -> Incoming {
        let Some(token) = token else { return self.turn_down("No token provided", id) };
        self.token_callback = id;
        Incoming::Frame(match self.viewer {
            None => ClientFrame::Hello(Hello { token, resume: None }),
            Some(_) => ClientFrame::Refresh { token },
        })
    }

    fn on_send(&mut self, outbound: Outbound, id: Option<u64>) -> Incoming {
        let Outbound { to: Some(to), text: Some(text), key } = outbound else {
            return self.refuse(id, "Receiver ID and message are required", Code::Invalid);
        };
        let Ok(to) = to.parse::<UserId>() else {
            return self.refuse(id, "Receiver ID and message are required", Code::Invalid);
        };
        let Some(key) = self.key(key) else { return self.refuse(id, "Failed to send message", Code::Internal) };
        if let Some(id) = id {
            self.callbacks.push((key.clone(), id));
        }
        self.with_view(move |view| {
            let (for_team, to) = addressee(view, &to);
            ClientFrame::Send(Send { to: Some(to), conversation: None, for_team, key, text, head: None })
        })
    }

    /// The key of a message: what the client calls it, or a name of ours that tells that it is of this connection.
    fn key(&mut self, named: Option<String>) -> Option<ClientKey> {
        self.sends += 1;
        match named {
            Some(named) => said::client_key(&named),
            None => {
                let chance = self.desk.services.chance.bits();
                format!("{}{}-{chance:016x}", self.id.mark(), self.sends).parse().ok()
            }
        }
    }

    /// A frame about the conversation with somebody.
    fn about(
        &mut self,
        other: &str,
        id: Option<u64>,
        frame: impl FnOnce(&View<'_>, &UserId) -> ClientFrame + std::marker::Send + 'static,
    ) -> Incoming {
        let Ok(other) = other.parse::<UserId>() else { return self.refuse(id, "A user id is required", Code::Invalid) };
        if let Some(id) = id {
            self.replies.push_back(callback(id, &json!({ "success": true, "ok": true })));
        }
        self.with_view(move |view| frame(view, &other))
    }

    fn on_join(&mut self, who: Option<&str>, id: Option<u64>) -> Incoming {
        let is_themselves =
            self.viewer.as_ref().is_some_and(|viewer| who.is_none_or(|who| who == viewer.user.as_str()));
        if !is_themselves {
            return self.refuse(id, "Not authenticated", Code::Forbidden);
        }
        if let Some(id) = id {
            self.replies.push_back(callback(id, &json!({ "success": true, "ok": true })));
        }
        Incoming::Alive
    }

    /// A frame that depends on whom users see in place of the team.
    fn with_view(&mut self, frame: impl FnOnce(&View<'_>) -> ClientFrame + std::marker::Send + 'static) -> Incoming {
        let Some(viewer) = self.viewer.clone() else { return Incoming::Alive };
        let desk = self.desk.clone();
        self.asking = Some(Box::pin(async move {
            let alias = insist(|| desk.people.alias()).await.flatten();
            frame(&View { viewer: &viewer, alias: alias.as_ref() })
        }));
        Incoming::Alive
    }

    fn reply(&mut self, packet: Bytes) -> Incoming {
        self.replies.push_back(packet);
        Incoming::Alive
    }

    /// Something was not done.
    fn refuse(&mut self, id: Option<u64>, message: &str, code: Code) -> Incoming {
        self.desk.services.metrics.refused(code);
        if let Some(id) = id {
            let answer = json!({ "success": false, "ok": false, "error": message, "code": code });
            self.replies.push_back(callback(id, &answer));
        }
        self.reply(event(self.desk.profile.hears.error, &json!({ "message": message, "code": code }), None))
    }

    /// Whoever came with a token, or back, is not let in.
    fn turn_away(&mut self, message: &str, code: Code) {
        self.entry = Entry::Outside;
        self.connection.leave(MAIN);
        let refusal = json!({ "message": message, "data": { "code": code } });
        self.replies.push_back(connect_error(MAIN, &refusal.to_string()));
    }

    /// A token does not count.
    fn turn_down(&mut self, message: &str, id: Option<u64>) -> Incoming {
        let answer = json!({ "success": false, "message": message });
        if let Some(id) = id {
            self.replies.push_back(callback(id, &answer));
        }
        self.reply(event(self.desk.profile.hears.authenticated, &answer, None))
    }

    /// What the client is to bring back, if it may.
    fn offset(&self) -> Option<String> {
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

    fn tell(&mut self, words: impl Future<Output = Vec<Bytes>> + std::marker::Send + 'static) {
        self.telling = Some(Box::pin(words));
    }

    fn on_item(&mut self, item: Item) {
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
    }

    fn tell_authenticated(&mut self) {
        let Some(viewer) = self.viewer.clone() else { return };
        let (desk, offset, id) = (self.desk.clone(), self.offset(), self.token_callback.take());
        self.tell(async move {
            insist(|| desk.people.welcome(&viewer)).await;
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
                    "message": "Failed to send message", "error": message, "code": code, "clientMessageId": key,
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
                self.turn_away("Invalid token", code);
            }
            (Code::Forbidden, None) if matches!(self.entry, Entry::WithToken | Entry::Recovering) => {
                self.turn_away("Access denied", code);
            }
            (Code::Unauthorized, None) if self.entry == Entry::Recovering => {
                // Nothing is gone on with: the client comes in as a new one, whose token does not count.
                self.id = PrivateId::by(&*self.desk.services.chance);
                self.let_in();
                self.turn_down("Invalid token", None);
            }
            (Code::Unauthorized | Code::TokenExpired, None) => {
                let id = self.token_callback.take();
                self.turn_down("Invalid token", id);
            }
            // Such a page has no cursors of its own, and reads its history anew.
            (Code::Reset, None) => {}
            // Nothing was said there yet: there is nothing to be read.
            (Code::Forbidden, None) if conversation.is_some() => {}
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

    /// Writes what was put into words. Ready when nothing waits.
    fn poll_replies(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        while !self.replies.is_empty() {
            ready!(self.engine.poll_ready(cx)).map_err(|_| Gone)?;
            let Some(packet) = self.replies.pop_front() else { break };
            self.engine.start_send(Outgoing::Text(packet)).map_err(|_| Gone)?;
            self.is_unflushed = true;
        }
        if self.replies.capacity() > 4 {
            self.replies = VecDeque::new(); // an idle session keeps no buffer
        }
        Poll::Ready(Ok(()))
    }

    fn poll_told(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        if let Some(telling) = &mut self.telling {
            let words = ready!(telling.as_mut().poll(cx));
            self.telling = None;
            self.replies.extend(words);
        }
        self.poll_replies(cx)
    }

    /// Tells that somebody has stopped writing who did not say so.
    fn poll_typists(&mut self, cx: &mut Context<'_>) {
        if self.telling.is_none()
            && let Poll::Ready((conversation, user)) = self.typists.poll_silent(cx)
            && let Some(viewer) = self.viewer.clone()
        {
            self.tell(typing(self.desk.clone(), viewer, conversation, user, false));
        }
    }
}

/// Whom a frame to somebody is to, and whether it is for the team.
fn addressee(view: &View<'_>, other: &UserId) -> (bool, UserId) {
    match view.support_of(other) {
        Some(_) if view.is_agent() => (true, other.clone()),
        Some(_) => (false, UserId::team()),
        None => (false, other.clone()),
    }
}

/// The event that somebody writes in a conversation, or has stopped.
async fn typing(
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

impl Socket for ChatSocket {
    fn manners(&self) -> Manners {
        Manners { hello_wait: SOCKETIO_HELLO_WAIT, hears_out: true, starts_live: true }
    }

    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Incoming> {
        if std::mem::take(&mut self.is_alive) {
            return Poll::Ready(Incoming::Alive);
        }
        self.poll_typists(cx);
        let told = self.poll_told(cx);
        if matches!(told, Poll::Ready(Err(Gone))) {
            return Poll::Ready(Incoming::Gone);
        }
        if self.is_unflushed && matches!(self.engine.poll_flush(cx), Poll::Ready(Ok(()))) {
            self.is_unflushed = false;
        }
        if let Some(asking) = &mut self.asking {
            let frame = ready!(asking.as_mut().poll(cx));
            self.asking = None;
            return Poll::Ready(Incoming::Frame(frame));
        }
        if self.replies.len() >= REPLIES_MAX {
            return Poll::Pending;
        }
        self.engine.poll_incoming(cx).map(|incoming| match incoming {
            engineio::Incoming::Text(text) => self.on_text(&text),
            engineio::Incoming::Binary(bytes) => self.on_binary(bytes),
            engineio::Incoming::Alive => Incoming::Alive,
            engineio::Incoming::Gone => Incoming::Gone,
            engineio::Incoming::Broken(fault) => close_for(fault).map_or(Incoming::Gone, Incoming::Broken),
        })
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        ready!(self.poll_told(cx))?;
        self.engine.poll_ready(cx).map_err(|_| Gone)
    }

    fn start_send(&mut self, outward: Outward) -> Result<(), Gone> {
        match outward {
            Outward::Item(item) => self.on_item(item),
            Outward::Ping => self.is_alive = true,
        }
        Ok(())
    }

    fn authenticated(&mut self, identity: &Identity) {
        self.viewer = Some(Arc::new(identity.clone()));
        self.engine.authenticated();
    }

    fn joined(&mut self, outbox: &Arc<Outbox>) {
        if self.entry != Entry::Recovering {
            // The store stamps messages to the second.
            self.since = outbox.as_of().at.minus(Duration::from_secs(1));
        }
        self.outbox = Some(outbox.clone());
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        ready!(self.poll_told(cx))?;
        ready!(self.engine.poll_flush(cx)).map_err(|_| Gone)?;
        self.is_unflushed = false;
        Poll::Ready(Ok(()))
    }
}

const fn close_for(fault: Broken) -> Option<Close> {
    match fault {
        Broken::Protocol => Some(Close::Protocol),
        Broken::NotText => Some(Close::NotUtf8),
        Broken::TooBig => Some(Close::TooBig),
        Broken::Unfinished => Some(Close::Policy),
        Broken::Gone => None,
    }
}
