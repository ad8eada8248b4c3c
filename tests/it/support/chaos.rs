//! A TCP proxy that misbehaves on demand: [`Chaos::before`] any server, [`Chaos::before_redis`] with faults in single
//! Redis messages as well.

use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use self::pump::pump;
use self::redis::{Effect, Filter, Rules, Side};
use super::ports::free_port;

mod pump;
mod redis;
#[cfg(test)]
mod tests;

pub(crate) use self::redis::Fault;

/// How long the proxy may take to do as it was told; then the test fails.
const OBEY_WAIT: Duration = Duration::from_secs(10);
/// How many ports are tried when others take the ones we chose.
const PORT_ATTEMPTS: usize = 20;

/// A proxy on a port of its own before a server on loopback. Dropping it drops its connections.
pub(crate) struct Chaos {
    port: u16,
    shared: Arc<Shared>,
    doorkeeper: JoinHandle<()>,
}

/// What the connections look at.
struct Shared {
    server: u16,
    weather: watch::Sender<Weather>,
    /// Every connection holds a receiver of the sender that was here when it began, so that a cut can tell all of
    /// them and wait until all of them are gone.
    connected: Mutex<watch::Sender<Option<Ending>>>,
    listening: watch::Sender<bool>,
    /// None before a server that does not speak Redis.
    rules: Option<Rules>,
}

/// What every connection goes through now.
#[derive(Clone, Copy, Default)]
struct Weather {
    refusing: bool,
    stalled: bool,
    delay: Duration,
}

/// How a connection is dropped.
#[derive(Clone, Copy, PartialEq)]
enum Ending {
    /// RST to both sides; what was under way is lost.
    Reset,
    /// FIN to both sides.
    HangUp,
}

impl Chaos {
    /// A proxy before any server on 127.0.0.1.
    pub(crate) async fn before(port: u16) -> Self {
        Self::listen(port, None).await
    }

    /// A proxy before a Redis server: it reads what passes and can lose, double and reorder single messages.
    pub(crate) async fn before_redis(port: u16) -> Self {
        Self::listen(port, Some(Rules::default())).await
    }

    async fn listen(server: u16, rules: Option<Rules>) -> Self {
        let mut attempts = 0;
        let (port, listener) = loop {
            let port = free_port();
            match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
                Ok(listener) => break (port, listener),
                Err(error) if attempts == PORT_ATTEMPTS => panic!("no port for a proxy: {error}"),
                Err(_) => attempts += 1,
            }
        };
        let shared = Arc::new(Shared {
            server,
            weather: watch::Sender::new(Weather::default()),
            connected: Mutex::new(watch::Sender::new(None)),
            listening: watch::Sender::new(true),
            rules,
        });
        let doorkeeper = tokio::spawn(keep_door(shared.clone(), port, listener));
        Self { port, shared, doorkeeper }
    }

    /// The proxy's port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Drops every connection with RST, as a crashed server or a firewall does; new ones are let in. They are gone
    /// when this returns.
    pub(crate) async fn cut(&self) {
        self.end(Ending::Reset).await;
    }

    /// Drops every connection with FIN, as a server that closes does; new ones are let in.
    pub(crate) async fn hang_up(&self) {
        self.end(Ending::HangUp).await;
    }

    /// Drops every connection with RST and refuses new ones, as a machine without the server does, until
    /// [`Chaos::heal`].
    pub(crate) async fn refuse(&self) {
        self.change(|weather| weather.refusing = true).await;
        self.end(Ending::Reset).await;
    }

    /// A silent partition until [`Chaos::heal`]: connections stay, new ones seem to succeed, nothing passes either
    /// way. What was held back arrives afterwards, as TCP would send it again.
    pub(crate) async fn stall(&self) {
        self.change(|weather| weather.stalled = true).await;
    }

    /// Everything takes this much longer, each way, from now until [`Chaos::heal`].
    pub(crate) async fn delay(&self, delay: Duration) {
        self.change(|weather| weather.delay = delay).await;
    }

    /// Ends every fault, the unused ones in single messages too.
    pub(crate) async fn heal(&self) {
        if let Some(rules) = &self.shared.rules {
            rules.clear();
        }
        self.change(|weather| *weather = Weather::default()).await;
    }

    /// Loses the next `count` messages on channels whose name contains `channel`.
    pub(crate) fn swallow_messages(&self, channel: &str, count: usize) -> Fault {
        self.rules().add(Effect::Swallow, channel, count)
    }

    /// Delivers each of the next `count` messages on channels whose name contains `channel` twice.
    pub(crate) fn duplicate_messages(&self, channel: &str, count: usize) -> Fault {
        self.rules().add(Effect::Duplicate, channel, count)
    }

    /// Holds a message on a channel whose name contains `channel` back until the next such message of that connection
    /// has passed, `count` times. Without a next one it is lost.
    pub(crate) fn swap_messages(&self, channel: &str, count: usize) -> Fault {
        self.rules().add(Effect::Swap, channel, count)
    }

    /// Loses the next `count` subscriptions to channels whose name contains `channel`, on their way to the server. The
    /// client gets no answer for them; other channels in the same command are subscribed.
    pub(crate) fn swallow_subscribe(&self, channel: &str, count: usize) -> Fault {
        self.rules().add(Effect::SwallowSubscribe, channel, count)
    }

    fn rules(&self) -> &Rules {
        self.shared.rules.as_ref().expect("faults in Redis messages need `Chaos::before_redis`")
    }

    async fn change(&self, change: impl FnOnce(&mut Weather)) {
        self.shared.weather.send_modify(change);
        let refusing = self.shared.weather.borrow().refusing;
        let mut listening = self.shared.listening.subscribe();
        let obeyed = timeout(OBEY_WAIT, listening.wait_for(|&listening| listening != refusing)).await;
        obeyed.expect("the proxy opens and closes its door as it is told").expect("the sender is ours");
    }

    async fn end(&self, ending: Ending) {
        let ended = self.shared.begin_afresh(ending);
        timeout(OBEY_WAIT, ended.closed()).await.expect("the proxy drops its connections");
    }
}

impl Drop for Chaos {
    fn drop(&mut self) {
        self.doorkeeper.abort();
        self.shared.begin_afresh(Ending::Reset);
    }
}

impl Shared {
    /// Tells every connection how to end; those that come now belong to a new generation.
    fn begin_afresh(&self, ending: Ending) -> watch::Sender<Option<Ending>> {
        let mut connected = self.connected.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = std::mem::replace(&mut *connected, watch::Sender::new(None));
        ended.send_replace(Some(ending));
        ended
    }

    fn join(&self) -> watch::Receiver<Option<Ending>> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner).subscribe()
    }
}

/// Lets connections in, and shuts the port while the weather says so.
async fn keep_door(shared: Arc<Shared>, port: u16, mut listener: TcpListener) {
    let mut weather = shared.weather.subscribe();
    loop {
        tokio::select! {
            biased;
            () = until(&mut weather, |weather| weather.refusing) => {
                drop(listener);
                shared.listening.send_replace(false);
                until(&mut weather, |weather| !weather.refusing).await;
                let opened = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
                listener = opened.expect("nobody took the proxy's port while it refused connections");
                shared.listening.send_replace(true);
            }
            accepted = listener.accept() => {
                let (client, _) = accepted.expect("a listener accepts");
                tokio::spawn(carry(shared.clone(), shared.join(), client));
            }
        }
    }
}

/// One connection, from its beginning until either side or a cut ends it.
async fn carry(shared: Arc<Shared>, mut ending: watch::Receiver<Option<Ending>>, mut client: TcpStream) {
    let dialled = tokio::select! {
        dialled = dial(&shared) => dialled.ok(),
        _ = ended(&mut ending) => None,
    };
    let Some(mut server) = dialled else {
        // There is nobody to speak to. All that a proxy can do is to drop the client the hard way.
        let _ = client.set_zero_linger();
        return;
    };
    let how = tokio::select! {
        biased;
        how = ended(&mut ending) => how,
        how = exchange(&shared, &mut client, &mut server) => how,
    };
    if how == Ending::Reset {
        let _ = client.set_zero_linger();
        let _ = server.set_zero_linger();
    }
    // Both sides are dropped before the receiver, so that who waits for the end finds them gone.
    drop((client, server));
    drop(ending);
}

async fn dial(shared: &Shared) -> io::Result<TcpStream> {
    until(&mut shared.weather.subscribe(), |weather| !weather.stalled).await;
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, shared.server)).await?;
    server.set_nodelay(true)?;
    Ok(server)
}

/// Carries bytes both ways until both sides have finished, or one of them breaks.
async fn exchange(shared: &Shared, client: &mut TcpStream, server: &mut TcpStream) -> Ending {
    let _ = client.set_nodelay(true);
    let filter = |side| shared.rules.as_ref().map(|rules| Filter::new(side, rules.clone()));
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let there = pump(from_client, to_server, filter(Side::Commands), shared.weather.subscribe());
    let back = pump(from_server, to_client, filter(Side::Answers), shared.weather.subscribe());
    match tokio::try_join!(there, back) {
        Ok(_) => Ending::HangUp,
        Err(_) => Ending::Reset,
    }
}

async fn until(weather: &mut watch::Receiver<Weather>, is_so: impl FnMut(&Weather) -> bool) {
    // An error would mean that the weather's sender is gone; it lives as long as the connections.
    let _ = weather.wait_for(is_so).await;
}

async fn ended(ending: &mut watch::Receiver<Option<Ending>>) -> Ending {
    ending.wait_for(Option::is_some).await.ok().and_then(|ending| *ending).unwrap_or(Ending::Reset)
}
