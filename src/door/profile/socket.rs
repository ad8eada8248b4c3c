//! One client of the family, as a session sees it. [`heard`] is what it says, [`told`] what it is told.

mod heard;
mod told;

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::header::AUTHORIZATION;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::Desk;
use super::presence::Company;
use super::recovery::{PrivateId, Shown};
use super::said;
use super::typists::Typists;
use crate::delivery::Outbox;
use crate::door::engineio::{self, EngineSocket, Opening, Outgoing};
use crate::door::socketio::Connection;
use crate::door::websocket::Fault as Broken;
use crate::model::limits::{FRAME_BYTES_MAX, REPLIES_MAX, SOCKETIO_HELLO_WAIT};
use crate::model::{ClientKey, Identity, Refusal, StoreTime};
use crate::session::{Entrance, Gone, Incoming, Manners, Outward, Socket};
use crate::wire::client::Hello;
use crate::wire::socketio::{MAIN, disconnect};
use crate::wire::{ClientFrame, Close};

/// How far a client has come into the main namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    /// It has not asked.
    Outside,
    /// It asked with a token, and is answered when that was looked at.
    WithToken,
    /// It asked to go on where it was, and is answered when that is found.
    Recovering,
    /// It is in.
    Inside,
}

/// A token that the client has shown and is not answered yet.
struct Offered {
    token: String,
    /// Whether the client was somebody already.
    is_refresh: bool,
    callback: Option<u64>,
}

/// What came of looking something up for an input.
enum Found {
    /// The session is to do this; who wants to be called back about a message is, when it is stored.
    Frame(ClientFrame, Option<u64>),
    /// It is done.
    Done(Option<u64>),
    /// It was not done, in these words.
    Refused(&'static str, Refusal, Option<u64>),
}

/// A client.
pub(super) struct ChatSocket {
    desk: Arc<Desk>,
    engine: EngineSocket,
    connection: Connection,
    entry: Entry,
    /// The token that came with the first request, if any.
    token: Option<String>,
    viewer: Option<Arc<Identity>>,
    outbox: Option<Arc<Outbox>>,
    /// What the client calls this connection when it comes back.
    id: PrivateId,
    shown: Shown,
    /// Nothing from before this is owed, in conversations of which nothing was shown: the client's first connection began
    /// then.
    since: StoreTime,
    /// Packets to write. Bounded: at [`REPLIES_MAX`] the client is not read.
    replies: VecDeque<Bytes>,
    is_unflushed: bool,
    /// What is being put into words: what comes next waits for it.
    telling: Option<BoxFuture<'static, Vec<Bytes>>>,
    /// An input that something must be looked up for: the client is not read until then.
    asking: Option<BoxFuture<'static, Found>>,
    /// Sends under way whose client wants to be called back.
    callbacks: Vec<(ClientKey, u64)>,
    /// Tokens that are being looked at, in the order in which they are answered.
    tokens: VecDeque<Offered>,
    /// Somebody else's token: the session ends, and another one begins with it.
    newcomer: Option<Offered>,
    sends: u64,
    typists: Typists,
    company: Company,
}

impl ChatSocket {
    pub(super) fn new(desk: Arc<Desk>, engine: EngineSocket, opening: &Opening) -> Self {
        let token = opening.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let id = PrivateId::by(&*desk.services.chance);
        Self {
            desk,
            engine,
            connection: Connection::new(&[MAIN], FRAME_BYTES_MAX),
            entry: Entry::Outside,
            token: token.and_then(|token| said::token(&Value::from(token))),
            viewer: None,
            outbox: None,
            id,
            shown: Shown::default(),
            since: StoreTime(0),
            replies: VecDeque::new(),
            is_unflushed: false,
            telling: None,
            asking: None,
            callbacks: Vec::new(),
            tokens: VecDeque::new(),
            newcomer: None,
            sends: 0,
            typists: Typists::default(),
            company: Company::default(),
        }
    }

    /// The client has become somebody else: the next session is theirs. False if it has not.
    pub(super) fn begins_anew(&mut self) -> bool {
        let Some(newcomer) = self.newcomer.take() else { return false };
        let hello = ClientFrame::Hello(Hello { token: newcomer.token.clone(), resume: None });
        self.asking = Some(Box::pin(std::future::ready(Found::Frame(hello, None))));
        self.tokens = VecDeque::from([Offered { is_refresh: false, ..newcomer }]);
        (self.viewer, self.outbox, self.shown) = (None, None, Shown::default());
        (self.callbacks, self.typists) = (Vec::new(), Typists::default());
        true
    }

    /// Ends the connection. A client comes back by itself unless it was put out.
    pub(super) async fn close(mut self, how: Option<Close>) {
        if how == Some(Close::Forbidden) && self.entry == Entry::Inside {
            let ready = std::future::poll_fn(|cx| self.engine.poll_ready(cx)).await;
            if ready.is_ok() {
                // If that fails, the close that follows says all there is to say.
                let _ = self.engine.start_send(Outgoing::Text(disconnect(MAIN)));
            }
        }
        let (code, reason) = how.map_or((1000, ""), |close| (close.code(), close.reason()));
        self.engine.close(code, reason).await;
    }

    fn reply(&mut self, packet: Bytes) -> Incoming {
        self.replies.push_back(packet);
        Incoming::Alive
    }

    fn tell(&mut self, words: impl Future<Output = Vec<Bytes>> + std::marker::Send + 'static) {
        self.telling = Some(Box::pin(words));
    }

    /// Writes what was put into words. Ready when nothing waits.
    fn poll_replies(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        while !self.replies.is_empty() {
            ready!(self.engine.poll_ready(cx)).map_err(|_| Gone)?;
            let Some(packet) = self.replies.pop_front() else { break };
            self.engine.start_send(Outgoing::Text(packet)).map_err(|_| Gone)?;
            self.is_unflushed = true;
        }
        if self.replies.capacity() > 4 {
            self.replies = VecDeque::new(); // an idle session keeps no buffer
        }
        Poll::Ready(Ok(()))
    }

    fn poll_told(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        if let Some(telling) = &mut self.telling {
            let words = ready!(telling.as_mut().poll(cx));
            self.telling = None;
            self.replies.extend(words);
        }
        self.poll_replies(cx)
    }

    /// Tells that somebody has stopped writing who did not say so.
    fn poll_typists(&mut self, cx: &mut Context<'_>) {
        if self.telling.is_none()
            && let Poll::Ready((conversation, user)) = self.typists.poll_silent(cx)
            && let Some(viewer) = self.viewer.clone()
        {
            self.tell(told::typing(self.desk.clone(), viewer, conversation, user, false));
        }
    }
}

impl Socket for ChatSocket {
    fn manners(&self) -> Manners {
        Manners {
            hello_wait: SOCKETIO_HELLO_WAIT,
            hears_out: true,
            starts_live: true,
            pings_itself: true,
            entrance: if self.engine.is_polled() { Entrance::Polling } else { Entrance::SocketIo },
        }
    }

    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Incoming> {
        self.poll_typists(cx);
        let told = self.poll_told(cx);
        if matches!(told, Poll::Ready(Err(Gone))) {
            return Poll::Ready(Incoming::Gone);
        }
        if self.is_unflushed && matches!(self.engine.poll_flush(cx), Poll::Ready(Ok(()))) {
            self.is_unflushed = false;
        }
        if let Some(asking) = &mut self.asking {
            let found = ready!(asking.as_mut().poll(cx));
            self.asking = None;
            return Poll::Ready(self.on_found(found));
        }
        if self.replies.len() >= REPLIES_MAX {
            return Poll::Pending;
        }
        if let Some(viewer) = &self.viewer
            && let Poll::Ready(watch) = self.company.poll(&self.desk, viewer, cx)
        {
            return Poll::Ready(Incoming::Frame(watch));
        }
        self.engine.poll_incoming(cx).map(|incoming| match incoming {
            engineio::Incoming::Text(text) => self.on_text(&text),
            engineio::Incoming::Binary(bytes) => self.on_binary(bytes),
            engineio::Incoming::Alive => Incoming::Alive,
            engineio::Incoming::Gone => Incoming::Gone,
            engineio::Incoming::Broken(fault) => close_for(fault).map_or(Incoming::Gone, Incoming::Broken),
        })
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        ready!(self.poll_told(cx))?;
        self.engine.poll_ready(cx).map_err(|_| Gone)
    }

    fn start_send(&mut self, outward: Outward) -> Result<(), Gone> {
        match outward {
            Outward::Item(item) => self.on_item(item),
            // Engine.IO pings by itself, and the session knows that.
            Outward::Ping => {}
        }
        Ok(())
    }

    fn authenticated(&mut self, identity: &Identity) {
        self.viewer = Some(Arc::new(identity.clone()));
        self.engine.authenticated();
    }

    fn joined(&mut self, outbox: &Arc<Outbox>) {
        if self.entry != Entry::Recovering {
            // The store stamps messages to the second.
            self.since = outbox.as_of().at.minus(Duration::from_secs(1));
        }
        self.outbox = Some(outbox.clone());
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        ready!(self.poll_told(cx))?;
        ready!(self.engine.poll_flush(cx)).map_err(|_| Gone)?;
        self.is_unflushed = false;
        Poll::Ready(Ok(()))
    }
}

const fn close_for(fault: Broken) -> Option<Close> {
    match fault {
        Broken::Protocol => Some(Close::Protocol),
        Broken::NotText => Some(Close::NotUtf8),
        Broken::TooBig => Some(Close::TooBig),
        Broken::Unfinished => Some(Close::Policy),
        Broken::Gone => None,
    }
}
