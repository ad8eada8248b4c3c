//! The life of one connection: greeted, then live, then gone. The same behind every door; a door only turns its bytes
//! into [`Incoming`] and back.

mod admission;
mod greeting;
mod io;
mod live;
mod metrics;
mod pace;
mod paces;
mod people;
mod requests;
mod resume;
mod snapshot;
mod standing;
mod typing;
mod watching;

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::auth::Verifier;
use crate::chat::Chat;
use crate::delivery::{Delivery, Item, Outbox};
use crate::model::limits::HELLO_WAIT;
use crate::model::{Chance, Clock, Identity, StoreTime};
use crate::wire::client::Resume;
use crate::wire::{ClientFrame, Close, DecodeError};

pub use admission::Admission;
pub use metrics::Metrics;
pub use pace::{Bucket, Rate};
pub use paces::Paces;

/// What a socket brings.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// A frame of the protocol.
    Frame(ClientFrame),
    /// Bytes that are none.
    Unreadable(DecodeError),
    /// In place of `hello`: somebody whom the door has recognised.
    Known(Box<Known>),
    /// A sign of life without content.
    Alive,
    /// The peer has left, or the connection is lost.
    Gone,
    /// The peer did something that ends the connection.
    Broken(Close),
}

/// What a socket takes.
#[derive(Debug, Clone)]
pub enum Outward {
    /// What the door is to put into its own words.
    Item(Item),
    /// A question for a sign of life.
    Ping,
}

/// The connection is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection is lost")]
pub struct Gone;

/// A connection, as a session sees it. All calls come from one task.
pub trait Socket: Unpin + Send {
    /// The next thing that comes in. After `Gone` or `Broken` it is not called again.
    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Incoming>;
    /// Whether another frame can be taken.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>>;
    /// Takes a frame; only after `poll_ready`.
    ///
    /// # Errors
    /// If the connection is lost.
    fn start_send(&mut self, outward: Outward) -> Result<(), Gone>;
    /// How strangers are treated.
    fn manners(&self) -> Manners {
        Manners {
            hello_wait: HELLO_WAIT,
            hears_out: false,
            starts_live: false,
            pings_itself: false,
            entrance: Entrance::Native,
        }
    }
    /// The peer has shown a token that counts: it may now send more, and is no longer a stranger.
    fn authenticated(&mut self, _identity: &Identity) {}
    /// The session has its place in delivery; what comes from now on goes through this outbox.
    fn joined(&mut self, _outbox: &Arc<Outbox>) {}
    /// Whether everything taken is on its way.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>>;
}

/// Somebody whom a door has recognised, and where they left off.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Who.
    pub identity: Identity,
    /// Where they left off.
    pub resume: Resume,
    /// Nothing that the store took before is owed to them, in conversations that they do not name.
    pub since: StoreTime,
}

/// How a door treats strangers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manners {
    /// How long they have to say who they are.
    pub hello_wait: Duration,
    /// Whether they may try again after a token that does not count.
    pub hears_out: bool,
    /// Whether a session that resumes nothing is shown only what comes from now on: its client has no cursors, and reads
    /// what was before by other means. Else it starts
    /// [`AS_OF_MARGIN`](crate::model::limits::AS_OF_MARGIN) before.
    pub starts_live: bool,
    /// Whether the door itself asks its peer for signs of life, about every
    /// [`PING_AFTER`](crate::model::limits::PING_AFTER), and ends the connection where none comes.
    pub pings_itself: bool,
    /// As whose its handshakes are counted.
    pub entrance: Entrance,
}

/// The doors through which sessions come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrance {
    /// The native protocol.
    Native,
    /// Socket.IO over a WebSocket.
    SocketIo,
    /// Socket.IO over polling.
    Polling,
}

impl Entrance {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Native, Self::SocketIo, Self::Polling];

    /// As a metric label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::SocketIo => "socketio",
            Self::Polling => "polling",
        }
    }
}

/// What every session of a node uses.
pub struct Services {
    /// The use cases.
    pub chat: Arc<Chat>,
    /// The way out.
    pub delivery: Arc<Delivery>,
    /// Who may come in.
    pub verifier: Arc<Verifier>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub chance: Arc<dyn Chance>,
    /// How fast sessions may begin.
    pub admission: Admission,
    /// Sends that one session may make.
    pub sends: Rate,
    /// Sends that one session of a service may make.
    pub service_sends: Rate,
    /// People whom one user may look for.
    pub finds: Arc<Paces>,
    /// Cancelled when the node drains: sessions finish what they began and ask their clients to reconnect.
    pub drain: CancellationToken,
    /// Over how long a drain spreads the sessions.
    pub drain_spread: Duration,
    /// What sessions count.
    pub metrics: Metrics,
}

/// Lives a connection's whole life. Answers how the door is to close the connection; nothing if it is lost already.
pub async fn run<S: Socket>(services: &Arc<Services>, socket: &mut S) -> Option<Close> {
    // Boxed apart, so that a session that lives for days does not keep the room that its greeting needed.
    let greeted = Box::pin(greeting::greet(services, socket)).await;
    services.metrics.shook_hands(socket.manners().entrance, greeted.as_ref().err());
    let ending = match greeted {
        Ok(greeted) => live::Live::new(services.clone(), greeted).run(socket).await,
        Err(ending) => ending,
    };
    if let Some(close) = ending {
        services.metrics.closed(close);
    }
    ending
}
