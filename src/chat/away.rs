//! Talks whose agent has gone are given back to the team.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use super::Chat;
use crate::model::limits::{AWAY_PERIOD, FREED_TALKS_MAX};
use crate::model::{Refusal, UserId};
use crate::store::{StoreError, Talks};

/// Who is there, as the whole cluster knows it.
#[async_trait]
pub trait Attendance: Send + Sync + 'static {
    /// Whether each of these agents is connected anywhere, in the order given; nothing where that is in doubt: then nothing
    /// is taken from them.
    async fn here(&self, agents: &[UserId]) -> Vec<Option<bool>>;
}

/// Since when this node has seen agents away who see to talks.
type Gone = HashMap<UserId, Instant>;

impl Chat {
    /// Frees, for ever, the talks of agents who were away for so long. Every node does, and one of them is the first.
    pub async fn free_the_away(self: Arc<Self>, attendance: Arc<dyn Attendance>, away: Duration) {
        let mut gone = Gone::new();
        loop {
            sleep(AWAY_PERIOD.min(away / 4).max(Duration::from_millis(100))).await;
            if let Err(error) = self.look_round(&*attendance, away, &mut gone).await {
                tracing::debug!(%error, "the store did not say who sees to talks; it is asked again");
            }
        }
    }

    async fn look_round(&self, attendance: &dyn Attendance, away: Duration, gone: &mut Gone) -> Result<(), StoreError> {
        let holders = self.store.holders().await?;
        let here = attendance.here(&holders).await;
        let is_gone = |(_, here): &(UserId, Option<bool>)| *here == Some(false);
        let absent: Vec<UserId> = holders.into_iter().zip(here).filter(is_gone).map(|(agent, _)| agent).collect();
        gone.retain(|agent, _| absent.contains(agent));
        for agent in absent {
            let since = *gone.entry(agent.clone()).or_insert_with(Instant::now);
            if since.elapsed() >= away {
                self.free_talks_of(&agent, away).await?;
            }
        }
        Ok(())
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
