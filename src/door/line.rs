//! One connection's bytes, and the patience with whoever sends them: while HTTP is spoken, every wait for the other
//! end has its bound.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::guests::Unauthenticated;
use super::listener::{Door, House, Place};
use crate::model::limits::{CLOSE_WAIT, FAREWELL_BYTES_MAX};

/// A connection, from accept to close. Whatever is counted while it is open is counted by what it owns.
#[derive(Debug)]
pub(super) struct Line {
    stream: TcpStream,
    /// In a box, for no idle WebSocket has any.
    patience: Option<Box<Patience>>,
    guest: Option<Arc<Unauthenticated>>,
    farewell_bytes: u64,
    house: Arc<House>,
    place: Place,
}

impl Line {
    /// A connection on which HTTP is about to be spoken.
    pub(super) fn new(stream: TcpStream, house: Arc<House>, place: Place, stage: Arc<Stage>) -> Self {
        let patience = Patience::new(stage, house.settings.header_wait, house.settings.idle_wait);
        Self { stream, patience: Some(Box::new(patience)), guest: None, farewell_bytes: 0, house, place }
    }

    /// HTTP is over: from here on, whoever reads has their own patience. The guest stays until the line ends.
    pub(super) fn upgraded(mut self, guest: Option<Arc<Unauthenticated>>, door: Door) -> Self {
        self.place.move_to(door, &self.house.counts);
        self.patience = None;
        self.guest = guest;
        self
    }

    /// The house it belongs to.
    pub(super) fn house(&self) -> &Arc<House> {
        &self.house
    }

    /// Whoever is at the other end has shown a token that counts.
    pub(super) fn authenticated(&mut self) {
        if let Some(guest) = self.guest.take() {
            guest.authenticated();
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        let Some(patience) = &mut self.patience else { return polled };
        match polled {
            Poll::Pending => patience.await_bytes(cx).map(Err),
            Poll::Ready(_) => {
                if buf.filled().len() > before {
                    patience.heard();
                }
                polled
            }
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.await_room(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.await_room(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Ends our side; while HTTP is spoken, also waits a little for the other side to end. Closing at once would reset
    /// the connection if any of a request is unread, and the reset may overtake our answer.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        if self.patience.is_some() { self.poll_farewell(cx).map(Ok) } else { Poll::Ready(Ok(())) }
    }
}

impl Line {
    /// Throws away what still comes, until the end, or enough.
    fn poll_farewell(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut scratch = [0; 4 * 1024];
        while self.farewell_bytes < FAREWELL_BYTES_MAX {
            let mut thrown_away = ReadBuf::new(&mut scratch);
            let polled = Pin::new(&mut self.stream).poll_read(cx, &mut thrown_away);
            let some = thrown_away.filled().len() as u64;
            match (polled, &mut self.patience) {
                (Poll::Pending, Some(patience)) => return patience.run_out(Awaited::End, CLOSE_WAIT, cx).map(drop),
                _ if some == 0 => break,
                _ => self.farewell_bytes += some,
            }
        }
        Poll::Ready(())
    }

    fn await_room(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match (&mut self.patience, polled) {
            (Some(patience), Poll::Pending) => patience.await_room(cx).map(Err),
            (Some(patience), ready) => {
                patience.took_some();
                ready
            }
            (None, polled) => polled,
        }
    }
}

/// What an HTTP connection is doing, as its reception tells its line.
#[derive(Debug)]
pub(super) struct Stage(AtomicU8);

const HEADER: u8 = 0;
const SERVING: u8 = 1;
const IDLE: u8 = 2;

impl Stage {
    /// A new connection owes us the head of its first request.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU8::new(HEADER)))
    }

    /// A request is being served until the guard is dropped: meanwhile it is not the client who is waited for.
    pub(super) fn serve(&self) -> impl Drop + use<'_> {
        struct Serving<'a>(&'a Stage);
        impl Drop for Serving<'_> {
            fn drop(&mut self) {
                self.0.0.store(IDLE, Ordering::Relaxed);
            }
        }
        self.0.store(SERVING, Ordering::Relaxed);
        Serving(self)
    }

    /// Bytes arrived. Whether they are the first of a new request.
    fn heard(&self) -> bool {
        self.0.compare_exchange(IDLE, HEADER, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// How long the other end may keep us waiting.
#[derive(Debug)]
struct Patience {
    stage: Arc<Stage>,
    header_wait: Duration,
    idle_wait: Duration,
    awaited: Option<Awaited>,
    timer: Option<Pin<Box<Sleep>>>,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    /// The rest of a request's head.
    Header,
    /// The next request.
    Request,
    /// That bytes of an answer are taken.
    Room,
    /// That the other side ends, as ours has.
    End,
}

impl Patience {
    fn new(stage: Arc<Stage>, header_wait: Duration, idle_wait: Duration) -> Self {
        Self { stage, header_wait, idle_wait, awaited: None, timer: None }
    }

    fn heard(&mut self) {
        if self.stage.heard() {
            self.awaited = None;
        }
    }

    fn took_some(&mut self) {
        if self.awaited == Some(Awaited::Room) {
            self.awaited = None;
        }
    }

    fn await_bytes(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        match self.stage.0.load(Ordering::Relaxed) {
            _ if self.awaited == Some(Awaited::Room) => Poll::Pending,
            HEADER => self.run_out(Awaited::Header, self.header_wait, cx),
            IDLE => self.run_out(Awaited::Request, self.idle_wait, cx),
            _ => {
                self.awaited = None;
                Poll::Pending
            }
        }
    }

    fn await_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        self.run_out(Awaited::Room, self.idle_wait, cx)
    }

    /// Waits for one thing, at most for `span` since that wait began.
    fn run_out(&mut self, awaited: Awaited, span: Duration, cx: &mut Context<'_>) -> Poll<io::Error> {
        let deadline = Instant::now() + span;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if self.awaited != Some(awaited) {
            self.awaited = Some(awaited);
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx).map(|()| io::ErrorKind::TimedOut.into())
    }
}
