//! The headers that every answer carries, so that a browser does nothing with it that was not meant; and one of requests.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;

use crate::model::Traceparent;

const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The trace that a request says it belongs to. What is none, or several, is passed over.
pub(in crate::door) fn traceparent(headers: &HeaderMap) -> Option<Traceparent> {
    let mut given = headers.get_all("traceparent").iter();
    let only = given.next().filter(|_| given.next().is_none())?;
    only.to_str().ok()?.parse().ok()
}

/// For answers that are not pages: nothing in them runs, and nobody keeps them.
pub(in crate::door) async fn guard_answer(response: Response) -> Response {
    guard(response, "default-src 'none'; frame-ancestors 'none'", "no-store")
}

/// Puts on the guarding headers, with what a page may load and who may keep the answer for how long.
pub(in crate::door) fn guard(mut response: Response, policy: &'static str, cache: &'static str) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
        (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
        (CONTENT_SECURITY_POLICY, policy),
        (CACHE_CONTROL, cache),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
