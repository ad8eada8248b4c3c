//! How long answers take.

use std::collections::HashMap;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use metrics::{Histogram, Unit, describe_histogram, histogram};
use tokio::time::Instant;

/// A histogram for each path.
pub(super) struct Meters(HashMap<&'static str, Histogram>);

impl Meters {
    /// Registers them, so that each exists from the start.
    pub(super) fn new() -> Self {
        describe_histogram!("switchboard_rest_seconds", Unit::Seconds, "Time to answer a REST request, by route");
        Self(super::paths().map(|path| (path, histogram!("switchboard_rest_seconds", "route" => path))).collect())
    }

    pub(super) fn of(&self, path: &str) -> Histogram {
        self.0.get(path).cloned().unwrap_or_else(Histogram::noop)
    }
}

/// Times a route.
pub(super) async fn time(State(seconds): State<Histogram>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let response = next.run(request).await;
    seconds.record(began.elapsed());
    response
}
