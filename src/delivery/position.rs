//! Where a session is in one conversation, and the one decision about every message.

use crate::model::Seq;

/// A session's place in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Position {
    /// Everything up to here was shown. None until it is known where the session starts.
    pub(super) shown: Option<Seq>,
    /// The highest place known to exist.
    pub(super) wanted: Seq,
    /// Whether the conversation is among those to be read from the store.
    pub(super) listed: bool,
    /// Whether it is a group, of which the session's user may not see everything.
    pub(super) group: bool,
}

/// What to do with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the next one.
    Show,
    /// It was shown.
    Drop,
    /// Something before it is missing.
    Want,
}

impl Position {
    /// The one decision. `starts_here` says that everything before the message is older than what the session is owed.
    pub(super) fn offer(&mut self, seq: Seq, starts_here: bool) -> Verdict {
        self.wanted = self.wanted.max(seq);
        if self.shown.is_none() && (seq == Seq(1) || starts_here) {
            self.shown = Some(seq.previous());
        }
        match self.shown {
            Some(shown) if seq <= shown => Verdict::Drop,
            Some(shown) if seq == shown.next() => Verdict::Show,
            _ => Verdict::Want,
        }
    }

    /// The message at `seq` was shown: the one after everything shown so far.
    pub(super) fn advance_to(&mut self, seq: Seq) {
        self.shown = Some(self.shown.map_or(seq, |shown| shown.max(seq)));
        self.wanted = self.wanted.max(seq);
    }

    /// Whether something that exists was not shown.
    pub(super) fn is_behind(&self) -> bool {
        self.shown.is_none_or(|shown| shown < self.wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_session_that_starts_in_the_middle_is_shown_what_follows() {
        let mut position = Position::default();
        assert_eq!(position.offer(Seq(7), false), Verdict::Want, "where does it start?");
        let mut position = Position::default();
        assert_eq!(position.offer(Seq(7), true), Verdict::Show);
        let mut position = Position::default();
        assert_eq!(position.offer(Seq(1), false), Verdict::Show, "nothing can be before the first");
    }

    proptest! {
        /// Whatever arrives, however often and in whatever order: what is shown is 1, 2, 3 …, each once.
        #[test]
        fn shows_each_message_once_and_in_order(arrivals in proptest::collection::vec(1_u64..20, 0..200)) {
            let mut position = Position { shown: Some(Seq::ZERO), ..Position::default() };
            let mut shown = Vec::new();
            for seq in arrivals.iter().copied().map(Seq) {
                if position.offer(seq, false) == Verdict::Show {
                    position.advance_to(seq);
                    shown.push(seq.0);
                }
            }
            let expected: Vec<u64> = (1..=shown.len() as u64).collect();
            prop_assert_eq!(shown, expected);
            let highest = arrivals.iter().max().copied().unwrap_or(0);
            prop_assert_eq!(position.is_behind(), position.shown < Some(Seq(highest)));
        }
    }
}
