//! Whatever goes wrong is answered with one shape: a status, a code, a sentence, and when to come back.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::shapes::{Assignment, Message};
use crate::model::{Code, Refusal, Truth};

/// A failure. The document describes it under this name.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(in crate::door) struct Problem {
    /// The status is said by the status line.
    #[serde(skip)]
    #[schema(ignore)]
    status: StatusCode,
    /// What a program goes by.
    code: ProblemCode,
    /// What a person reads. Never repeats the input.
    message: String,
    /// When the same request may succeed, in milliseconds; absent if it may not. `Retry-After` says it in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    /// With `conflict` of a message: what others wrote after the place that you saw, in ascending order.
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<Message>>,
    /// With `messages`: whether there are more after them.
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<bool>,
    /// With `conflict` of a talk of the team: who sees to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    assignment: Option<Box<Assignment>>,
}

/// Every code of a failure: those of the native protocol that can occur here, and those that only HTTP has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ProblemCode {
    /// 400, or 413 for a body that is too large. Something in the request is missing, too long or not what it should
    /// be. Do not repeat it unchanged.
    Invalid,
    /// 401. No token, or not one that counts.
    Unauthorized,
    /// 401. The token has expired: get a new one.
    TokenExpired,
    /// 403. Not allowed, or not there: the two are not told apart.
    Forbidden,
    /// 404. No such route, or nothing there for you.
    NotFound,
    /// 405. The route has other methods; `Allow` lists them.
    MethodNotAllowed,
    /// 409. A cursor from another history: drop it and start at the head.
    Reset,
    /// 409. Somebody was faster: what is now true comes along.
    Conflict,
    /// 409. That key already names another message of yours in that conversation: use a new key for a new message.
    KeyReused,
    /// 415. The body must be JSON.
    UnsupportedMediaType,
    /// 429. Too many requests: come back after `retry_after_ms`.
    RateLimited,
    /// 503. A bounded queue is full: come back after `retry_after_ms`.
    Busy,
    /// 503. The store cannot answer now, and what became of the request is unknown: repeat it with the same key.
    Unavailable,
    /// 503. The node is leaving: repeat the request, which will reach another one.
    Draining,
    /// 500. A defect of the server. Repeat it with the same key.
    Internal,
}

/// The code behind an answer, for the count of refusals.
#[derive(Debug, Clone, Copy)]
struct Counted(Code);

impl Problem {
    fn new(status: StatusCode, code: ProblemCode, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            retry_after_ms: None,
            messages: None,
            more: None,
            assignment: None,
        }
    }

    /// Something in the request is not what it should be.
    pub(in crate::door) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ProblemCode::Invalid, message)
    }

    /// Nothing there, or nothing there for the asker.
    pub(super) fn not_found(message: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, ProblemCode::NotFound, message)
    }

    /// A key that names another message already.
    pub(super) fn key_reused() -> Self {
        let message = "that key already names another message of yours in that conversation";
        Self::new(StatusCode::CONFLICT, ProblemCode::KeyReused, message)
    }

    /// A body over the bound.
    pub(super) fn too_large(bytes_max: usize) -> Self {
        let message = format!("the body is at most {bytes_max} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, ProblemCode::Invalid, message)
    }

    /// A body that is not said to be JSON.
    pub(super) fn not_json() -> Self {
        let message = "the body must be JSON, with the content type application/json";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, ProblemCode::UnsupportedMediaType, message)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (status, code) = of_code(refusal.code);
        let retry_after_ms = refusal.retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        let mut problem = Self { retry_after_ms, ..Self::new(status, code, refusal.message) };
        match refusal.truth.map(|truth| *truth) {
            Some(Truth::Messages { messages, more }) => {
                problem.messages = Some(messages.into_iter().map(Message::from).collect());
                problem.more = Some(more);
            }
            Some(Truth::Assignment(assignment)) => problem.assignment = Some(Box::new(assignment.into())),
            None => {}
        }
        problem
    }
}

const fn of_code(code: Code) -> (StatusCode, ProblemCode) {
    match code {
        Code::BadFrame | Code::Invalid | Code::NotHello => (StatusCode::BAD_REQUEST, ProblemCode::Invalid),
        Code::Unauthorized => (StatusCode::UNAUTHORIZED, ProblemCode::Unauthorized),
        Code::TokenExpired => (StatusCode::UNAUTHORIZED, ProblemCode::TokenExpired),
        Code::Forbidden => (StatusCode::FORBIDDEN, ProblemCode::Forbidden),
        Code::Reset => (StatusCode::CONFLICT, ProblemCode::Reset),
        Code::Conflict => (StatusCode::CONFLICT, ProblemCode::Conflict),
        Code::RateLimited => (StatusCode::TOO_MANY_REQUESTS, ProblemCode::RateLimited),
        Code::Busy | Code::Blocked => (StatusCode::SERVICE_UNAVAILABLE, ProblemCode::Busy),
        Code::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, ProblemCode::Unavailable),
        Code::Draining => (StatusCode::SERVICE_UNAVAILABLE, ProblemCode::Draining),
        Code::Internal => (StatusCode::INTERNAL_SERVER_ERROR, ProblemCode::Internal),
    }
}

impl ProblemCode {
    /// The code of the one list of refusals that it is counted under.
    const fn counted(self) -> Code {
        match self {
            Self::Invalid | Self::KeyReused | Self::UnsupportedMediaType => Code::Invalid,
            Self::Unauthorized => Code::Unauthorized,
            Self::TokenExpired => Code::TokenExpired,
            Self::Forbidden | Self::NotFound | Self::MethodNotAllowed => Code::Forbidden,
            Self::Reset => Code::Reset,
            Self::Conflict => Code::Conflict,
            Self::RateLimited => Code::RateLimited,
            Self::Busy => Code::Busy,
            Self::Unavailable => Code::Unavailable,
            Self::Draining => Code::Draining,
            Self::Internal => Code::Internal,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, axum::Json(&self)).into_response();
        if let Some(wait) = self.retry_after_ms {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.div_ceil(1_000).max(1)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(Counted(self.code.counted()));
        response
    }
}

/// Counts the refusals of all routes in one place.
pub(super) async fn count(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if let Some(Counted(code)) = response.extensions().get() {
        api.refusals.refused(*code);
    }
    response
}

pub(super) async fn no_route() -> Problem {
    Problem::not_found("there is no such route: see /api/v1/openapi.json")
}

pub(super) async fn no_method() -> Problem {
    let message = "this route does not have that method: see /api/v1/openapi.json";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, ProblemCode::MethodNotAllowed, message)
}
