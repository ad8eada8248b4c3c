//! A message on its way to any number of sockets, encoded at most once in each encoding.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::model::{Message, StoreTime};
use crate::wire::{Encoding, ServerFrame};

/// A message and its frames.
#[derive(Debug)]
pub(super) struct SharedMessage {
    pub(super) message: Arc<Message>,
    /// No later than this did the store take the message before it.
    pub(super) predecessor: Option<StoreTime>,
    frames: [OnceLock<Bytes>; Encoding::ALL.len()],
}

impl SharedMessage {
    pub(super) fn new(message: Arc<Message>, predecessor: Option<StoreTime>) -> Self {
        Self { message, predecessor, frames: Default::default() }
    }

    /// The `message` frame.
    pub(super) fn frame(&self, encoding: Encoding) -> Bytes {
        let frame = &self.frames[encoding as usize];
        frame.get_or_init(|| encoding.encode(&ServerFrame::Message(&self.message))).clone()
    }
}
