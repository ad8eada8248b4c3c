//! `GET /conversations/{id}/messages` and `POST /messages`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::bearer::Bearer;
use super::document::{AskFailures, BodyFailures, NotAsThought, NotYours};
use super::headers::traceparent;
use super::input::{Body, InConversation, Query, id};
use super::problem::Problem;
use super::shapes::{Message, Messages};
use crate::chat::{Rights, Send, Target, Want};
use crate::model::{Chance, ClientKey, Code, Identity, Refusal, Role, Seq, UserId};

/// Which page of the messages.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// The last ones before this place; the newest ones without `before` and `after`.
    before: Option<u64>,
    /// The first ones after this place. Not together with `before`.
    after: Option<u64>,
    /// At most so many: 100 at the most, and without it. A page also ends at 128 KiB of text.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
}

/// A page of a conversation's messages
#[utoipa::path(get, path = "/conversations/{id}/messages", tag = "messages",
    params(("id" = String, Path, description = "Which conversation"), Which),
    responses((status = 200, description = "A page, in ascending order", body = Messages), AskFailures, NotYours))]
pub(super) async fn page(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    InConversation(conversation): InConversation,
    Query(which): Query<Which>,
) -> Result<Json<Messages>, Problem> {
    if which.before.is_some() && which.after.is_some() {
        return Err(Problem::invalid("ask for the messages before a place or after one, not both"));
    }
    let want = Want::of(conversation, which.before.map(Seq), which.after.map(Seq), which.limit);
    Ok(Json(api.chat.history(&who, want).await?.into()))
}

/// A message to send.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewMessage {
    /// To this person, into your direct conversation, which begins with its first message …
    #[schema(max_length = 64)]
    to: Option<String>,
    /// … or into this conversation. Exactly one of the two.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    conversation: Option<String>,
    /// With `to`, by an agent or a service: for the team, into that person's conversation with it.
    #[serde(default)]
    for_team: bool,
    /// By a service: as this person, or as `system`, which writes into every conversation.
    #[schema(max_length = 64)]
    from: Option<String>,
    /// What you call it; a retry with the same key stores it once and is answered with the first result. The header
    /// `Idempotency-Key` may say it instead. Without either, a retry is another message.
    #[schema(max_length = 64)]
    key: Option<String>,
    /// What it says: 1 to 16,384 bytes of UTF-8.
    #[schema(min_length = 1)]
    text: String,
    /// The highest place that you saw: the message is stored right after it or, if somebody was faster, not at all.
    head: Option<u64>,
}

/// Send a message
///
/// When this is answered with 201, the message is stored for good. After 503 it may or may not be: repeat the request
/// with the same key. With `head`, 409 `conflict` says what others wrote after that place; nothing is stored then.
#[utoipa::path(post, path = "/messages", tag = "messages", request_body = NewMessage,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same as `key` in the body"),
        ("traceparent" = Option<String>, Header, description = "The trace that the message belongs to, by W3C's Trace \
            Context. One whose flag says that it is recorded is followed through the nodes, if traces are sent anywhere")),
    responses((status = 201, description = "Stored, now or by an earlier request with the same key", body = Message),
        AskFailures, BodyFailures, NotYours, NotAsThought))]
pub(super) async fn send(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    headers: HeaderMap,
    Body(new): Body<NewMessage>,
) -> Result<(StatusCode, Json<Message>), Problem> {
    let writer = writer(&api, &who, &new).await?;
    let target = target(&writer, &new)?;
    let key = match named_key(new.key.as_deref(), &headers)? {
        Some(key) => key,
        None => key_by_chance(&*api.chance)?,
    };
    let sends = if who.role == Role::Service { &api.service_sends } else { &api.sends };
    sends.take(&who.user, Instant::now())?;
    if let Target::Conversation(conversation) = target
        && who.role != Role::Service
    {
        // Here, because it takes the same time whether a stranger's conversation exists or not.
        api.chat.member(&who, conversation).await?;
    }
    let Writer { user: sender, for_team, rights } = writer;
    let (exact, trace) = (new.head.map(Seq), traceparent(&headers));
    let send = Send { sender, for_team, rights, target, key, text: new.text.clone(), exact, trace };
    let sent = api.chat.send(send, None).await?;
    if sent.message.text != new.text {
        return Err(Problem::key_reused());
    }
    Ok((StatusCode::CREATED, Json(Arc::unwrap_or_clone(sent.message).into())))
}

/// Who writes, and what they may.
struct Writer {
    user: UserId,
    for_team: bool,
    rights: Rights,
}

/// Whose message it is to be: the asker's own, or where a backend speaks, whose it says.
async fn writer(api: &Api, who: &Identity, new: &NewMessage) -> Result<Writer, Problem> {
    let may_for_team = matches!(who.role, Role::Admin | Role::Service);
    if new.for_team && !may_for_team {
        return Err(Refusal::new(Code::Forbidden, "only agents and services write for the team").into());
    }
    let user = match &new.from {
        Some(_) if who.role != Role::Service => {
            return Err(Refusal::new(Code::Forbidden, "only services write as somebody else").into());
        }
        Some(from) => id("from", from)?,
        None => who.user.clone(),
    };
    if user == UserId::system() {
        return Ok(Writer { user, for_team: new.for_team, rights: Rights::of_system() });
    }
    if user == UserId::team() {
        return Err(Problem::invalid("the team writes by one of its agents: name them, and say for_team"));
    }
    let standing = api.chat.recent_standing(&user).await?;
    if standing.ban.is_some() {
        return Err(Refusal::new(Code::Forbidden, "that person is banned").into());
    }
    let for_team = who.role == Role::Admin || new.for_team;
    Ok(Writer { user, for_team, rights: Rights::of(who.role, standing) })
}

fn target(writer: &Writer, new: &NewMessage) -> Result<Target, Problem> {
    match (&new.to, &new.conversation) {
        (Some(person), None) if new.for_team => Ok(Target::Support(id("to", person)?)),
        (Some(person), None) => {
            let person: UserId = id("to", person)?;
            if writer.rights.everywhere && person.is_reserved() {
                return Err(Problem::invalid("the system writes to people"));
            }
            Ok(Target::to(&writer.user, person))
        }
        (None, Some(conversation)) => Ok(Target::Conversation(id("conversation", conversation)?)),
        _ => Err(Problem::invalid("a message has either `to` or `conversation`")),
    }
}

/// What a request is called, by its body or by its header.
pub(super) fn named_key(named: Option<&str>, headers: &HeaderMap) -> Result<Option<ClientKey>, Problem> {
    let header = match headers.get("idempotency-key") {
        Some(value) => Some(value.to_str().map_err(|_| Problem::invalid("Idempotency-Key is printable ASCII"))?),
        None => None,
    };
    // As a structured field it is a quoted string; most people write it bare.
    let header = header.map(|text| text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text));
    match (named, header) {
        (Some(key), Some(header)) if key != header => {
            Err(Problem::invalid("`key` and Idempotency-Key name the message differently"))
        }
        (Some(key), _) => id("key", key).map(Some),
        (None, Some(header)) => id("Idempotency-Key", header).map(Some),
        (None, None) => Ok(None),
    }
}

pub(super) fn key_by_chance(chance: &dyn Chance) -> Result<ClientKey, Problem> {
    id("key", &format!("rest-{:016x}{:016x}", chance.bits(), chance.bits()))
}
