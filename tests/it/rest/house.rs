//! The REST routes over a real embedded store, asked without a network in between.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use serde_json::Value;
use switchboard::auth::Verifier;
use switchboard::bus::local::LocalHub;
use switchboard::bus::{Hints, Nodes};
use switchboard::chat::{Chat, Ports};
use switchboard::door::origin::Origins;
use switchboard::door::rest::{Api, PREFIX, Paces, routes};
use switchboard::model::{ConversationId, NodeId, Policy, SystemChance, SystemClock};
use switchboard::presence::local::{LocalPresence, LocalWorld};
use switchboard::session::{Metrics, Rate};
use switchboard::store::embedded::EmbeddedStore;
use switchboard::store::{Memberships, StandingCache, Store, StoreClock};
use switchboard::telemetry::{Traces, Trail};
use switchboard::wire::Sealer;
use tempfile::TempDir;
use tower::ServiceExt;

use crate::support::cluster::{auth, token};

/// Faster than any test.
pub(super) const UNPACED: Rate = Rate { per_second: 1e6, burst: 1e6 };

/// As a node has it.
const FINDS: Rate = Rate { per_second: 1.0 / 6.0, burst: 10.0 };

/// The routes and what is behind them.
pub(super) struct House {
    pub(super) router: Router,
    pub(super) store: Arc<EmbeddedStore>,
    pub(super) presence: Arc<LocalPresence>,
    chat: Arc<Chat>,
    _directory: TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl House {
    /// A house whose pages may be asked from `https://app.example`.
    pub(super) async fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data");
        let store = Arc::new(EmbeddedStore::open(&path, Arc::new(SystemClock), &SystemChance).unwrap());
        let (bus, _events) = LocalHub::default().join();
        let (presence, _changes) = LocalWorld::default().join(Duration::from_secs(5), Arc::new(SystemClock));
        let presence = Arc::new(presence);
        let chat = Arc::new(Chat::start(Ports {
            store: store.clone(),
            store_clock: Arc::new(StoreClock::set_by(&*store).await.unwrap()),
            memberships: Arc::new(Memberships::new(store.clone())),
            standings: Arc::new(StandingCache::new(store.clone())),
            policy: Policy::Open,
            bus: Arc::new(bus),
            hints: Hints::new(Sealer::new("secret", store.generation())),
            presence: presence.clone(),
            clock: Arc::new(SystemClock),
            chance: Arc::new(SystemChance),
            traces: Traces::off(),
            trail: Arc::new(Trail::new(Duration::from_secs(60), Arc::new(SystemClock))),
            nodes: Arc::new(Nodes::new(NodeId(1), None)),
        }));
        Self { router: router(&chat, UNPACED, UNPACED), store, presence, chat, _directory: directory }
    }

    /// The same house, behind slower doors.
    pub(super) fn paced(&self, requests: Rate, sends: Rate) -> Router {
        router(&self.chat, requests, sends)
    }

    /// Asks as `user`, or as nobody.
    pub(super) async fn ask(&self, method: Method, path: &str, user: &str, body: Option<Value>) -> Answer {
        ask(&self.router, request(method, path, user, body)).await
    }

    pub(super) async fn get(&self, path: &str, user: &str) -> Answer {
        self.ask(Method::GET, path, user, None).await
    }

    pub(super) async fn post(&self, path: &str, user: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, user, Some(body)).await
    }

    /// Has `from` write to `to`; answers the message.
    pub(super) async fn say(&self, from: &str, to: &str, text: &str) -> Value {
        let answer = self.post("/messages", from, serde_json::json!({ "to": to, "text": text })).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        answer.body
    }
}

fn router(chat: &Arc<Chat>, requests: Rate, sends: Rate) -> Router {
    routes(Arc::new(Api {
        chat: chat.clone(),
        verifier: Arc::new(Verifier::open(&auth(), &SystemChance).unwrap()),
        clock: Arc::new(SystemClock),
        chance: Arc::new(SystemChance),
        requests: Paces::new(requests),
        sends: Paces::new(sends),
        service_requests: Paces::new(requests),
        service_sends: Paces::new(UNPACED),
        finds: Arc::new(Paces::new(FINDS)),
        trails: Paces::new(UNPACED),
        origins: Arc::new(Origins::new(vec!["https://app.example".parse().unwrap()])),
        refusals: Metrics::new(),
    }))
}

/// A request for a path below the prefix. A user that begins with `Bearer ` is taken as the header itself.
pub(super) fn request(method: Method, path: &str, user: &str, body: Option<Value>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(format!("{PREFIX}{path}"));
    if !user.is_empty() {
        let header = if user.starts_with("Bearer ") { user.to_owned() } else { format!("Bearer {}", token(user)) };
        request = request.header("authorization", header);
    }
    match body {
        Some(body) => request.header("content-type", "application/json").body(Body::from(body.to_string())).unwrap(),
        None => request.body(Body::empty()).unwrap(),
    }
}

pub(super) async fn ask(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
    Answer { status, headers, body }
}

/// The direct conversation of two people.
pub(super) fn talk(one: &str, other: &str) -> String {
    ConversationId::direct(&one.parse().unwrap(), &other.parse().unwrap()).to_string()
}
