//! Checks tokens.

use tracing::debug;

use super::claims::Rules;
use super::development;
use super::fault::{Fault, Tally};
use super::keys::Key;
use super::members::Members;
use super::published::{Published, candidates};
use super::token::Token;
use super::{AuthError, KeyError};
use crate::config::{Auth, Keys};
use crate::model::{Chance, Identity, Timestamp};

/// Checks tokens by the configured keys and rules.
pub struct Verifier {
    source: Source,
    rules: Rules,
    tally: Tally,
}

/// Where the keys come from.
enum Source {
    Fixed(Vec<Key>),
    Published(Published),
}

impl Verifier {
    /// A verifier for the configured keys. With a JWKS URL it starts to fetch, which needs a Tokio runtime, and does
    /// so until it is dropped; for development it makes the data directory's secret, by `chance`, if there is none.
    ///
    /// # Errors
    /// A public key that does not fit its algorithm; a development secret that cannot be read or written.
    pub fn open(auth: &Auth, chance: &dyn Chance) -> Result<Self, KeyError> {
        let source = match &auth.keys {
            Keys::Development { dir } => Source::Fixed(vec![Key::secret(&development::secret(dir, chance)?)]),
            Keys::Nobody => Source::Fixed(Vec::new()),
            Keys::Secrets(secrets) => Source::Fixed(secrets.iter().map(Key::secret).collect()),
            Keys::PublicKey { pem, algorithm } => Source::Fixed(vec![Key::public(pem, *algorithm)?]),
            Keys::Jwks { url, algorithms } => Source::Published(Published::start(url.clone(), algorithms.clone())?),
        };
        Ok(Self { source, rules: Rules::of(auth), tally: Tally::new() })
    }

    /// The bearer of `token`, at the time `now`. Answers at once, but for a token whose key was not published before:
    /// then after at most [`JWKS_WAIT`](crate::model::limits::JWKS_WAIT).
    ///
    /// # Errors
    /// The token does not count, or no longer.
    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<Identity, AuthError> {
        let outcome = self.identify(token, now).await;
        self.tally.count(&outcome);
        outcome.map_err(|fault| {
            debug!(reason = fault.name(), "refused a token");
            fault.into()
        })
    }

    pub(super) async fn identify(&self, token: &str, now: Timestamp) -> Result<Identity, Fault> {
        let token = Token::parse(token)?;
        let claims = self.signed_claims(&token).await?;
        self.rules.identity(&claims, now)
    }

    async fn signed_claims(&self, token: &Token<'_>) -> Result<Members, Fault> {
        match &self.source {
            Source::Fixed(keys) => token.claims_signed_by(keys.iter()),
            Source::Published(published) => {
                let keys = published.keys_for(token).await?;
                token.claims_signed_by(candidates(&keys, token))
            }
        }
    }

    /// Waits until the keys are there, at most [`JWKS_WAIT`](crate::model::limits::JWKS_WAIT), and says how many.
    ///
    /// # Errors
    /// The issuer's keys cannot be fetched. They are tried for again all the same.
    pub async fn settled(&self) -> Result<usize, KeyError> {
        match &self.source {
            Source::Fixed(keys) => Ok(keys.len()),
            Source::Published(published) => published.settled().await,
        }
    }
}
