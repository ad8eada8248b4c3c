//! A bounded number of tasks that end together.

use tokio::task::JoinSet;

use super::ImportError;
use crate::model::limits::IMPORT_AT_ONCE_MAX;

/// Tasks, at most [`IMPORT_AT_ONCE_MAX`] at once. Dropped, they end.
#[derive(Default)]
pub(super) struct Tasks(JoinSet<Result<(), ImportError>>);

impl Tasks {
    /// Starts a task, after one has ended if there are as many as may be. Fails if one has failed.
    pub(super) async fn start(
        &mut self,
        task: impl Future<Output = Result<(), ImportError>> + Send + 'static,
    ) -> Result<(), ImportError> {
        if self.0.len() >= IMPORT_AT_ONCE_MAX {
            self.join().await?;
        }
        self.0.spawn(task);
        Ok(())
    }

    /// Waits for all of them.
    pub(super) async fn finish(mut self) -> Result<(), ImportError> {
        while !self.0.is_empty() {
            self.join().await?;
        }
        Ok(())
    }

    async fn join(&mut self) -> Result<(), ImportError> {
        self.0.join_next().await.unwrap_or(Ok(Ok(()))).unwrap_or(Err(ImportError::Panic))
    }
}
