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
use super::document::{AskFailures, BodyFailures, KeyReused, NotYours};
use super::input::{Body, InConversation, Query, id};
use super::problem::Problem;
use super::shapes::{Message, Messages};
use crate::chat::{Send, Target, Want};
use crate::model::{Chance, ClientKey, Role, Seq, UserId};

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
    /// What you call it; a retry with the same key stores it once and is answered with the first result. The header
    /// `Idempotency-Key` may say it instead. Without either, a retry is another message.
    #[schema(max_length = 64)]
    key: Option<String>,
    /// What it says: 1 to 16,384 bytes of UTF-8.
    #[schema(min_length = 1)]
    text: String,
}

/// Send a message
///
/// When this is answered with 201, the message is stored for good. After 503 it may or may not be: repeat the request
/// with the same key.
#[utoipa::path(post, path = "/messages", tag = "messages", request_body = NewMessage,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same as `key` in the body")),
    responses((status = 201, description = "Stored, now or by an earlier request with the same key", body = Message),
        AskFailures, BodyFailures, NotYours, KeyReused))]
pub(super) async fn send(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    headers: HeaderMap,
    Body(new): Body<NewMessage>,
) -> Result<(StatusCode, Json<Message>), Problem> {
    let target = target(&who.user, &new)?;
    let key = match named_key(new.key.as_deref(), &headers)? {
        Some(key) => key,
        None => key_by_chance(&*api.chance)?,
    };
    api.sends.take(&who.user, Instant::now())?;
    if let Target::Conversation(conversation) = target {
        // Here, because it takes the same time whether a stranger's conversation exists or not.
        api.chat.member(&who, conversation).await?;
    }
    let for_team = who.role == Role::Admin;
    let send = Send { sender: who.user, for_team, target, key, text: new.text.clone() };
    let sent = api.chat.send(send, None).await?;
    if sent.message.text != new.text {
        return Err(Problem::key_reused());
    }
    Ok((StatusCode::CREATED, Json(Arc::unwrap_or_clone(sent.message).into())))
}

fn target(who: &UserId, new: &NewMessage) -> Result<Target, Problem> {
    match (&new.to, &new.conversation) {
        (Some(person), None) => Ok(Target::to(who, id("to", person)?)),
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
