//! Accepts connections and sees each of them through, whatever it does.

use std::fmt::Display;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use ipnet::IpNet;
use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::budget::Budget;
use super::files::Files;
use super::guests::{Guests, Unauthenticated};
use super::peer::is_trusted;
use super::reception::Reception;
use super::refuse::refuse_raw;
use crate::model::limits::{
    ACCEPT_PAUSE_MAX, ACCEPT_PAUSE_MIN, BODY_BYTES_MAX, BODY_WAIT, CLOSE_WAIT, CONNECTIONS_MAX, FAREWELL_BYTES_MAX,
    FRAME_BYTES_MAX, GUESTS_PER_ADDRESS_MAX, HEADER_WAIT, HELLO_BYTES_MAX, HTTP_DRAIN_WAIT, IDLE_WAIT,
    RECEIVE_BUFFER_BYTES, SEND_BUFFER_BYTES, TURNED_AWAY_MAX,
};
use crate::model::{Code, Refusal};

/// How a listener treats its connections. The default is what a node on a hostile network wants.
#[derive(Debug, Clone)]
pub struct ListenerSettings {
    /// Open connections, WebSockets included. Beyond, a connection is answered 503 and closed.
    pub connections_max: usize,
    /// Connections from one address that have not shown a token that counts. Beyond, answered 503. Who comes through a
    /// trusted proxy is counted request by request, by the address that the proxy names.
    pub guests_per_address_max: u32,
    /// The networks of our own proxies, whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How long the head of a request may take; then the connection is closed.
    pub header_wait: Duration,
    /// How long the body of a request may take; then answered 408.
    pub body_wait: Duration,
    /// Bytes of the body of a request; more are answered 413.
    pub body_bytes_max: usize,
    /// Bytes of one WebSocket message; a longer one closes with 1009.
    pub message_bytes_max: usize,
    /// The same before a token was accepted.
    pub hello_bytes_max: usize,
    /// How long a connection may rest between two requests, or take nothing of an answer; then it is closed.
    pub idle_wait: Duration,
    /// How long requests may take to finish after the stop; then they are cut.
    pub drain_wait: Duration,
    /// Bytes that the kernel is asked to hold for a reader who does not read.
    pub send_buffer_bytes: u32,
    /// Bytes that the kernel is asked to hold of what has not been read yet.
    pub receive_buffer_bytes: u32,
    /// What each WebSocket may spend.
    pub budget: Budget,
    /// What connections may take of the process's file descriptors. At the bound, accepting pauses.
    pub files: Arc<Files>,
    /// As what connections are counted that are no WebSocket.
    pub door: Door,
}

/// The doors, as connections are counted by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// HTTP: REST, polling, the page, and who has not said yet what they want.
    Http,
    /// A WebSocket of the native protocol.
    Native,
    /// A WebSocket of Socket.IO.
    SocketIo,
    /// Operators.
    Ops,
}

impl Door {
    const ALL: [Self; 4] = [Self::Http, Self::Native, Self::SocketIo, Self::Ops];

    const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Native => "native",
            Self::SocketIo => "socketio",
            Self::Ops => "ops",
        }
    }
}

impl Default for ListenerSettings {
    fn default() -> Self {
        Self {
            connections_max: CONNECTIONS_MAX,
            guests_per_address_max: GUESTS_PER_ADDRESS_MAX,
            trusted_proxies: Vec::new(),
            header_wait: HEADER_WAIT,
            body_wait: BODY_WAIT,
            body_bytes_max: BODY_BYTES_MAX,
            message_bytes_max: FRAME_BYTES_MAX,
            hello_bytes_max: HELLO_BYTES_MAX,
            idle_wait: IDLE_WAIT,
            drain_wait: HTTP_DRAIN_WAIT,
            send_buffer_bytes: SEND_BUFFER_BYTES,
            receive_buffer_bytes: RECEIVE_BUFFER_BYTES,
            budget: Budget::default(),
            files: Files::keeping(0),
            door: Door::Http,
        }
    }
}

/// Serves `router` over HTTP/1 on every connection that `listener` accepts, until `stop`.
///
/// Every request carries a [`ClientAddress`](super::peer::ClientAddress) and an `Arc` of
/// [`Unauthenticated`] in its extensions; whoever accepts a token says so to the latter. When the machine has no file
/// descriptor left, accepting pauses and goes on by itself; open connections notice nothing.
///
/// At the stop no more connections are accepted, and this returns when every request under way was answered, at the
/// latest after [`drain_wait`](ListenerSettings::drain_wait), which cuts the rest. Connections that have become
/// WebSockets are none of its business any longer.
pub async fn serve(listener: TcpListener, router: Router, settings: ListenerSettings, stop: CancellationToken) {
    let drain_wait = settings.drain_wait;
    let house = Arc::new(House::new(settings));
    let exits = Exits { stop, cut: CancellationToken::new(), tasks: TaskTracker::new() };

    tokio::select! {
        () = exits.stop.cancelled() => {}
        () = house.accept_all(&listener, &router, &exits) => {}
    }
    drop(listener);
    exits.tasks.close();
    if timeout(drain_wait, exits.tasks.wait()).await.is_err() {
        warn!(requests = exits.tasks.len(), "requests that did not finish in time are cut");
        exits.cut.cancel();
        exits.tasks.wait().await;
    }
}

/// Bounds what the kernel holds for a connection, and lets it notice when the other end is gone.
fn tune(stream: &TcpStream, settings: &ListenerSettings) -> io::Result<()> {
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(15));
    let socket = SockRef::from(stream);
    socket.set_send_buffer_size(settings.send_buffer_bytes as usize)?;
    socket.set_recv_buffer_size(settings.receive_buffer_bytes as usize)?;
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_nodelay(true)
}

/// The ways a connection's task ends, besides the connection's own.
#[derive(Clone)]
pub(super) struct Exits {
    /// Finish what is under way.
    pub(super) stop: CancellationToken,
    /// Finish nothing.
    pub(super) cut: CancellationToken,
    tasks: TaskTracker,
}

/// What the connections of one listener share.
#[derive(Debug)]
pub(super) struct House {
    pub(super) settings: ListenerSettings,
    pub(super) guests: Arc<Guests>,
    pub(super) counts: Counts,
    places: Arc<Semaphore>,
    doorsteps: Arc<Semaphore>,
}

/// What is counted, for the metrics.
#[derive(Debug)]
pub(super) struct Counts {
    open: [Gauge; Door::ALL.len()],
    accepted: Counter,
    accept_errors: Counter,
    house_full: Counter,
    pub(super) address_full: Counter,
    pub(super) pauses: Counter,
}

impl Counts {
    fn new() -> Self {
        describe_gauge!(
            "switchboard_connections",
            "Connections that are open, by door; http is REST, polling and the page"
        );
        describe_counter!("switchboard_connections_accepted_total", "Connections that were accepted");
        describe_counter!(
            "switchboard_connections_turned_away_total",
            "Connections refused for want of room, by reason"
        );
        describe_counter!("switchboard_accept_errors_total", "Times that no connection could be accepted");
        describe_counter!("switchboard_websocket_pauses_total", "Pauses in reading a connection that sent too fast");
        let turned_away = |reason| counter!("switchboard_connections_turned_away_total", "reason" => reason);
        Self {
            open: Door::ALL.map(|door| gauge!("switchboard_connections", "door" => door.name())),
            accepted: counter!("switchboard_connections_accepted_total"),
            accept_errors: counter!("switchboard_accept_errors_total"),
            house_full: turned_away("connections"),
            address_full: turned_away("address"),
            pauses: counter!("switchboard_websocket_pauses_total"),
        }
    }
}

/// One of the places for connections, taken until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    open: Gauge,
}

impl Place {
    /// From now on it counts as one of this door.
    pub(super) fn move_to(&mut self, door: Door, counts: &Counts) {
        let there = counts.open[door as usize].clone();
        there.increment(1.0);
        std::mem::replace(&mut self.open, there).decrement(1.0);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.decrement(1.0);
    }
}

impl House {
    fn new(settings: ListenerSettings) -> Self {
        Self {
            guests: Guests::new(settings.guests_per_address_max),
            counts: Counts::new(),
            places: Arc::new(Semaphore::new(settings.connections_max.min(Semaphore::MAX_PERMITS))),
            doorsteps: Arc::new(Semaphore::new(TURNED_AWAY_MAX)),
            settings,
        }
    }

    async fn accept_all(self: &Arc<Self>, listener: &TcpListener, router: &Router, exits: &Exits) {
        let files = &self.settings.files;
        let mut warned = None;
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    self.counts.accepted.increment(1);
                    let is_last = files.is_last(&stream);
                    self.receive(stream, peer, router, exits);
                    if is_last {
                        let why = "the last file descriptor for connections is taken";
                        self.wait_for_files(listener, &why, &mut warned).await;
                    }
                }
                Err(error) if is_the_peers(&error) => debug!(%error, "a connection was gone before it was accepted"),
                Err(error) => self.wait_for_files(listener, &error, &mut warned).await,
            }
        }
    }

    /// Accepting fails, or must not go on, for want of file descriptors: trying again at once would only burn the
    /// processor. Pauses until there is one. Says so in the log, at most once a second.
    async fn wait_for_files(&self, listener: &TcpListener, why: &(dyn Display + Sync), warned: &mut Option<Instant>) {
        if warned.is_none_or(|at| at.elapsed() >= Duration::from_secs(1)) {
            *warned = Some(Instant::now());
            warn!(%why, "no connection is accepted; is the limit of open files (ulimit -n) too low?");
        }
        self.settings.files.set_short(true);
        let mut pause = ACCEPT_PAUSE_MIN;
        loop {
            self.counts.accept_errors.increment(1);
            sleep(pause).await;
            if self.settings.files.is_there_one(listener) {
                return;
            }
            pause = (2 * pause).min(ACCEPT_PAUSE_MAX);
        }
    }

    /// Lets a connection in, or turns it away.
    fn receive(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr, router: &Router, exits: &Exits) {
        let peer = peer.ip().to_canonical();
        if let Err(error) = tune(&stream, &self.settings) {
            return debug!(%error, "a connection was gone before it was let in");
        }
        let Some(place) = self.take_place() else {
            return self.turn_away(stream, &self.counts.house_full, exits);
        };
        let Ok(guest) = self.admit_peer(peer) else {
            return self.turn_away(stream, &self.counts.address_full, exits);
        };
        let reception = Reception::new(Arc::clone(self), router.clone(), peer, guest);
        exits.tasks.spawn(reception.serve(stream, place, exits.clone()));
    }

    fn take_place(&self) -> Option<Place> {
        let permit = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let open = self.counts.open[self.settings.door as usize].clone();
        open.increment(1.0);
        Some(Place { _permit: permit, open })
    }

    /// Counts the peer itself as a guest, unless it is a proxy of ours: then its requests are counted, each by itself.
    fn admit_peer(&self, peer: IpAddr) -> Result<Option<Arc<Unauthenticated>>, ()> {
        if is_trusted(peer, &self.settings.trusted_proxies) {
            return Ok(None);
        }
        self.guests.admit(peer).map(|guest| Some(Arc::new(guest))).ok_or(())
    }

    /// Says 503 without asking what was wanted. The bytes of the request must be read, or the answer would be lost in
    /// the reset that unread bytes cause; so there is a bound to how many are told at once.
    fn turn_away(&self, stream: TcpStream, reason: &Counter, exits: &Exits) {
        reason.increment(1);
        let Ok(doorstep) = Arc::clone(&self.doorsteps).try_acquire_owned() else { return };
        exits.tasks.spawn(async move {
            let _ = timeout(CLOSE_WAIT, say_busy(stream)).await;
            drop(doorstep);
        });
    }
}

/// What is said to whoever comes when the house, or their part of it, is full.
pub(super) fn busy() -> Refusal {
    Refusal::new(Code::Busy, "Too many connections; come back a little later.")
}

async fn say_busy(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(&refuse_raw(&busy())).await?;
    farewell(&mut stream).await
}

/// Ends our side, and reads what the other side still sends until it ends too, so that it can read our last words. The
/// caller bounds the time.
pub(super) async fn farewell(line: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin)) -> io::Result<()> {
    line.shutdown().await?;
    tokio::io::copy(&mut line.take(FAREWELL_BYTES_MAX), &mut tokio::io::sink()).await?;
    Ok(())
}

/// Whether an error of `accept` concerns only the connection that was to be accepted.
fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
