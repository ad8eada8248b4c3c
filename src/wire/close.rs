//! Why a connection ends, and whether to come back. RFC 6455 names the codes below 4000; the others are ours.

/// A close code and its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Close {
    /// 1001: this node stops for good.
    GoingAway,
    /// 1002: the peer broke RFC 6455.
    Protocol,
    /// 1003: a text frame where binary ones were agreed, or the reverse.
    WrongKind,
    /// 1007: a text frame that is not UTF-8.
    NotUtf8,
    /// 1008: too many frames that were not understood.
    Policy,
    /// 1009: a frame or message over the bound.
    TooBig,
    /// 1012: this node restarts.
    Restart,
    /// 1013: try again later.
    TryLater,
    /// 4401: no token that counts, or it has expired.
    Token,
    /// 4403: forbidden.
    Forbidden,
    /// 4408: no `hello` in time.
    HelloTimeout,
    /// 4429: too much, too fast.
    Rate,
}

impl Close {
    /// Every close, for tables and for counters that start at zero.
    pub const ALL: [Self; 12] = [
        Self::GoingAway,
        Self::Protocol,
        Self::WrongKind,
        Self::NotUtf8,
        Self::Policy,
        Self::TooBig,
        Self::Restart,
        Self::TryLater,
        Self::Token,
        Self::Forbidden,
        Self::HelloTimeout,
        Self::Rate,
    ];

    /// The code on the wire.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::GoingAway => 1001,
            Self::Protocol => 1002,
            Self::WrongKind => 1003,
            Self::NotUtf8 => 1007,
            Self::Policy => 1008,
            Self::TooBig => 1009,
            Self::Restart => 1012,
            Self::TryLater => 1013,
            Self::Token => 4401,
            Self::Forbidden => 4403,
            Self::HelloTimeout => 4408,
            Self::Rate => 4429,
        }
    }

    /// The reason on the wire: at most 123 bytes, and says whether to come back.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::GoingAway => "going away: reconnect to another node",
            Self::Protocol => "not RFC 6455: do not reconnect before the client is mended",
            Self::WrongKind => "text for JSON, binary for MessagePack: do not reconnect before the client is mended",
            Self::NotUtf8 => "not UTF-8: do not reconnect before the client is mended",
            Self::Policy => "too many frames that are not of this protocol: do not reconnect before it is mended",
            Self::TooBig => "frame too big: do not send it again",
            Self::Restart => "restarting: reconnect",
            Self::TryLater => "try again later: reconnect with a growing delay",
            Self::Token => "token refused or expired: reconnect with a new one",
            Self::Forbidden => "forbidden: do not reconnect",
            Self::HelloTimeout => "no hello in time: reconnect and say hello first",
            Self::Rate => "too much, too fast: reconnect with a growing delay",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_fits_into_a_close_frame() {
        for close in Close::ALL {
            assert!(close.reason().len() <= 123, "{close:?}");
        }
    }
}
