//! What agents and services decide about people, and what people decide about each other: `/bans/{id}`, `/revocations`,
//! `/blocks` and `/blocks/{id}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Api;
use super::bearer::Bearer;
use super::document::{AskFailures, BodyFailures, Failures, NotYours};
use super::input::{Body, OfUser, id};
use super::problem::Problem;
use super::shapes::{Ban, Block, Blocks, Revocation};
use crate::chat;
use crate::model::{Revoked, Timestamp};

/// Why somebody is banned.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewBan {
    /// For other agents to read: at most 256 bytes.
    #[serde(default)]
    #[schema(max_length = 256)]
    reason: String,
}

/// Whether somebody is banned
///
/// For agents and services.
#[utoipa::path(get, path = "/bans/{id}", tag = "standing",
    params(("id" = String, Path, description = "Who")),
    responses((status = 200, description = "Their ban, if they are banned", body = Ban), AskFailures, NotYours))]
pub(super) async fn ban_of(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    OfUser(user): OfUser,
) -> Result<Json<Ban>, Problem> {
    let ban = api.chat.ban_of(&who, &user).await?;
    Ok(Json(Ban::of(user, ban)))
}

/// Ban somebody
///
/// For agents, except about agents, and for services. All their connections are closed, and they are let in no more.
#[utoipa::path(put, path = "/bans/{id}", tag = "standing", request_body = NewBan,
    params(("id" = String, Path, description = "Who")),
    responses((status = 200, description = "Their ban", body = Ban), AskFailures, BodyFailures, NotYours))]
pub(super) async fn ban(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    OfUser(user): OfUser,
    Body(new): Body<NewBan>,
) -> Result<Json<Ban>, Problem> {
    api.chat.ban(&who, &user, Some(&new.reason)).await?;
    let ban = api.chat.ban_of(&who, &user).await?;
    Ok(Json(Ban::of(user, ban)))
}

/// Let somebody come again
#[utoipa::path(delete, path = "/bans/{id}", tag = "standing",
    params(("id" = String, Path, description = "Who")),
    responses((status = 200, description = "They are not banned", body = Ban), AskFailures, NotYours))]
pub(super) async fn unban(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    OfUser(user): OfUser,
) -> Result<Json<Ban>, Problem> {
    api.chat.ban(&who, &user, None).await?;
    Ok(Json(Ban::of(user, None)))
}

/// Which tokens are not to count any more.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewRevocation {
    /// Whose.
    #[schema(max_length = 64)]
    user: String,
    /// The one token of this id (`jti`) …
    #[schema(max_length = 128)]
    jti: Option<String>,
    /// … which expires then, in milliseconds since 1970-01-01 UTC; where that is not said, it is remembered for ever …
    until: Option<u64>,
    /// … or all that were issued before this time, in milliseconds since 1970-01-01 UTC, and those that do not say
    /// when.
    before: Option<u64>,
}

/// Revoke tokens of somebody
///
/// For agents, except about agents, and for services. Connections that such a token opened are closed. `iat` in tokens
/// is in seconds: tokens issued in the same second as `before` count as issued before it, unless it is a full second.
#[utoipa::path(post, path = "/revocations", tag = "standing", request_body = NewRevocation,
    responses((status = 200, description = "They do not count any more", body = Revocation), AskFailures, BodyFailures,
        NotYours))]
pub(super) async fn revoke(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    Body(new): Body<NewRevocation>,
) -> Result<Json<Revocation>, Problem> {
    let user = id("user", &new.user)?;
    let what = match (new.jti, new.before) {
        (Some(token), None) => {
            chat::Revocation::Token(Revoked { token: token.into(), until: new.until.map(Timestamp) })
        }
        (None, Some(before)) => chat::Revocation::Before(Timestamp(before)),
        _ => return Err(Problem::invalid("a revocation has either `jti` or `before`")),
    };
    api.chat.revoke(&who, &user, &what).await?;
    Ok(Json(Revocation { user }))
}

/// Whom you block
#[utoipa::path(get, path = "/blocks", tag = "standing",
    responses((status = 200, description = "All of them", body = Blocks), Failures))]
pub(super) async fn blocks(State(api): State<Arc<Api>>, Bearer(who): Bearer) -> Result<Json<Blocks>, Problem> {
    Ok(Json(Blocks { users: api.chat.blocks(&who).await? }))
}

/// Block somebody
///
/// Neither of you can write to the other directly any more, nor see the other write. Groups go on.
#[utoipa::path(put, path = "/blocks/{id}", tag = "standing",
    params(("id" = String, Path, description = "Whom")),
    responses((status = 200, description = "They are blocked", body = Block), AskFailures))]
pub(super) async fn block(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    OfUser(user): OfUser,
) -> Result<Json<Block>, Problem> {
    api.chat.block(&who, &user, true).await?;
    Ok(Json(Block { user, active: true }))
}

/// Block somebody no more
#[utoipa::path(delete, path = "/blocks/{id}", tag = "standing",
    params(("id" = String, Path, description = "Whom")),
    responses((status = 200, description = "They are not blocked", body = Block), AskFailures))]
pub(super) async fn unblock(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    OfUser(user): OfUser,
) -> Result<Json<Block>, Problem> {
    api.chat.block(&who, &user, false).await?;
    Ok(Json(Block { user, active: false }))
}
