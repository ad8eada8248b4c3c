//! The keys that an issuer publishes, as a document.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;

use super::keys::{Key, is_rsa_size};

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

/// What we read of one published key. Whatever else it says is none of our business.
#[derive(Deserialize)]
struct Published {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The keys in `json` that are for checking signatures of the `allowed` algorithms. Others are passed over: an issuer
/// publishes keys for other purposes, and of kinds not yet invented, beside them. `None` when there is no such key.
pub(super) fn parse(json: &[u8], allowed: &[Algorithm]) -> Option<Vec<Key>> {
    let document: Document = serde_json::from_slice(json).ok()?;
    let published = document.keys.into_iter().filter_map(|key| serde_json::from_value::<Published>(key).ok());
    let keys: Vec<Key> = published.filter_map(|key| key.usable(allowed)).collect();
    (!keys.is_empty()).then_some(keys)
}

impl Published {
    fn usable(self, allowed: &[Algorithm]) -> Option<Key> {
        let (material, possible) = self.material()?;
        let is_named = |algorithm: &Algorithm| self.alg.as_ref().is_none_or(|alg| alg.parse() == Ok(*algorithm));
        let algorithms: Vec<Algorithm> =
            possible.iter().copied().filter(|one| allowed.contains(one) && is_named(one)).collect();
        let is_for_signatures = self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        (is_for_signatures && !algorithms.is_empty()).then_some(Key { id: self.kid, algorithms, material })
    }

    /// The key itself, and the algorithms that its kind permits. A symmetric key is never one.
    fn material(&self) -> Option<(DecodingKey, &'static [Algorithm])> {
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => {
                let (n, e) = (self.n.as_deref()?, self.e.as_deref()?);
                let key = is_rsa_size(n).then(|| DecodingKey::from_rsa_components(n, e).ok())??;
                Some((
                    key,
                    &[
                        Algorithm::RS256,
                        Algorithm::RS384,
                        Algorithm::RS512,
                        Algorithm::PS256,
                        Algorithm::PS384,
                        Algorithm::PS512,
                    ],
                ))
            }
            ("EC", Some("P-256")) => Some((self.point(32)?, &[Algorithm::ES256])),
            ("EC", Some("P-384")) => Some((self.point(48)?, &[Algorithm::ES384])),
            ("OKP", Some("Ed25519")) => {
                let x = coordinate(self.x.as_deref()?, 32)?;
                Some((DecodingKey::from_ed_components(x).ok()?, &[Algorithm::EdDSA]))
            }
            _ => None,
        }
    }

    fn point(&self, bytes: usize) -> Option<DecodingKey> {
        let (x, y) = (coordinate(self.x.as_deref()?, bytes)?, coordinate(self.y.as_deref()?, bytes)?);
        DecodingKey::from_ec_components(x, y).ok()
    }
}

/// `text`, if it is base64 of this many bytes.
fn coordinate(text: &str, bytes: usize) -> Option<&str> {
    (URL_SAFE_NO_PAD.decode(text).ok()?.len() == bytes).then_some(text)
}
