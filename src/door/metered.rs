//! The bytes under a WebSocket, read no faster than the budget allows.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use metrics::Counter;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::budget::{Budget, BudgetError, Frames, Spent};

/// A stream of which the frames are counted while they are read. What was overspent is waited for before the next
/// read; at most one read is overspent.
#[derive(Debug)]
pub(super) struct Metered<S> {
    stream: S,
    /// What was read before the WebSocket began, and belongs to it.
    head: Bytes,
    budget: Budget,
    message_bytes_max: u64,
    frames: Frames,
    frames_seen: u64,
    spent: Spent,
    paused: Duration,
    pauses: Counter,
    /// While paused: until then nothing is read. Else, within a message: until then the rest of it must come.
    timer: Option<Pin<Box<Sleep>>>,
    is_paused: bool,
    deadline: Option<Instant>,
    broken: Option<BudgetError>,
}

impl<S> Metered<S> {
    /// `stream` with the bytes of `head` before it, from its very first frame on. `pauses` counts how often somebody
    /// had to wait.
    pub(super) fn new(stream: S, head: &[u8], budget: Budget, message_bytes_max: usize, pauses: Counter) -> Self {
        Self {
            stream,
            head: Bytes::copy_from_slice(head),
            budget,
            message_bytes_max: message_bytes_max as u64,
            frames: Frames::default(),
            frames_seen: 0,
            spent: Spent::nothing(Instant::now()),
            paused: Duration::ZERO,
            pauses,
            timer: None,
            is_paused: false,
            deadline: None,
            broken: None,
        }
    }

    /// Messages may have at most so many bytes, also the one that was begun.
    pub(super) fn allow(&mut self, message_bytes_max: usize) {
        self.message_bytes_max = message_bytes_max as u64;
    }

    /// For how long, in all, nothing was read because too much had been sent.
    pub(super) fn paused(&self) -> Duration {
        self.paused
    }

    /// How many frames began so far.
    pub(super) fn frames_seen(&self) -> u64 {
        self.frames_seen
    }

    /// The stream itself, past any budget.
    pub(super) fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Counts what was just read.
    fn account(&mut self, bytes: &[u8]) {
        let now = Instant::now();
        let frames = self.frames.pass(bytes);
        let rest = self.spent.spend(frames, bytes.len() as u64, &self.budget, now);
        self.frames_seen += frames;
        if !self.frames.is_within_message() {
            self.deadline = None;
            self.timer = None;
        }
        if rest > Duration::ZERO {
            self.pause_until(now + rest, rest);
        }
    }

    fn fail(&mut self, error: BudgetError) -> Poll<io::Result<()>> {
        self.broken = Some(error);
        Poll::Ready(Err(error.into()))
    }

    fn pause_until(&mut self, end: Instant, rest: Duration) {
        self.pauses.increment(1);
        self.paused += rest;
        self.is_paused = true;
        self.timer = Some(Box::pin(sleep_until(end)));
    }

    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(timer) = self.timer.as_mut().filter(|_| self.is_paused) {
            ready!(timer.as_mut().poll(cx));
            self.is_paused = false;
            self.timer = None;
        }
        Poll::Ready(())
    }

    /// Nothing to read. That is well between two messages, and within one for a while.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.frames.is_within_message() {
            return Poll::Pending;
        }
        let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + self.budget.message_wait);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        ready!(timer.as_mut().poll(cx));
        self.fail(BudgetError::MessageUnfinished)
    }
}

impl<S: AsyncRead + Unpin> Metered<S> {
    fn poll_source(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.head.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let some = self.head.len().min(buf.remaining());
        buf.put_slice(&self.head[..some]);
        self.head.advance(some);
        if self.head.is_empty() {
            self.head = Bytes::new(); // gives its memory back
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(broken) = self.broken {
            return self.fail(broken);
        }
        // Asked here and not when the header passed: a message that was sent together with the one before it may be
        // allowed by what that one says.
        if self.frames.message_bytes() > self.message_bytes_max {
            return self.fail(BudgetError::MessageTooBig);
        }
        ready!(self.poll_pause(cx));
        let before = buf.filled().len();
        match self.poll_source(cx, buf) {
            Poll::Pending => self.poll_deadline(cx),
            Poll::Ready(result) => {
                self.account(&buf.filled()[before..]);
                Poll::Ready(result)
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::{sleep, timeout};

    use super::*;

    /// An empty frame that begins a message, then one that continues it without end.
    const BEGIN: [u8; 6] = [0x01, 0x80, 0, 0, 0, 0];
    const CONTINUE: [u8; 6] = [0x00, 0x80, 0, 0, 0, 0];
    const EMPTY_TEXT: [u8; 6] = [0x81, 0x80, 0, 0, 0, 0];

    fn metered(head: &[u8]) -> (DuplexStream, Metered<DuplexStream>) {
        let (client, server) = duplex(64 * 1024);
        (client, Metered::new(server, head, Budget::default(), 65_536, Counter::noop()))
    }

    async fn read(metered: &mut Metered<DuplexStream>) -> io::Result<usize> {
        metered.read(&mut [0; 1_024]).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_empty_frames_is_slowed_to_the_budget() {
        for flood in [EMPTY_TEXT, CONTINUE] {
            let (mut client, mut metered) = metered(&if flood == CONTINUE { BEGIN } else { EMPTY_TEXT });
            tokio::spawn(async move { while client.write_all(&flood.repeat(1_000)).await.is_ok() {} });
            let mut frames_after = async |span| {
                let _ = timeout(span, async { while read(&mut metered).await.is_ok() {} }).await;
                (metered.frames_seen(), metered.paused())
            };
            let one_read = 1_024 / 6 + 1;
            let (frames, _) = frames_after(Duration::from_secs(1)).await;
            assert!((400..=400 + 200 + one_read).contains(&frames), "{frames} frames in the first second");
            let (more, paused) = frames_after(Duration::from_secs(10)).await;
            assert!((more - frames).abs_diff(2_000) <= one_read, "{} frames in ten seconds", more - frames);
            assert!(paused > Duration::from_secs(8), "{paused:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_bytes_is_slowed_to_the_budget() {
        let (mut client, mut metered) = metered(b"");
        tokio::spawn(async move {
            let frame = [&[0x82, 0xfe, 0xea, 0x60, 0, 0, 0, 0][..], &[7; 60_000]].concat();
            while client.write_all(&frame).await.is_ok() {}
        });
        let mut read_bytes = 0;
        let _ = timeout(Duration::from_secs(10), async {
            while let Ok(some) = read(&mut metered).await {
                read_bytes += some;
            }
        })
        .await;
        let planned = 512 * 1024 + 10 * 256 * 1024;
        assert!((planned..=planned + 4_096).contains(&read_bytes), "{read_bytes} bytes");
    }

    #[tokio::test(start_paused = true)]
    async fn who_stays_within_the_budget_never_waits() {
        let (mut client, mut metered) = metered(b"");
        for _ in 0..1_000 {
            client.write_all(&EMPTY_TEXT.repeat(2)).await.unwrap();
            read(&mut metered).await.unwrap();
            sleep(Duration::from_millis(10)).await;
        }
        assert_eq!((metered.frames_seen(), metered.paused()), (2_000, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_was_begun_must_end_in_time() {
        let beginnings: [&[u8]; 4] = [&BEGIN, &[0x81], &[0x81, 0x85, 1, 2, 3, 4, b'h'], &[0x81, 0xfe, 0x01]];
        for begun in beginnings {
            let (mut client, mut metered) = metered(b"");
            sleep(Duration::from_secs(60)).await;
            client.write_all(begun).await.unwrap();
            read(&mut metered).await.unwrap();
            let start = Instant::now();
            let error = read(&mut metered).await.unwrap_err();
            assert_eq!(BudgetError::of(&error), Some(BudgetError::MessageUnfinished), "{begun:?}");
            assert_eq!(start.elapsed().as_secs(), 10);
            assert!(read(&mut metered).await.is_err(), "and stays broken");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn dripping_a_message_does_not_move_its_deadline() {
        let (mut client, mut metered) = metered(&BEGIN);
        tokio::spawn(async move {
            while client.write_all(&CONTINUE).await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        });
        let start = Instant::now();
        let error = loop {
            if let Err(error) = read(&mut metered).await {
                break error;
            }
        };
        assert_eq!(BudgetError::of(&error), Some(BudgetError::MessageUnfinished));
        assert_eq!(start.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_may_wait_for_us_as_long_as_we_like() {
        let (mut client, mut metered) = metered(&BEGIN);
        read(&mut metered).await.unwrap();
        assert!(timeout(Duration::from_secs(1), read(&mut metered)).await.is_err());
        client.write_all(&[0x80, 0x80, 0, 0, 0, 0]).await.unwrap();
        sleep(Duration::from_secs(60)).await; // the session is busy elsewhere
        assert_eq!(read(&mut metered).await.unwrap(), 6);
        assert!(
            timeout(Duration::from_secs(60), read(&mut metered)).await.is_err(),
            "silence between messages is fine"
        );
    }

    #[tokio::test]
    async fn a_message_too_long_is_read_no_further() {
        let huge = [0x81, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4];
        let (mut client, mut metered) = metered(&EMPTY_TEXT);
        client.write_all(&[&EMPTY_TEXT[..], &huge, &[0; 10_000]].concat()).await.unwrap();
        assert_eq!(read(&mut metered).await.unwrap(), 6, "the head");
        assert_eq!(read(&mut metered).await.unwrap(), 1_024, "the frame before, and the beginning of this one");
        for _ in 0..2 {
            let error = read(&mut metered).await.unwrap_err();
            assert_eq!(BudgetError::of(&error), Some(BudgetError::MessageTooBig));
        }
    }

    #[tokio::test]
    async fn a_longer_message_passes_once_it_is_allowed_also_if_it_came_earlier() {
        let long = [&[0x82, 0xfe, 0x20, 0x00, 0, 0, 0, 0][..], &[7; 0x2000]].concat();
        let (mut client, server) = duplex(64 * 1024);
        let mut metered = Metered::new(server, b"", Budget::default(), 1_000, Counter::noop());
        client.write_all(&[&EMPTY_TEXT[..], &long].concat()).await.unwrap();
        let mut bytes = read(&mut metered).await.unwrap();
        metered.allow(0x2000);
        while bytes < EMPTY_TEXT.len() + long.len() {
            bytes += read(&mut metered).await.unwrap();
        }
        metered.allow(1_000);
        client.write_all(&long).await.unwrap();
        read(&mut metered).await.unwrap();
        assert!(read(&mut metered).await.is_err());
    }
}
