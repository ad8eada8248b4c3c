//! What operators ask, on a listener of its own: metrics, and whether this node lives and is ready.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Serialize, Serializer};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::files::Files;
use crate::bus::{Bus, Hearing};
use crate::presence::{Lease, Presence};
use crate::store::Store;
use crate::telemetry::{Memory, Recorder};

/// How long the store may take to say that it is there.
const PROBE_WAIT: Duration = Duration::from_secs(2);

/// What the answers are made from.
#[derive(Clone)]
pub struct Ops {
    /// The process's metrics; none where a test runs several nodes in one process.
    pub recorder: Option<Recorder>,
    /// Must answer for the node to be ready.
    pub store: Arc<dyn Store>,
    /// Must be heard, if it can be reached.
    pub bus: Arc<dyn Bus>,
    /// What vouches for the users here; the node is ready without.
    pub presence: Arc<dyn Presence>,
    /// There must be some for new connections.
    pub memory: Arc<Memory>,
    /// The same.
    pub files: Arc<Files>,
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
    let readiness = ops.look().await;
    let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness)).into_response()
}

/// Everything that readiness depends on, and what only makes the node worse.
#[derive(Serialize)]
struct Readiness {
    store: Part,
    bus: Part,
    canary: Part,
    lease: Part,
    memory: Part,
    files: Part,
    drain: Part,
}

/// How one part is, as it is told: `ok`, `degraded: …` or `failed: …`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Well,
    /// Chat goes on; sending clients elsewhere would not make it better.
    Degraded(&'static str),
    /// New clients are better off elsewhere.
    Failed(&'static str),
}

impl Part {
    fn well_if(well: bool, otherwise: Self) -> Self {
        if well { Self::Well } else { otherwise }
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Well => serializer.serialize_str("ok"),
            Self::Degraded(why) => serializer.collect_str(&format_args!("degraded: {why}")),
            Self::Failed(why) => serializer.collect_str(&format_args!("failed: {why}")),
        }
    }
}

impl Readiness {
    fn is_ready(&self) -> bool {
        let Self { store, bus, canary, lease, memory, files, drain } = self;
        ![store, bus, canary, lease, memory, files, drain].iter().any(|part| matches!(part, Part::Failed(_)))
    }
}

impl Ops {
    async fn look(&self) -> Readiness {
        let store = matches!(timeout(PROBE_WAIT, self.store.now()).await, Ok(Ok(_)));
        let hearing = self.bus.hearing();
        let lease = self.presence.lease() == Lease::Held;
        Readiness {
            store: Part::well_if(store, Part::Failed("does not answer")),
            bus: Part::well_if(
                hearing != Hearing::Away,
                Part::Degraded("Redis cannot be reached; chat goes on from the store"),
            ),
            canary: match hearing {
                Hearing::Well => Part::Well,
                Hearing::Deaf => Part::Failed("what is published does not come back; the subscription is made anew"),
                Hearing::Away => Part::Degraded("Redis cannot be reached, so nothing is published"),
            },
            lease: Part::well_if(lease, Part::Degraded("not renewed; others take the users here for offline")),
            memory: Part::well_if(!self.memory.is_short(), Part::Failed("short; nobody new is let in")),
            files: Part::well_if(!self.files.is_short(), Part::Failed("no descriptors left; accepting pauses")),
            drain: Part::well_if(!self.leaving.is_cancelled(), Part::Failed("leaving")),
        }
    }
}
