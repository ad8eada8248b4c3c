//! A client: the algorithm of its door over a connection, with everything it was shown on record.

mod link;
mod mind;
mod outgoing;
mod place;
mod run;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use switchboard::model::{AsOf, ClientKey, ConversationId, Seq, UserId};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::frames::Page;
use crate::judge::Device;
use crate::world::World;
pub(crate) use outgoing::{Address, Outgoing};
use run::Run;

/// Orders that wait for one client; beyond, whoever gives them waits.
const ORDERS_MAX: usize = 4_096;

/// What a client is to do.
#[derive(Debug)]
pub(crate) enum Order {
    Send(Outgoing),
    /// Lose the connection without a word, and come back.
    Cut,
    /// Read nothing until `Read`.
    StopReading,
    /// Wait so long after each frame that is read.
    ReadSlowly(Duration),
    Read,
    /// Read a page of history; one at a time. Whoever asks hears nothing if the connection is lost.
    History {
        talk: ConversationId,
        before: Option<Seq>,
        limit: u64,
        to: oneshot::Sender<Page>,
    },
    /// Make a group with these people; one at a time. Whoever asks hears nothing if the connection is lost, or if it is
    /// refused.
    Found {
        key: ClientKey,
        members: Vec<UserId>,
        to: oneshot::Sender<ConversationId>,
    },
    /// Watch who of these people is there, on this connection and those that follow.
    Watch(Vec<UserId>),
}

/// A client that runs. It ends when it is told to, and then hands over its report.
pub(crate) struct Client {
    pub(crate) user: UserId,
    orders: mpsc::Sender<Order>,
    finish: oneshot::Sender<()>,
    task: JoinHandle<Report>,
}

/// What became of a client.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// How often each code came.
    pub(crate) refusals: BTreeMap<&'static str, u64>,
    /// Connections that were welcomed.
    pub(crate) connections: u64,
    /// Connections that were lost without the client's doing.
    pub(crate) losses: u64,
    /// Sends that were written and not answered when those were lost.
    pub(crate) in_flight_at_loss: u64,
    /// Up to when it knew everything.
    pub(crate) as_of: Option<AsOf>,
}

/// Where a client begins.
#[derive(Debug)]
pub(crate) struct Beginning {
    pub(crate) device: Device,
    /// Which target it tries first.
    pub(crate) target: usize,
    /// Where it left off, if it was here before.
    pub(crate) resume: Option<(AsOf, Vec<(ConversationId, Seq)>)>,
    /// Whether it asks for `pong`; if not, it only answers the node's pings.
    pub(crate) pings: bool,
    /// Whether it reads slowly, so that what it is shown is accounted for by itself.
    pub(crate) is_slow: bool,
    /// When it was due to connect, if that is measured.
    pub(crate) due: Option<Instant>,
}

impl Beginning {
    /// Somebody new, who tries `target` first.
    pub(crate) fn new(user: UserId, target: usize) -> Self {
        Self::on(Device::first(user), target)
    }

    /// One of their devices.
    pub(crate) fn on(device: Device, target: usize) -> Self {
        Self { device, target, resume: None, pings: true, is_slow: false, due: None }
    }
}

impl Client {
    pub(crate) fn start(world: Arc<World>, beginning: Beginning) -> Self {
        let (orders, inbox) = mpsc::channel(ORDERS_MAX);
        let (finish, finished) = oneshot::channel();
        let user = beginning.device.user.clone();
        let run = Run::new(world, beginning, inbox);
        Self { user, orders, finish, task: tokio::spawn(run.run(finished)) }
    }

    /// Gives an order; waits if too many wait already.
    pub(crate) async fn order(&self, order: Order) {
        // A client that has ended will say so in its report.
        let _ = self.orders.send(order).await;
    }

    /// Gives orders from elsewhere.
    pub(crate) fn remote(&self) -> mpsc::Sender<Order> {
        self.orders.clone()
    }

    /// Ends it.
    pub(crate) async fn finish(self) -> Report {
        // Whoever has finished already need not be told.
        let _ = self.finish.send(());
        self.task.await.unwrap_or_default()
    }
}
