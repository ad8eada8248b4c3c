//! What a client's event asks for, out of the many shapes in which the family says it.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::family::{Meaning, Profile};
use crate::model::{ClientKey, MessageId};
use crate::wire::socketio::Event;

/// What is asked for. Ids are as the client wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// Take this token; none came with it.
    Authenticate(Option<String>),
    /// Send this.
    Send(Outbound),
    /// Everything of this person was read.
    Read(Option<String>),
    /// The user writes to this person, or has stopped.
    Typing {
        /// Whom to.
        to: Option<String>,
        /// Whether they do.
        active: bool,
    },
    /// Who the client says it is, without a token.
    Join(Option<String>),
    /// Nothing that this profile knows.
    Unknown,
}

/// A message that a client wants to send.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Outbound {
    /// Whom to.
    pub(super) to: Option<String>,
    /// What it says, without white space around it.
    pub(super) text: Option<String>,
    /// What the client calls it.
    pub(super) key: Option<String>,
}

const RECEIVER: &[&str] = &["receiverId", "to", "toUserId", "recipientId", "receiver", "recipient"];
const TEXT: &[&str] = &["message", "content", "text", "body"];
const KEY: &[&str] = &["clientMessageId", "tempId", "clientId", "id"];
const SENDER: &[&str] = &["senderId", "from", "userId", "sender"];
const TOKEN: &[&str] = &["token", "accessToken", "jwt"];
const USER: &[&str] = &["userId", "id", "_id", "user"];

/// What an event says.
pub(super) fn understand(profile: &Profile, event: &Event<'_>) -> Said {
    let first: Value = event.arguments.read(0).unwrap_or(Value::Null);
    match profile.meaning(&event.name) {
        Some(Meaning::Authenticate) => Said::Authenticate(token(&first)),
        Some(Meaning::Send) => Said::Send(outbound(&first)),
        Some(Meaning::Read) => Said::Read(field_or_self(&first, SENDER)),
        Some(Meaning::Typing) => Said::Typing { to: field_or_self(&first, RECEIVER), active: is_typing(&first) },
        Some(Meaning::StopTyping) => Said::Typing { to: field_or_self(&first, RECEIVER), active: false },
        Some(Meaning::Join) => Said::Join(field_or_self(&first, USER)),
        None => Said::Unknown,
    }
}

/// A token: bare, in an object, with or without `Bearer`.
pub(super) fn token(value: &Value) -> Option<String> {
    let token = field_or_self(value, TOKEN)?;
    let bare = match token.split_at_checked(7) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer ") => rest.trim(),
        _ => token.trim(),
    };
    (!bare.is_empty()).then(|| bare.to_owned())
}

pub(super) fn outbound(value: &Value) -> Outbound {
    let Value::Object(fields) = value else { return Outbound::default() };
    let text = field(fields, TEXT).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    Outbound { to: field(fields, RECEIVER), text, key: field(fields, KEY) }
}

/// What a client calls a message, as a key: itself where it may be one, else a digest of it.
pub(super) fn client_key(named: &str) -> Option<ClientKey> {
    let digest = || {
        let digest = Sha256::digest(named.as_bytes());
        format!("h-{}", MessageId::from_bytes(std::array::from_fn(|at| digest[at]))).parse()
    };
    named.parse().or_else(|_| digest()).ok()
}

fn is_typing(value: &Value) -> bool {
    value.get("isTyping").or_else(|| value.get("typing")).and_then(Value::as_bool).unwrap_or(true)
}

/// The value itself if it is a text, else the first of these fields.
fn field_or_self(value: &Value, names: &[&str]) -> Option<String> {
    match value {
        Value::Object(fields) => field(fields, names),
        other => text(other),
    }
}

/// The first of these fields that says something; of an object, its `_id`.
fn field(fields: &Map<String, Value>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| text(fields.get(*name)?))
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(fields) => text(fields.get("_id").or_else(|| fields.get("id"))?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::profile::family::CLASSIC;
    use crate::wire::socketio::{Body, Packet};

    fn said(packet: &str) -> Said {
        let Ok(Packet { body: Body::Event(event), .. }) = Packet::decode(packet) else { panic!("{packet}") };
        understand(CLASSIC, &event)
    }

    fn send(to: Option<&str>, text: Option<&str>, key: Option<&str>) -> Said {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Said::Send(Outbound { to: owned(to), text: owned(text), key: owned(key) })
    }

    #[test]
    fn a_token_comes_in_many_shapes() {
        let abc = Said::Authenticate(Some("a.b.c".to_owned()));
        for argument in
            [r#""a.b.c""#, r#"{"token":"a.b.c"}"#, r#""Bearer a.b.c""#, r#"{"token":"bearer a.b.c"}"#, r#""a.b.c",1"#]
        {
            assert_eq!(said(&format!(r#"2["authenticate",{argument}]"#)), abc, "{argument}");
        }
        for argument in ["", ",null", r#","""#, ",{}", ",[]", r#","Bearer ""#, ",true"] {
            assert_eq!(said(&format!(r#"2["authenticate"{argument}]"#)), Said::Authenticate(None), "{argument}");
        }
    }

    #[test]
    fn a_message_comes_in_many_shapes() {
        let hi = send(Some("bob"), Some("hi"), None);
        for body in [
            r#"{"receiverId":"bob","message":" hi "}"#,
            r#"{"to":"bob","content":"hi"}"#,
            r#"{"receiver":{"_id":"bob","name":"Bob"},"text":"hi"}"#,
            r#"{"recipientId":"bob","body":"hi\n"}"#,
        ] {
            assert_eq!(said(&format!(r#"2["send-message",{body}]"#)), hi, "{body}");
        }
        assert_eq!(
            said(r#"2["send_message",{"receiverId":7,"message":"hi","tempId":3}]"#),
            send(Some("7"), Some("hi"), Some("3"))
        );
        for body in ["", ",null", r#","hi""#, r#",{"message":"  "}"#, r#",{"message":["hi"]}"#, ",[1]"] {
            assert_eq!(said(&format!(r#"2["send-message"{body}]"#)), send(None, None, None), "{body}");
        }
    }

    #[test]
    fn the_rest_is_understood_too() {
        let to = |name: &str| Some(name.to_owned());
        assert_eq!(said(r#"2["typing",{"receiverId":"bob"}]"#), Said::Typing { to: to("bob"), active: true });
        assert_eq!(said(r#"2["typing",{"to":"bob","isTyping":false}]"#), Said::Typing { to: to("bob"), active: false });
        assert_eq!(said(r#"2["stop-typing",{"receiverId":"bob"}]"#), Said::Typing { to: to("bob"), active: false });
        assert_eq!(said(r#"2["mark-read",{"senderId":"bob"}]"#), Said::Read(to("bob")));
        assert_eq!(said(r#"2["mark-read"]"#), Said::Read(None));
        assert_eq!(said(r#"2["join","bob"]"#), Said::Join(to("bob")));
        assert_eq!(said(r#"2["__proto__",{}]"#), Said::Unknown);
    }
}
