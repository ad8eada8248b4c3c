//! Reading and writing one socket from one task.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use tokio::time::Instant;

use super::{Gone, Incoming, Metrics, Outward, Socket};
use crate::delivery::Outbox;
use crate::model::{Clock, Timestamp};
use crate::telemetry::Delivering;

/// What came of waiting for the socket.
pub(super) enum Event {
    /// Something came in.
    Incoming(Incoming),
    /// Everything that waited was written and flushed.
    Flushed,
    /// The connection is lost.
    Gone,
}

/// The writing side's state between waits.
pub(super) struct Writer {
    /// A ping is to be written.
    pub(super) ping: bool,
    /// Something was written that may not be flushed.
    pub(super) unflushed: bool,
    /// When the socket last took something, or had nothing to take.
    pub(super) progressed: Instant,
    /// When the socket last took something after it had taken nothing for a while: the peer reads, so it is alive.
    pub(super) moved: Instant,
    blocked: bool,
    /// Traced messages that were written and may not be flushed: nearly always none.
    delivering: Vec<Delivering>,
    /// When the session began: what was accepted before was not late, but awaited its reader.
    began: Timestamp,
}

impl Writer {
    pub(super) fn new(began: Timestamp) -> Self {
        let now = Instant::now();
        Self {
            ping: false,
            unflushed: false,
            progressed: now,
            moved: now,
            blocked: false,
            delivering: Vec::new(),
            began,
        }
    }

    /// Waits until something comes in (if `reading`), or everything that waits is written. Frames are drained together
    /// and flushed once.
    pub(super) async fn wait<S: Socket>(
        &mut self,
        socket: &mut S,
        outbox: &Outbox,
        reading: bool,
        measure: (&Metrics, &dyn Clock),
    ) -> Event {
        poll_fn(|cx| {
            let writes = self.ping || self.unflushed || outbox.has_frames();
            let written = if writes { self.poll_write(socket, outbox, measure, cx) } else { Poll::Pending };
            self.blocked |= writes && written.is_pending();
            if let Poll::Ready(Err(Gone)) = written {
                return Poll::Ready(Event::Gone);
            }
            if reading && let Poll::Ready(incoming) = socket.poll_incoming(cx) {
                return Poll::Ready(Event::Incoming(incoming));
            }
            written.map(|_| Event::Flushed)
        })
        .await
    }

    /// Writes what waits, before a close.
    pub(super) async fn write_out<S: Socket>(&mut self, socket: &mut S, outbox: &Outbox) -> Result<(), Gone> {
        while let Some(item) = outbox.pop() {
            poll_fn(|cx| socket.poll_ready(cx)).await?;
            self.delivering.extend(item.delivering());
            socket.start_send(Outward::Item(item))?;
        }
        poll_fn(|cx| socket.poll_flush(cx)).await?;
        self.delivered();
        Ok(())
    }

    fn poll_write<S: Socket>(
        &mut self,
        socket: &mut S,
        outbox: &Outbox,
        (metrics, clock): (&Metrics, &dyn Clock),
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Gone>> {
        loop {
            ready!(socket.poll_ready(cx))?;
            let outward = if std::mem::take(&mut self.ping) {
                Outward::Ping
            } else if let Some(item) = outbox.pop() {
                if let Some((accepted, way)) = item.accepted() {
                    let now = clock.now();
                    metrics.written((accepted, way), self.began, now);
                    item.written(now);
                }
                self.delivering.extend(item.delivering());
                Outward::Item(item)
            } else {
                break;
            };
            socket.start_send(outward)?;
            self.unflushed = true;
            self.note_progress();
        }
        ready!(socket.poll_flush(cx))?;
        self.unflushed = false;
        self.delivered();
        self.note_progress();
        Poll::Ready(Ok(()))
    }

    /// The socket has taken all that was written.
    fn delivered(&mut self) {
        if !self.delivering.is_empty() {
            std::mem::take(&mut self.delivering).into_iter().for_each(Delivering::written);
        }
    }

    fn note_progress(&mut self) {
        self.progressed = Instant::now();
        if std::mem::take(&mut self.blocked) {
            self.moved = self.progressed;
        }
    }
}

/// Writes one frame outside the loop, as before a close.
pub(super) async fn write<S: Socket>(socket: &mut S, outward: Outward) -> Result<(), Gone> {
    poll_fn(|cx| socket.poll_ready(cx)).await?;
    socket.start_send(outward)?;
    poll_fn(|cx| socket.poll_flush(cx)).await
}

/// The next thing that comes in, outside the loop.
pub(super) async fn read<S: Socket>(socket: &mut S) -> Incoming {
    poll_fn(|cx| socket.poll_incoming(cx)).await
}
