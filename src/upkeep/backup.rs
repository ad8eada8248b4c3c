//! A store to a file.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::interval;

use super::file::Writer;
use super::{Contents, UpkeepError};
use crate::model::limits::{BACKUP_RECORDS_WAITING_MAX, UPKEEP_REPORT_PERIOD};
use crate::model::{Clock, Generation, Timestamp};
use crate::store::{Original, Record};

/// Writes everything that a store holds at one moment into a new file, and reads that again. `report` is told now and then
/// how many records were written. Where it fails, there is no file.
///
/// # Errors
/// The store cannot be read to its end, or the file not be written; or it is there already.
pub async fn back_up(
    original: Box<dyn Original>,
    to: &Path,
    clock: &dyn Clock,
    mut report: impl FnMut(u64),
) -> Result<Contents, UpkeepError> {
    let written = Arc::new(AtomicU64::new(0));
    let work = copy(original, to, clock.now(), written.clone());
    tokio::pin!(work);
    let mut beat = interval(UPKEEP_REPORT_PERIOD);
    beat.tick().await;
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = beat.tick() => report(written.load(Ordering::Relaxed)),
        }
    }
}

async fn copy(
    original: Box<dyn Original>,
    to: &Path,
    at: Timestamp,
    written: Arc<AtomicU64>,
) -> Result<Contents, UpkeepError> {
    let generation: Generation = original.generation();
    let (sender, mut records) = mpsc::channel::<Record>(BACKUP_RECORDS_WAITING_MAX);
    let to = to.to_owned();
    let mut writer =
        spawn_blocking(move || Writer::begin(&to, at, generation)).await.map_err(|_| UpkeepError::Panic)??;
    let writing = spawn_blocking(move || {
        while let Some(record) = records.blocking_recv() {
            writer.record(&record)?;
            written.fetch_add(1, Ordering::Relaxed);
        }
        Ok::<_, UpkeepError>(writer)
    });
    let dumped = original.dump(sender).await;
    // A file that cannot be written also ends the dump: its error is the one that says why.
    let writer = writing.await.map_err(|_| UpkeepError::Panic)??;
    dumped?;
    spawn_blocking(move || writer.finish()).await.map_err(|_| UpkeepError::Panic)?
}
