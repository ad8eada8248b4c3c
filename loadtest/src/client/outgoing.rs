//! The sends of one conversation that have no answer yet, in order. A send that was refused for now holds up those
//! behind it, as the protocol has it: they are refused as well, and all come back in their order.

use std::collections::VecDeque;
use std::time::Duration;

use switchboard::model::{ClientKey, UserId};
use tokio::time::Instant;

/// One send.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) to: UserId,
    pub(crate) key: ClientKey,
    pub(crate) text: String,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Written,
    Refused,
}

/// The sends of one conversation.
#[derive(Debug)]
pub(crate) struct Queue {
    sends: VecDeque<Outgoing>,
    not_before: Instant,
}

impl Queue {
    pub(crate) fn new(now: Instant) -> Self {
        Self { sends: VecDeque::new(), not_before: now }
    }

    pub(crate) fn push(&mut self, to: UserId, key: ClientKey, text: String) {
        self.sends.push_back(Outgoing { to, key, text, state: State::Waiting });
    }

    /// The next send to write, if one may be written now. It then waits for its answer.
    pub(crate) fn write_next(&mut self, now: Instant) -> Option<&Outgoing> {
        if now < self.not_before || self.is_held_up() {
            return None;
        }
        let next = self.sends.iter_mut().find(|send| send.state == State::Waiting)?;
        next.state = State::Written;
        Some(next)
    }

    /// When a send may be written, if only time is in its way.
    pub(crate) fn due(&self) -> Option<Instant> {
        let waits = self.sends.iter().any(|send| send.state == State::Waiting);
        (waits && !self.is_held_up()).then_some(self.not_before)
    }

    /// A send was answered for good; answers whether it waited for that.
    pub(crate) fn answered(&mut self, key: &ClientKey) -> bool {
        let found = self.sends.iter().position(|send| send.key == *key);
        if let Some(index) = found {
            self.sends.remove(index);
        }
        self.begin_again_if_all_answered();
        found.is_some()
    }

    /// A send was refused for now. It comes back after `wait`, and only when all others are answered as well.
    pub(crate) fn refused(&mut self, key: &ClientKey, now: Instant, wait: Duration) {
        if let Some(send) = self.sends.iter_mut().find(|send| send.key == *key) {
            send.state = State::Refused;
            self.not_before = self.not_before.max(now + wait);
        }
        self.begin_again_if_all_answered();
    }

    /// The connection is lost: what was written may or may not have arrived, so all of it comes again. Answers how many
    /// were in flight.
    pub(crate) fn connection_lost(&mut self) -> u64 {
        let mut in_flight = 0;
        for send in &mut self.sends {
            in_flight += u64::from(send.state == State::Written);
            send.state = State::Waiting;
        }
        in_flight
    }

    fn is_held_up(&self) -> bool {
        self.sends.iter().any(|send| send.state == State::Refused)
    }

    fn begin_again_if_all_answered(&mut self) {
        if !self.sends.iter().any(|send| send.state == State::Written) {
            self.sends.iter_mut().for_each(|send| send.state = State::Waiting);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(keys: &[&str]) -> (Queue, Instant) {
        let now = Instant::now();
        let mut queue = Queue::new(now);
        for key in keys {
            queue.push("bob".parse().unwrap(), key.parse().unwrap(), String::new());
        }
        (queue, now)
    }

    fn written(queue: &mut Queue, now: Instant) -> Vec<String> {
        std::iter::from_fn(|| queue.write_next(now).map(|send| send.key.to_string())).collect()
    }

    #[test]
    fn after_a_refusal_nothing_is_written_until_all_are_answered_and_then_all_in_order() {
        let (mut queue, now) = queue(&["1", "2", "3"]);
        assert_eq!(written(&mut queue, now), ["1", "2", "3"]);
        queue.push("bob".parse().unwrap(), "4".parse().unwrap(), String::new());
        queue.refused(&"2".parse().unwrap(), now, Duration::from_secs(1));
        assert!(queue.answered(&"1".parse().unwrap()));
        assert_eq!(written(&mut queue, now + Duration::from_secs(2)), [""; 0], "3 is not answered yet");
        queue.refused(&"3".parse().unwrap(), now, Duration::ZERO);
        assert_eq!(written(&mut queue, now), [""; 0], "a second was asked for");
        assert_eq!(queue.due(), Some(now + Duration::from_secs(1)));
        assert_eq!(written(&mut queue, now + Duration::from_secs(1)), ["2", "3", "4"]);
    }

    #[test]
    fn a_lost_connection_brings_everything_back_in_order() {
        let (mut queue, now) = queue(&["1", "2"]);
        assert_eq!(written(&mut queue, now), ["1", "2"]);
        queue.push("bob".parse().unwrap(), "3".parse().unwrap(), String::new());
        assert_eq!(queue.connection_lost(), 2);
        assert_eq!(written(&mut queue, now), ["1", "2", "3"]);
    }
}
