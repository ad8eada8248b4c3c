//! What a client says, and what it means for its session.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{ChatSocket, Entry};
use crate::door::profile::recovery::Shown;
use crate::door::profile::render::{callback, event, insist};
use crate::door::profile::said::{self, Outbound, Said};
use crate::door::profile::view::View;
use crate::door::socketio::{INVALID_NAMESPACE, Input};
use crate::model::{ClientKey, Code, UserId};
use crate::session::Incoming;
use crate::wire::client::{Hello, Mark, Send, Typing};
use crate::wire::socketio::{Event, MAIN, connect, connect_error};
use crate::wire::{ClientFrame, Close};

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

/// Whom a frame to somebody is to, and whether it is for the team.
fn addressee(view: &View<'_>, other: &UserId) -> (bool, UserId) {
    match view.support_of(other) {
        Some(_) if view.is_agent() => (true, other.clone()),
        Some(_) => (false, UserId::team()),
        None => (false, other.clone()),
    }
}
