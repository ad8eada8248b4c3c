//! Which member is the set's primary, as the driver finds it: each time that it is another, an operator wants to know.

use std::sync::{Mutex, PoisonError};

use metrics::{counter, describe_counter};
use mongodb::event::EventHandler;
use mongodb::event::sdam::SdamEvent;
use mongodb::options::ServerAddress;
use mongodb::{ServerInfo, ServerType};

/// The last one that was found.
#[derive(Default)]
struct Primaries(Mutex<Option<ServerAddress>>);

impl Primaries {
    /// This member is the primary: whether another one was before.
    fn found(&self, member: &ServerAddress) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref() == Some(member) {
            return false;
        }
        known.replace(member.clone()).is_some()
    }
}

/// What the driver tells, and what becomes of it: a counter.
pub(super) fn watch() -> EventHandler<SdamEvent> {
    describe_counter!(
        "switchboard_store_mongodb_primary_moves_total",
        "Times that another member of the set was found to be its primary"
    );
    let moves = counter!("switchboard_store_mongodb_primary_moves_total");
    let primaries = Primaries::default();
    EventHandler::callback(move |event| {
        if let SdamEvent::ServerDescriptionChanged(change) = event {
            let now: &ServerInfo<'_> = &change.new_description;
            if now.server_type() == ServerType::RsPrimary && primaries.found(&change.address) {
                moves.increment(1);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_move_is_counted_once_and_the_first_primary_is_none() {
        let member = |host: &str| ServerAddress::Tcp { host: host.to_owned(), port: None };
        let primaries = Primaries::default();
        let found: Vec<bool> = ["a", "a", "b", "b", "a"].iter().map(|host| primaries.found(&member(host))).collect();
        assert_eq!(found, [false, false, true, false, true]);
    }
}
