//! One life of a connection to Redis.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::{ClientLike, ClusterInterface};
use fred::types::cluster::ClusterRouting;
use fred::types::config::{Options, Server};
use fred::types::{InfoKind, Value};
use futures_util::future::try_join_all;
use metrics::Histogram;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::RedisSettings;
use crate::model::limits::{
    REDIS_IDENTITY_PERIOD, REDIS_OPEN_WAIT, REDIS_PING_PERIOD, REDIS_PONG_WAIT, REDIS_SILENCE_MAX,
};

/// The identity of whatever is not a master.
const REPLICA: &str = "replica";

/// Why a session is over, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lost(Arc<str>);

impl Lost {
    fn because(reason: impl fmt::Display) -> Self {
        Self(reason.to_string().into())
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A live connection (on a cluster: one to each master). It ends once and for all, by itself or by [`Session::end`];
/// dropping it closes the connection.
pub(crate) struct Session {
    client: Client,
    identity: String,
    clustered: bool,
    end: watch::Sender<Option<Lost>>,
    heard: AtomicU64,
    _driver: AbortOnDropHandle<()>,
}

impl Session {
    /// Connects, and asks who answers. Takes at most [`REDIS_OPEN_WAIT`].
    ///
    /// # Errors
    /// When nobody answers, the answer is a refusal, or the server is a replica.
    pub(crate) async fn open(settings: &RedisSettings, backlog: usize) -> Result<Self, Lost> {
        let client = settings.client(backlog);
        let end = watch::Sender::new(None);
        let driver = AbortOnDropHandle::new(tokio::spawn(drive(client.clone(), end.clone())));
        let clustered = settings.is_cluster();
        let mut session =
            Self { client, identity: String::new(), clustered, end, heard: AtomicU64::new(0), _driver: driver };
        let opening = async {
            // Commands wait for the connection, so the first answer says that it is there.
            session.client.with_options(&patience()).ping::<()>(None).await.map_err(Lost::because)?;
            session.ask_identity().await
        };
        session.identity = tokio::select! {
            identity = timeout(REDIS_OPEN_WAIT, opening) => identity.map_err(|_| Lost::because("no answer"))??,
            lost = session.ended() => return Err(lost),
        };
        if session.identity == REPLICA {
            return Err(Lost::because("a replica answers at this address; waiting for a master"));
        }
        Ok(session)
    }

    /// Whether there are several masters.
    pub(crate) fn is_clustered(&self) -> bool {
        self.clustered
    }

    /// The client, for commands. They fail after [`REDIS_COMMAND_WAIT`](crate::model::limits::REDIS_COMMAND_WAIT).
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Who answered when the session began: a run of a server, or an arrangement of a cluster's slots. Two sessions
    /// with different identities do not speak to the same Redis.
    pub(crate) fn identity(&self) -> &str {
        &self.identity
    }

    /// Notes that something came from the server, which is therefore alive.
    pub(crate) fn heard(&self) {
        self.heard.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until Redis has done everything that was sent before this, on every connection.
    ///
    /// # Errors
    /// As [`Session::answer`].
    pub(crate) async fn barrier(&self) -> Result<(), Lost> {
        let pings = self.masters().into_iter().map(|master| {
            let client = self.client.with_options(&Options { cluster_node: master, ..patience() });
            async move { client.ping::<()>(None).await }
        });
        self.answer(try_join_all(pings)).await.map(drop)
    }

    /// Waits for an answer for as long as the server shows that it lives. The commands themselves should have
    /// [`patience`].
    ///
    /// # Errors
    /// When Redis is silent for [`REDIS_SILENCE_MAX`] or answers with an error. The session is over then.
    pub(crate) async fn answer<T>(&self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Lost> {
        tokio::pin!(answer);
        let answered = loop {
            let heard = self.heard.load(Ordering::Relaxed);
            match timeout(REDIS_SILENCE_MAX, &mut answer).await {
                Ok(answered) => break answered.map_err(Lost::because),
                // Messages still come: it is not gone, only slow, and a new connection would make it slower.
                Err(_) if self.heard.load(Ordering::Relaxed) != heard => {}
                Err(_) => break Err(Lost::because(format!("no answer for {REDIS_SILENCE_MAX:?}"))),
            }
        };
        answered.inspect_err(|lost| self.end(lost.clone()))
    }

    /// Every master of a cluster, or "the only one".
    fn masters(&self) -> Vec<Option<Server>> {
        match self.client.cached_cluster_state() {
            Some(cluster) if self.clustered => cluster.unique_primary_nodes().into_iter().map(Some).collect(),
            _ => vec![None],
        }
    }

    /// Who answers now; see [`Session::identity`].
    ///
    /// # Errors
    /// When nobody does.
    pub(crate) async fn ask_identity(&self) -> Result<String, Lost> {
        if self.clustered { self.ask_slots().await } else { self.ask_run().await }
    }

    async fn ask_run(&self) -> Result<String, Lost> {
        let replication: String = self.client.info(Some(InfoKind::Replication)).await.map_err(Lost::because)?;
        if field(&replication, "role") == "slave" {
            return Ok(REPLICA.to_owned());
        }
        let server: String = self.client.info(Some(InfoKind::Server)).await.map_err(Lost::because)?;
        Ok(format!("{}/{}", field(&server, "run_id"), field(&replication, "master_replid")))
    }

    async fn ask_slots(&self) -> Result<String, Lost> {
        let slots: Value = self.client.cluster_slots().await.map_err(Lost::because)?;
        // The default host stands where a node does not know its own: any constant will do for comparing.
        let routing = ClusterRouting::from_cluster_slots(slots, "?").map_err(Lost::because)?;
        Ok(routing.slots().iter().map(|range| format!("{}-{}@{};", range.start, range.end, range.primary)).collect())
    }

    /// Follows the slots of a cluster to where they lie now.
    ///
    /// # Errors
    /// When the cluster cannot be asked or a master cannot be reached. The session is over then.
    pub(crate) async fn follow_slots(&self) -> Result<(), Lost> {
        let followed = timeout(REDIS_OPEN_WAIT, self.client.sync_cluster()).await;
        let followed = followed.map_err(Lost::because).and_then(|followed| followed.map_err(Lost::because));
        followed.inspect_err(|lost| self.end(lost.clone()))
    }

    /// Ends the session.
    pub(crate) fn end(&self, lost: Lost) {
        self.end.send_if_modified(|end| end.is_none() && end.replace(lost).is_none());
    }

    /// Ends the session and gives what it ended of.
    pub(crate) fn end_because(&self, reason: impl fmt::Display) -> Lost {
        let lost = Lost::because(reason);
        self.end(lost.clone());
        lost
    }

    /// Waits for the end.
    async fn ended(&self) -> Lost {
        let mut end = self.end.subscribe();
        let lost = end.wait_for(Option::is_some).await;
        lost.ok().and_then(|lost| lost.clone()).unwrap_or_else(|| Lost::because("closed"))
    }

    /// Keeps watch until the session is over: pings all the time, and now and then asks a lone server whether it is
    /// still the one it was.
    pub(crate) async fn watch(&self, latency: &Histogram) -> Lost {
        tokio::select! {
            lost = self.ended() => lost,
            lost = self.keep_pinging(latency) => lost,
            lost = self.keep_asking() => lost,
        }
    }

    async fn keep_pinging(&self, latency: &Histogram) -> Lost {
        let mut ticks = every(REDIS_PING_PERIOD);
        loop {
            ticks.tick().await;
            let sent = Instant::now();
            if let Err(lost) = self.barrier().await {
                return lost;
            }
            latency.record(sent.elapsed());
        }
    }

    async fn keep_asking(&self) -> Lost {
        let mut ticks = every(REDIS_IDENTITY_PERIOD);
        loop {
            ticks.tick().await;
            if self.clustered {
                continue; // slots move in a live cluster; whoever cares follows them
            }
            match self.ask_identity().await {
                Ok(identity) if identity == self.identity => {}
                Ok(_) => return Lost::because("another server answers"),
                // A slow answer is the pings' business.
                Err(lost) => tracing::debug!(%lost, "Redis did not say who it is"),
            }
        }
    }
}

/// Options for commands whose answer may take longer than usual, because much comes before it.
pub(crate) fn patience() -> Options {
    Options { timeout: Some(REDIS_PONG_WAIT), ..Options::default() }
}

/// Runs the connection until it breaks.
async fn drive(client: Client, end: watch::Sender<Option<Lost>>) {
    let ended = AbortOnDropHandle::new(client.connect()).await;
    let lost = match ended {
        Ok(Err(error)) => Lost::because(error),
        Ok(Ok(())) | Err(_) => Lost::because("closed"),
    };
    end.send_if_modified(|end| end.is_none() && end.replace(lost).is_none());
}

fn every(period: Duration) -> tokio::time::Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// A field of what INFO answers; empty when it is not there.
fn field<'a>(info: &'a str, name: &str) -> &'a str {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_info_are_found() {
        let info = "# Replication\r\nrole:master\r\nmaster_replid:77aa\r\nmaster_replid2:00\r\n";
        assert_eq!(field(info, "role"), "master");
        assert_eq!(field(info, "master_replid"), "77aa");
        assert_eq!(field(info, "run_id"), "");
    }
}
