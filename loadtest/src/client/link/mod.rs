//! One connection to a node, by whichever door: what a client says goes in, what it hears comes out. Nothing here
//! outlives the connection; none means that it is lost.

mod native;
mod polling;
mod socketio;
mod websocket;

use std::collections::HashMap;

use switchboard::model::{ClientKey, ConversationId, Seq, UserId};

use super::outgoing::{Address, Outgoing};
use crate::door::{Dialer, Door, Target};
use crate::frames::{Answer, Ask, Resume};
pub(crate) use socketio::Thread;

/// An open connection.
pub(crate) enum Link {
    Native(Box<native::Native>),
    SocketIo(Box<socketio::SocketIo>),
}

/// How a client begins on a new connection.
pub(crate) struct Greeting {
    pub(crate) token: String,
    /// Where it left off, on the native door.
    pub(crate) resume: Option<Resume>,
    /// Where it left off, on the Socket.IO door.
    pub(crate) thread: Option<Thread>,
}

impl Link {
    pub(crate) async fn open(dialer: &Dialer, door: Door, target: &Target) -> Option<Self> {
        Some(match door {
            Door::Native(encoding) => Self::Native(Box::new(native::Native::open(dialer, encoding, target).await?)),
            Door::SocketIo => Self::SocketIo(Box::new(socketio::SocketIo::over_websocket(dialer, target).await?)),
            Door::Polling => Self::SocketIo(Box::new(socketio::SocketIo::over_polling(dialer, target).await?)),
        })
    }

    pub(crate) async fn hello(&mut self, greeting: Greeting) -> Option<()> {
        let Greeting { token, resume, thread } = greeting;
        match self {
            Self::Native(native) => native.write(&Ask::Hello { token: &token, resume }).await?,
            Self::SocketIo(socket) => socket.enter(&token, thread).await?,
        }
        self.flush().await
    }

    /// More places where it left off. The Socket.IO door has no such thing.
    pub(crate) async fn resume(&mut self, cursors: HashMap<ConversationId, Seq>) -> Option<()> {
        match self {
            Self::Native(native) => native.write(&Ask::Resume { cursors }).await,
            Self::SocketIo(_) => Some(()),
        }
    }

    pub(crate) async fn send(&mut self, send: &Outgoing) -> Option<()> {
        match self {
            Self::Native(native) => {
                let (to, conversation) = match &send.to {
                    Address::Person(person) => (Some(person), None),
                    Address::Group(group) => (None, Some(*group)),
                };
                native.write(&Ask::Send { to, conversation, key: &send.key, text: &send.text }).await
            }
            Self::SocketIo(socket) => socket.send(send).await,
        }
    }

    /// Asks for a page of history.
    pub(crate) async fn history(&mut self, talk: ConversationId, before: Option<Seq>, limit: u64) -> Option<()> {
        self.ask(&Ask::History { conversation: talk, before, limit }).await
    }

    /// Asks for a group.
    pub(crate) async fn found(&mut self, key: &ClientKey, members: &[UserId]) -> Option<()> {
        self.ask(&Ask::Group { key, action: "create", name: "Load", members }).await
    }

    /// Asks who of these people is there, now and whenever it changes.
    pub(crate) async fn watch(&mut self, users: &[UserId]) -> Option<()> {
        self.ask(&Ask::Watch { users }).await
    }

    /// What only the native door has on its sockets.
    async fn ask(&mut self, ask: &Ask<'_>) -> Option<()> {
        let Self::Native(native) = self else { return None };
        native.write(ask).await?;
        self.flush().await
    }

    pub(crate) async fn ping(&mut self) -> Option<()> {
        match self {
            Self::Native(native) => native.write(&Ask::Ping {}).await?,
            Self::SocketIo(_) => {}
        }
        self.flush().await
    }

    pub(crate) async fn flush(&mut self) -> Option<()> {
        match self {
            Self::Native(native) => native.flush().await,
            Self::SocketIo(socket) => socket.flush().await,
        }
    }

    /// What is said next. May be dropped while it waits.
    pub(crate) async fn next(&mut self) -> Option<Answer> {
        match self {
            Self::Native(native) => native.next().await,
            Self::SocketIo(socket) => socket.next().await,
        }
    }

    /// What the client brings back to the Socket.IO door next time.
    pub(crate) fn thread(&self) -> Option<Thread> {
        match self {
            Self::Native(_) => None,
            Self::SocketIo(socket) => socket.thread(),
        }
    }
}
