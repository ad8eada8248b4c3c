//! The receiving half: keeps a connection, keeps the subscriptions in force on it, and passes on what comes.

use std::sync::Arc;
use std::time::Duration;

use fred::interfaces::EventInterface;
use fred::types::Message;
use metrics::{Counter, Histogram};
use tokio::sync::broadcast;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::canary::Canary;
use super::roll::{Batch, Roll};
use super::wire::{self, Publication};
use crate::bus::Cause;
use crate::bus::channel::Channel;
use crate::bus::outlet::Outlet;
use crate::model::limits::{REDIS_IDENTITY_PERIOD, RENEWAL_PERIOD, SUBSCRIBE_CHANNELS_MAX};
use crate::redis::{Dialer, Lost, Session};

pub(super) struct Subscriber {
    roll: Arc<Roll>,
    outlet: Outlet,
    canary: Arc<Canary>,
    latency: Histogram,
    epochs: Counter,
    /// Who answered on the latest connection.
    identity: Option<String>,
}

impl Subscriber {
    pub(super) fn new(roll: Arc<Roll>, outlet: Outlet, canary: Arc<Canary>, epochs: Counter) -> Self {
        let latency = metrics::histogram!("switchboard_redis_ping_seconds", "line" => "subscriber");
        Self { roll, outlet, canary, latency, epochs, identity: None }
    }

    /// Serves `first`, if there is one, and then one session after the other.
    pub(super) async fn run(mut self, first: Option<Session>, mut dialer: Dialer) {
        let mut cause = None;
        let mut next = first;
        loop {
            let session = match next.take() {
                Some(session) => session,
                None => {
                    self.outlet.away();
                    let session = dialer.dial().await;
                    cause = Some(self.cause_of_return(&session));
                    session
                }
            };
            self.epochs.increment(1);
            self.identity = Some(session.identity().to_owned());
            let lost = tokio::select! {
                lost = session.watch(&self.latency) => lost,
                lost = self.serve(&session, cause) => lost,
                () = self.canary.finds_it_deaf() => session.end_because("nothing that is published comes back on it"),
            };
            tracing::warn!(%lost, "lost the subscriber connection to Redis; until it is back, other nodes are not heard");
            self.roll.hang_up();
        }
    }

    fn cause_of_return(&self, session: &Session) -> Cause {
        match &self.identity {
            Some(before) if before != session.identity() => Cause::Moved,
            _ => Cause::Reconnected,
        }
    }

    async fn serve(&self, session: &Session, cause: Option<Cause>) -> Lost {
        // Before the first subscription, so that nothing is missed.
        let messages = session.client().message_rx();
        tokio::select! {
            lost = self.forward(session, messages) => lost,
            lost = self.keep_subscribed(session, cause) => lost,
        }
    }

    /// Passes on what comes.
    async fn forward(&self, session: &Session, mut messages: broadcast::Receiver<Message>) -> Lost {
        loop {
            match messages.recv().await {
                Ok(message) => {
                    session.heard();
                    self.canary.overhears();
                    match wire::received(message) {
                        Some(Publication { channel: Channel::Canary(_), payload }) => self.canary.returns(&payload),
                        Some(publication) => self.outlet.hand_over(publication.channel, publication.payload),
                        None => {}
                    }
                }
                Err(broadcast::error::RecvError::Lagged(messages)) => self.outlet.lagged(messages),
                Err(broadcast::error::RecvError::Closed) => return session.end_because("closed"),
            }
        }
    }

    /// Makes all subscriptions, says so, and from then on does one thing at a time, so that the server hears things in
    /// the order in which they were decided: follow the roll, renew, follow the slots.
    async fn keep_subscribed(&self, session: &Session, cause: Option<Cause>) -> Lost {
        let kept = async {
            self.subscribe_to_all(session).await?;
            let mut owed = cause;
            let mut renewal = Renewal::starting();
            let mut known = session.identity().to_owned();
            let mut slots = interval(REDIS_IDENTITY_PERIOD);
            slots.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    // A connection that was made because the one before was deaf must show first that it is not.
                    () = self.canary.hears(), if owed.is_some() => self.is_back(owed.take()),
                    () = self.roll.rung() => self.follow_roll(session).await?,
                    () = sleep_until(renewal.due) => self.renew(session, &mut renewal).await?,
                    _ = slots.tick(), if session.is_clustered() => self.follow_slots(session, &mut known).await?,
                }
            }
        };
        match kept.await {
            Ok(never) => never,
            Err(lost) => lost,
        }
    }

    fn is_back(&self, cause: Option<Cause>) {
        if let Some(cause) = cause {
            tracing::info!(cause = cause.name(), "the subscriber connection to Redis is back");
            self.outlet.doubt(cause);
        }
    }

    async fn subscribe_to_all(&self, session: &Session) -> Result<(), Lost> {
        let mut left = self.roll.start_over();
        while left > 0 {
            let batch = self.roll.next(SUBSCRIBE_CHANNELS_MAX);
            left = left.saturating_sub(batch.len().max(1));
            self.tell(session, batch).await?;
        }
        Ok(())
    }

    async fn follow_roll(&self, session: &Session) -> Result<(), Lost> {
        loop {
            let batch = self.roll.next(SUBSCRIBE_CHANNELS_MAX);
            if batch.len() == 0 {
                return Ok(());
            }
            self.tell(session, batch).await?;
        }
    }

    async fn tell(&self, session: &Session, batch: Batch) -> Result<(), Lost> {
        wire::unsubscribe(session, &batch.leave).await?;
        wire::subscribe(session, &batch.join).await?;
        self.roll.confirm(&batch.join);
        Ok(())
    }

    /// Makes some subscriptions again that should be in force anyway: heals what a server forgot.
    async fn renew(&self, session: &Session, renewal: &mut Renewal) -> Result<(), Lost> {
        let channels = self.roll.still_in_force(renewal.next(|| self.roll.in_force()));
        wire::subscribe(session, &channels).await
    }

    /// Asks a cluster how its slots lie. When that changed, the server has dropped the subscriptions of those that moved
    /// and the client library kept that to itself.
    async fn follow_slots(&self, session: &Session, known: &mut String) -> Result<(), Lost> {
        let Ok(slots) = session.ask_identity().await else {
            return Ok(()); // whether the cluster is there is the pings' business
        };
        if *known != slots {
            tracing::info!("slots of the Redis Cluster moved; subscribing to everything again");
            session.follow_slots().await?;
            *known = slots;
            self.subscribe_to_all(session).await?;
            self.outlet.doubt(Cause::Moved);
        }
        Ok(())
    }
}

/// Goes through everybody, a piece at a time, once in each [`RENEWAL_PERIOD`].
struct Renewal {
    left: Vec<Channel>,
    due: Instant,
    pause: Duration,
}

impl Renewal {
    fn starting() -> Self {
        Self { left: Vec::new(), due: Instant::now() + RENEWAL_PERIOD, pause: RENEWAL_PERIOD }
    }

    fn next(&mut self, everybody: impl FnOnce() -> Vec<Channel>) -> Vec<Channel> {
        if self.left.is_empty() {
            self.left = everybody();
            let pieces = self.left.len().div_ceil(SUBSCRIBE_CHANNELS_MAX).max(1);
            self.pause = RENEWAL_PERIOD / u32::try_from(pieces).unwrap_or(u32::MAX);
        }
        self.due = Instant::now() + self.pause;
        self.left.split_off(self.left.len().saturating_sub(SUBSCRIBE_CHANNELS_MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_renewal_reaches_everybody_once_in_its_period() {
        let user = |number| Channel::User(format!("user{number}").parse().unwrap());
        let everybody: Vec<Channel> = (0..1_234).map(user).collect();
        let mut renewal = Renewal::starting();
        sleep_until(renewal.due).await;
        let began = Instant::now();
        let mut seen = HashSet::new();
        while seen.len() < everybody.len() {
            sleep_until(renewal.due).await;
            let piece = renewal.next(|| everybody.clone());
            assert!((1..=SUBSCRIBE_CHANNELS_MAX).contains(&piece.len()));
            seen.extend(piece);
        }
        assert!(began.elapsed() < RENEWAL_PERIOD);
        assert_eq!(seen, everybody.into_iter().collect());
    }

    #[tokio::test(start_paused = true)]
    async fn with_nobody_to_renew_it_rests() {
        let mut renewal = Renewal::starting();
        assert!(renewal.next(Vec::new).is_empty());
        assert_eq!(renewal.due - Instant::now(), RENEWAL_PERIOD);
    }
}
