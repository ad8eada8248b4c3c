//! A file to a store.

use std::path::Path;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::file::Reader;
use super::{Contents, UpkeepError};
use crate::model::Generation;
use crate::model::limits::{RESTORE_BATCH_BYTES, RESTORE_BATCH_RECORDS, UPKEEP_REPORT_PERIOD};
use crate::store::{Record, Vessel};

/// Reads a back-up to its end, and answers what it holds.
///
/// # Errors
/// It cannot be read, or is not what was written.
pub async fn examine(file: &Path) -> Result<Contents, UpkeepError> {
    let file = file.to_owned();
    let reading = spawn_blocking(move || {
        let mut reader = Reader::open(&file)?;
        while reader.next()?.is_some() {}
        Ok(reader.contents())
    });
    reading.await.map_err(|_| UpkeepError::Panic)?
}

/// Makes a store of a back-up that was [examined](examine). `report` is told now and then how many records were put.
/// Where it fails, the store is not one yet, and no node takes it for one.
///
/// # Errors
/// The file cannot be read any more, or the store not be written.
pub async fn restore(
    file: &Path,
    mut vessel: Box<dyn Vessel>,
    mut report: impl FnMut(u64),
) -> Result<Generation, UpkeepError> {
    let (sender, mut batches) = mpsc::channel(1);
    let file = file.to_owned();
    let reading = spawn_blocking(move || read(&file, &sender));
    let (mut put, mut reported) = (0, Instant::now());
    while let Some(batch) = batches.recv().await {
        put += batch.len() as u64;
        vessel.put(batch).await?;
        if reported.elapsed() >= UPKEEP_REPORT_PERIOD {
            reported = Instant::now();
            report(put);
        }
    }
    reading.await.map_err(|_| UpkeepError::Panic)??;
    Ok(vessel.finish().await?)
}

/// Reads batches until nobody takes them any more.
fn read(file: &Path, to: &mpsc::Sender<Vec<Record>>) -> Result<(), UpkeepError> {
    let mut reader = Reader::open(file)?;
    let (mut batch, mut began) = (Vec::new(), reader.bytes);
    while let Some(record) = reader.next()? {
        batch.push(record);
        if batch.len() >= RESTORE_BATCH_RECORDS || reader.bytes - began >= RESTORE_BATCH_BYTES as u64 {
            began = reader.bytes;
            if to.blocking_send(std::mem::take(&mut batch)).is_err() {
                return Ok(());
            }
        }
    }
    if !batch.is_empty() {
        drop(to.blocking_send(batch));
    }
    Ok(())
}
