//! What an import has done so far.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::limits::IMPORT_EXAMPLES_MAX;
use crate::store::mongo::classic::{Flaw, Skipped};

/// Counts, shared by all that work on an import.
#[derive(Debug, Default)]
pub(super) struct Counters {
    people: AtomicU64,
    conversations: AtomicU64,
    imported: AtomicU64,
    already: AtomicU64,
    refused: AtomicU64,
    refused_messages: AtomicU64,
    skipped: [AtomicU64; Flaw::ALL.len()],
    skipped_people: AtomicU64,
}

impl Counters {
    pub(super) fn people(&self, people: usize) {
        add(&self.people, people);
    }

    pub(super) fn conversations(&self, conversations: usize) {
        add(&self.conversations, conversations);
    }

    pub(super) fn imported(&self, messages: usize) {
        add(&self.imported, messages);
    }

    pub(super) fn already(&self, messages: usize) {
        add(&self.already, messages);
    }

    /// A conversation is refused; answers whether it is one of the first.
    pub(super) fn refused(&self) -> bool {
        add(&self.refused, 1) < IMPORT_EXAMPLES_MAX
    }

    pub(super) fn refused_messages(&self, messages: usize) {
        add(&self.refused_messages, messages);
    }

    pub(super) fn skipped_person(&self, skipped: &Skipped) {
        if add(&self.skipped_people, 1) < IMPORT_EXAMPLES_MAX {
            tracing::warn!("a user of the old app is skipped: {}", skipped.flaw);
        }
    }

    pub(super) fn skipped(&self, Skipped { id, flaw }: &Skipped) {
        if add(&self.skipped[*flaw as usize], 1) < IMPORT_EXAMPLES_MAX {
            let id = id.map_or_else(|| "without an id".to_owned(), |id| id.to_string());
            tracing::warn!("message {id} of the old app is skipped: its {flaw}");
        }
    }

    /// What was counted up to now.
    pub(super) fn read(&self) -> Count {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Count {
            people: get(&self.people),
            conversations: get(&self.conversations),
            imported: get(&self.imported),
            already_there: get(&self.already),
            refused_conversations: get(&self.refused),
            refused_messages: get(&self.refused_messages),
            skipped: Flaw::ALL.map(|flaw| (flaw, get(&self.skipped[flaw as usize]))),
            skipped_people: get(&self.skipped_people),
        }
    }
}

fn add(counter: &AtomicU64, more: usize) -> u64 {
    counter.fetch_add(more as u64, Ordering::Relaxed)
}

/// What an import has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Users whose profiles were set.
    pub people: u64,
    /// Conversations that are whole.
    pub conversations: u64,
    /// Messages stored by this run.
    pub imported: u64,
    /// Messages that an earlier run had stored.
    pub already_there: u64,
    /// Conversations that hold something else than the import would have put there.
    pub refused_conversations: u64,
    /// Messages of those that are not in the store.
    pub refused_messages: u64,
    /// Messages that are none, by what is wrong with them.
    pub skipped: [(Flaw, u64); Flaw::ALL.len()],
    /// Users whose id is no ObjectId.
    pub skipped_people: u64,
}

impl Count {
    /// Messages that were looked at.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.imported + self.already_there + self.refused_messages + self.skipped_messages()
    }

    /// Messages that were skipped, for whatever reason.
    #[must_use]
    pub fn skipped_messages(&self) -> u64 {
        self.skipped.iter().map(|(_, count)| count).sum()
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "users:                 {:>9} with profiles, {} skipped", self.people, self.skipped_people)?;
        writeln!(f, "conversations:         {:>9} whole", self.conversations)?;
        writeln!(f, "messages imported:     {:>9}", self.imported)?;
        writeln!(f, "messages there before: {:>9}", self.already_there)?;
        writeln!(
            f,
            "refused conversations: {:>9} (with {} messages that are not in the store)",
            self.refused_conversations, self.refused_messages
        )?;
        write!(f, "messages skipped:      {:>9}", self.skipped_messages())?;
        self.skipped
            .iter()
            .filter(|(_, count)| *count > 0)
            .try_for_each(|(flaw, count)| write!(f, "\n  {count}: {flaw}"))
    }
}
