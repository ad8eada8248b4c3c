//! For people: the page, and whether the node is healthy. For trying, logins by name.

mod assets;
mod login;

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use serde_json::json;

use self::assets::{ASSETS, INDEX};
use super::rest::headers::{guard, guard_answer};
use crate::auth::Minter;
use crate::model::Clock;

/// What the page may load and do: its own files and its own node, and nothing that was injected into it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// A browser asks again whether a file changed, so that a new version of the node is a new version of the page.
const CACHE: &str = "no-cache";

/// What the page needs.
pub struct Page {
    /// Makes tokens for whoever asks: only for development. Without it the page asks for a token.
    pub minter: Option<Arc<Minter>>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
}

/// The routes: `/`, `/health`, the page's files, and `/dev/login` where development logins are.
pub fn routes(page: Page) -> Router {
    let index = INDEX.replace("{{sign-in}}", if page.minter.is_some() { "name" } else { "token" });
    let mut router = Router::new().route("/", get(root)).route("/health", get(health)).with_state(Arc::from(index));
    for asset in ASSETS {
        router = router.route(asset.path, get(async move || serve(asset.kind, asset.text)));
    }
    let Page { minter, clock } = page;
    let Some(minter) = minter else { return router };
    let login = Router::new().route("/dev/login", post(login::login)).with_state((minter, clock));
    router.merge(login.layer(middleware::map_response(guard_answer)))
}

/// The page to a browser, and health to anything else: load balancers and scripts ask here, too.
async fn root(State(index): State<Arc<str>>, headers: HeaderMap) -> Response {
    let accepts = |value: &HeaderValue| value.to_str().is_ok_and(|types| types.contains("text/html"));
    let is_browser = headers.get_all(ACCEPT).iter().any(accepts);
    let mut response = if is_browser { serve(assets::HTML, index.to_string()) } else { health().await };
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
    response
}

/// Says that the process answers. Whether it can do its work is what operators ask elsewhere.
async fn health() -> Response {
    guard_answer(Json(json!({ "status": "ok", "message": "Server is healthy" })).into_response()).await
}

fn serve(kind: &'static str, text: impl IntoResponse) -> Response {
    guard(([(CONTENT_TYPE, kind)], text).into_response(), POLICY, CACHE)
}
