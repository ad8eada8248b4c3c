//! Groups: made, named, and who is in them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::Api;
use super::bearer::Bearer;
use super::document::{AskFailures, BodyFailures, KeyReused, NotYours};
use super::input::{Body, InConversation, InGroup, id};
use super::messages::{key_by_chance, named_key};
use super::problem::Problem;
use super::shapes::{Conversation, Message, Post};
use crate::chat::{Change, Rights};
use crate::model::{Event, Identity, UserId};
use crate::wire::client::Action;

/// A group to make.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewGroup {
    /// What it is called: 1 to 128 bytes of UTF-8.
    #[schema(min_length = 1, max_length = 128)]
    name: String,
    /// Who is in it besides you: at most 999.
    #[serde(default)]
    #[schema(max_items = 999)]
    members: Vec<String>,
    /// Whether those who join later see what was said before. It cannot be changed.
    #[serde(default)]
    history: bool,
}

/// What a group is to be called.
#[derive(Deserialize, ToSchema)]
pub(super) struct Name {
    /// 1 to 128 bytes of UTF-8.
    #[schema(min_length = 1, max_length = 128)]
    name: String,
}

/// What somebody is to be in a group.
#[derive(Deserialize, ToSchema)]
pub(super) struct Role {
    /// Which.
    role: Post,
}

/// Make a group
///
/// You own it. The same `Idempotency-Key` again makes the same group again; without one, a retry makes another.
#[utoipa::path(post, path = "/groups", tag = "groups", request_body = NewGroup,
    params(("Idempotency-Key" = Option<String>, Header, description = "What you call this request")),
    responses((status = 201, description = "The group, made now or by an earlier request with the same key",
        body = Conversation), AskFailures, BodyFailures, KeyReused))]
pub(super) async fn create(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    headers: HeaderMap,
    Body(new): Body<NewGroup>,
) -> Result<(StatusCode, Json<Conversation>), Problem> {
    let NewGroup { name, members, history } = new;
    let members: Vec<UserId> = members.iter().map(|user| id("members", user)).collect::<Result<_, _>>()?;
    let made = change(&api, &who, &headers, Action::Create { name, members, history }).await?;
    let group = api.chat.conversation(&who, made.conversation).await?;
    Ok((StatusCode::CREATED, Json(group.into())))
}

/// Name a group
#[utoipa::path(put, path = "/groups/{id}", tag = "groups", request_body = Name,
    params(("id" = String, Path, description = "Which group"),
        ("Idempotency-Key" = Option<String>, Header, description = "What you call this request")),
    responses((status = 200, description = "The message that says so", body = Message),
        AskFailures, BodyFailures, NotYours, KeyReused))]
pub(super) async fn name(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    InConversation(conversation): InConversation,
    headers: HeaderMap,
    Body(Name { name }): Body<Name>,
) -> Result<Json<Message>, Problem> {
    told(&api, &who, &headers, Action::Name { conversation, name }).await
}

/// Add somebody to a group
#[utoipa::path(put, path = "/groups/{id}/members/{user}", tag = "groups",
    params(("id" = String, Path, description = "Which group"), ("user" = String, Path, description = "Whom"),
        ("Idempotency-Key" = Option<String>, Header, description = "What you call this request")),
    responses((status = 200, description = "The message that says so", body = Message),
        AskFailures, NotYours, KeyReused))]
pub(super) async fn add(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    InGroup(conversation, user): InGroup,
    headers: HeaderMap,
) -> Result<Json<Message>, Problem> {
    told(&api, &who, &headers, Action::Add { conversation, user }).await
}

/// Put somebody out of a group, or leave it yourself
#[utoipa::path(delete, path = "/groups/{id}/members/{user}", tag = "groups",
    params(("id" = String, Path, description = "Which group"), ("user" = String, Path, description = "Whom"),
        ("Idempotency-Key" = Option<String>, Header, description = "What you call this request")),
    responses((status = 200, description = "The message that says so", body = Message),
        AskFailures, NotYours, KeyReused))]
pub(super) async fn remove(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    InGroup(conversation, user): InGroup,
    headers: HeaderMap,
) -> Result<Json<Message>, Problem> {
    told(&api, &who, &headers, Action::Remove { conversation, user }).await
}

/// Make somebody an owner of a group, or a member like others
#[utoipa::path(put, path = "/groups/{id}/members/{user}/role", tag = "groups", request_body = Role,
    params(("id" = String, Path, description = "Which group"), ("user" = String, Path, description = "Whom"),
        ("Idempotency-Key" = Option<String>, Header, description = "What you call this request")),
    responses((status = 200, description = "The message that says so", body = Message),
        AskFailures, BodyFailures, NotYours, KeyReused))]
pub(super) async fn set_role(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    InGroup(conversation, user): InGroup,
    headers: HeaderMap,
    Body(Role { role }): Body<Role>,
) -> Result<Json<Message>, Problem> {
    let action = Action::Role { conversation, user, role: role.into() };
    told(&api, &who, &headers, action).await
}

async fn told(api: &Api, who: &Identity, headers: &HeaderMap, action: Action) -> Result<Json<Message>, Problem> {
    change(api, who, headers, action).await.map(|message| Json(message.into()))
}

/// Does it, unless the request's key names something else already.
async fn change(
    api: &Api,
    who: &Identity,
    headers: &HeaderMap,
    action: Action,
) -> Result<crate::model::Message, Problem> {
    let key = match named_key(None, headers)? {
        Some(key) => key,
        None => key_by_chance(&*api.chance)?,
    };
    api.sends.take(&who.user, Instant::now())?;
    let rights = Rights::of(who.role, api.chat.recent_standing(&who.user).await?);
    let change = Change { sender: who.user.clone(), rights, key, action };
    let event: Event = change.event();
    let message = Arc::unwrap_or_clone(api.chat.change(change, None).await?.message);
    if message.event.as_ref() == Some(&event) { Ok(message) } else { Err(Problem::key_reused()) }
}
