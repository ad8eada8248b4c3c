//! REST, version 1: what a backend, a script or a page without a socket needs. Every route asks for a bearer token and
//! answers in JSON, failures too ([`problem`]); the OpenAPI document is made from this code ([`document`]).
//!
//! To add a route: a handler with its `#[utoipa::path]`, a row in [`table`], a name in [`document`]. The tests find
//! a route that is missing in either.

mod assignment;
mod bearer;
mod conversations;
mod cors;
mod cursors;
mod document;
mod groups;
pub(in crate::door) mod headers;
pub(in crate::door) mod input;
mod messages;
mod metrics;
mod people;
mod presence;
pub(in crate::door) mod problem;
mod shapes;
mod standing;
mod trail;
mod unread;
mod users;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get, post, put};
use axum::{Router, middleware};

use crate::auth::Verifier;
use crate::chat::Chat;
use crate::door::origin::Origins;
use crate::model::limits::BODY_BYTES_MAX;
use crate::model::{Chance, Clock};
use crate::session;

pub use crate::session::Paces;
pub(in crate::door) use bearer::token as bearer_token;
pub use cors::allow_listed_origins;
pub use document::openapi;

/// Under which all routes are.
pub const PREFIX: &str = "/api/v1";

/// What the routes need.
pub struct Api {
    /// The use cases.
    pub chat: Arc<Chat>,
    /// Who may come in.
    pub verifier: Arc<Verifier>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for the keys of messages that came without one.
    pub chance: Arc<dyn Chance>,
    /// Requests that one user may make.
    pub requests: Paces,
    /// Messages that one user may send, besides.
    pub sends: Paces,
    /// Requests that one service may make.
    pub service_requests: Paces,
    /// Messages that one service may send, besides.
    pub service_sends: Paces,
    /// People whom one user may look for.
    pub finds: Arc<Paces>,
    /// Messages that one user may look for.
    pub trails: Paces,
    /// Other origins whose pages may ask.
    pub origins: Arc<Origins>,
    /// Where refusals are counted.
    pub refusals: session::Metrics,
}

/// The routes under [`PREFIX`], each answering in JSON whatever it is asked.
pub fn routes(api: Arc<Api>) -> Router {
    let meters = metrics::Meters::new();
    let mut v1 = Router::new();
    for (path, handlers) in table() {
        let timed = middleware::from_fn_with_state(meters.of(path), metrics::time);
        v1 = v1.route(path, handlers.layer(timed));
    }
    let document = document::json();
    let v1 = v1
        .route(document::PATH, get(async move || document::serve(document.clone())))
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(api.clone(), problem::count));
    Router::new()
        .nest(PREFIX, v1)
        .route("/api/v1/", any(problem::no_route))
        .layer(middleware::from_fn_with_state(api.origins.clone(), allow_listed_origins))
        .layer(middleware::map_response(headers::guard_answer))
        .with_state(api)
}

/// The answer to whatever is asked for and is not there, on the whole listener.
pub async fn nothing_there() -> Response {
    headers::guard_answer(problem::no_route().await.into_response()).await
}

/// Every path, as in the document and in metrics' labels.
pub fn paths() -> impl Iterator<Item = &'static str> {
    table().into_iter().map(|(path, _)| path)
}

fn table() -> Vec<(&'static str, MethodRouter<Arc<Api>>)> {
    vec![
        ("/conversations", get(conversations::list)),
        ("/conversations/{id}", get(conversations::one)),
        ("/conversations/{id}/assignment", put(assignment::assign)),
        ("/conversations/{id}/messages", get(messages::page)),
        ("/conversations/{id}/read", post(cursors::read)),
        ("/conversations/{id}/delivered", post(cursors::delivered)),
        ("/conversations/{id}/receipts", get(cursors::receipts)),
        ("/groups", post(groups::create)),
        ("/groups/{id}", put(groups::name)),
        ("/groups/{id}/members/{user}", put(groups::add).delete(groups::remove)),
        ("/groups/{id}/members/{user}/role", put(groups::set_role)),
        ("/inbox", get(assignment::inbox)),
        ("/messages", post(messages::send)),
        ("/messages/{id}/trace", get(trail::trace)),
        ("/people", get(people::find)),
        ("/bans/{id}", get(standing::ban_of).put(standing::ban).delete(standing::unban)),
        ("/revocations", post(standing::revoke)),
        ("/blocks", get(standing::blocks)),
        ("/blocks/{id}", put(standing::block).delete(standing::unblock)),
        ("/presence", get(presence::of).put(presence::appear)),
        ("/unread", get(unread::count)),
        ("/users/{id}", get(users::profile).put(users::set_profile).delete(users::erase)),
    ]
}
