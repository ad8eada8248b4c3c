//! Keys that tokens are checked with.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};

use crate::config::Secret;

/// A key that cannot be used: one sentence that says what to set. Never the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeyError(pub(super) String);

/// A key, its name if it has one, and the algorithms that it counts for.
pub(super) struct Key {
    pub(super) id: Option<String>,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) material: DecodingKey,
}

impl Key {
    pub(super) fn secret(secret: &Secret) -> Self {
        let material = DecodingKey::from_secret(secret.expose().as_bytes());
        Self { id: None, algorithms: vec![Algorithm::HS256], material }
    }

    /// The public key in `pem`, for tokens of `algorithm`.
    pub(super) fn public(pem: &str, algorithm: Algorithm) -> Result<Self, KeyError> {
        let parse = match algorithm.family() {
            AlgorithmFamily::Rsa => DecodingKey::from_rsa_pem,
            AlgorithmFamily::Ec => DecodingKey::from_ec_pem,
            AlgorithmFamily::Ed => DecodingKey::from_ed_pem,
            AlgorithmFamily::Hmac => return Err(KeyError("SWITCHBOARD_JWT_SECRET is for HS256".to_owned())),
        };
        let fitting = parse(pem.as_bytes()).ok().filter(|material| is_strong(material, algorithm));
        let material = fitting.ok_or_else(|| {
            KeyError(format!(
                "the key in SWITCHBOARD_JWT_PUBLIC_KEY is none for {algorithm:?} (RSA keys need 2048 bits or more): set \
                 SWITCHBOARD_JWT_ALGORITHM to the key's algorithm, or another key"
            ))
        })?;
        Ok(Self { id: None, algorithms: vec![algorithm], material })
    }

    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }
}

/// Whether a key has the size and curve that `algorithm` wants.
fn is_strong(material: &DecodingKey, algorithm: Algorithm) -> bool {
    let Ok(jwk) = Jwk::from_decoding_key(material, None) else { return false };
    match (&jwk.algorithm, algorithm) {
        (AlgorithmParameters::RSA(rsa), _) => is_rsa_size(&rsa.n),
        (AlgorithmParameters::EllipticCurve(ec), Algorithm::ES256) => ec.curve == EllipticCurve::P256,
        (AlgorithmParameters::EllipticCurve(ec), Algorithm::ES384) => ec.curve == EllipticCurve::P384,
        (AlgorithmParameters::OctetKeyPair(_), Algorithm::EdDSA) => true,
        _ => false,
    }
}

/// Whether a base64 modulus has 2,048 to 8,192 bits.
pub(super) fn is_rsa_size(modulus: &str) -> bool {
    (256..=1_024).contains(&(modulus.len() * 3 / 4))
}
