//! What a client says, and what it means for its session.

use std::future::ready;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::{ChatSocket, Entry, Found, Offered};
use crate::door::profile::Desk;
use crate::door::profile::recovery::Shown;
use crate::door::profile::render::{callback, event, soon};
use crate::door::profile::said::{self, Outbound, Said};
use crate::door::profile::view::View;
use crate::door::socketio::{INVALID_NAMESPACE, Input};
use crate::model::{ClientKey, Code, CursorKind, UserId};
use crate::session::Incoming;
use crate::wire::client::{Hello, Send, Typing};
use crate::wire::socketio::{Event, MAIN, connect, connect_error};
use crate::wire::{ClientFrame, Close};

/// What pages are told of a message that is not stored, and of a mark that is not set.
pub(super) const FAILED_SEND: &str = "Failed to send message";
const FAILED_READ: &str = "Failed to mark as read";

impl ChatSocket {
    /// Takes a message of the client's; answers what it means for the session, if anything.
    pub(super) fn on_text(&mut self, text: &Bytes) -> Incoming {
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
    pub(super) fn on_binary(&mut self, bytes: Bytes) -> Incoming {
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
                self.offer(token, None)
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
    pub(super) fn let_in(&mut self) -> Incoming {
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
            Said::Read(Some(from)) => self.on_read(&from, id),
            Said::Typing { to: Some(to), active } => self.on_writing(&to, active, id),
            Said::Join(who) => self.on_join(who.as_deref(), id),
            Said::Read(None) | Said::Typing { to: None, .. } => self.refuse(id, "A user id is required", Code::Invalid),
            Said::Unknown => self.refuse(id, "There is no such event", Code::Invalid),
        }
    }

    fn on_token(&mut self, token: Option<String>, id: Option<u64>) -> Incoming {
        let Some(token) = token else { return self.turn_down("No token provided", id) };
        self.offer(token, id)
    }

    /// Shows a token to the session.
    fn offer(&mut self, token: String, callback: Option<u64>) -> Incoming {
        let is_refresh = self.viewer.is_some();
        self.tokens.push_back(Offered { token: token.clone(), is_refresh, callback });
        Incoming::Frame(if is_refresh {
            ClientFrame::Refresh { token }
        } else {
            ClientFrame::Hello(Hello { token, resume: None })
        })
    }

    fn on_send(&mut self, outbound: Outbound, id: Option<u64>) -> Incoming {
        let Outbound { to: Some(to), text: Some(text), key } = outbound else {
            return self.refuse(id, "Receiver ID and message are required", Code::Invalid);
        };
        let Ok(to) = to.parse::<UserId>() else {
            return self.refuse(id, "Receiver ID and message are required", Code::Invalid);
        };
        let Some(key) = self.key(key) else { return self.refuse(id, FAILED_SEND, Code::Internal) };
        self.with_alias(FAILED_SEND, id, move |_, view| {
            let (for_team, to) = addressee(view, &to);
            let send = Send { to: Some(to), conversation: None, for_team, key, text, head: None, traceparent: None };
            Box::pin(ready(Found::Frame(ClientFrame::Send(send), id)))
        })
    }

    fn on_writing(&mut self, to: &str, active: bool, id: Option<u64>) -> Incoming {
        let Ok(to) = to.parse::<UserId>() else { return self.refuse(id, "A user id is required", Code::Invalid) };
        self.with_alias("Failed to tell", id, move |_, view| {
            let (for_team, to) = addressee(view, &to);
            let typing = Typing { to: Some(to), conversation: None, for_team, active };
            Box::pin(ready(Found::Frame(ClientFrame::Typing(typing), id)))
        })
    }

    /// Done here and not by the session, so that it is known which callback is answered.
    fn on_read(&mut self, from: &str, id: Option<u64>) -> Incoming {
        let Ok(from) = from.parse::<UserId>() else { return self.refuse(id, "A user id is required", Code::Invalid) };
        self.with_alias(FAILED_READ, id, move |desk, view| {
            let conversation = view.conversation_with(&from);
            Box::pin(async move {
                match soon(|| desk.services.chat.mark(view.viewer, conversation, CursorKind::Read, None)).await {
                    Ok(_) => Found::Done(id),
                    // Nothing was said there yet: there is nothing to be read.
                    Err(refusal) if refusal.code == Code::Forbidden => Found::Done(id),
                    Err(refusal) => Found::Refused(FAILED_READ, refusal, id),
                }
            })
        })
    }

    /// What is known by now of an input.
    pub(super) fn on_found(&mut self, found: Found) -> Incoming {
        match found {
            Found::Frame(frame, id) => {
                match (&frame, id) {
                    (ClientFrame::Send(send), Some(id)) => self.callbacks.push((send.key.clone(), id)),
                    (_, Some(id)) => self.replies.push_back(done(id)),
                    (_, None) => {}
                }
                Incoming::Frame(frame)
            }
            Found::Done(id) => {
                self.replies.extend(id.map(done));
                Incoming::Alive
            }
            Found::Refused(message, refusal, id) => self.refuse(id, message, refusal.code),
        }
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

    fn on_join(&mut self, who: Option<&str>, id: Option<u64>) -> Incoming {
        let is_themselves =
            self.viewer.as_ref().is_some_and(|viewer| who.is_none_or(|who| who == viewer.user.as_str()));
        if !is_themselves {
            return self.refuse(id, "Not authenticated", Code::Forbidden);
        }
        self.replies.extend(id.map(done));
        Incoming::Alive
    }

    /// Goes on with an input when it is known whom users see in place of the team; or refuses it in these words.
    fn with_alias(
        &mut self,
        failed: &'static str,
        id: Option<u64>,
        act: impl for<'a> FnOnce(&'a Desk, &'a View<'a>) -> BoxFuture<'a, Found> + std::marker::Send + 'static,
    ) -> Incoming {
        let Some(viewer) = self.viewer.clone() else { return Incoming::Alive };
        let desk = self.desk.clone();
        self.asking = Some(Box::pin(async move {
            match soon(|| desk.people.alias_for(&viewer)).await {
                Ok(alias) => act(&desk, &View { viewer: &viewer, alias: alias.as_ref() }).await,
                Err(refusal) => Found::Refused(failed, refusal, id),
            }
        }));
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
    pub(super) fn turn_away(&mut self, message: &str, code: Code) {
        self.entry = Entry::Outside;
        self.connection.leave(MAIN);
        let refusal = json!({ "message": message, "data": { "code": code } });
        self.replies.push_back(connect_error(MAIN, &refusal.to_string()));
    }

    /// A token does not count.
    pub(super) fn turn_down(&mut self, message: &str, id: Option<u64>) -> Incoming {
        let answer = json!({ "success": false, "message": message });
        if let Some(id) = id {
            self.replies.push_back(callback(id, &answer));
        }
        self.reply(event(self.desk.profile.hears.authenticated, &answer, None))
    }
}

/// The answer to a callback of which there is nothing more to say.
fn done(id: u64) -> Bytes {
    callback(id, &json!({ "success": true, "ok": true }))
}

/// Whom a frame to somebody is to, and whether it is for the team.
fn addressee(view: &View<'_>, other: &UserId) -> (bool, UserId) {
    match view.support_of(other) {
        Some(_) if view.is_agent() => (true, other.clone()),
        Some(_) => (false, UserId::team()),
        None => (false, other.clone()),
    }
}
