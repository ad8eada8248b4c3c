//! `GET /people`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use tokio::time::Instant;
use utoipa::IntoParams;

use super::Api;
use super::bearer::Bearer;
use super::document::{AskFailures, NotYours};
use super::input::{Query, id};
use super::problem::Problem;
use super::shapes::Person;
use crate::chat::Wanted;
use crate::model::Role;

/// Who is looked for: either by id or by address.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Who {
    /// Their exact id.
    user: Option<String>,
    /// Their exact e-mail address, as their token or a service says it; its case does not matter.
    email: Option<String>,
}

/// Find somebody
///
/// Whether there is nobody or nobody whom you may find is not told apart. A user may ask ten times at once and then
/// once every six seconds. Where users write to the team only, that is all they find.
#[utoipa::path(get, path = "/people", tag = "people", params(Who),
    responses((status = 200, description = "They", body = Person), AskFailures, NotYours))]
pub(super) async fn find(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    Query(wanted): Query<Who>,
) -> Result<Json<Person>, Problem> {
    let wanted = match (wanted.user, wanted.email) {
        (Some(user), None) => Wanted::Id(id("user", &user)?),
        (None, Some(email)) => Wanted::Address(email),
        _ => return Err(Problem::invalid("ask for either `user` or `email`")),
    };
    if who.role == Role::User {
        api.finds.take(&who.user, Instant::now())?;
    }
    let standing = api.chat.recent_standing(&who.user).await?;
    let (user, name) = api.chat.find(&who, &standing, &wanted).await?;
    Ok(Json(Person { user, name }))
}
