//! The sends of one conversation that have no answer yet, in order. A send that was refused for now holds up those
//! behind it, as the protocol has it: they are refused as well, and all come back in their order.

use std::collections::VecDeque;
use std::time::Duration;

use switchboard::model::{ClientKey, ConversationId, UserId};
use tokio::time::Instant;

/// Whom a message is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Person(UserId),
    /// All members of a group.
    Group(ConversationId),
}

/// One send.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) to: Address,
    pub(crate) talk: ConversationId,
    pub(crate) key: ClientKey,
    pub(crate) text: String,
    /// When it was due, in microseconds after the run began.
    pub(crate) due_micros: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Written,
    Refused,
}

impl Address {
    /// Where a message of somebody to there belongs.
    pub(crate) fn talk(&self, sender: &UserId) -> ConversationId {
        match self {
            Self::Person(person) => ConversationId::direct(sender, person),
            Self::Group(group) => *group,
        }
    }
}

impl Outgoing {
    pub(crate) fn new(to: Address, talk: ConversationId, key: ClientKey, text: String, due_micros: u64) -> Self {
        Self { to, talk, key, text, due_micros, state: State::Waiting }
    }
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

    pub(crate) fn push(&mut self, send: Outgoing) {
        self.sends.push_back(send);
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

    /// A send was answered for good; it, if it waited for that.
    pub(crate) fn answered(&mut self, key: &ClientKey) -> Option<Outgoing> {
        let found = self.sends.iter().position(|send| send.key == *key);
        let answered = found.and_then(|index| self.sends.remove(index));
        self.begin_again_if_all_answered();
        answered
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
            queue.push(send(key.parse().unwrap()));
        }
        (queue, now)
    }

    fn send(key: ClientKey) -> Outgoing {
        let talk = ConversationId::from_bytes([1; 16]);
        Outgoing::new(Address::Person("bob".parse().unwrap()), talk, key, String::new(), 0)
    }

    fn written(queue: &mut Queue, now: Instant) -> Vec<String> {
        std::iter::from_fn(|| queue.write_next(now).map(|send| send.key.to_string())).collect()
    }

    #[test]
    fn after_a_refusal_nothing_is_written_until_all_are_answered_and_then_all_in_order() {
        let (mut queue, now) = queue(&["1", "2", "3"]);
        assert_eq!(written(&mut queue, now), ["1", "2", "3"]);
        queue.push(send("4".parse().unwrap()));
        queue.refused(&"2".parse().unwrap(), now, Duration::from_secs(1));
        assert!(queue.answered(&"1".parse().unwrap()).is_some());
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
        queue.push(send("3".parse().unwrap()));
        assert_eq!(queue.connection_lost(), 2);
        assert_eq!(written(&mut queue, now), ["1", "2", "3"]);
    }
}
