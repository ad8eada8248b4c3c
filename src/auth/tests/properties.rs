//! Whatever comes in, nothing panics, and only what was signed counts.

use futures_util::FutureExt as _;
use proptest::prelude::*;

use super::super::jwk;
use super::*;
use crate::config::Algorithm::{ES256, EdDSA, RS256};

fn counts(verifier: &Verifier, token: &str) -> bool {
    verifier.verify(token, NOW).now_or_never().unwrap().is_ok()
}

#[test]
fn no_byte_of_a_token_may_change() {
    let verifier = by_secrets();
    let good = hs256(claims_and(r#","role":"user","name":"Ann""#));
    assert!(counts(&verifier, &good));
    for at in 0..good.len() {
        for byte in 0..128_u8 {
            let mut changed = good.clone().into_bytes();
            changed[at] = byte;
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(counts(&verifier, &changed), changed == good, "byte {at} as {byte}");
        }
        assert!(!counts(&verifier, &good[..at]), "cut at {at}");
    }
}

proptest! {
    #[test]
    fn no_text_is_a_token(text in any::<String>()) {
        prop_assert!(!counts(&by_secrets(), &text));
    }

    #[test]
    fn no_three_parts_are_a_token(header in any::<Vec<u8>>(), claims in any::<Vec<u8>>(), signature in any::<Vec<u8>>()) {
        let token = format!("{}.{}.{}", encode(header), encode(claims), encode(signature));
        prop_assert!(!counts(&by_secrets(), &token));
    }

    #[test]
    fn signed_rubbish_is_nobody(claims in r#"\{("(sub|id|exp|nbf|iat|role|name|jti)":("[^"]{0,9}"|null|true|\[\]|-?[0-9]{1,9}(\.[0-9])?)(,|\})){0,5}"#) {
        // No `exp` of at most nine digits lies in the future.
        prop_assert!(!counts(&by_secrets(), &hs256(claims)));
    }

    #[test]
    fn any_answer_of_an_issuer_is_read_or_refused(text in r#"\{"keys":\[(\{("(kty|kid|alg|use|crv|n|e|x|y)":("(RSA|EC|OKP|P-256|Ed25519|RS256|[A-Za-z0-9_-]{0,50})"|null|1),?){0,9}\},?){0,3}\]\}"#) {
        let _ = jwk::parse(text.as_bytes(), &[RS256, ES256, EdDSA]);
    }
}
