//! Where a client is in one conversation: the highest place up to which it was shown everything, by `sent` and by
//! `message` together.

use std::collections::BTreeSet;

use switchboard::model::Seq;

/// A place in a conversation.
#[derive(Debug, Default)]
pub(crate) struct Place {
    /// Everything from where the client began up to here was shown. None before the first `message`.
    shown: Option<Seq>,
    /// Own messages beyond it: what is between was not shown yet.
    ahead: BTreeSet<Seq>,
}

impl Place {
    /// What a client hands back when it returns.
    pub(crate) fn cursor(&self) -> Option<Seq> {
        self.shown
    }

    /// An own message is stored here.
    pub(crate) fn sent(&mut self, seq: Seq) {
        if self.shown.is_none_or(|shown| seq > shown) {
            self.ahead.insert(seq);
            if seq == Seq(1) {
                self.shown = self.shown.max(Some(Seq::ZERO));
            }
        }
        self.close_up();
    }

    /// A message arrived. Answers whether it is new.
    pub(crate) fn message(&mut self, seq: Seq) -> bool {
        let is_new = self.shown.is_none_or(|shown| seq > shown) && !self.ahead.contains(&seq);
        if is_new {
            self.shown.get_or_insert(seq.previous());
            self.ahead.insert(seq);
        }
        self.close_up();
        is_new
    }

    fn close_up(&mut self) {
        let Some(shown) = &mut self.shown else { return };
        while self.ahead.first().is_some_and(|first| *first <= shown.next()) {
            *shown = self.ahead.pop_first().map_or(*shown, |first| first.max(*shown));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_is_the_highest_without_a_hole() {
        let mut place = Place::default();
        place.sent(Seq(5));
        assert_eq!(place.cursor(), None, "others' messages before it may not have been shown");
        assert!(place.message(Seq(3)));
        assert_eq!(place.cursor(), Some(Seq(3)));
        assert!(place.message(Seq(4)));
        assert_eq!(place.cursor(), Some(Seq(5)));
        assert!(!place.message(Seq(4)));
        assert!(!place.message(Seq(5)), "shown by `sent`");
        place.sent(Seq(6));
        assert_eq!(place.cursor(), Some(Seq(6)));
    }

    #[test]
    fn nothing_is_before_the_first() {
        let mut place = Place::default();
        place.sent(Seq(1));
        assert_eq!(place.cursor(), Some(Seq(1)));
    }
}
