//! The composition root: the only place that names implementations, and the life of a node from start to drain.

mod bounds;
mod check;
mod health;
mod import;
mod open;
mod upkeep;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::auth::{Minter, Verifier};
use crate::bus::{Bus, BusEvent, Hints, Nodes};
use crate::chat::{self, Chat};
use crate::delivery::{self, Delivery};
use crate::door::engineio::{self, BusCarrier, EngineIo, Relay};
use crate::door::listener::{Door, ListenerSettings, serve};
use crate::door::native::{self, Native};
use crate::door::origin::Origins;
use crate::door::profile::{self, Desk, Manner};
use crate::door::{ops, page, rest};
use crate::model::limits::TRACES_CLOSE_WAIT;
use crate::model::{Chance, Clock, NodeId, Policy};
use crate::presence::{Presence, PresenceEvent};
use crate::session::{Admission, Metrics, Paces, Rate, Services};
use crate::store::{Memberships, SecretOf, StandingCache, Store, StoreClock, StoreError, shared_secret};
use crate::telemetry::{Memory, Recorder, Traces, Trail};
use crate::wire::Sealer;

pub use check::{Finding, Verdict, check};
pub use health::health;
pub use import::import;
pub use open::{StartError, open, settings};
pub use upkeep::{back_up, erase, purge, restore};

/// Messages that one user may look for: each asks all nodes.
const TRAILS: Rate = Rate { per_second: 2.0, burst: 20.0 };

const DRAINING: &str = "switchboard_draining";

/// What a node is put together from.
pub struct Parts {
    /// Where things are kept.
    pub store: Arc<dyn Store>,
    /// How nodes tell each other.
    pub bus: Arc<dyn Bus>,
    /// What the bus tells this node.
    pub events: mpsc::Receiver<BusEvent>,
    /// Where users are.
    pub presence: Arc<dyn Presence>,
    /// What presence tells this node.
    pub comings_and_goings: mpsc::Receiver<PresenceEvent>,
    /// Who may come in.
    pub verifier: Arc<Verifier>,
    /// Makes tokens for whoever asks: only for development.
    pub minter: Option<Arc<Minter>>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub chance: Arc<dyn Chance>,
    /// The process's metrics, if this node is to serve them.
    pub recorder: Option<Recorder>,
    /// Which messages are traced.
    pub traces: Traces,
    /// What the operator calls this node.
    pub label: Option<String>,
    /// How much memory this node may use.
    pub memory: Arc<Memory>,
}

/// How a node behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How connections are treated.
    pub listener: ListenerSettings,
    /// Pages that may connect.
    pub origins: Origins,
    /// How the Socket.IO door is to be.
    pub manner: Manner,
    /// How its connections are kept.
    pub engine: engineio::Settings,
    /// Sessions that may begin in a second.
    pub admissions_per_second: u32,
    /// Sends that one session may make, and one user over REST.
    pub sends: Rate,
    /// The same of a service.
    pub service_sends: Rate,
    /// Requests that one user may make over REST.
    pub requests: Rate,
    /// The same of a service.
    pub service_requests: Rate,
    /// People whom one user may look for.
    pub finds: Rate,
    /// What users may do with each other.
    pub policy: Policy,
    /// How long is remembered what became of a message; zero: not at all.
    pub trail: Duration,
    /// How long an agent may be away until their talks are everybody's; zero: for ever.
    pub claim_away: Duration,
    /// How long the load balancer gets to notice that this node is leaving, before it stops accepting.
    pub notice: Duration,
    /// How long a drain may take after that.
    pub drain: Duration,
}

/// A running node.
pub struct Node {
    address: SocketAddr,
    ops_address: SocketAddr,
    leaving: CancellationToken,
    stop_accepting: CancellationToken,
    drain_sessions: CancellationToken,
    sessions: TaskTracker,
    accepting: JoinHandle<()>,
    settings: Settings,
    presence: Arc<dyn Presence>,
    clock: Arc<dyn Clock>,
    traces: Traces,
    nodes: Arc<Nodes>,
    bus: Arc<dyn Bus>,
    _keeping: Vec<AbortOnDropHandle<()>>,
}

impl Node {
    /// Puts a node together and starts it on `listener`; operators are answered on `ops_listener`.
    ///
    /// # Errors
    /// If the store does not answer, or a listener has no address.
    pub async fn start(
        parts: Parts,
        settings: Settings,
        listener: TcpListener,
        ops_listener: TcpListener,
    ) -> Result<Self, StartError> {
        let (address, ops_address) = (listener.local_addr()?, ops_listener.local_addr()?);
        let leaving = CancellationToken::new();
        let (stop_accepting, drain_sessions) = (CancellationToken::new(), CancellationToken::new());
        let sessions = TaskTracker::new();

        let Parts { store, bus, events, presence, comings_and_goings, verifier, minter, clock, chance, .. } = parts;
        let (recorder, memory, traces, label) = (parts.recorder, parts.memory, parts.traces, parts.label);
        let nodes = Arc::new(Nodes::new(NodeId(chance.bits()), label));
        let node = nodes.own();
        let trail = Arc::new(Trail::new(settings.trail, clock.clone()));
        let store_clock = Arc::new(StoreClock::set_by(&*store).await?);
        let memberships = Arc::new(Memberships::new(store.clone()));
        let standings = Arc::new(StandingCache::new(store.clone()));
        let of_clients = shared_secret(&*store, SecretOf::Clients, &*chance).await?;
        let of_nodes = shared_secret(&*store, SecretOf::Nodes, &*chance).await?;
        let hints = Hints::new(Sealer::new(&of_nodes, store.generation()));
        let finds = Arc::new(Paces::new(settings.finds));
        let chat = Arc::new(Chat::start(chat::Ports {
            store: store.clone(),
            store_clock: store_clock.clone(),
            memberships: memberships.clone(),
            standings: standings.clone(),
            policy: settings.policy,
            bus: bus.clone(),
            hints: hints.clone(),
            presence: presence.clone(),
            clock: clock.clone(),
            chance: chance.clone(),
            traces: traces.clone(),
            trail: trail.clone(),
            nodes: nodes.clone(),
        }));
        let delivery = Arc::new(Delivery::start(
            delivery::Ports {
                store: store.clone(),
                store_clock: store_clock.clone(),
                memberships,
                standings,
                bus: bus.clone(),
                hints,
                presence: presence.clone(),
                clock: clock.clone(),
                traces: traces.clone(),
                trail,
                nodes: nodes.clone(),
            },
            events,
            comings_and_goings,
        ));
        let services = Arc::new(Services {
            chat: chat.clone(),
            delivery,
            verifier: verifier.clone(),
            clock: clock.clone(),
            chance: chance.clone(),
            admission: Admission::new(settings.admissions_per_second, memory.clone()),
            sends: settings.sends,
            service_sends: settings.service_sends,
            finds: finds.clone(),
            drain: drain_sessions.clone(),
            drain_spread: settings.drain / 2,
            metrics: Metrics::new(),
        });
        let origins = Arc::new(settings.origins.clone());
        let freeing = chat.clone();
        let api = rest::Api {
            chat,
            verifier,
            clock: clock.clone(),
            chance: chance.clone(),
            requests: Paces::new(settings.requests),
            sends: Paces::new(settings.sends),
            service_requests: Paces::new(settings.service_requests),
            service_sends: Paces::new(settings.service_sends),
            finds,
            trails: Paces::new(TRAILS),
            origins: origins.clone(),
            refusals: services.metrics.clone(),
        };
        let desk = Desk::open(services.clone(), settings.manner.clone(), &of_clients);
        let polled = engineio::Sessions::new(settings.engine.sessions_max, settings.engine.guests_per_address_max);
        let relay = Relay::new(
            node,
            settings.engine,
            chance.clone(),
            polled.clone(),
            Arc::new(BusCarrier(bus.clone())),
            drain_sessions.clone(),
        );
        let chat = services.chat.clone();
        let relaying = engineio::listen(relay.clone(), move |frame| chat.take_answer(frame), node, &bus).await;
        let engine = EngineIo {
            node,
            chance,
            settings: settings.engine,
            sessions: polled,
            memory: memory.clone(),
            relay: Some(relay),
            origins: origins.clone(),
            tasks: sessions.clone(),
            layer: desk.clone(),
        };
        let frontends = profile::Api {
            desk,
            requests: rest::Paces::new(settings.requests),
            sends: rest::Paces::new(settings.sends),
            origins: origins.clone(),
        };
        let router = Router::new()
            .merge(native::routes(Native { services, origins, sessions: sessions.clone() }))
            .merge(engineio::routes("/socket.io/", engine))
            .merge(profile::routes(Arc::new(frontends)))
            .merge(rest::routes(Arc::new(api)))
            .merge(page::routes(page::Page { minter, clock: clock.clone() }))
            .fallback(rest::nothing_there);

        metrics::describe_gauge!(DRAINING, "1 from when this node was told to stop, otherwise 0");
        metrics::gauge!(DRAINING).set(0.0);
        let mut keeping = vec![
            tokio::spawn(store_clock.keep(store.clone())),
            tokio::spawn(relaying),
            tokio::spawn(nodes.clone().tell(bus.clone())),
        ];
        if !settings.claim_away.is_zero() {
            keeping.push(tokio::spawn(freeing.free_the_away(settings.claim_away)));
        }
        keeping.extend(recorder.clone().map(|recorder| tokio::spawn(recorder.keep())));
        keeping.push(tokio::spawn(memory.clone().keep()));
        let ops = ops::Ops {
            recorder,
            store,
            bus: bus.clone(),
            presence: presence.clone(),
            memory,
            files: settings.listener.files.clone(),
            leaving: leaving.clone(),
        };
        let as_operators = ListenerSettings { door: Door::Ops, ..ListenerSettings::default() };
        keeping.push(tokio::spawn(serve(ops_listener, ops::routes(ops), as_operators, CancellationToken::new())));
        let accepting = tokio::spawn(serve(listener, router, settings.listener.clone(), stop_accepting.clone()));
        let _keeping = keeping.into_iter().map(AbortOnDropHandle::new).collect();
        Ok(Self {
            address,
            ops_address,
            leaving,
            stop_accepting,
            drain_sessions,
            sessions,
            accepting,
            settings,
            presence,
            clock,
            traces,
            nodes,
            bus,
            _keeping,
        })
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where operators ask.
    #[must_use]
    pub fn ops_address(&self) -> SocketAddr {
        self.ops_address
    }

    /// Leaves without losing anything: not ready any more → the load balancer's notice → no new connections → every
    /// session finishes what it began and asks its client to reconnect, spread over the drain time. Answers whether all
    /// ended in time.
    pub async fn drain(self) -> bool {
        self.leaving.cancel();
        metrics::gauge!(DRAINING).set(1.0);
        tokio::time::sleep(self.settings.notice).await;
        self.stop_accepting.cancel();
        self.drain_sessions.cancel();
        self.sessions.close();
        let all = async {
            self.sessions.wait().await;
            let _ = self.accepting.await;
        };
        let began = Instant::now();
        let in_time = timeout(self.settings.drain, all).await.is_ok();
        let left = self.settings.drain.saturating_sub(began.elapsed());
        self.traces.close(left.min(TRACES_CLOSE_WAIT)).await;
        // Whoever was here is somewhere else in a moment: nobody is told that they left, until it turns out that they did.
        self.nodes.leave(&*self.bus).await;
        self.presence.withdraw(self.clock.now()).await;
        in_time
    }
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        Self::new(format!("{error}"))
    }
}

impl From<std::io::Error> for StartError {
    fn from(error: std::io::Error) -> Self {
        Self::new(format!("{error}"))
    }
}
