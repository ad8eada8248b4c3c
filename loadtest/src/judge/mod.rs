//! What was promised against what was kept.
//!
//! Each acknowledged message was shown once on every device that looks at its conversation, whole, in time, in the order
//! in which it was sent, at the place that its sender was told. The judge is told by the clients alone, and shares no code
//! with the server but the ids that both write on the wire.

mod check;
mod record;
mod room;
#[cfg(test)]
mod tests;
mod verdict;
mod witness;

use std::collections::HashMap;

use switchboard::model::ConversationId;

pub(crate) use check::check;
pub(crate) use record::{Device, Record};
use room::{Room, Sight};
pub(crate) use verdict::{Damage, Verdict};
pub(crate) use witness::Witness;

/// Judges while a run goes on.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    rooms: HashMap<ConversationId, Room>,
    late_micros: Option<u64>,
    verdict: Verdict,
}

impl Judge {
    /// Hears what happened.
    pub(crate) fn take(&mut self, record: &Record) {
        let verdict = &mut self.verdict;
        match record {
            Record::Run { late_micros, .. } => self.late_micros = Some(*late_micros),
            Record::Room { conversation, devices, echoes } => {
                self.rooms.entry(*conversation).or_default().admit(devices, *echoes);
            }
            Record::Sent { conversation, user, number, .. } => {
                self.rooms.entry(*conversation).or_default().sent(user, *number);
            }
            Record::Acked { conversation, user, number, seq, .. } => {
                if let Some(room) = self.rooms.get_mut(conversation) {
                    room.acked(user, *number, *seq, verdict);
                }
            }
            Record::Shown { device, conversation, seq, from, number, took, .. } => {
                let sight = Sight { device, from, number: *number, seq: *seq };
                let room = self.rooms.entry(*conversation).or_default();
                if room.shown(&sight, verdict) && self.late_micros.is_some_and(|bound| *took > bound) {
                    let number = number.unwrap_or_default();
                    verdict.find(Damage::Late, || {
                        format!("message {number} of {} on {device} after {} ms", from.as_str(), took / 1_000)
                    });
                }
            }
        }
    }

    /// Damage that is certain already.
    pub(crate) fn damages(&self) -> u64 {
        self.verdict.damages()
    }

    /// The run is over.
    pub(crate) fn close(mut self) -> Verdict {
        self.rooms.into_values().for_each(|room| room.close(&mut self.verdict));
        self.verdict
    }
}
