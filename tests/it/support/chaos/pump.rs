//! One direction of a connection: bytes in, through the weather, bytes out.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::redis::Filter;
use super::{Weather, until};

/// Chunks that may be on their way while they are delayed; beyond, the sender is not read.
const CHUNKS_MAX: usize = 1_024;
/// The most that is read at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// A piece of the stream and when it is due at the other side.
type Chunk = (Instant, Bytes);

/// Carries one direction until the sender finishes, which is passed on; an error when either side breaks, or when the
/// stream is not what the filter reads.
pub(super) async fn pump(
    from: ReadHalf<'_>,
    to: WriteHalf<'_>,
    filter: Option<Filter>,
    weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    let (queue, due) = mpsc::channel(CHUNKS_MAX);
    tokio::try_join!(read(from, queue, filter, weather.clone()), write(to, due, weather))?;
    Ok(())
}

async fn read(
    mut from: ReadHalf<'_>,
    queue: mpsc::Sender<Chunk>,
    mut filter: Option<Filter>,
    mut weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    loop {
        until(&mut weather, |weather| !weather.stalled).await;
        let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
        let length = tokio::select! {
            length = from.read_buf(&mut chunk) => length?,
            // Unread, what the sender says from now on fills its own buffers, as it does in a partition.
            () = until(&mut weather, |weather| weather.stalled) => continue,
        };
        if length == 0 {
            return Ok(());
        }
        let bytes = match &mut filter {
            Some(filter) => filter.pass(&chunk)?,
            None => chunk.freeze(),
        };
        let due = Instant::now() + weather.borrow().delay;
        if !bytes.is_empty() && queue.send((due, bytes)).await.is_err() {
            return Ok(());
        }
    }
}

async fn write(
    mut to: WriteHalf<'_>,
    mut queue: mpsc::Receiver<Chunk>,
    mut weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    while let Some((due, bytes)) = queue.recv().await {
        sleep_until(due).await;
        until(&mut weather, |weather| !weather.stalled).await;
        to.write_all(&bytes).await?;
    }
    to.shutdown().await
}
