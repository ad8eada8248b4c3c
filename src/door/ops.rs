//! What operators ask, on a listener of its own: metrics, and whether this node lives and is ready.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::store::Store;
use crate::telemetry::Recorder;

/// How long the store may take to say that it is there.
const PROBE_WAIT: Duration = Duration::from_secs(2);

/// What the answers are made from.
#[derive(Clone)]
pub struct Ops {
    /// The process's metrics; none where a test runs several nodes in one process.
    pub recorder: Option<Recorder>,
    /// Must answer for the node to be ready.
    pub store: Arc<dyn Store>,
    /// Cancelled as soon as the node is to leave: it is not ready from then on.
    pub leaving: CancellationToken,
}

/// The routes: `/metrics`, `/livez`, `/readyz`.
pub fn routes(ops: Ops) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(readyz))
        .with_state(ops)
}

async fn metrics(State(ops): State<Ops>) -> Response {
    match &ops.recorder {
        Some(recorder) => ([(CONTENT_TYPE, "text/plain; version=0.0.4")], recorder.render()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn readyz(State(ops): State<Ops>) -> Response {
    let store = matches!(timeout(PROBE_WAIT, ops.store.now()).await, Ok(Ok(_)));
    let draining = ops.leaving.is_cancelled();
    let status = if store && !draining { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = |good: bool, bad: &'static str| if good { "ok" } else { bad };
    let body = json!({ "store": word(store, "does not answer"), "drain": word(!draining, "leaving") });
    (status, Json(body)).into_response()
}
