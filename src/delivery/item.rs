//! What is on its way to a socket. It is put into words by the door that writes it, at the last moment, and once for all
//! sockets that take the same words.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::model::{ConversationId, Message, StoreTime, Timestamp};
use crate::telemetry::{Delivering, Reception, Taken};
use crate::wire::server::{Fault, Row, Truth};
use crate::wire::{Form, ServerFrame};

/// What a message costs in a queue beside its text, about, in bytes.
const MESSAGE_OVERHEAD_BYTES: usize = 512;
/// What a member of a conversation costs in its row, about, in bytes.
const MEMBER_BYTES: usize = 128;
/// What any other frame costs, about, in bytes.
const FRAME_BYTES: usize = 256;
/// What a user costs whose presence is told, about, in bytes.
const SEEN_BYTES: usize = 96;

/// What a cursor or a count in a frame costs, about, in bytes.
const CURSOR_BYTES: usize = 96;

/// One thing that waits for a socket.
#[derive(Debug, Clone)]
pub enum Item {
    /// A message.
    Message(Arc<SharedMessage>),
    /// What other sessions are told too.
    Notice(Arc<Notice>),
    /// What only this session is told.
    Answer(Box<ServerFrame>),
}

/// A message, for any number of sockets.
#[derive(Debug)]
pub struct SharedMessage {
    /// The message.
    pub message: Arc<Message>,
    /// No later than this did the store take the message before it.
    pub(super) predecessor: Option<StoreTime>,
    /// Whether its conversation is a group.
    pub(super) group: bool,
    /// Its trace, if it is one of the few that have one.
    trace: Option<Taken>,
    /// Where it is noted to how many sockets it was written, if that is remembered.
    reception: Option<Arc<Reception>>,
    /// Whether it was read from the store.
    is_read: bool,
    forms: Forms,
}

/// How a message came to a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the bus.
    Bus,
    /// From the store.
    Store,
    /// In the answer to who sent it.
    Answer,
}

/// Another frame, for any number of sockets.
#[derive(Debug)]
pub struct Notice {
    /// The frame.
    pub frame: ServerFrame,
    forms: Forms,
}

/// The bytes in each form, made when they are first asked for.
#[derive(Debug, Default)]
struct Forms([OnceLock<Bytes>; Form::ALL.len()]);

impl SharedMessage {
    pub(super) fn new(message: Arc<Message>, predecessor: Option<StoreTime>, group: bool) -> Self {
        Self { message, predecessor, group, trace: None, reception: None, is_read: false, forms: Forms::default() }
    }

    /// The same, traced.
    pub(super) fn traced(self, trace: Option<Taken>) -> Self {
        Self { trace, ..self }
    }

    /// The same, with where it is noted to how many sockets it was written.
    pub(super) fn noted(self, reception: Option<Arc<Reception>>) -> Self {
        Self { reception, ..self }
    }

    /// The same, as read from the store.
    pub(super) fn read(self) -> Self {
        Self { is_read: true, ..self }
    }

    /// It was offered to everybody whom it is for.
    pub(super) fn offered(&self) {
        if let Some(trace) = &self.trace {
            trace.offered();
        }
    }

    /// The message in a form; made by `make` for the first who asks.
    pub fn in_form(&self, form: Form, make: impl FnOnce(&Arc<Message>) -> Bytes) -> Bytes {
        self.forms.0[form as usize].get_or_init(|| make(&self.message)).clone()
    }
}

impl Notice {
    pub(super) fn new(frame: ServerFrame) -> Self {
        Self { frame, forms: Forms::default() }
    }

    /// The frame in a form; made by `make` for the first who asks.
    pub fn in_form(&self, form: Form, make: impl FnOnce(&ServerFrame) -> Bytes) -> Bytes {
        self.forms.0[form as usize].get_or_init(|| make(&self.frame)).clone()
    }
}

impl Item {
    /// When the message in it was accepted, and how it came here; none for other things.
    #[must_use]
    pub fn accepted(&self) -> Option<(Timestamp, Way)> {
        match self {
            Self::Message(shared) => Some((shared.message.at, if shared.is_read { Way::Store } else { Way::Bus })),
            Self::Answer(frame) => match &**frame {
                ServerFrame::Sent(sent) => Some((sent.message.at, Way::Answer)),
                _ => None,
            },
            Self::Notice(_) => None,
        }
    }

    /// It is written to a socket, at this time.
    pub fn written(&self, at: Timestamp) {
        if let Self::Message(shared) = self
            && let Some(reception) = &shared.reception
        {
            reception.written(at, shared.is_read);
        }
    }

    /// The writing of it to a socket, where the message in it is traced.
    #[must_use]
    pub fn delivering(&self) -> Option<Delivering> {
        match self {
            Self::Message(shared) => shared.trace.as_ref()?.deliver(),
            Self::Notice(_) | Self::Answer(_) => None,
        }
    }

    /// Which conversation it tells the standing of, if it does.
    pub(super) fn standing_of(&self) -> Option<ConversationId> {
        let Self::Notice(notice) = self else { return None };
        match notice.frame {
            ServerFrame::Receipt { conversation, .. } | ServerFrame::Assignment { conversation, .. } => {
                Some(conversation)
            }
            _ => None,
        }
    }

    /// What it weighs in a queue, in bytes: about as much as it holds in memory and will hold on the wire.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Message(shared) => cost(&shared.message),
            Self::Notice(_) => FRAME_BYTES,
            Self::Answer(frame) => match &**frame {
                ServerFrame::Sent(sent) => cost(&sent.message),
                ServerFrame::History { messages, .. } => messages.iter().map(cost).sum::<usize>() + FRAME_BYTES,
                ServerFrame::Error(Fault { truth: Some(Truth::Messages { messages, .. }), .. }) => {
                    messages.iter().map(cost).sum::<usize>() + FRAME_BYTES
                }
                ServerFrame::Conversations { conversations, .. } | ServerFrame::Inbox { conversations, .. } => {
                    conversations.iter().map(row_cost).sum::<usize>() + FRAME_BYTES
                }
                ServerFrame::Conversation(row) => row_cost(row),
                ServerFrame::Receipts { cursors, .. } => FRAME_BYTES + cursors.len() * CURSOR_BYTES,
                ServerFrame::Unread { conversations, .. } => FRAME_BYTES + conversations.len() * CURSOR_BYTES,
                ServerFrame::Presence { users } => FRAME_BYTES + users.len() * SEEN_BYTES,
                _ => FRAME_BYTES,
            },
        }
    }
}

impl From<ServerFrame> for Item {
    fn from(frame: ServerFrame) -> Self {
        Self::Answer(Box::new(frame))
    }
}

/// What a row of a list weighs in a queue, in bytes.
fn row_cost(row: &Row) -> usize {
    MESSAGE_OVERHEAD_BYTES + row.members.len() * MEMBER_BYTES
}

/// What a message weighs in a queue, in bytes.
pub(super) fn cost(message: &Message) -> usize {
    message.text.len() + MESSAGE_OVERHEAD_BYTES
}
