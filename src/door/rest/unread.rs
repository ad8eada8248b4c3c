//! `GET /unread`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::Api;
use super::bearer::Bearer;
use super::document::Failures;
use super::problem::Problem;
use super::shapes::Unread;

/// What you have not read, in all and by conversation
#[utoipa::path(get, path = "/unread", tag = "conversations",
    responses((status = 200, description = "The counts", body = Unread), Failures))]
pub(super) async fn count(State(api): State<Arc<Api>>, Bearer(who): Bearer) -> Result<Json<Unread>, Problem> {
    Ok(Json(api.chat.unread(&who).await?.into()))
}
