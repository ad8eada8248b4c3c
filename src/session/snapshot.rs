//! Tells a session how conversations stand, after what was told of them live was dropped or came while its client was away.

use std::time::Duration;

use tokio::time::Instant;

use super::live::Live;
use crate::chat::Marks;
use crate::delivery::Outbox;
use crate::model::UserId;
use crate::wire::ServerFrame;
use crate::wire::server::Assigned;

/// When the store is asked again that did not answer.
const AGAIN: Duration = Duration::from_secs(1);

impl Live {
    /// Begins to tell what is owed, if there is room for it.
    pub(super) fn begin_snapshot(&mut self, now: Instant) {
        if self.snapshot.is_some() {
            return;
        }
        let owed = self.outbox.next_owed(now);
        if owed.is_empty() {
            return;
        }
        let (services, outbox) = (self.services.clone(), self.outbox.clone());
        self.snapshot = Some(Box::pin(async move {
            match services.chat.marks(outbox.seats(), &owed).await {
                Ok(all) => all.into_iter().for_each(|marks| tell(&outbox, marks)),
                Err(_) => outbox.owe(owed, Instant::now() + AGAIN),
            }
        }));
    }
}

fn tell(outbox: &Outbox, marks: Marks) {
    let Marks { conversation, cursors, assignment } = marks;
    for cursor in cursors {
        outbox.push(ServerFrame::Receipt { conversation, cursor });
    }
    if let Some(assignment) = assignment {
        let to_team = outbox.seats().contains(&UserId::team());
        outbox.push(ServerFrame::Assignment { conversation, assignment: Assigned::of(assignment, to_team) });
    }
}
