//! `GET /conversations` and `GET /conversations/{id}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Api;
use super::bearer::Bearer;
use super::document::{AskFailures, NotYours};
use super::input::{InConversation, Query};
use super::problem::Problem;
use super::shapes::{Conversation, Conversations};

/// Which page of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// The `next` of the page before; the first page without it.
    behind: Option<String>,
    /// At most so many: 50 at the most, and without it.
    #[param(minimum = 1, maximum = 50)]
    limit: Option<usize>,
}

/// Your conversations, latest activity first
#[utoipa::path(get, path = "/conversations", tag = "conversations", params(Which),
    responses((status = 200, description = "A page", body = Conversations), AskFailures))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    Query(which): Query<Which>,
) -> Result<Json<Conversations>, Problem> {
    let page = api.chat.conversations(&who.user, which.behind.as_deref(), which.limit).await?;
    Ok(Json(page.into()))
}

/// One of your conversations
#[utoipa::path(get, path = "/conversations/{id}", tag = "conversations",
    params(("id" = String, Path, description = "Which conversation")),
    responses((status = 200, description = "The conversation", body = Conversation), AskFailures, NotYours))]
pub(super) async fn one(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    InConversation(id): InConversation,
) -> Result<Json<Conversation>, Problem> {
    Ok(Json(api.chat.conversation(&who, id).await?.into()))
}
