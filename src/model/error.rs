//! How a request is refused: a code from one list, a sentence, and whether to come back.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Assignment, Message};

/// Every error code a client can be given, on any door. `docs/protocol.md` has one row for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The bytes are not a frame of the protocol. Do not repeat it unchanged.
    BadFrame,
    /// A field is missing, too long or out of range. Do not repeat it unchanged.
    Invalid,
    /// The first frame must be `hello`, and only the first.
    NotHello,
    /// No token, or not one that counts.
    Unauthorized,
    /// The token has expired: get a new one.
    TokenExpired,
    /// Not allowed, or not there: the two are not told apart.
    Forbidden,
    /// A cursor from another history, or beyond the head: drop it and start at the head.
    Reset,
    /// Somebody was faster: what is now true comes along. Do not repeat it unchanged.
    Conflict,
    /// Too many requests: come back after `retry_after_ms`.
    RateLimited,
    /// A bounded queue is full: come back after `retry_after_ms`.
    Busy,
    /// The store cannot answer now, and what became of the request is unknown: repeat it with the same key.
    Unavailable,
    /// An earlier send of this session to that conversation was refused and has not come back yet: repeat that first.
    Blocked,
    /// The node is leaving: connect again, then repeat it.
    Draining,
    /// A defect of the server. Repeat it with the same key.
    Internal,
}

impl Code {
    /// Whether the same request may succeed later, unchanged (a send: with the same key).
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::RateLimited | Self::Busy | Self::Unavailable | Self::Blocked | Self::Draining | Self::Internal
        )
    }

    /// The code's name, as on the wire and in metric labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadFrame => "bad_frame",
            Self::Invalid => "invalid",
            Self::NotHello => "not_hello",
            Self::Unauthorized => "unauthorized",
            Self::TokenExpired => "token_expired",
            Self::Forbidden => "forbidden",
            Self::Reset => "reset",
            Self::Conflict => "conflict",
            Self::RateLimited => "rate_limited",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
            Self::Blocked => "blocked",
            Self::Draining => "draining",
            Self::Internal => "internal",
        }
    }

    /// Every code there is, for tables and for counters that start at zero.
    pub const ALL: [Self; 14] = [
        Self::BadFrame,
        Self::Invalid,
        Self::NotHello,
        Self::Unauthorized,
        Self::TokenExpired,
        Self::Forbidden,
        Self::Reset,
        Self::Conflict,
        Self::RateLimited,
        Self::Busy,
        Self::Unavailable,
        Self::Blocked,
        Self::Draining,
        Self::Internal,
    ];
}

/// A request that was not done, and what its sender should make of that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", code.name())]
pub struct Refusal {
    /// What a program goes by.
    pub code: Code,
    /// What a person reads. Never repeats the input.
    pub message: String,
    /// When to come back, if coming back can help.
    pub retry_after: Option<Duration>,
    /// What is true instead, where somebody was faster.
    pub truth: Option<Box<Truth>>,
}

/// What is true instead of what a refused request took to be true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Truth {
    /// A conversation went on.
    Messages {
        /// What came after the place that the writer knew: in ascending order, without a hole.
        messages: Vec<Message>,
        /// Whether there is more after that.
        more: bool,
    },
    /// A talk is another's, or in another state.
    Assignment(Assignment),
}

impl Refusal {
    /// A refusal without a time to come back; retryable codes get one second.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let retry_after = code.is_retryable().then_some(Duration::from_secs(1));
        Self { code, message: message.into(), retry_after, truth: None }
    }

    /// The same refusal with its own time to come back.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The same refusal with what is true instead.
    #[must_use]
    pub fn with(mut self, truth: Truth) -> Self {
        self.truth = Some(Box::new(truth));
        self
    }
}
