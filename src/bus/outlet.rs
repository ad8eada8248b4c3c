//! The sending end of a node's events. It never waits and never forgets to say that something was lost.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc::{self, error::TrySendError};

use super::channel::Channel;
use super::metrics::BusMetrics;
use super::{BusEvent, Cause};
use crate::model::UserId;
use crate::model::limits::{BUS_EVENTS_MAX, NODE_FRAMES_MAX};

/// Where a bus puts what it has for its node. Cheap to clone.
#[derive(Clone)]
pub(super) struct Outlet(Arc<Inner>);

struct Inner {
    queue: mpsc::Sender<BusEvent>,
    state: Mutex<State>,
    /// Where frames for this node go, once somebody listens.
    frames: Mutex<Option<mpsc::Sender<Bytes>>>,
    metrics: BusMetrics,
}

/// What happened so far. All sending is done under its lock, so that the counts are exact.
#[derive(Default)]
struct State {
    /// Whether the bus is away: every loss is then covered by the `Doubt` that will end it.
    away: bool,
    /// `Away` or `Doubt` that found no room, and that a task is waiting to deliver.
    owed: Option<BusEvent>,
    /// Events ever put into the queue.
    pushed: u64,
    /// How many had been put there with the latest `Doubt`. 0 when there was none.
    doubted: u64,
}

impl Outlet {
    /// The outlet, and the receiving end of [`BUS_EVENTS_MAX`] places.
    pub(super) fn new(metrics: BusMetrics) -> (Self, mpsc::Receiver<BusEvent>) {
        let (queue, events) = mpsc::channel(BUS_EVENTS_MAX);
        (Self(Arc::new(Inner { queue, state: Mutex::default(), frames: Mutex::default(), metrics })), events)
    }

    /// Hands over what came on a channel.
    pub(super) fn hand_over(&self, channel: Channel, payload: Bytes) {
        match channel {
            Channel::User(user) => self.message(user, payload),
            Channel::Node(_) => self.frame(payload),
            Channel::Everyone => self.event(BusEvent::Broadcast { payload }),
            // What a node says to itself is nobody's news.
            Channel::Canary(_) => {}
        }
    }

    /// From now on, frames for this node go here; whoever listened before hears no more.
    pub(super) fn listen(&self) -> mpsc::Receiver<Bytes> {
        let (sender, frames) = mpsc::channel(NODE_FRAMES_MAX);
        *self.0.frames.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        frames
    }

    /// Hands over a frame for this node. Without room it is dropped: who sent it sends it again.
    fn frame(&self, frame: Bytes) {
        let listener = self.0.frames.lock().unwrap_or_else(PoisonError::into_inner);
        if listener.as_ref().is_some_and(|listener| listener.try_send(frame).is_err()) {
            self.0.metrics.frames_dropped.increment(1);
        }
    }

    /// Hands over a message.
    pub(super) fn message(&self, user: UserId, payload: Bytes) {
        self.event(BusEvent::Message { user, payload });
    }

    /// Hands over what was published. Without room it is dropped, and the node is in doubt.
    fn event(&self, event: BusEvent) {
        let mut state = self.state();
        match self.push(&mut state, event) {
            Ok(()) => self.0.metrics.events.increment(1),
            Err(_) => {
                self.0.metrics.lagged.increment(1);
                self.lag(&mut state);
            }
        }
    }

    /// Says that `messages` were lost on the way here.
    pub(super) fn lagged(&self, messages: u64) {
        self.0.metrics.lagged.increment(messages);
        self.lag(&mut self.state());
    }

    /// Says that the bus is away. Saying it twice is saying it once.
    pub(super) fn away(&self) {
        let mut state = self.state();
        if !state.away {
            state.away = true;
            self.0.metrics.is_away.set(1.0);
            self.tell(&mut state, BusEvent::Away);
        }
    }

    /// Whether the bus is away.
    pub(super) fn is_away(&self) -> bool {
        self.state().away
    }

    /// Says that messages may have been lost; the bus is not away.
    pub(super) fn doubt(&self, cause: Cause) {
        let mut state = self.state();
        state.away = false;
        self.0.metrics.is_away.set(0.0);
        self.0.metrics.doubt(cause);
        self.tell(&mut state, BusEvent::Doubt(cause));
    }

    /// One `Doubt` covers every loss until the node takes it out of the queue, because it asks the store after that.
    fn lag(&self, state: &mut State) {
        let waiting = (self.0.queue.max_capacity() - self.0.queue.capacity()) as u64;
        let taken = state.pushed.saturating_sub(waiting);
        let covered = state.away || state.owed.is_some() || taken < state.doubted;
        if !covered {
            self.0.metrics.doubt(Cause::Lagged);
            self.tell(state, BusEvent::Doubt(Cause::Lagged));
        }
    }

    /// Puts `event` into the queue now, or as soon as there is room. Of several that wait, the latest counts.
    fn tell(&self, state: &mut State, event: BusEvent) {
        if state.owed.is_some() {
            state.owed = Some(event);
        } else if let Err(event) = self.push(state, event) {
            state.owed = Some(event);
            tokio::spawn(self.clone().pay());
        }
    }

    async fn pay(self) {
        let room = self.0.queue.reserve().await;
        let mut state = self.state();
        if let (Some(event), Ok(room)) = (state.owed.take(), room) {
            state.note(&event);
            room.send(event);
        }
    }

    fn push(&self, state: &mut State, event: BusEvent) -> Result<(), BusEvent> {
        match self.0.queue.try_reserve() {
            Ok(room) => {
                state.note(&event);
                room.send(event);
                Ok(())
            }
            Err(TrySendError::Full(())) => Err(event),
            // The node is gone: there is nobody to tell.
            Err(TrySendError::Closed(())) => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn note(&mut self, event: &BusEvent) {
        self.pushed += 1;
        if matches!(event, BusEvent::Doubt(_)) {
            self.doubted = self.pushed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAGGED: BusEvent = BusEvent::Doubt(Cause::Lagged);

    fn outlet() -> (Outlet, mpsc::Receiver<BusEvent>) {
        Outlet::new(BusMetrics::new())
    }

    fn fill(outlet: &Outlet, messages: usize) {
        for _ in 0..messages {
            outlet.message("ann".parse().unwrap(), Bytes::new());
        }
    }

    async fn drain(events: &mut mpsc::Receiver<BusEvent>) -> Vec<BusEvent> {
        let mut taken = Vec::new();
        loop {
            tokio::task::yield_now().await; // the debt is paid by another task
            match events.try_recv() {
                Ok(event) => taken.push(event),
                Err(_) => return taken,
            }
        }
    }

    fn doubts(events: &[BusEvent]) -> usize {
        events.iter().filter(|event| **event == LAGGED).count()
    }

    #[tokio::test]
    async fn an_overflow_is_told_once_as_soon_as_there_is_room() {
        let (outlet, mut events) = outlet();
        fill(&outlet, BUS_EVENTS_MAX + 10);
        events.recv().await.unwrap();
        tokio::task::yield_now().await;
        assert_eq!(events.len(), BUS_EVENTS_MAX, "the first room was taken for the doubt");
        fill(&outlet, 10); // covered by the doubt that nobody has seen yet
        let seen = drain(&mut events).await;
        assert_eq!(seen.last(), Some(&LAGGED));
        assert_eq!(doubts(&seen), 1);
        fill(&outlet, 1);
        assert_eq!(doubts(&drain(&mut events).await), 0, "with room there is nothing to doubt");
    }

    #[tokio::test]
    async fn a_loss_after_the_doubt_was_taken_is_another_doubt() {
        let (outlet, mut events) = outlet();
        for _ in 0..3 {
            fill(&outlet, BUS_EVENTS_MAX + 1);
            assert_eq!(doubts(&drain(&mut events).await), 1);
        }
    }

    #[tokio::test]
    async fn a_node_that_is_always_too_slow_is_not_flooded_with_doubts() {
        let (outlet, mut events) = outlet();
        let mut seen = Vec::new();
        for _ in 0..2 * BUS_EVENTS_MAX {
            fill(&outlet, 3);
            seen.extend(events.recv().await);
        }
        assert!((1..=3).contains(&doubts(&seen)), "{} doubts in two turns of the queue", doubts(&seen));
    }

    #[tokio::test]
    async fn a_loss_while_away_does_not_end_the_absence() {
        let (outlet, mut events) = outlet();
        outlet.away();
        outlet.away();
        fill(&outlet, BUS_EVENTS_MAX + 10);
        outlet.lagged(5);
        let seen = drain(&mut events).await;
        assert_eq!(seen[0], BusEvent::Away);
        assert!(seen[1..].iter().all(|event| matches!(event, BusEvent::Message { .. })));
        outlet.doubt(Cause::Reconnected);
        assert_eq!(drain(&mut events).await, [BusEvent::Doubt(Cause::Reconnected)]);
    }

    #[tokio::test]
    async fn without_room_the_latest_state_is_told() {
        let (outlet, mut events) = outlet();
        fill(&outlet, BUS_EVENTS_MAX);
        outlet.away();
        outlet.doubt(Cause::Moved);
        outlet.away();
        let seen = drain(&mut events).await;
        assert_eq!(seen.len(), BUS_EVENTS_MAX + 1);
        assert_eq!(seen.last(), Some(&BusEvent::Away));
    }

    #[tokio::test]
    async fn a_node_that_is_gone_is_nobodys_trouble() {
        let (outlet, events) = outlet();
        fill(&outlet, BUS_EVENTS_MAX + 1);
        drop(events);
        fill(&outlet, 1);
        outlet.away();
    }
}
