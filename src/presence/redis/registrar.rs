//! Keeps this node's registration: one task that writes, renews the lease, and begins anew whenever anything was lost.
//!
//! A registration is never mended. Whatever happened to it, the node registers all its users under another name, and only
//! then has the new lease replace the old one, in one step: so nobody is ever half there, and whoever sweeps up after the
//! old one cannot touch the new one.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use fred::error::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use super::post::Post;
use super::scripts::{self, Beat, Leases};
use super::sweeper::Dead;
use crate::model::limits::{PRESENCE_BATCH_USERS_MAX, PRESENCE_BEAT, PRESENCE_LEASE};
use crate::model::{Chance, Clock, NodeId, Timestamp};
use crate::redis::Session;

/// How long the next attempt waits after one that failed.
const PAUSE: Duration = Duration::from_millis(500);
/// Batches that are written at once when all users are registered.
const BATCHES_AT_ONCE: usize = 8;

pub(super) struct Registrar {
    post: Arc<Post>,
    chance: Arc<dyn Chance>,
    clock: Arc<dyn Clock>,
    /// How long the lease outlives a withdrawal.
    grace: Duration,
    dead: watch::Sender<Dead>,
    /// Under which name this node was registered last.
    former: Option<NodeId>,
    /// Other registrations whose lease held when they were last looked at.
    live: HashSet<NodeId>,
    /// Whether it is not known if the latest batch was written.
    is_unsure: bool,
}

/// Asks for the withdrawal; answered when it is done.
pub(super) type Withdrawal = oneshot::Sender<()>;

/// Why a registration is over.
enum Over {
    /// It must be made anew, on the same connection.
    Lost(&'static str),
    /// The connection is lost.
    Disconnected,
    /// Redis did not do what it was asked.
    Failed(Error),
    /// This node leaves.
    Withdrawn,
}

impl Registrar {
    pub(super) fn new(
        post: Arc<Post>,
        (clock, chance): (Arc<dyn Clock>, Arc<dyn Chance>),
        grace: Duration,
        dead: watch::Sender<Dead>,
    ) -> Self {
        Self { post, chance, clock, grace, dead, former: None, live: HashSet::new(), is_unsure: false }
    }

    /// Keeps this node registered until it is withdrawn.
    pub(super) async fn run(mut self, mut withdrawals: mpsc::Receiver<Withdrawal>) {
        let mut session = None;
        let began = Instant::now();
        loop {
            let now = match session.take() {
                Some(session) => session,
                None => tokio::select! {
                    session = self.post.line.up() => session,
                    // Nothing is to be had from Redis, so there is nothing to withdraw.
                    _ = withdrawals.recv() => return,
                },
            };
            if self.former.is_none() && began.elapsed() > PAUSE {
                // Redis was away when this node began: others may have lost it, too.
                self.post.begin_doubt();
            }
            let over = self.serve(&now, &mut withdrawals).await;
            self.post.set_registered(None);
            self.post.desk.ledger().lost();
            match over {
                Over::Lost(what) => {
                    self.post.desk.metrics.lease_lost.increment(1);
                    tracing::warn!(what, "presence was lost in Redis; registering all users again");
                    session = Some(now);
                }
                Over::Disconnected => tracing::warn!("presence is unknown until Redis is back"),
                Over::Failed(error) => {
                    tracing::warn!(%error, "presence could not be registered; trying again");
                    sleep(PAUSE).await;
                }
                Over::Withdrawn => return,
            }
            self.post.begin_doubt();
        }
    }

    async fn serve(&mut self, session: &Arc<Session>, withdrawals: &mut mpsc::Receiver<Withdrawal>) -> Over {
        let line = self.post.line.clone();
        tokio::select! {
            over = self.be_registered(session, withdrawals) => over,
            () = line.lost(session) => Over::Disconnected,
        }
    }

    async fn be_registered(&mut self, session: &Arc<Session>, withdrawals: &mut mpsc::Receiver<Withdrawal>) -> Over {
        let own = match self.register(session).await {
            Ok(own) => own,
            Err(error) => return Over::Failed(error),
        };
        let post = self.post.clone();
        let mut beats = interval(PRESENCE_BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let doubt_ends = post.doubt_ends();
            let over = tokio::select! {
                biased;
                _ = beats.tick() => self.beat(session, own).await,
                () = post.alarm.notified() => self.beat(session, own).await,
                Some(done) = withdrawals.recv() => Some(self.withdraw(session, own, done).await),
                () = sleep_until(doubt_ends.unwrap_or_else(Instant::now)), if doubt_ends.is_some() => {
                    post.end_doubt();
                    post.desk.doubt();
                    None
                }
                () = post.desk.rung() => {
                    self.write_some(session, own).await;
                    None
                }
            };
            if let Some(over) = over {
                return over;
            }
        }
    }

    /// Registers everybody, in a registration of its own, and then has it count.
    async fn register(&mut self, session: &Arc<Session>) -> Result<NodeId, Error> {
        let own = NodeId(self.chance.bits());
        let desk = self.post.desk.clone();
        desk.ledger().begin();
        // What is not found yet is not told yet.
        let mut written = Vec::new();
        scripts::write(session, own, &[]).await?;
        loop {
            let batches: Vec<_> = {
                let mut ledger = desk.ledger();
                (0..BATCHES_AT_ONCE).map(|_| ledger.next_batch(PRESENCE_BATCH_USERS_MAX)).collect()
            };
            let writes = batches.iter().filter(|batch| !batch.is_empty());
            futures_util::future::try_join_all(writes.map(|batch| scripts::write(session, own, batch))).await?;
            let is_done = batches.last().is_none_or(Vec::is_empty);
            written.extend(batches);
            if is_done {
                break;
            }
        }
        let former = self.former.replace(own);
        let asked_at = (self.clock.now(), Instant::now());
        let leases = scripts::beat(session, own, Beat::Begin { former }).await?;
        {
            let mut ledger = desk.ledger();
            written.into_iter().for_each(|batch| ledger.wrote(batch));
        }
        self.is_unsure = false;
        self.renewed(asked_at);
        self.post.set_registered(Some((own, session.clone())));
        desk.metrics.registrations.increment(1);
        desk.doubt();
        desk.ring();
        self.note(own, leases);
        if let Some(former) = former {
            // It expires by itself if this fails.
            let _ = scripts::remove(session, former).await;
        }
        Ok(own)
    }

    /// Writes what has changed, a batch at a time, so that a beat is never late.
    async fn write_some(&mut self, session: &Session, own: NodeId) {
        let desk = &self.post.desk;
        let batch = desk.ledger().next_batch(PRESENCE_BATCH_USERS_MAX);
        if batch.is_empty() {
            return;
        }
        let written = scripts::write(session, own, &batch).await;
        let mut ledger = desk.ledger();
        match written {
            Ok(()) => {
                ledger.wrote(batch);
                self.is_unsure = false;
                if ledger.has_unwritten() {
                    desk.ring();
                }
            }
            // It is the only one that writes there, in order: what holds then is written with the next beat.
            Err(error) => {
                tracing::debug!(%error, "presence could not be written; it is written again");
                ledger.unsure(batch);
                self.is_unsure = true;
            }
        }
    }

    /// Renews the lease and sees whether all is there.
    async fn beat(&mut self, session: &Session, own: NodeId) -> Option<Over> {
        let over = self.renew(session, own).await;
        let desk = &self.post.desk;
        if self.is_unsure {
            desk.ring();
        }
        match over {
            Ok(over) => over.map(Over::Lost),
            Err(error) => {
                desk.metrics.beats_failed.increment(1);
                tracing::debug!(%error, "the lease could not be renewed");
                None
            }
        }
    }

    async fn renew(&mut self, session: &Session, own: NodeId) -> Result<Option<&'static str>, Error> {
        let asked_at = (self.clock.now(), Instant::now());
        let leases = scripts::beat(session, own, Beat::Renew(PRESENCE_LEASE)).await?;
        if !leases.held {
            return Ok(Some("the lease"));
        }
        self.renewed(asked_at);
        self.note(own, leases);
        let written = self.post.desk.ledger().written();
        if scripts::keep(session, own).await? != Some(written) && !self.is_unsure {
            return Ok(Some("the users"));
        }
        // On a cluster, other servers may have what others registered, or have lost it.
        if session.is_clustered() && session.ask_identity().await.is_ok_and(|identity| identity != session.identity()) {
            return Ok(Some("the cluster's slots"));
        }
        Ok(None)
    }

    fn renewed(&self, (at, asked_at): (Timestamp, Instant)) {
        self.post.desk.metrics.renewed.set(at.0 as f64 / 1_000.0);
        self.post.set_renewed(asked_at);
    }

    /// Somebody's lease began or ended: everybody who is watched is asked about. The dead are swept up after, unless
    /// they may only be late.
    fn note(&mut self, own: NodeId, leases: Leases) {
        let live: HashSet<NodeId> = leases.live.into_iter().filter(|lease| *lease != own).collect();
        if live != self.live {
            self.live = live;
            self.post.desk.doubt();
        }
        if self.post.doubt_ends().is_none() && !leases.dead.is_empty() {
            self.dead.send_replace(leases.dead);
        }
    }

    /// Writes that everybody leaves, and lets the lease outlive the grace, so that they are found until then.
    async fn withdraw(&mut self, session: &Session, own: NodeId, done: Withdrawal) -> Over {
        while self.post.desk.ledger().has_unwritten() {
            self.write_some(session, own).await;
            if self.is_unsure {
                break;
            }
        }
        if let Err(error) = scripts::beat(session, own, Beat::Renew(self.grace + PRESENCE_BEAT)).await {
            tracing::debug!(%error, "the lease could not be prolonged; it ends by itself");
        }
        // Nobody waits for it any more? Then it is done all the same.
        let _ = done.send(());
        Over::Withdrawn
    }
}
