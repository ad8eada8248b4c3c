//! Tokens that count, and what they make of their bearer; keys that fit.

use jsonwebtoken::Algorithm::{self, ES256, ES384, EdDSA, HS256, PS256, PS384, PS512, RS256, RS384, RS512};

use super::*;
use crate::model::Role;

#[tokio::test]
async fn every_algorithm_with_its_key() {
    let (rsa_pem, pkcs1) = (fixture!("rsa2048.pub.pem"), fixture!("rsa2048.pkcs1.pub.pem"));
    let table: [(&str, &str, EncodingKey, Algorithm); 10] = [
        ("RS256", rsa_pem, rsa(), RS256),
        ("RS256", pkcs1, rsa(), RS256),
        ("RS384", rsa_pem, rsa(), RS384),
        ("RS512", rsa_pem, rsa(), RS512),
        ("PS256", rsa_pem, rsa(), PS256),
        ("PS384", rsa_pem, rsa(), PS384),
        ("PS512", rsa_pem, rsa(), PS512),
        ("ES256", fixture!("ec256.pub.pem"), ec256(), ES256),
        ("ES384", fixture!("ec384.pub.pem"), ec384(), ES384),
        ("EdDSA", fixture!("ed25519.pub.pem"), ed25519(), EdDSA),
    ];
    for (name, pem, key, algorithm) in table {
        let token = signed(format!(r#"{{"alg":"{name}","typ":"JWT"}}"#), good_claims(), &key, algorithm);
        let identity = by_public_key(pem, algorithm).verify(&token, NOW).await;
        assert_eq!(identity.map(|identity| identity.user.to_string()), Ok("ann".to_owned()), "{name}");
    }
}

#[test]
fn a_public_key_that_does_not_fit_is_refused_at_start() {
    let table = [
        ("an EC key for RS256", fixture!("ec256.pub.pem"), RS256),
        ("an RSA key for ES256", fixture!("rsa2048.pub.pem"), ES256),
        ("P-384 for ES256", fixture!("ec384.pub.pem"), ES256),
        ("P-256 for ES384", fixture!("ec256.pub.pem"), ES384),
        ("P-521", fixture!("ec521.pub.pem"), ES384),
        ("an RSA key for EdDSA", fixture!("rsa2048.pub.pem"), EdDSA),
        ("an RSA key of 1,024 bits", fixture!("rsa1024.pub.pem"), RS256),
        ("a certificate", fixture!("rsa2048.cert.pem"), ES256),
        ("rubbish", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", RS256),
        ("half a key", &fixture!("rsa2048.pub.pem")[..200], RS256),
    ];
    for (what, pem, algorithm) in table {
        let opened = Verifier::open(&auth(Keys::PublicKey { pem: pem.to_owned(), algorithm }), &Seven);
        let sentence = opened.err().unwrap_or_else(|| panic!("{what} was accepted")).to_string();
        assert!(sentence.contains("SWITCHBOARD_JWT_ALGORITHM"), "{sentence}");
    }
}

#[tokio::test]
async fn both_secrets_count_while_rotating() {
    for secret in [SECRET, OLD_SECRET] {
        let token = signed(r#"{"alg":"HS256","kid":"whatever"}"#, good_claims(), &hmac(secret), HS256);
        assert!(by_secrets().verify(&token, NOW).await.is_ok());
    }
}

#[tokio::test]
async fn the_first_claim_present_is_the_user() {
    for (claims, user) in [
        (r#""id":"a","userId":"b","_id":"c","sub":"d""#, "a"),
        (r#""sub":"d","userId":"b","_id":"c""#, "b"),
        (r#""sub":"d","_id":"507f1f77bcf86cd799439011""#, "507f1f77bcf86cd799439011"),
        (r#""sub":"auth0|5f7c""#, "auth0|5f7c"),
        (r#""sub":"ann@example.com""#, "ann@example.com"),
        (r#""id":42"#, "42"),
        (r#""id":0"#, "0"),
        (r#""id":18446744073709551615"#, "18446744073709551615"),
    ] {
        let token = hs256(format!(r#"{{"exp":{},{claims}}}"#, TODAY + 60));
        assert_eq!(by_secrets().verify(&token, NOW).await.unwrap().user.as_str(), user, "{claims}");
    }
}

#[tokio::test]
async fn what_the_token_says_is_what_the_bearer_is() {
    let claims = format!(
        r#"{{"id":"ann","role":"admin","name":"Ann","email":"ann@example.com","jti":"t1","iat":{},"exp":{},"x":[{{}}]}}"#,
        TODAY - 10,
        TODAY + 60
    );
    let identity = by_secrets().verify(&hs256(claims), NOW).await.unwrap();
    assert_eq!((identity.role, identity.name.as_deref()), (Role::Admin, Some("Ann")));
    assert_eq!((identity.email.as_deref(), identity.token_id.as_deref()), (Some("ann@example.com"), Some("t1")));
    assert_eq!(identity.issued, Some(Timestamp((TODAY - 10) * 1_000)));
    assert_eq!(identity.expires, Timestamp((TODAY + 60) * 1_000));

    let identity = by_secrets().verify(&hs256(claims_and(r#","name":null,"email":null"#)), NOW).await.unwrap();
    assert_eq!((identity.role, identity.name, identity.email, identity.issued), (Role::User, None, None, None));

    let service = by_secrets().verify(&hs256(claims_and(r#","role":"service""#)), NOW).await.unwrap();
    assert_eq!(service.role, Role::Service);
}

#[tokio::test]
async fn a_long_name_is_cut_between_characters() {
    let token = hs256(claims_and(&format!(r#","name":"x{}""#, "ä".repeat(100))));
    let name = by_secrets().verify(&token, NOW).await.unwrap().name.unwrap();
    assert_eq!(name.len(), 127);
    assert!(name.ends_with('ä'));
}

#[tokio::test]
async fn clocks_may_differ_by_five_seconds() {
    for claims in [
        format!(r#"{{"sub":"ann","exp":{}}}"#, TODAY - 4),
        format!(r#"{{"sub":"ann","exp":{},"nbf":{},"iat":{}}}"#, TODAY + 60, TODAY + 5, TODAY + 5),
        r#"{"sub":"ann","exp":253402300799}"#.to_owned(),
    ] {
        assert!(by_secrets().verify(&hs256(&claims), NOW).await.is_ok(), "{claims}");
    }
    let token = hs256(format!(r#"{{"sub":"ann","exp":{TODAY}}}"#));
    let last = Timestamp(NOW.0 + 4_999);
    assert!(by_secrets().verify(&token, last).await.is_ok());
    assert!(by_secrets().verify(&token, Timestamp(last.0 + 1)).await.is_err());
}

#[tokio::test]
async fn issuer_and_audience_are_asked_for_when_set() {
    let mut auth = auth(Keys::Secrets(vec![Secret::new(SECRET)]));
    auth.issuer = Some("https://issuer.example".to_owned());
    auth.audiences = vec!["chat".to_owned(), "talk".to_owned()];
    for aud in [r#""chat""#, r#""talk""#, r#"["shop","talk"]"#] {
        let token = hs256(claims_and(&format!(r#","iss":"https://issuer.example","aud":{aud}"#)));
        assert!(open(&auth).verify(&token, NOW).await.is_ok(), "{aud}");
        assert!(by_secrets().verify(&token, NOW).await.is_ok(), "{aud}: not asked for, not looked at");
    }
}

#[tokio::test]
async fn honest_headers_do_not_matter() {
    for header in [
        r#"{"typ":"JWT","alg":"HS256"}"#,
        r#"{"typ":"jwt","alg":"HS256"}"#,
        r#"{"typ":"at+jwt","alg":"HS256","kid":"1","x5t":"abc","cty":"x","other":[1]}"#,
    ] {
        let token = signed(header, good_claims(), &hmac(SECRET), HS256);
        assert!(by_secrets().verify(&token, NOW).await.is_ok(), "{header}");
    }
}

#[test]
fn a_verifier_may_be_shared_by_tasks() {
    fn shared<T: Send + Sync>(_: &T) {}
    fn sent<T: Send>(_: T) {}
    let verifier = by_secrets();
    shared(&verifier);
    sent(verifier.verify("", NOW));
}
