//! Which other origins' pages may read the answers: those of the list, letter by letter.

use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::door::origin::Origins;

/// What every answer to this request carries. Credentials are allowed because clients may be set to send them; none of
/// ours is ever a cookie.
pub(super) fn headers(origins: &Origins, request: &HeaderMap) -> HeaderMap {
    let mut answer = HeaderMap::from_iter([(VARY, HeaderValue::from_static("Origin"))]);
    let listed = request.get(ORIGIN).filter(|origin| origin.to_str().is_ok_and(|origin| origins.is_listed(origin)));
    if let Some(origin) = listed {
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    answer
}

/// The answer to a browser that asks beforehand. Pages of the list may send whatever headers they were made to send.
pub(super) fn preflight(request: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let answer = response.headers_mut();
    answer.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    if let Some(asked) = request.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
    }
    response
}
