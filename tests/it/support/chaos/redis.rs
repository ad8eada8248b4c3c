//! Faults in single Redis messages and subscriptions.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::support::resp::{self, Values};

/// How long [`Fault::done`] waits; then the test fails, for the fault it is about did not happen.
const DONE_WAIT: Duration = Duration::from_secs(30);

/// What is done to a message or a subscription.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Effect {
    Swallow,
    Duplicate,
    Swap,
    SwallowSubscribe,
}

/// A fault that was ordered; tells whether it has happened.
pub(crate) struct Fault {
    left: watch::Receiver<usize>,
}

impl Fault {
    /// How many times it is still to happen.
    pub(crate) fn left(&self) -> usize {
        *self.left.borrow()
    }

    /// Waits until it has happened as often as ordered. Panics when it has not within 30 s.
    pub(crate) async fn done(&mut self) {
        let done = timeout(DONE_WAIT, self.left.wait_for(|&left| left == 0)).await;
        done.expect("the fault happens").expect("the fault happens before the proxy heals");
    }
}

/// The faults that are ordered, shared by all connections of a proxy.
#[derive(Clone, Default)]
pub(super) struct Rules {
    rules: Arc<Mutex<Vec<Rule>>>,
}

struct Rule {
    effect: Effect,
    channel: Bytes,
    left: watch::Sender<usize>,
}

impl Rules {
    pub(super) fn add(&self, effect: Effect, channel: &str, count: usize) -> Fault {
        let (left, fault) = watch::channel(count);
        let channel = Bytes::copy_from_slice(channel.as_bytes());
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).push(Rule { effect, channel, left });
        Fault { left: fault }
    }

    pub(super) fn clear(&self) {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Uses one rule for this channel up, if there is one; gives the text by which it chose the channel.
    fn take(&self, effect: Effect, channel: &[u8]) -> Option<Bytes> {
        let rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fitting = rules.iter().filter(|rule| rule.effect == effect && contains(channel, &rule.channel));
        let rule = fitting.find(|rule| *rule.left.borrow() > 0)?;
        rule.left.send_modify(|left| *left -= 1);
        Some(rule.channel.clone())
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}

/// Which way a stream goes.
#[derive(Clone, Copy)]
pub(super) enum Side {
    /// From the client to the server.
    Commands,
    /// From the server to the client.
    Answers,
}

/// One direction of a connection, seen as Redis values.
pub(super) struct Filter {
    side: Side,
    rules: Rules,
    values: Values,
    /// A message that waits for the next one, and the text by which its channel was chosen.
    held: Option<(Bytes, Bytes)>,
}

impl Filter {
    pub(super) fn new(side: Side, rules: Rules) -> Self {
        Self { side, rules, values: Values::default(), held: None }
    }

    /// What goes on to the other side, now that these bytes have come. An error when they are not Redis'.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> io::Result<Bytes> {
        self.values.push(bytes);
        let mut out = BytesMut::new();
        while let Some(value) = self.values.next().map_err(|_| io::Error::other("not the Redis protocol"))? {
            match self.side {
                Side::Commands => out.extend_from_slice(&self.command(value)),
                Side::Answers => self.answer(value, &mut out),
            }
        }
        Ok(out.freeze())
    }

    fn command(&self, value: Bytes) -> Bytes {
        let words = resp::texts(&value);
        let Some((name, channels)) = words.split_first() else { return value };
        if !name.eq_ignore_ascii_case(b"SUBSCRIBE") && !name.eq_ignore_ascii_case(b"SSUBSCRIBE") {
            return value;
        }
        let is_kept = |channel: &&&[u8]| self.rules.take(Effect::SwallowSubscribe, channel).is_none();
        let kept: Vec<&[u8]> = channels.iter().filter(is_kept).copied().collect();
        match kept.len() {
            all if all == channels.len() => value,
            0 => Bytes::new(),
            _ => resp::command(&[&[*name], kept.as_slice()].concat()),
        }
    }

    fn answer(&mut self, value: Bytes, out: &mut BytesMut) {
        let Some(channel) = channel_of_message(&value) else { return out.extend_from_slice(&value) };
        if self.rules.take(Effect::Swallow, &channel).is_some() {
            return;
        }
        if let Some((earlier, _)) = self.held.take_if(|(_, chosen_by)| contains(&channel, chosen_by)) {
            out.extend_from_slice(&value);
            out.extend_from_slice(&earlier);
            return;
        }
        if self.held.is_none()
            && let Some(chosen_by) = self.rules.take(Effect::Swap, &channel)
        {
            self.held = Some((value, chosen_by));
            return;
        }
        out.extend_from_slice(&value);
        if self.rules.take(Effect::Duplicate, &channel).is_some() {
            out.extend_from_slice(&value);
        }
    }
}

/// The channel of a published message: an array of three in RESP 2, a push of three in RESP 3.
fn channel_of_message(value: &Bytes) -> Option<Bytes> {
    if !value.starts_with(b"*3") && !value.starts_with(b">3") {
        return None;
    }
    match resp::texts(value).as_slice() {
        [b"message" | b"smessage", channel, _] => Some(value.slice_ref(channel)),
        _ => None,
    }
}
