//! Tokens good and bad, keys that come and go.

mod accepted;
mod attacks;
mod minting;
mod properties;
mod rotation;
mod server;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};

use super::Verifier;
use crate::config::{Auth, Keys, Secret};
use crate::model::{Chance, Timestamp};

/// When the tests happen: seconds since 1970.
const TODAY: u64 = 1_800_000_000;
const NOW: Timestamp = Timestamp(TODAY * 1_000);

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const OLD_SECRET: &str = "fedcba9876543210fedcba9876543210";

/// A file of `tests/fixtures/keys`.
macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/keys/", $name))
    };
}
use fixture;

struct Seven;

impl Chance for Seven {
    fn bits(&self) -> u64 {
        7
    }
}

fn auth(keys: Keys) -> Auth {
    let user_claims = ["id", "userId", "_id", "sub"].map(str::to_owned).to_vec();
    Auth { keys, issuer: None, audiences: Vec::new(), user_claims }
}

fn open(auth: &Auth) -> Verifier {
    Verifier::open(auth, &Seven).unwrap()
}

fn by_secrets() -> Verifier {
    open(&auth(Keys::Secrets(vec![Secret::new(SECRET), Secret::new(OLD_SECRET)])))
}

fn by_public_key(pem: &str, algorithm: Algorithm) -> Verifier {
    open(&auth(Keys::PublicKey { pem: pem.to_owned(), algorithm }))
}

fn hmac(secret: &str) -> EncodingKey {
    EncodingKey::from_secret(secret.as_bytes())
}

fn rsa() -> EncodingKey {
    EncodingKey::from_rsa_pem(fixture!("rsa2048.pem").as_bytes()).unwrap()
}

fn other_rsa() -> EncodingKey {
    EncodingKey::from_rsa_pem(fixture!("rsa-other.pem").as_bytes()).unwrap()
}

fn ec256() -> EncodingKey {
    EncodingKey::from_ec_pem(fixture!("ec256.pem").as_bytes()).unwrap()
}

fn ec384() -> EncodingKey {
    EncodingKey::from_ec_pem(fixture!("ec384.pem").as_bytes()).unwrap()
}

fn ed25519() -> EncodingKey {
    EncodingKey::from_ed_pem(fixture!("ed25519.pem").as_bytes()).unwrap()
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token of exactly these bytes, signed by `key`.
fn signed(header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>, key: &EncodingKey, algorithm: Algorithm) -> String {
    let text = format!("{}.{}", encode(header), encode(claims));
    let signature = jsonwebtoken::crypto::sign(text.as_bytes(), key, algorithm).unwrap();
    format!("{text}.{signature}")
}

/// A token of these claims that is good in every other way, for [`by_secrets`].
fn hs256(claims: impl AsRef<[u8]>) -> String {
    signed(r#"{"alg":"HS256"}"#, claims, &hmac(SECRET), Algorithm::HS256)
}

/// Claims that are good, and whatever else.
fn claims_and(more: &str) -> String {
    format!(r#"{{"sub":"ann","exp":{}{more}}}"#, TODAY + 60)
}

fn good_claims() -> String {
    claims_and("")
}
