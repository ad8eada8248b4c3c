//! The sending half: one task that publishes in batches, several of them on their way at once.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc;
use tokio::task::coop::unconstrained;

use super::roll::Roll;
use super::wire::{self, Publication};
use crate::bus::metrics::BusMetrics;
use crate::bus::outlet::Outlet;
use crate::model::limits::{PUBLISH_BATCH_MAX, PUBLISH_BATCHES_MAX};
use crate::redis::{Line, Session};

pub(super) struct Publisher {
    line: Line,
    roll: Arc<Roll>,
    outlet: Outlet,
    metrics: BusMetrics,
    /// Whether the latest batch failed, so that a failure that lasts is told once.
    failing: bool,
}

/// What became of a batch.
struct Sent {
    batch: Vec<Publication>,
    failure: Option<fred::error::Error>,
}

impl Publisher {
    pub(super) fn new(line: Line, roll: Arc<Roll>, outlet: Outlet, metrics: BusMetrics) -> Self {
        Self { line, roll, outlet, metrics, failing: false }
    }

    /// Publishes what comes out of `queue`, until it is closed.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Publication>) {
        let mut on_their_way: FuturesUnordered<BoxFuture<'static, Sent>> = FuturesUnordered::new();
        let mut batch = Vec::with_capacity(PUBLISH_BATCH_MAX);
        loop {
            tokio::select! {
                Some(sent) = on_their_way.next() => self.settle(sent),
                count = queue.recv_many(&mut batch, PUBLISH_BATCH_MAX), if on_their_way.len() < PUBLISH_BATCHES_MAX => {
                    if count == 0 {
                        return;
                    }
                    self.metrics.waiting.set(queue.len() as f64);
                    self.metrics.batch.record(count as f64);
                    let batch = std::mem::replace(&mut batch, Vec::with_capacity(PUBLISH_BATCH_MAX));
                    match self.line.session() {
                        None => self.drop_away(&batch),
                        Some(session) => {
                            // The first poll queues its commands, when no budget stops it halfway: polled now, batches
                            // go out in their order.
                            let mut sending = unconstrained(send(session, batch)).boxed();
                            match (&mut sending).now_or_never() {
                                Some(sent) => self.settle(sent),
                                None => on_their_way.push(sending),
                            }
                        }
                    }
                }
            }
        }
    }

    fn drop_away(&self, batch: &[Publication]) {
        self.metrics.away.increment(batch.len() as u64);
        self.hand_over(batch, |known, publication| known.wants(&publication.channel));
    }

    /// What failed is never sent again, because it may have arrived. Our own users get it from us, perhaps for the
    /// second time; and while a subscription of ours is not in force, they get from us what will not come back.
    fn settle(&mut self, sent: Sent) {
        let failed_before = std::mem::replace(&mut self.failing, sent.failure.is_some());
        let Some(error) = sent.failure else {
            return self.hand_over(&sent.batch, |known, publication| known.misses(&publication.channel));
        };
        if !failed_before {
            tracing::warn!(%error, "publishing to Redis fails; other nodes find the messages in the store, later");
        }
        self.metrics.failed.increment(sent.batch.len() as u64);
        self.hand_over(&sent.batch, |known, publication| known.wants(&publication.channel));
    }

    fn hand_over(&self, batch: &[Publication], ours: impl Fn(&super::roll::Known<'_>, &Publication) -> bool) {
        let ours: Vec<&Publication> =
            self.roll.with(|known| batch.iter().filter(|publication| ours(known, publication)).collect());
        for Publication { channel, payload } in ours {
            self.outlet.hand_over(channel.clone(), payload.clone());
        }
    }
}

async fn send(session: Arc<Session>, batch: Vec<Publication>) -> Sent {
    let failure = wire::publish(&session, &batch).await.err();
    Sent { batch, failure }
}
