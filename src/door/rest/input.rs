//! Reading requests. Whatever does not fit is a [`Problem`] that says what and where, and never repeats the input.

use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::model::limits::BODY_BYTES_MAX;
use crate::model::{ConversationId, IdError, MessageId, UserId};

/// The parameters behind the question mark.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = axum::extract::Query::try_from_uri(&parts.uri);
        let axum::extract::Query(values) = query
            .map_err(|_| Problem::invalid("a query parameter is not what it should be: see /api/v1/openapi.json"))?;
        Ok(Self(values))
    }
}

/// The conversation in the path.
pub(super) struct InConversation(pub(super) ConversationId);

/// The group and the member in the path.
pub(super) struct InGroup(pub(super) ConversationId, pub(super) UserId);

impl<S: Send + Sync> FromRequestParts<S> for InGroup {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((group, user)) = path.map_err(|_| Problem::invalid("an id in the path is not UTF-8"))?;
        Ok(Self(id("the group's id in the path", &group)?, id("the user's id in the path", &user)?))
    }
}

/// The user in the path.
pub(super) struct OfUser(pub(super) UserId);

/// The message in the path.
pub(super) struct OfMessage(pub(super) MessageId);

impl<S: Send + Sync> FromRequestParts<S> for OfMessage {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        path_id(parts, state).await.map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for InConversation {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        path_id(parts, state).await.map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OfUser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        path_id(parts, state).await.map(Self)
    }
}

async fn path_id<T: FromStr<Err = IdError>, S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<T, Problem> {
    let path = Path::<String>::from_request_parts(parts, state).await;
    let Path(text) = path.map_err(|_| Problem::invalid("the id in the path is not UTF-8"))?;
    id("the id in the path", &text)
}

/// An id in a field of a body or a header.
pub(in crate::door) fn id<T: FromStr<Err = IdError>>(field: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error| Problem::invalid(format!("{field}: {error}")))
}

/// A JSON body.
pub(in crate::door) struct Body<T>(pub(in crate::door) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::not_json());
        }
        let read = Bytes::from_request(request, state).await;
        let bytes = read.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(BODY_BYTES_MAX),
            _ => Problem::invalid("the body could not be read to its end"),
        })?;
        // A parser of structs takes an array for one, field by field.
        if bytes.trim_ascii_start().first().is_some_and(|first| *first == b'[') {
            return Err(Problem::invalid("the body is a JSON object"));
        }
        serde_json::from_slice(&bytes).map(Self).map_err(|error| Problem::invalid(describe(&error)))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn describe(error: &serde_json::Error) -> String {
    let problem = match error.classify() {
        serde_json::error::Category::Data => "the body does not fit this route: see /api/v1/openapi.json",
        serde_json::error::Category::Eof => "the JSON ends too early",
        _ => "the body is not JSON",
    };
    format!("{problem} (line {}, column {})", error.line(), error.column())
}
