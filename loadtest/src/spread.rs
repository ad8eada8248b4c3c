//! How far apart in time the members of a group are shown the same message.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use switchboard::model::{ConversationId, Seq};

use crate::latency::{Latencies, Span};

/// Messages on their way to the members of groups that are all of the same size.
#[derive(Debug)]
pub(crate) struct Spread {
    /// Members who are to be shown each.
    readers: u64,
    /// Those that were not shown to all of them yet.
    open: Mutex<HashMap<(ConversationId, Seq), Open>>,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    first: u64,
    last: u64,
    shown: u64,
}

impl Spread {
    pub(crate) fn new(readers: u64) -> Self {
        Self { readers, open: Mutex::default() }
    }

    /// One more member is shown a message, at that microsecond, so many after it was due. With the last of them it is
    /// known how long all of them took.
    pub(crate) fn shown(&self, message: (ConversationId, Seq), took: u64, at: u64, latencies: &Latencies) {
        if let Some(Open { first, last, .. }) = self.add(message, at) {
            latencies.record(Span::Spread, last - first);
            latencies.record(Span::Everybody, took + (last - at));
        }
    }

    fn add(&self, message: (ConversationId, Seq), at: u64) -> Option<Open> {
        let mut all = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let open = all.entry(message).or_insert(Open { first: at, last: at, shown: 0 });
        *open = Open { first: open.first.min(at), last: open.last.max(at), shown: open.shown + 1 };
        let is_whole = open.shown >= self.readers;
        let open = *open;
        is_whole.then(|| all.remove(&message).unwrap_or(open))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_with_the_last_member_of_each_group() {
        let message = |talk, seq| (ConversationId::from_bytes([talk; 16]), Seq(seq));
        let (spread, latencies) = (Spread::new(3), Latencies::begin().unwrap());
        for (talk, seq, at) in [(1, 1, 1_000), (2, 1, 1_500), (1, 1, 4_000), (2, 1, 1_600), (1, 2, 9_000)] {
            spread.shown(message(talk, seq), at, at, &latencies);
        }
        assert_eq!(latencies.of(Span::Spread).count, 0, "nobody was shown anything whole");
        // Whoever was shown it first may be heard of last.
        spread.shown(message(1, 1), 500, 500, &latencies);
        spread.shown(message(2, 1), 1_700, 1_700, &latencies);
        let (spreads, wholes) = (latencies.of(Span::Spread), latencies.of(Span::Everybody));
        assert_eq!((spreads.count, wholes.count), (2, 2));
        assert!((spreads.max_ms - 3.5).abs() < 0.01 && (wholes.max_ms - 4.0).abs() < 0.01, "{spreads:?} {wholes:?}");
    }
}
