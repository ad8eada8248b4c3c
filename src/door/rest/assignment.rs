//! `GET /inbox` and `PUT /conversations/{id}/assignment`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::bearer::Bearer;
use super::document::{AnothersTalk, AskFailures, BodyFailures, NotYours};
use super::input::{Body, InConversation, Query, id};
use super::problem::Problem;
use super::shapes::{Assignment, Conversations};
use crate::chat::Wish;
use crate::model::{Handling, InboxFilter};

/// Which talks of the team.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Filter {
    /// Those that nobody sees to.
    Open,
    /// Those that you see to.
    Mine,
    /// Those that any agent sees to.
    Claimed,
    /// Those that are done with.
    Closed,
    /// All.
    #[default]
    All,
}

/// Which page of the inbox.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Which talks: all without it.
    #[serde(default)]
    #[param(inline)]
    filter: Filter,
    /// The `next` of the page before; the first page without it.
    behind: Option<String>,
    /// At most so many: 50 at the most, and without it.
    #[param(minimum = 1, maximum = 50)]
    limit: Option<usize>,
}

/// The team's inbox, latest activity first; for agents
#[utoipa::path(get, path = "/inbox", tag = "team", params(Which),
    responses((status = 200, description = "A page", body = Conversations), AskFailures, NotYours))]
pub(super) async fn inbox(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    Query(which): Query<Which>,
) -> Result<Json<Conversations>, Problem> {
    let filter = match which.filter {
        Filter::Open => InboxFilter::Open,
        Filter::Mine => InboxFilter::Mine,
        Filter::Claimed => InboxFilter::Claimed,
        Filter::Closed => InboxFilter::Closed,
        Filter::All => InboxFilter::All,
    };
    Ok(Json(api.chat.inbox(&who, filter, which.behind.as_deref(), which.limit).await?.into()))
}

/// What may be done with a talk.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Action {
    /// See to it yourself.
    Claim,
    /// Have another agent see to it.
    Pass,
    /// Give it back to the team.
    Free,
    /// Be done with it.
    Close,
    /// Not be done with it after all.
    Reopen,
}

/// What is to become of a talk.
#[derive(Deserialize, ToSchema)]
pub(super) struct Change {
    /// What is to be done.
    action: Action,
    /// Whom to pass it to: an agent who was here before.
    #[schema(max_length = 64)]
    to: Option<String>,
    /// Who sees to it now, as you think: needed to change what is another's.
    #[schema(max_length = 64)]
    from: Option<String>,
}

/// Change who of the team sees to a talk; for agents
///
/// Of two who do so at once one gets it. Repeating it changes nothing more.
#[utoipa::path(put, path = "/conversations/{id}/assignment", tag = "team", request_body = Change,
    params(("id" = String, Path, description = "Which talk")),
    responses((status = 200, description = "Who sees to it now", body = Assignment), AskFailures, BodyFailures,
        NotYours, AnothersTalk))]
pub(super) async fn assign(
    State(api): State<Arc<Api>>,
    Bearer(who): Bearer,
    InConversation(conversation): InConversation,
    Body(change): Body<Change>,
) -> Result<Json<Assignment>, Problem> {
    let action = match change.action {
        Action::Claim => Handling::Claim,
        Action::Pass => Handling::Pass,
        Action::Free => Handling::Free,
        Action::Close => Handling::Close,
        Action::Reopen => Handling::Reopen,
    };
    let to = change.to.as_deref().map(|to| id("to", to)).transpose()?;
    let from = change.from.as_deref().map(|from| id("from", from)).transpose()?;
    let now = api.chat.handle(&who, &Wish { conversation, action, to, from }).await?;
    Ok(Json(now.into()))
}
