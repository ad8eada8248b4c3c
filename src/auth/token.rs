//! A token taken apart, and its signature.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::Value;

use super::fault::Fault;
use super::keys::Key;
use super::members::Members;
use crate::model::limits::TOKEN_BYTES_MAX;

/// The parts of a token whose signature was not looked at yet.
pub(super) struct Token<'a> {
    /// What is signed: header and claims, encoded.
    signed: &'a str,
    claims: &'a str,
    signature: &'a str,
    /// The algorithm it claims to be signed with: to be compared with those allowed, never to be followed.
    pub(super) algorithm: Algorithm,
    /// The name of the key it claims to be signed with.
    pub(super) key_id: Option<String>,
}

/// Headers that would have us fetch or believe a key of the token's own, or honour an extension that we do not know.
const FORBIDDEN_HEADERS: [&str; 6] = ["crit", "jku", "jwk", "x5c", "x5u", "b64"];

impl<'a> Token<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Fault> {
        if text.is_empty() {
            return Err(Fault::Missing);
        }
        if text.len() > TOKEN_BYTES_MAX {
            return Err(Fault::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Fault::Shape)?;
        let (header, claims) = signed.split_once('.').ok_or(Fault::Shape)?;
        if claims.contains('.') {
            return Err(Fault::Shape);
        }
        let header = object(header)?;
        if FORBIDDEN_HEADERS.iter().any(|name| header.has(name)) || !is_jwt(header.get("typ")) {
            return Err(Fault::Header);
        }
        let algorithm = header.get("alg").and_then(Value::as_str).and_then(|name| name.parse().ok());
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return Err(Fault::Header),
        };
        Ok(Self { signed, claims, signature, algorithm: algorithm.ok_or(Fault::Algorithm)?, key_id })
    }

    /// The claims, if one of `keys` signed them with the token's algorithm.
    pub(super) fn claims_signed_by<'k>(&self, keys: impl Iterator<Item = &'k Key>) -> Result<Members, Fault> {
        let mut fault = Fault::Algorithm;
        for key in keys.filter(|key| key.fits(self.algorithm)) {
            fault = Fault::Signature;
            let verdict =
                jsonwebtoken::crypto::verify(self.signature, self.signed.as_bytes(), &key.material, self.algorithm);
            if verdict.is_ok_and(|is_good| is_good) {
                return object(self.claims);
            }
        }
        Err(fault)
    }
}

/// Other types of token (logout tokens, proofs of possession) may bear the same signature and mean something else.
fn is_jwt(typ: Option<&Value>) -> bool {
    let Some(typ) = typ else { return true };
    let is_one = |typ: &str| ["jwt", "at+jwt", "application/at+jwt"].iter().any(|one| one.eq_ignore_ascii_case(typ));
    typ.as_str().is_some_and(is_one)
}

fn object(part: &str) -> Result<Members, Fault> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| Fault::Shape)?;
    Members::parse(&json).ok_or(Fault::Shape)
}
