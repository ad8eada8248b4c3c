//! Tokens for the simulated users, signed with the cluster's secret.

use jsonwebtoken::{EncodingKey, Header, encode};
use serde::Serialize;
use switchboard::model::{Clock, SystemClock, UserId};

/// How long a token is good for, in seconds: longer than any run.
const TOKEN_SECONDS: u64 = 6 * 3_600;

/// Makes tokens.
pub(crate) struct Issuer(EncodingKey);

#[derive(Serialize)]
struct Claims<'a> {
    id: &'a UserId,
    exp: u64,
}

impl Issuer {
    pub(crate) fn new(secret: &str) -> Self {
        Self(EncodingKey::from_secret(secret.trim().as_bytes()))
    }

    /// A token of `user`; none if signing fails.
    pub(crate) fn token(&self, user: &UserId) -> Option<String> {
        let exp = SystemClock.now().0 / 1_000 + TOKEN_SECONDS;
        encode(&Header::default(), &Claims { id: user, exp }, &self.0).ok()
    }
}
