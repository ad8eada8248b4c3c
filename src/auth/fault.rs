//! What exactly is wrong with a token: for operators, never for its bearer.

use metrics::{Counter, counter, describe_counter};

use super::AuthError;

/// What is wrong with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// There is none.
    Missing,
    /// Longer than any honest one.
    TooLong,
    /// Not three parts of base64 with JSON objects in the first two.
    Shape,
    /// A header that is forbidden or of the wrong type.
    Header,
    /// Not an algorithm that the configuration allows.
    Algorithm,
    /// No key of this name and algorithm is known.
    UnknownKey,
    /// Not signed by a key of ours.
    Signature,
    /// No claim that could be a user id.
    Subject,
    /// Not a role.
    Role,
    /// A name, address or token id that cannot be one.
    Profile,
    /// `exp`, `nbf` or `iat` missing or no time.
    Time,
    /// From the future.
    NotYet,
    /// Of another issuer.
    Issuer,
    /// For another audience.
    Audience,
    /// Was good once.
    Expired,
}

impl Fault {
    const ALL: [Self; 15] = [
        Self::Missing,
        Self::TooLong,
        Self::Shape,
        Self::Header,
        Self::Algorithm,
        Self::UnknownKey,
        Self::Signature,
        Self::Subject,
        Self::Role,
        Self::Profile,
        Self::Time,
        Self::NotYet,
        Self::Issuer,
        Self::Audience,
        Self::Expired,
    ];

    /// The metric's label.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::TooLong => "too_long",
            Self::Shape => "shape",
            Self::Header => "header",
            Self::Algorithm => "algorithm",
            Self::UnknownKey => "unknown_key",
            Self::Signature => "signature",
            Self::Subject => "subject",
            Self::Role => "role",
            Self::Profile => "profile",
            Self::Time => "time",
            Self::NotYet => "not_yet",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Expired => "expired",
        }
    }
}

impl From<Fault> for AuthError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Missing => Self::Missing,
            Fault::Expired => Self::Expired,
            _ => Self::Invalid,
        }
    }
}

/// Counters of what became of tokens.
pub(super) struct Tally {
    accepted: Counter,
    refused: [Counter; Fault::ALL.len()],
}

impl Tally {
    pub(super) fn new() -> Self {
        describe_counter!("switchboard_tokens_accepted_total", "Tokens that counted");
        describe_counter!("switchboard_tokens_refused_total", "Tokens that did not count, by reason");
        Self {
            accepted: counter!("switchboard_tokens_accepted_total"),
            refused: Fault::ALL.map(|fault| counter!("switchboard_tokens_refused_total", "reason" => fault.name())),
        }
    }

    pub(super) fn count<T>(&self, outcome: &Result<T, Fault>) {
        match outcome {
            Ok(_) => self.accepted.increment(1),
            Err(fault) => self.refused[*fault as usize].increment(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_its_own_counter() {
        for (index, fault) in Fault::ALL.into_iter().enumerate() {
            assert_eq!(fault as usize, index, "{}", fault.name());
        }
    }
}
