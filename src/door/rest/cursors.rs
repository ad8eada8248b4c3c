//! `POST /conversations/{id}/read` and `…/delivered`, and `GET …/receipts`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Api;
use super::bearer::Bearer;
use super::document::{AskFailures, BodyFailures, NotYours};
use super::input::{Body, InConversation};
use super::problem::Problem;
use super::shapes::{Cursor, Receipts};
use crate::model::{ConversationId, CursorKind, Identity, Seq};

/// A place in a conversation.
#[derive(Deserialize, ToSchema)]
pub(super) struct Mark {
    /// Up to here, and no further than the last message.
    seq: u64,
}

/// Say how far you have read
///
/// What was read was also delivered. A cursor only moves up; the answer says where yours are now.
#[utoipa::path(post, path = "/conversations/{id}/read", tag = "cursors", request_body = Mark,
    params(("id" = String, Path, description = "Which conversation")),
    responses((status = 200, description = "Your cursors", body = Cursor), AskFailures, BodyFailures, NotYours))]
pub(super) async fn read(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    InConversation(conversation): InConversation,
    Body(mark): Body<Mark>,
) -> Result<Json<Cursor>, Problem> {
    move_up(&api, &who, conversation, CursorKind::Read, &mark).await
}

/// Say how far messages have reached you
#[utoipa::path(post, path = "/conversations/{id}/delivered", tag = "cursors", request_body = Mark,
    params(("id" = String, Path, description = "Which conversation")),
    responses((status = 200, description = "Your cursors", body = Cursor), AskFailures, BodyFailures, NotYours))]
pub(super) async fn delivered(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    InConversation(conversation): InConversation,
    Body(mark): Body<Mark>,
) -> Result<Json<Cursor>, Problem> {
    move_up(&api, &who, conversation, CursorKind::Delivered, &mark).await
}

async fn move_up(
    api: &Api,
    who: &Identity,
    conversation: ConversationId,
    kind: CursorKind,
    mark: &Mark,
) -> Result<Json<Cursor>, Problem> {
    Ok(Json(api.chat.mark(who, conversation, kind, Some(Seq(mark.seq))).await?.into()))
}

/// How far each member has come
#[utoipa::path(get, path = "/conversations/{id}/receipts", tag = "cursors",
    params(("id" = String, Path, description = "Which conversation")),
    responses((status = 200, description = "One cursor for each member", body = Receipts), AskFailures, NotYours))]
pub(super) async fn receipts(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    InConversation(conversation): InConversation,
) -> Result<Json<Receipts>, Problem> {
    let cursors = api.chat.receipts(&who, conversation).await?;
    Ok(Json(Receipts { receipts: cursors.into_iter().map(Cursor::from).collect() }))
}
