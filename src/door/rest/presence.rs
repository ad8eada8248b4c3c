//! `GET` and `PUT /presence`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::bearer::Bearer;
use super::document::{AskFailures, BodyFailures};
use super::input::{Body, Query, id};
use super::problem::Problem;
use super::shapes::{Appearing, Presences};
use crate::model::UserId;

/// Of whom.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct OfWhom {
    /// User ids, separated by commas; at most 200.
    users: String,
}

/// Who is online
///
/// Of people with whom you share no conversation you learn nothing: they are as if they had never come. Agents and
/// services see everybody.
#[utoipa::path(get, path = "/presence", tag = "people", params(OfWhom),
    responses((status = 200, description = "Each of them, in the order asked", body = Presences), AskFailures))]
pub(super) async fn of(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    Query(whom): Query<OfWhom>,
) -> Result<Json<Presences>, Problem> {
    let users = whom.users.split(',').map(|user| id("users", user)).collect::<Result<Vec<UserId>, _>>()?;
    Ok(Json(api.chat.presence(&who, users).await?.into()))
}

/// How you wish to appear.
#[derive(Deserialize, ToSchema)]
pub(super) struct Appear {
    /// Whether others are shown you as offline, whatever you do, until you say otherwise.
    offline: bool,
}

/// Set whether you appear offline to others
#[utoipa::path(put, path = "/presence", tag = "people", request_body = Appear,
    responses((status = 200, description = "How you appear now", body = Appearing), AskFailures, BodyFailures))]
pub(super) async fn appear(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    Body(Appear { offline }): Body<Appear>,
) -> Result<Json<Appearing>, Problem> {
    api.chat.appear(&who.user, offline).await?;
    Ok(Json(Appearing { offline }))
}
