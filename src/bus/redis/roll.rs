//! Who should be subscribed, and who is. No I/O: one task asks what to do next and reports what was done.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use metrics::Gauge;
use tokio::sync::{Notify, oneshot};

use crate::bus::channel::Channel;

/// The roll of subscribed channels. About 40 bytes for each besides its name, which it shares with everybody else.
pub(super) struct Roll {
    state: Mutex<State>,
    /// Rung when there is something to do.
    bell: Notify,
    subscriptions: Gauge,
}

#[derive(Default)]
struct State {
    /// Whether there is a connection to make subscriptions on.
    up: bool,
    entries: HashMap<Channel, Entry>,
    /// Whose entries the task must look at, in order; each once, so as long as the roll at most.
    queue: VecDeque<Channel>,
    /// Who waits for a subscription to be in force.
    waiting: HashMap<Channel, Vec<oneshot::Sender<()>>>,
}

#[derive(Clone, Copy)]
struct Entry {
    standing: Standing,
    queued: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Wanted, and not known to be in force.
    Asked,
    /// In force.
    InForce,
    /// Not wanted any more; the server does not know yet.
    Left,
}

/// What to tell the server next.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    /// Whom to subscribe to.
    pub(super) join: Vec<Channel>,
    /// Whom to unsubscribe from.
    pub(super) leave: Vec<Channel>,
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.join.len() + self.leave.len()
    }
}

impl Roll {
    pub(super) fn new(subscriptions: Gauge) -> Self {
        Self { state: Mutex::default(), bell: Notify::new(), subscriptions }
    }

    /// Enters a channel. Gives what to wait for until the subscription is in force or the connection is lost; nothing
    /// when there is nothing to wait for.
    pub(super) fn enter(&self, channel: &Channel) -> Option<oneshot::Receiver<()>> {
        let mut state = self.state();
        match state.entries.get_mut(channel).map(|entry| &mut entry.standing) {
            Some(Standing::InForce) => return None,
            Some(Standing::Asked) => {}
            Some(left) => {
                *left = Standing::Asked; // still queued, so that the server is told
                self.subscriptions.increment(1.0);
            }
            None => {
                state.entries.insert(channel.clone(), Entry { standing: Standing::Asked, queued: false });
                self.subscriptions.increment(1.0);
                if state.up {
                    self.enqueue(&mut state, channel);
                }
            }
        }
        state.up.then(|| {
            let (release, released) = oneshot::channel();
            state.waiting.entry(channel.clone()).or_default().push(release);
            released
        })
    }

    /// Strikes a channel off.
    pub(super) fn strike(&self, channel: &Channel) {
        let mut state = self.state();
        let Some(entry) = state.entries.get_mut(channel).filter(|entry| entry.standing != Standing::Left) else {
            return;
        };
        entry.standing = Standing::Left;
        self.subscriptions.decrement(1.0);
        state.waiting.remove(channel);
        if state.up {
            self.enqueue(&mut state, channel);
        } else {
            state.entries.remove(channel);
        }
    }

    fn enqueue(&self, state: &mut State, channel: &Channel) {
        if let Some(entry) = state.entries.get_mut(channel).filter(|entry| !entry.queued) {
            entry.queued = true;
            state.queue.push_back(channel.clone());
            self.bell.notify_one();
        }
    }

    /// Waits until there is something to do.
    pub(super) async fn rung(&self) {
        self.bell.notified().await;
    }

    /// Begins anew: whatever the server knew, everybody is to be told to it again. Gives how many that are.
    pub(super) fn start_over(&self) -> usize {
        let mut state = self.state();
        let State { up, entries, queue, .. } = &mut *state;
        *up = true;
        queue.clear();
        queue.extend(entries.keys().cloned());
        for entry in entries.values_mut() {
            entry.queued = true;
            if entry.standing == Standing::InForce {
                entry.standing = Standing::Asked;
            }
        }
        queue.len()
    }

    /// The connection is lost: nothing is in force, and there is nothing to wait for.
    pub(super) fn hang_up(&self) {
        let mut state = self.state();
        let State { up, entries, queue, waiting } = &mut *state;
        *up = false;
        *waiting = HashMap::new();
        *queue = VecDeque::new();
        entries.retain(|_, entry| entry.standing != Standing::Left);
        entries.values_mut().for_each(|entry| *entry = Entry { standing: Standing::Asked, queued: false });
    }

    /// The next at most `most` entries to act on, in this order: leave, then join. Gives how many were taken.
    pub(super) fn next(&self, most: usize) -> Batch {
        let mut state = self.state();
        let mut batch = Batch::default();
        for _ in 0..most {
            let Some(channel) = state.queue.pop_front() else { break };
            let Some(entry) = state.entries.get_mut(&channel) else { continue };
            entry.queued = false;
            if entry.standing == Standing::Left {
                state.entries.remove(&channel);
                batch.leave.push(channel);
            } else {
                batch.join.push(channel);
            }
        }
        if state.queue.is_empty() && state.queue.capacity() > 4 * most {
            state.queue = VecDeque::new();
        }
        batch
    }

    /// The server has done what was asked for these: they are in force, unless they were struck off meanwhile.
    pub(super) fn confirm(&self, joined: &[Channel]) {
        let mut state = self.state();
        for channel in joined {
            let Some(entry) = state.entries.get_mut(channel) else { continue };
            if entry.standing == Standing::Asked && !entry.queued {
                entry.standing = Standing::InForce;
                for waiter in state.waiting.remove(channel).into_iter().flatten() {
                    waiter.send(()).ok(); // who does not wait any more does not care
                }
            }
        }
    }

    /// Every channel whose subscription is in force.
    pub(super) fn in_force(&self) -> Vec<Channel> {
        let state = self.state();
        let in_force = state.entries.iter().filter(|(_, entry)| entry.standing == Standing::InForce);
        in_force.map(|(channel, _)| channel.clone()).collect()
    }

    /// Those of `channels` whose subscription is still in force.
    pub(super) fn still_in_force(&self, mut channels: Vec<Channel>) -> Vec<Channel> {
        let state = self.state();
        channels.retain(|channel| state.entries.get(channel).is_some_and(|entry| entry.standing == Standing::InForce));
        channels
    }

    /// Runs `judge` with what is known of channels, under one lock.
    pub(super) fn with<T>(&self, judge: impl FnOnce(&Known<'_>) -> T) -> T {
        judge(&Known(&self.state()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the roll says of a channel at one moment.
pub(super) struct Known<'a>(&'a State);

impl Known<'_> {
    /// Whether this node subscribes to the channel, in force or not.
    pub(super) fn wants(&self, channel: &Channel) -> bool {
        self.0.entries.get(channel).is_some_and(|entry| entry.standing != Standing::Left)
    }

    /// Whether the subscription to the channel is in force.
    pub(super) fn hears(&self, channel: &Channel) -> bool {
        self.0.entries.get(channel).is_some_and(|entry| entry.standing == Standing::InForce)
    }

    /// Whether this node subscribes to the channel and the server is not known to have heard of it.
    pub(super) fn misses(&self, channel: &Channel) -> bool {
        self.0.entries.get(channel).is_some_and(|entry| entry.standing == Standing::Asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roll() -> Roll {
        Roll::new(metrics::gauge!("test"))
    }

    fn channel(name: &str) -> Channel {
        Channel::User(name.parse().unwrap())
    }

    fn joins(channels: &[&str]) -> Batch {
        Batch { join: channels.iter().map(|name| channel(name)).collect(), leave: Vec::new() }
    }

    fn leaves(channels: &[&str]) -> Batch {
        Batch { join: Vec::new(), leave: channels.iter().map(|name| channel(name)).collect() }
    }

    fn nothing() -> Batch {
        Batch::default()
    }

    #[test]
    fn a_subscriber_waits_until_it_is_in_force_and_not_again() {
        let roll = roll();
        roll.start_over();
        let mut waits = [roll.enter(&channel("ann")).unwrap(), roll.enter(&channel("ann")).unwrap()];
        let batch = roll.next(10);
        assert_eq!(batch, joins(&["ann"]), "twice is once");
        let late = roll.enter(&channel("ann")).unwrap();
        assert!(waits[0].try_recv().is_err());
        roll.confirm(&batch.join);
        assert!(waits.iter_mut().chain([&mut { late }]).all(|wait| wait.try_recv().is_ok()));
        assert!(roll.enter(&channel("ann")).is_none());
        assert_eq!(roll.next(10), nothing());
    }

    #[test]
    fn while_the_connection_is_down_nobody_waits() {
        let roll = roll();
        assert!(roll.enter(&channel("ann")).is_none());
        roll.enter(&channel("bob"));
        roll.strike(&channel("bob"));
        assert_eq!(roll.start_over(), 1);
        assert_eq!(roll.next(10), joins(&["ann"]));
        let wait = roll.enter(&channel("ann")).unwrap();
        roll.hang_up();
        assert!(wait.blocking_recv().is_err(), "released, though not in force");
        assert!(roll.with(|known| known.misses(&channel("ann"))));
    }

    #[test]
    fn the_last_word_counts() {
        let roll = roll();
        roll.start_over();
        let ann = channel("ann");
        let _wait = roll.enter(&ann);
        roll.strike(&ann);
        let _wait = roll.enter(&ann);
        let batch = roll.next(10);
        assert_eq!(batch, joins(&["ann"]), "still one entry");
        roll.strike(&ann); // while the server is being told
        roll.confirm(&batch.join);
        assert!(!roll.with(|known| known.wants(&ann)));
        assert_eq!(roll.next(10), leaves(&["ann"]));
        let _wait = roll.enter(&ann);
        roll.strike(&ann);
        assert_eq!(roll.next(10), leaves(&["ann"]), "the server may have heard of it");
        roll.strike(&ann);
        assert_eq!(roll.next(10), nothing());
    }

    #[test]
    fn struck_off_and_entered_again_while_the_server_is_told_is_told_again() {
        let roll = roll();
        roll.start_over();
        let ann = channel("ann");
        let _wait = roll.enter(&ann);
        let batch = roll.next(10);
        roll.strike(&ann);
        let mut wait = roll.enter(&ann).unwrap();
        roll.confirm(&batch.join);
        assert!(wait.try_recv().is_err());
        let batch = roll.next(10);
        assert_eq!(batch, joins(&["ann"]));
        roll.confirm(&batch.join);
        assert!(wait.try_recv().is_ok());
    }

    #[test]
    fn starting_over_tells_everything_again_in_bounded_pieces() {
        let roll = roll();
        roll.start_over();
        for number in 0..25 {
            let _wait = roll.enter(&channel(&format!("channel{number}")));
        }
        let batch = roll.next(10);
        assert_eq!(batch.join.len(), 10);
        roll.confirm(&batch.join);
        roll.strike(&batch.join[0]);
        assert_eq!(roll.start_over(), 25, "24 to join and one to leave");
        assert!(roll.in_force().is_empty());
        let taken: Vec<Batch> = std::iter::repeat_with(|| roll.next(10)).take(4).collect();
        assert_eq!(taken.iter().map(|batch| batch.join.len()).sum::<usize>(), 24);
        assert_eq!(taken.iter().map(|batch| batch.leave.len()).sum::<usize>(), 1);
        assert_eq!(taken[3], nothing());
    }

    #[test]
    fn only_what_is_in_force_is_renewed() {
        let roll = roll();
        roll.start_over();
        for name in ["ann", "bob", "eve"] {
            let _wait = roll.enter(&channel(name));
        }
        roll.confirm(&roll.next(2).join);
        let renew = roll.in_force();
        assert_eq!(renew.len(), 2);
        roll.strike(&channel("ann"));
        assert_eq!(roll.still_in_force(renew), [channel("bob")]);
    }
}
