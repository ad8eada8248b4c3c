//! The bus over Redis publish and subscribe: one channel for each user and for each node, sharded on a cluster.

mod canary;
mod channel;
mod publisher;
mod roll;
mod subscriber;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use self::canary::Canary;
use self::publisher::Publisher;
use self::roll::Roll;
use self::subscriber::Subscriber;
use self::wire::Publication;
use super::channel::Channel;
use super::metrics::BusMetrics;
use super::outlet::Outlet;
use super::{Bus, BusEvent, Hearing};
use crate::model::limits::{PUBLICATIONS_MAX, PUBLISH_WAIT, REDIS_BACKLOG_MAX, REDIS_START_WAIT};
use crate::model::{Chance, NodeId, UserId};
use crate::redis::{Dialer, Line, RedisSettings};

/// One node's bus over Redis. Dropping it closes its connections.
pub struct RedisBus {
    queue: mpsc::Sender<Publication>,
    roll: Arc<Roll>,
    outlet: Outlet,
    metrics: BusMetrics,
    canary: Arc<Canary>,
    _tasks: [AbortOnDropHandle<()>; 3],
}

impl RedisBus {
    /// Starts a bus that subscribes on a connection of its own and publishes on `line`. Waits at most
    /// [`REDIS_START_WAIT`] for Redis; without it the bus starts away and goes on trying.
    pub async fn start(
        settings: &RedisSettings,
        line: Line,
        chance: Arc<dyn Chance>,
    ) -> (Self, mpsc::Receiver<BusEvent>) {
        let metrics = BusMetrics::new();
        let (outlet, events) = Outlet::new(metrics.clone());
        let roll = Arc::new(Roll::new(metrics.subscriptions.clone()));
        let itself = NodeId(chance.bits());
        let mut dialer = Dialer::new(settings.clone(), chance, REDIS_BACKLOG_MAX);
        let both_up = async { tokio::join!(dialer.dial(), line.up()).0 };
        let first = timeout(REDIS_START_WAIT, both_up).await.ok();
        if first.is_some() {
            roll.start_over(); // from now on whoever subscribes waits until it is in force
        } else {
            tracing::warn!(redis = %settings, "starting without Redis; until it answers, other nodes are not heard");
            outlet.away();
        }
        let heard = [Channel::Everyone, Channel::Canary(itself)].map(|channel| roll.enter(&channel));
        let canary = Arc::new(Canary::new(itself, line.clone(), Arc::clone(&roll)));
        let subscriber =
            Subscriber::new(Arc::clone(&roll), outlet.clone(), Arc::clone(&canary), metrics.epochs.clone());
        let subscriber = subscriber.run(first, dialer);
        let (queue, publications) = mpsc::channel(PUBLICATIONS_MAX);
        let publisher = Publisher::new(line, Arc::clone(&roll), outlet.clone(), metrics.clone());
        // Without an answer the bus is about to be away, which it then tells.
        let in_force = futures_util::future::join_all(heard.into_iter().flatten());
        let tasks = [
            tokio::spawn(subscriber),
            tokio::spawn(publisher.run(publications)),
            tokio::spawn(Arc::clone(&canary).fly()),
        ];
        let bus = Self { queue, roll, outlet, metrics, canary, _tasks: tasks.map(AbortOnDropHandle::new) };
        drop(timeout(REDIS_START_WAIT, in_force).await);
        (bus, events)
    }
}

impl RedisBus {
    async fn queue(&self, channel: Channel, payload: Bytes) {
        let publication = Publication { channel, payload };
        let queued = match self.queue.try_send(publication) {
            Err(TrySendError::Full(publication)) => timeout(PUBLISH_WAIT, self.queue.send(publication)).await.is_ok(),
            _ => true,
        };
        if queued { &self.metrics.publications } else { &self.metrics.full }.increment(1);
    }

    async fn enter(&self, channel: &Channel) {
        if let Some(in_force) = self.roll.enter(channel) {
            // An error says that the connection was lost or the channel struck off: nothing to wait for any more.
            drop(in_force.await);
        }
    }
}

#[async_trait]
impl Bus for RedisBus {
    async fn publish(&self, user: &UserId, payload: Bytes) {
        self.queue(Channel::User(user.clone()), payload).await;
    }

    async fn subscribe(&self, user: &UserId) {
        self.enter(&Channel::User(user.clone())).await;
    }

    async fn unsubscribe(&self, user: &UserId) {
        self.roll.strike(&Channel::User(user.clone()));
    }

    async fn send(&self, to: NodeId, frame: Bytes) {
        self.queue(Channel::Node(to), frame).await;
    }

    async fn broadcast(&self, payload: Bytes) {
        self.queue(Channel::Everyone, payload).await;
    }

    async fn listen(&self, node: NodeId) -> mpsc::Receiver<Bytes> {
        let frames = self.outlet.listen();
        self.enter(&Channel::Node(node)).await;
        frames
    }

    fn hearing(&self) -> Hearing {
        match self.canary.is_deaf() {
            true => Hearing::Deaf,
            false if self.outlet.is_away() => Hearing::Away,
            false => Hearing::Well,
        }
    }
}
