//! What a session is owed because it was dropped, or passed by while its client was away: how conversations stand.

use std::collections::BTreeSet;

use tokio::time::Instant;

use crate::model::ConversationId;
use crate::model::limits::{CURSORS_MAX, RECEIPTS_OWED_MAX};

/// The conversations, if there are any; most sessions are owed nothing.
#[derive(Debug, Default)]
pub(super) struct Owed(Option<Box<Debt>>);

#[derive(Debug)]
struct Debt {
    conversations: BTreeSet<ConversationId>,
    not_before: Instant,
}

impl Owed {
    /// More of them, to be told of not before a time. Those beyond the bound are forgotten.
    pub(super) fn add(&mut self, more: impl IntoIterator<Item = ConversationId>, not_before: Instant) {
        for conversation in more {
            let debt = self.0.get_or_insert_with(|| Box::new(Debt { conversations: BTreeSet::new(), not_before }));
            debt.not_before = debt.not_before.max(not_before);
            if debt.conversations.len() < RECEIPTS_OWED_MAX {
                debt.conversations.insert(conversation);
            }
        }
    }

    /// As many as one question takes, if it is time.
    pub(super) fn take(&mut self, now: Instant) -> Vec<ConversationId> {
        let Some(debt) = self.0.as_mut().filter(|debt| debt.not_before <= now) else { return Vec::new() };
        let some: Vec<_> = debt.conversations.iter().copied().take(CURSORS_MAX).collect();
        debt.conversations.retain(|conversation| some.last().is_some_and(|last| conversation > last));
        if debt.conversations.is_empty() {
            self.0 = None;
        }
        some
    }

    /// When there is something to be told.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.as_ref().map(|debt| debt.not_before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn debts_are_bounded_and_paid_in_parts() {
        let (mut owed, now) = (Owed::default(), Instant::now());
        assert_eq!((owed.take(now), owed.due()), (Vec::new(), None));
        let ids = (0..1_000_u16).map(|n| ConversationId::from_bytes(std::array::from_fn(|at| n.to_be_bytes()[at % 2])));
        owed.add(ids.clone().chain(ids), now);
        let mut paid = BTreeSet::new();
        loop {
            let some = owed.take(now);
            if some.is_empty() {
                break;
            }
            assert!(some.len() <= CURSORS_MAX && some.iter().all(|id| paid.insert(*id)));
        }
        assert_eq!((paid.len(), owed.due()), (RECEIPTS_OWED_MAX, None));
        owed.add([ConversationId::from_bytes([1; 16])], now + std::time::Duration::from_secs(1));
        assert_eq!(owed.take(now), []);
        assert_eq!(owed.take(now + std::time::Duration::from_secs(1)).len(), 1);
    }
}
