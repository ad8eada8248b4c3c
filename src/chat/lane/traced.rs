//! The attempts of a lane, and the traces of the messages in them.

use super::Lane;
use crate::model::TraceContext;
use crate::store::{Attempt, Outcome};

impl Lane {
    /// Tries to store these, which are the first that wait.
    pub(super) async fn append(&mut self, mut attempts: Vec<Attempt>) -> Vec<Outcome> {
        let count = attempts.len();
        let traced: Vec<TraceContext> = self.queue.iter().take(count).filter_map(|each| each.context()).collect();
        let (outcomes, batch) = match (count, attempts.pop()) {
            (1, Some(single)) => {
                let (outcome, batch) = self.parts.commit.append(single, traced.first().copied()).await;
                (vec![outcome], batch)
            }
            (_, Some(last)) => {
                attempts.push(last);
                let batch = self.parts.traces.batch(&traced, count);
                (self.parts.store.append_run(attempts).await, batch.and_then(|batch| batch.context()))
            }
            (_, None) => (Vec::new(), None),
        };
        if let Some(batch) = batch {
            self.queue.iter_mut().take(count).filter_map(|each| each.trace.as_mut()).for_each(|each| each.join(batch));
        }
        outcomes
    }
}
