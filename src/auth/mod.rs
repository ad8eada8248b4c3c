//! From a token to the [`Identity`](crate::model::Identity) of its bearer, and, for trying, back.
//!
//! The configuration decides which keys and algorithms count; nothing in a token can widen that. To the outside there
//! are three answers, [`AuthError`]; the exact reason goes to a metric's label and the debug log.

mod claims;
mod development;
mod fault;
mod jwk;
mod keys;
mod members;
mod mint;
mod published;
#[cfg(test)]
mod tests;
mod token;
mod verifier;

use crate::model::{Code, Refusal};

pub use keys::KeyError;
pub use mint::Minter;
pub use verifier::Verifier;

/// Why a bearer is nobody, as much as the bearer may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// There is no token.
    #[error("a token is needed")]
    Missing,
    /// The token does not count, for whatever reason.
    #[error("the token does not count")]
    Invalid,
    /// The token counted once: a new one will do.
    #[error("the token has expired")]
    Expired,
}

impl From<AuthError> for Refusal {
    fn from(error: AuthError) -> Self {
        let code = match error {
            AuthError::Missing | AuthError::Invalid => Code::Unauthorized,
            AuthError::Expired => Code::TokenExpired,
        };
        Self::new(code, error.to_string())
    }
}
