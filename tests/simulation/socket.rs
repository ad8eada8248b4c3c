//! A connection in memory: bounded both ways, cut without warning, or left half open.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use switchboard::door::native::words;
use switchboard::session::{Gone, Incoming, Outward, Socket};
use switchboard::wire::{Close, Encoding};

/// Frames on their way to the server.
const UP_FRAMES_MAX: usize = 8;

struct Pipe {
    encoding: Encoding,
    up: VecDeque<Incoming>,
    down: VecDeque<Down>,
    down_bytes: usize,
    down_bytes_max: usize,
    /// The client has left, and the server can see it.
    gone: bool,
    /// The client has left, and the server cannot see it.
    vanished: bool,
    /// The server has closed.
    closed: Option<Option<Close>>,
    server: Option<Waker>,
    client: Option<Waker>,
}

/// What is under way to the client.
enum Down {
    Frame(Bytes),
    Ping,
}

/// The server's end.
pub struct ServerEnd(Arc<Mutex<Pipe>>);

/// The client's end. Dropped, it is as if the client's machine lost its power.
pub struct ClientEnd(Arc<Mutex<Pipe>>);

/// What a client's end brings.
#[derive(Debug)]
pub enum Arrival {
    Frame(Bytes),
    Ping,
    Closed(Option<Close>),
}

/// A connection on which so many bytes may be under way to the client.
pub fn connection(down_bytes_max: usize, encoding: Encoding) -> (ServerEnd, ClientEnd) {
    let pipe = Pipe {
        encoding,
        up: VecDeque::new(),
        down: VecDeque::new(),
        down_bytes: 0,
        down_bytes_max,
        gone: false,
        vanished: false,
        closed: None,
        server: None,
        client: None,
    };
    let pipe = Arc::new(Mutex::new(pipe));
    (ServerEnd(pipe.clone()), ClientEnd(pipe))
}

impl Pipe {
    fn wake_server(&mut self) {
        self.server.take().into_iter().for_each(Waker::wake);
    }

    fn wake_client(&mut self) {
        self.client.take().into_iter().for_each(Waker::wake);
    }

    fn poll_room(&mut self, cx: &Context<'_>) -> Poll<Result<(), Gone>> {
        if self.gone {
            Poll::Ready(Err(Gone))
        } else if self.down_bytes < self.down_bytes_max {
            Poll::Ready(Ok(()))
        } else {
            self.server = Some(cx.waker().clone());
            Poll::Pending
        }
    }
}

impl ServerEnd {
    fn lock(&self) -> MutexGuard<'_, Pipe> {
        self.0.lock().unwrap()
    }

    /// The server is done with it.
    pub fn close(&self, how: Option<Close>) {
        let mut pipe = self.lock();
        pipe.closed = Some(how);
        pipe.wake_client();
    }
}

impl Socket for ServerEnd {
    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Incoming> {
        let mut pipe = self.lock();
        if let Some(incoming) = pipe.up.pop_front() {
            pipe.wake_client();
            return Poll::Ready(incoming);
        }
        if pipe.gone {
            return Poll::Ready(Incoming::Gone);
        }
        pipe.server = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        self.lock().poll_room(cx)
    }

    fn start_send(&mut self, outward: Outward) -> Result<(), Gone> {
        let mut pipe = self.lock();
        if pipe.gone {
            return Err(Gone);
        }
        let down = match outward {
            Outward::Item(item) => Down::Frame(words(&item, pipe.encoding)),
            Outward::Ping => Down::Ping,
        };
        if let Down::Frame(bytes) = &down {
            pipe.down_bytes += bytes.len();
        }
        pipe.down.push_back(down);
        pipe.wake_client();
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        self.lock().poll_room(cx)
    }
}

impl ClientEnd {
    fn lock(&self) -> MutexGuard<'_, Pipe> {
        self.0.lock().unwrap()
    }

    pub fn poll_arrival(&self, cx: &Context<'_>) -> Poll<Arrival> {
        let mut pipe = self.lock();
        match pipe.down.pop_front() {
            Some(Down::Frame(bytes)) => {
                pipe.down_bytes -= bytes.len();
                pipe.wake_server();
                Poll::Ready(Arrival::Frame(bytes))
            }
            Some(Down::Ping) => Poll::Ready(Arrival::Ping),
            None => match pipe.closed {
                Some(how) => Poll::Ready(Arrival::Closed(how)),
                None => {
                    pipe.client = Some(cx.waker().clone());
                    Poll::Pending
                }
            },
        }
    }

    /// Whether another frame can be sent; remembers who asks.
    pub fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        let mut pipe = self.lock();
        if pipe.up.len() < UP_FRAMES_MAX || pipe.closed.is_some() {
            return Poll::Ready(());
        }
        pipe.client = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Sends the bytes of a frame.
    pub fn say(&self, frame: &[u8]) {
        let read = self.lock().encoding.decode(frame);
        self.send(read.map_or_else(Incoming::Unreadable, Incoming::Frame));
    }

    /// Sends a sign of life.
    pub fn live(&self) {
        self.send(Incoming::Alive);
    }

    fn send(&self, incoming: Incoming) {
        let mut pipe = self.lock();
        pipe.up.push_back(incoming);
        pipe.wake_server();
    }

    /// Leaves without a word. The server sees it, or does not.
    pub fn leave(self, seen: bool) {
        let mut pipe = self.lock();
        pipe.vanished = !seen;
        pipe.gone = seen;
        if seen {
            pipe.wake_server();
        }
    }
}

impl Drop for ClientEnd {
    fn drop(&mut self) {
        let mut pipe = self.lock();
        if !pipe.vanished {
            pipe.gone = true;
            pipe.wake_server();
        }
    }
}
