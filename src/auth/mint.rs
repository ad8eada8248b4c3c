//! Makes tokens: for `switchboard token` and for development logins.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Map, Value};

use super::{KeyError, development};
use crate::config::{Auth, Keys, Secret, TokenRequest};
use crate::model::{Chance, Timestamp};

/// Makes tokens that a [`Verifier`](super::Verifier) of the same configuration accepts.
pub struct Minter {
    key: EncodingKey,
    issuer: Option<String>,
    audience: Option<String>,
    user_claim: String,
}

impl Minter {
    /// A minter with the first configured secret, or the data directory's own when no key is configured; that one is
    /// made, by `chance`, if there is none.
    ///
    /// # Errors
    /// A configuration with public keys only; a development secret that cannot be read or written.
    pub fn open(auth: &Auth, chance: &dyn Chance) -> Result<Self, KeyError> {
        let secret: Secret = match &auth.keys {
            Keys::Development { dir } => development::secret(dir, chance)?,
            Keys::Secrets(secrets) => secrets.first().cloned().ok_or_else(no_secret)?,
            Keys::Nobody | Keys::PublicKey { .. } | Keys::Jwks { .. } => return Err(no_secret()),
        };
        Ok(Self {
            key: EncodingKey::from_secret(secret.expose().as_bytes()),
            issuer: auth.issuer.clone(),
            audience: auth.audiences.first().cloned(),
            user_claim: auth.user_claims.first().cloned().unwrap_or_else(|| "sub".to_owned()),
        })
    }

    /// A token as requested, counting from `now`.
    ///
    /// # Errors
    /// The signature failed: a defect.
    pub fn mint(&self, request: &TokenRequest, now: Timestamp) -> Result<String, KeyError> {
        let claims = Value::Object(self.claims(request, now)).to_string();
        let signed = format!("{}.{}", encode(r#"{"alg":"HS256","typ":"JWT"}"#), encode(&claims));
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &self.key, Algorithm::HS256)
            .map_err(|error| KeyError(format!("a token could not be signed: {error}")))?;
        Ok(format!("{signed}.{signature}"))
    }

    fn claims(&self, request: &TokenRequest, now: Timestamp) -> Map<String, Value> {
        let issued = now.0 / 1_000;
        let mut claims = Map::new();
        let mut say = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                claims.insert(name.to_owned(), value);
            }
        };
        say("name", request.name.clone().map(Value::from));
        say("email", request.email.clone().map(Value::from));
        say("role", serde_json::to_value(request.role).ok());
        say("iss", self.issuer.clone().map(Value::from));
        say("aud", self.audience.clone().map(Value::from));
        say("iat", Some(issued.into()));
        say("exp", Some(issued.saturating_add(request.ttl.as_secs()).into()));
        say(&self.user_claim, Some(request.user.as_str().into()));
        claims
    }
}

fn no_secret() -> KeyError {
    KeyError(
        "only the issuer can mint tokens for a public key: set SWITCHBOARD_JWT_SECRET instead to try things".into(),
    )
}

fn encode(json: &str) -> String {
    URL_SAFE_NO_PAD.encode(json)
}
