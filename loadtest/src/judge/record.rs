//! What happened in a run, as it is judged, and as it is kept in a history file: one JSON line each.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use switchboard::model::{ConversationId, Seq, UserId};

/// One screen of somebody. The first one also writes; the others only look.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Device {
    pub(crate) user: UserId,
    /// Counts from 1. 0 is no screen: it is what the server has kept, read back by that user.
    pub(crate) number: u32,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Record {
    /// A run begins.
    Run {
        title: String,
        seed: u64,
        /// Whatever takes longer from when it was due is late.
        late_micros: u64,
    },
    /// Who looks at a conversation: each is owed what the others write.
    Room {
        conversation: ConversationId,
        devices: Vec<Device>,
        /// Whether the other devices of whoever writes are owed it too.
        echoes: bool,
    },
    /// Somebody is about to write their next message there.
    Sent { conversation: ConversationId, user: UserId, number: u64, at: u64 },
    /// The server said that it is stored.
    Acked { conversation: ConversationId, user: UserId, number: u64, seq: Seq, at: u64 },
    /// A device showed somebody else's message.
    Shown {
        device: Device,
        conversation: ConversationId,
        seq: Seq,
        from: UserId,
        /// Which of the sender's; none if its text is not one that anybody wrote.
        number: Option<u64>,
        /// From when it was due, in microseconds.
        took: u64,
        at: u64,
    },
}

impl Device {
    /// The one that writes.
    pub(crate) fn first(user: UserId) -> Self {
        Self { user, number: 1 }
    }

    /// What the server has kept of a conversation, as this user may read it.
    pub(crate) fn archive(user: UserId) -> Self {
        Self { user, number: 0 }
    }

    pub(crate) fn is_archive(&self) -> bool {
        self.number == 0
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            1 => f.write_str(self.user.as_str()),
            number => write!(f, "{}#{number}", self.user.as_str()),
        }
    }
}

impl FromStr for Device {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (user, number) = text.split_once('#').unwrap_or((text, "1"));
        let user = user.parse().map_err(|_| "not a user")?;
        Ok(Self { user, number: number.parse().map_err(|_| "not a device")? })
    }
}

impl Serialize for Device {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Device {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}
