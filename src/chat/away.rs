//! Talks whose agent has gone are given back to the team.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Chat;
use crate::model::limits::{AWAY_PERIOD, FREED_TALKS_MAX, USERS_PER_QUESTION_MAX};
use crate::model::{Refusal, UserId, Whereabouts};
use crate::store::{StoreError, Talks};

/// Since when this node has seen agents away who see to talks.
type Gone = HashMap<UserId, Instant>;

impl Chat {
    /// Frees, for ever, the talks of agents who were away for so long. Every node does, and one of them is the first.
    pub async fn free_the_away(self: Arc<Self>, away: Duration) {
        let mut gone = Gone::new();
        loop {
            sleep(AWAY_PERIOD.min(away / 4).max(Duration::from_millis(100))).await;
            if let Err(error) = self.look_round(away, &mut gone).await {
                tracing::debug!(%error, "the store did not say who sees to talks; it is asked again");
            }
        }
    }

    async fn look_round(&self, away: Duration, gone: &mut Gone) -> Result<(), StoreError> {
        let absent = self.absent(self.store.holders().await?).await;
        gone.retain(|agent, _| absent.contains(agent));
        for agent in absent {
            let since = *gone.entry(agent.clone()).or_insert_with(Instant::now);
            if since.elapsed() >= away {
                self.free_talks_of(&agent, away).await?;
            }
        }
        Ok(())
    }

    /// Those of these who are connected nowhere, for sure: where that is in doubt, nothing is taken from them.
    async fn absent(&self, agents: Vec<UserId>) -> Vec<UserId> {
        let mut absent = Vec::new();
        for agents in agents.chunks(USERS_PER_QUESTION_MAX) {
            let whereabouts = self.presence.find(agents).await;
            let gone = agents.iter().zip(whereabouts).filter(|(_, whereabouts)| *whereabouts == Whereabouts::Gone);
            absent.extend(gone.map(|(agent, _)| agent.clone()));
        }
        absent
    }

    /// Frees what somebody who has gone saw to. What was passed to them while they were away stays theirs as long.
    async fn free_talks_of(&self, agent: &UserId, away: Duration) -> Result<(), StoreError> {
        let now = self.clock.now().0;
        let talks = self.store.talks(&Talks::Of(agent.clone()), None, FREED_TALKS_MAX).await?;
        for summary in talks {
            let Some(held) = summary.assignment else { continue };
            let held_for = Duration::from_millis(now.saturating_sub(held.at.unwrap_or_default().0));
            if held_for < away {
                continue;
            }
            let talk = &summary.conversation;
            match self.desk.free(talk, &held).await {
                Ok(true) => tracing::info!(talk = %talk.id, "a talk was freed: its agent is away"),
                // It is another's by now.
                Ok(false) => {}
                Err(Refusal { message, .. }) => return Err(StoreError::Unavailable(message)),
            }
        }
        Ok(())
    }
}
