//! Where users are: asked of every registration whose lease holds.

use fred::error::Error;
use futures_util::future::join_all;

use super::post::Post;
use super::scripts::{self, Beat};
use crate::model::limits::PRESENCE_BATCH_USERS_MAX;
use crate::model::{NodeId, UserId, Whereabouts};
use crate::redis::Session;

impl Post {
    /// Who is connected to this node needs no asking.
    pub(super) async fn find(&self, users: &[UserId]) -> Vec<Whereabouts> {
        let here: Vec<bool> = {
            let ledger = self.desk.ledger();
            users.iter().map(|user| ledger.has(user)).collect()
        };
        let elsewhere: Vec<UserId> =
            users.iter().zip(&here).filter(|(_, here)| !**here).map(|(user, _)| user.clone()).collect();
        let mut asked = Vec::with_capacity(elsewhere.len());
        for some in elsewhere.chunks(PRESENCE_BATCH_USERS_MAX) {
            asked.extend(self.find_elsewhere(some).await);
        }
        let mut asked = asked.into_iter();
        here.into_iter()
            .map(|here| if here { Whereabouts::Here } else { asked.next().unwrap_or(Whereabouts::Unknown) })
            .collect()
    }

    async fn find_elsewhere(&self, users: &[UserId]) -> Vec<Whereabouts> {
        self.desk.metrics.asked.increment(users.len() as u64);
        let (found, is_whole) = match self.registered() {
            Some((own, session)) => self.ask(&session, own, users).await,
            None => (vec![false; users.len()], false),
        };
        let otherwise = if is_whole && self.doubt_ends().is_none() { Whereabouts::Gone } else { Whereabouts::Unknown };
        if otherwise == Whereabouts::Unknown {
            self.desk.metrics.unknown.increment(found.iter().filter(|found| !**found).count() as u64);
        }
        found.into_iter().map(|found| if found { Whereabouts::Here } else { otherwise }).collect()
    }

    /// Who was found, and whether everybody would have been.
    async fn ask(&self, session: &Session, own: NodeId, users: &[UserId]) -> (Vec<bool>, bool) {
        let mut found = vec![false; users.len()];
        let leases = match scripts::beat(session, own, Beat::Look).await {
            Ok(leases) => leases,
            Err(error) => return (found, unanswered(&error)),
        };
        if !leases.held {
            // Whatever took ours may have taken others': nobody who is not found is gone for sure.
            self.alarm.notify_one();
        }
        let mut is_whole = leases.held;
        let others = leases.live.into_iter().filter(|lease| *lease != own);
        for answer in join_all(others.map(|lease| scripts::find(session, lease, users))).await {
            match answer {
                Ok(Some(there)) => there.into_iter().zip(&mut found).for_each(|(there, found)| *found |= there),
                Ok(None) => is_whole = false,
                Err(error) => is_whole = unanswered(&error),
            }
        }
        (found, is_whole)
    }
}

fn unanswered(error: &Error) -> bool {
    tracing::debug!(%error, "Redis did not say where users are; they are asked about again");
    false
}
