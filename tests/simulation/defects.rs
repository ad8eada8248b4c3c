//! Seeded defects, for the proof that the check can fail. Each stands for one promise of a port or one rule that is
//! taken out by breaking the port below it.

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// Missing messages are never read from the store.
    NeverRepairs,
    /// What is read from the store has holes.
    RepairsWithHoles,
    /// The store does not keep (conversation, sender, key) unique.
    KeysRepeat,
    /// The store says that it does not know a key.
    ForgetsKeys,
    /// A run goes on after a conflict.
    RunsAreUnordered,
    /// The store confirms what it has not stored.
    AcknowledgesWithoutStoring,
    /// Heads are not raised, and yet sends are acknowledged.
    NeverRaisesHeads,
    /// Nobody asks where there was activity: no cure, no audit.
    NeverCures,
    /// A node is not told that messages may have been lost.
    DeafToDoubt,
    /// Channels are never subscribed.
    NeverSubscribes,
    /// `as_of` runs ahead of the store's time.
    ClockAhead,
    /// A place that a message must be stored right after is not looked at.
    ComparesNothing,
}

impl Defect {
    pub const ALL: [Self; 12] = [
        Self::NeverRepairs,
        Self::RepairsWithHoles,
        Self::KeysRepeat,
        Self::ForgetsKeys,
        Self::RunsAreUnordered,
        Self::AcknowledgesWithoutStoring,
        Self::NeverRaisesHeads,
        Self::NeverCures,
        Self::DeafToDoubt,
        Self::NeverSubscribes,
        Self::ClockAhead,
        Self::ComparesNothing,
    ];
}
