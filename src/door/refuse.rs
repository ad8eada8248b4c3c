//! How the listener says no over HTTP: a status, and a body that says why and when to come back.

use axum::Json;
use axum::http::header::{CONNECTION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::model::{Code, Refusal};

/// The body of an answer that is a refusal.
#[derive(Serialize)]
struct Body<'a> {
    code: Code,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

impl<'a> Body<'a> {
    fn of(refusal: &'a Refusal) -> Self {
        let retry_after_ms = refusal.retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        Self { code: refusal.code, message: &refusal.message, retry_after_ms }
    }
}

/// The answer that refuses a request.
pub(super) fn refuse(status: StatusCode, refusal: &Refusal) -> Response {
    let mut response = (status, Json(Body::of(refusal))).into_response();
    if let Some(wait) = refusal.retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds(wait)));
    }
    response
}

/// The same answer as [`refuse`], as bytes for a connection on which no HTTP has been spoken.
pub(super) fn refuse_raw(refusal: &Refusal) -> Vec<u8> {
    let body = serde_json::to_string(&Body::of(refusal)).unwrap_or_default();
    let (length, wait) = (body.len(), refusal.retry_after.map_or(1, seconds));
    format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         retry-after: {wait}\r\nconnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Lets the connection end with this answer.
pub(super) fn close_after(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Whole seconds, and never none: to come back at once is no help.
fn seconds(wait: std::time::Duration) -> u64 {
    wait.as_millis().div_ceil(1_000).max(1).try_into().unwrap_or(u64::MAX)
}
