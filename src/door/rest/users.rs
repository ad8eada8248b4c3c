//! `GET`, `PUT` and `DELETE /users/{id}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Api;
use super::bearer::Bearer;
use super::document::{AskFailures, BodyFailures, NobodyThere, NotYours};
use super::input::{Body, OfUser};
use super::problem::Problem;
use super::shapes::{Erased, Profile};
use crate::model;

/// What is known of a person
///
/// Your own, or of somebody you share a direct conversation with (without the address). Agents and services see all.
/// Anybody else is not found, whether they exist or not.
#[utoipa::path(get, path = "/users/{id}", tag = "people",
    params(("id" = String, Path, description = "Who")),
    responses((status = 200, description = "The profile", body = Profile), AskFailures, NobodyThere))]
pub(super) async fn profile(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    OfUser(user): OfUser,
) -> Result<Json<Profile>, Problem> {
    let found = api.chat.profile(&who, &user).await?;
    let profile = found.ok_or_else(|| Problem::not_found("nobody of that id is known to you"))?;
    Ok(Json(Profile::of(user, profile)))
}

/// A profile, whole: what is left out becomes empty.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewProfile {
    /// Display name, at most 128 bytes.
    #[serde(default)]
    #[schema(max_length = 128)]
    name: String,
    /// E-mail address, at most 254 bytes.
    #[serde(default)]
    #[schema(max_length = 254)]
    email: String,
}

/// Set your profile; a service may set anybody's
#[utoipa::path(put, path = "/users/{id}", tag = "people", request_body = NewProfile,
    params(("id" = String, Path, description = "Who")),
    responses((status = 200, description = "The profile as it is now", body = Profile), AskFailures, BodyFailures,
        NotYours))]
pub(super) async fn set_profile(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    OfUser(user): OfUser,
    Body(new): Body<NewProfile>,
) -> Result<Json<Profile>, Problem> {
    let profile = model::Profile { name: new.name, email: new.email };
    api.chat.set_profile(&who, &user, &profile).await?;
    Ok(Json(Profile::of(user, profile)))
}

/// Erase somebody
///
/// For services. At the first request, no token of theirs of before counts any more. They leave their groups and what they
/// wrote is emptied, some at each request (messages keep their places), and in the end what is known of them is forgotten,
/// and they are shown as "Deleted user": repeat the request until it is `done`, which takes 15 seconds at the least. A ban of
/// theirs stays, without its reason.
#[utoipa::path(delete, path = "/users/{id}", tag = "people",
    params(("id" = String, Path, description = "Who")),
    responses((status = 200, description = "How far it has come", body = Erased), AskFailures, NotYours))]
pub(super) async fn erase(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    OfUser(user): OfUser,
) -> Result<Json<Erased>, Problem> {
    Ok(Json(api.chat.erase(&who, &user).await?.into()))
}
