//! The OpenAPI document, made from the handlers and their types.

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{IntoResponses, Modify, OpenApi};

use super::problem::{Problem, ProblemCode};
use super::{assignment, conversations, cursors, groups, messages, people, presence, standing, trail, unread, users};

/// Where the document is, under [`PREFIX`](super::PREFIX).
pub(super) const PATH: &str = "/openapi.json";

/// What every route may answer.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "says what may be answered; `Problem` itself is what is answered")]
pub(super) enum Failures {
    /// No token, or not one that counts
    #[response(status = 401)]
    Unauthorized(Problem),
    /// Banned
    #[response(status = 403)]
    Banned(Problem),
    /// Too many requests
    #[response(status = 429)]
    RateLimited(Problem),
    /// A defect of the server
    #[response(status = 500)]
    Internal(Problem),
    /// Not now
    #[response(status = 503)]
    Unavailable(Problem),
}

/// What a route with parameters may answer.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "says what may be answered; `Problem` itself is what is answered")]
pub(super) enum AskFailures {
    /// Something in the request is missing, too long or not what it should be
    #[response(status = 400)]
    Invalid(Problem),
    /// No token, or not one that counts
    #[response(status = 401)]
    Unauthorized(Problem),
    /// Banned
    #[response(status = 403)]
    Banned(Problem),
    /// Too many requests
    #[response(status = 429)]
    RateLimited(Problem),
    /// A defect of the server
    #[response(status = 500)]
    Internal(Problem),
    /// Not now
    #[response(status = 503)]
    Unavailable(Problem),
}

/// What a route with a body may answer besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "says what may be answered; `Problem` itself is what is answered")]
pub(super) enum BodyFailures {
    /// The body is larger than 65,536 bytes
    #[response(status = 413)]
    TooLarge(Problem),
    /// The body is not said to be JSON
    #[response(status = 415)]
    NotJson(Problem),
}

/// What a route about something that belongs to somebody may answer besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "says what may be answered; `Problem` itself is what is answered")]
pub(super) enum NotYours {
    /// Not allowed, or not there, or banned
    #[response(status = 403)]
    Forbidden(Problem),
}

/// What a route about people may answer besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "says what may be answered; `Problem` itself is what is answered")]
pub(super) enum NobodyThere {
    /// Nobody whom you may see
    #[response(status = 404)]
    NotFound(Problem),
}

/// What asking for a message may answer besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "says what may be answered; `Problem` itself is what is answered")]
pub(super) enum NoMessageThere {
    /// No such message of yours, or it was forgotten
    #[response(status = 404)]
    NotFound(Problem),
}

/// What sending may answer besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "says what may be answered; `Problem` itself is what is answered")]
pub(super) enum NotAsThought {
    /// That key already names another message of yours in that conversation, or others wrote after the place that you saw
    #[response(status = 409)]
    NotAsThought(Problem),
}

/// What changing a group may answer besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "says what may be answered; `Problem` itself is what is answered")]
pub(super) enum KeyReused {
    /// That key already names another change or message of yours in that group
    #[response(status = 409)]
    KeyReused(Problem),
}

/// What changing who sees to a talk may answer besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "says what may be answered; `Problem` itself is what is answered")]
pub(super) enum AnothersTalk {
    /// The talk is another's, or in another state
    #[response(status = 409)]
    Conflict(Problem),
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Switchboard", description = "Conversations, messages, read cursors and profiles. \
        Live delivery is the native protocol's: see docs/protocol.md."),
    servers((url = "/api/v1")),
    paths(
        conversations::list,
        conversations::one,
        groups::create,
        groups::name,
        groups::add,
        groups::remove,
        groups::set_role,
        assignment::inbox,
        assignment::assign,
        messages::page,
        messages::send,
        trail::trace,
        cursors::read,
        cursors::delivered,
        cursors::receipts,
        presence::of,
        presence::appear,
        unread::count,
        users::profile,
        users::set_profile,
        users::erase,
        people::find,
        standing::ban_of,
        standing::ban,
        standing::unban,
        standing::revoke,
        standing::blocks,
        standing::block,
        standing::unblock,
    ),
    components(schemas(Problem, ProblemCode)),
    modifiers(&BearerToken),
    security(("bearer" = []))
)]
struct Document;

/// Says how a request shows who asks.
struct BearerToken;

impl Modify for BearerToken {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// The document.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// The document in JSON, made once.
pub(super) fn json() -> Bytes {
    openapi().to_json().unwrap_or_default().into()
}

/// `GET /openapi.json`: without a token, since it says nothing that the source does not.
pub(super) fn serve(json: Bytes) -> Response {
    ([(CONTENT_TYPE, "application/json")], json).into_response()
}
