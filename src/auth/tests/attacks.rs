//! Tokens that must not count, each with the reason that an operator reads.

use jsonwebtoken::Algorithm::{self, ES256, EdDSA, HS256, HS384, HS512, PS256, RS256, RS384};

use super::super::fault::Fault::{self, *};
use super::super::{AuthError, Verifier};
use super::*;
use crate::model::limits::TOKEN_BYTES_MAX;

/// What the attack is, the token, and what is wrong with it.
type Attack = (&'static str, String, Fault);

async fn withstand(verifier: &Verifier, attacks: Vec<Attack>) {
    for (attack, token, expected) in attacks {
        let fault = verifier.identify(&token, NOW).await.expect_err(attack);
        assert_eq!(fault, expected, "{attack}");
        assert_eq!(verifier.verify(&token, NOW).await, Err(AuthError::from(expected)), "{attack}");
    }
}

fn hs256_headed(header: &str) -> String {
    signed(header, good_claims(), &hmac(SECRET), HS256)
}

#[test]
fn the_outside_learns_no_reason() {
    for fault in [
        Shape, Header, Algorithm, UnknownKey, Signature, Subject, Role, Profile, Time, NotYet, Issuer, Audience,
        TooLong,
    ] {
        assert_eq!(AuthError::from(fault), AuthError::Invalid, "{fault:?}");
    }
    assert_eq!(AuthError::from(Missing), AuthError::Missing);
    assert_eq!(AuthError::from(Expired), AuthError::Expired);
}

#[tokio::test]
async fn the_token_they_are_made_from_is_good() {
    assert_eq!(by_secrets().verify(&hs256(good_claims()), NOW).await.unwrap().user.as_str(), "ann");
}

#[tokio::test]
async fn broken_shapes() {
    let good = hs256(good_claims());
    let (signed_part, signature) = good.rsplit_once('.').unwrap();
    let (header, claims) = signed_part.split_once('.').unwrap();
    // The last character of 32 bytes in base64 has two spare bits, which must be zero.
    let malleable = {
        let last = signature.chars().last().unwrap();
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let next = alphabet.chars().nth(alphabet.find(last).unwrap() + 1).unwrap();
        format!("{signed_part}.{}{next}", &signature[..signature.len() - 1])
    };
    let deep = format!(r#"{{"sub":"ann","exp":{},"x":{}{}}}"#, TODAY + 60, "[".repeat(1_000), "]".repeat(1_000));
    withstand(
        &by_secrets(),
        vec![
            ("nothing", String::new(), Missing),
            ("a word", "token".to_owned(), Shape),
            ("one dot", ".".to_owned(), Shape),
            ("two dots", "..".to_owned(), Shape),
            ("three dots", "...".to_owned(), Shape),
            ("no signature part", signed_part.to_owned(), Shape),
            ("four parts", format!("{good}.x"), Shape),
            ("trailing dot", format!("{good}."), Shape),
            ("trailing dots", format!("{good}.."), Shape),
            ("leading dot", format!(".{good}"), Shape),
            ("five parts, as encrypted", format!("{header}.{claims}.{signature}.a.b"), Shape),
            ("leading space", format!(" {good}"), Shape),
            ("trailing newline", format!("{good}\n"), Signature),
            ("scheme before it", format!("Bearer {good}"), Shape),
            ("a NUL in it", format!("{header}\0.{claims}.{signature}"), Shape),
            ("not ASCII", format!("{header}é.{claims}.{signature}"), Shape),
            ("one byte too long", format!("{good}{}", "A".repeat(TOKEN_BYTES_MAX + 1 - good.len())), TooLong),
            ("100 KB", format!("{good}{}", "A".repeat(100 * 1024)), TooLong),
            ("100 KB of dots", ".".repeat(100 * 1024), TooLong),
            ("padded header", format!("{header}=.{claims}.{signature}"), Shape),
            ("padded signature", format!("{good}="), Signature),
            ("spare bits in the signature", malleable, Signature),
            ("header not base64", format!("!{header}.{claims}.{signature}"), Shape),
            ("header not JSON", hs256_headed("alg=HS256"), Shape),
            ("header a list", hs256_headed(r#"["HS256"]"#), Shape),
            ("header a text", hs256_headed(r#""HS256""#), Shape),
            ("header with a tail", hs256_headed(r#"{"alg":"HS256"}x"#), Shape),
            ("header with a byte order mark", hs256_headed("\u{feff}{\"alg\":\"HS256\"}"), Shape),
            (
                "header not UTF-8",
                signed(b"{\"alg\":\"HS256\",\"x\":\"\xff\"}", good_claims(), &hmac(SECRET), HS256),
                Shape,
            ),
            ("claims empty", hs256(""), Shape),
            ("claims not JSON", hs256("sub=ann"), Shape),
            ("claims a list", hs256("[]"), Shape),
            ("claims null", hs256("null"), Shape),
            ("claims with a tail", hs256(good_claims() + "{}"), Shape),
            ("claims not UTF-8", hs256(b"{\"sub\":\"ann\xff\"}"), Shape),
            ("claims a thousand deep", hs256(deep), Shape),
            ("a lone surrogate", hs256(claims_and(r#","x":"\ud800""#)), Shape),
            ("two exp", hs256(claims_and(r#","exp":9999999999"#)), Shape),
            ("two sub", hs256(claims_and(r#","sub":"bob""#)), Shape),
            ("two sub, one escaped", hs256(claims_and(r#","\u0073ub":"bob""#)), Shape),
            ("two of something else", hs256(claims_and(r#","x":1,"x":1"#)), Shape),
            ("two alg", hs256_headed(r#"{"alg":"none","alg":"HS256"}"#), Shape),
            ("two kid", hs256_headed(r#"{"alg":"HS256","kid":"a","kid":"b"}"#), Shape),
        ],
    )
    .await;
}

#[tokio::test]
async fn headers_that_would_choose_for_us() {
    let unsigned = |header: &str| format!("{}.{}.", encode(header), encode(good_claims()));
    let own_key = r#"{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}"#;
    withstand(
        &by_secrets(),
        vec![
            ("alg none, unsigned", unsigned(r#"{"alg":"none"}"#), Algorithm),
            ("alg None", unsigned(r#"{"alg":"None"}"#), Algorithm),
            ("alg NONE", unsigned(r#"{"alg":"NONE"}"#), Algorithm),
            ("alg nOnE, signed", hs256_headed(r#"{"alg":"nOnE"}"#), Algorithm),
            ("alg empty", unsigned(r#"{"alg":""}"#), Algorithm),
            ("no alg", hs256_headed("{}"), Algorithm),
            ("alg null", hs256_headed(r#"{"alg":null}"#), Algorithm),
            ("alg a number", hs256_headed(r#"{"alg":256}"#), Algorithm),
            ("alg a list", hs256_headed(r#"{"alg":["HS256"]}"#), Algorithm),
            ("alg in small letters", hs256_headed(r#"{"alg":"hs256"}"#), Algorithm),
            ("alg with a NUL", hs256_headed(r#"{"alg":"HS256\u0000"}"#), Algorithm),
            ("Alg", hs256_headed(r#"{"Alg":"HS256"}"#), Algorithm),
            ("HS384 by our secret", signed(r#"{"alg":"HS384"}"#, good_claims(), &hmac(SECRET), HS384), Algorithm),
            ("HS512 by our secret", signed(r#"{"alg":"HS512"}"#, good_claims(), &hmac(SECRET), HS512), Algorithm),
            ("RS256 by somebody", signed(r#"{"alg":"RS256"}"#, good_claims(), &rsa(), RS256), Algorithm),
            ("EdDSA by somebody", signed(r#"{"alg":"EdDSA"}"#, good_claims(), &ed25519(), EdDSA), Algorithm),
            ("crit", hs256_headed(r#"{"alg":"HS256","crit":["exp"]}"#), Header),
            ("crit empty", hs256_headed(r#"{"alg":"HS256","crit":[]}"#), Header),
            ("crit null", hs256_headed(r#"{"alg":"HS256","crit":null}"#), Header),
            ("jku", hs256_headed(r#"{"alg":"HS256","jku":"https://evil.example/keys"}"#), Header),
            ("jwk", hs256_headed(own_key), Header),
            ("x5u", hs256_headed(r#"{"alg":"HS256","x5u":"https://evil.example/cert"}"#), Header),
            ("x5c", hs256_headed(r#"{"alg":"HS256","x5c":["MIIB"]}"#), Header),
            ("b64 false", hs256_headed(r#"{"alg":"HS256","b64":false}"#), Header),
            ("a logout token", hs256_headed(r#"{"alg":"HS256","typ":"logout+jwt"}"#), Header),
            ("a proof of possession", hs256_headed(r#"{"alg":"HS256","typ":"dpop+jwt"}"#), Header),
            ("typ a number", hs256_headed(r#"{"alg":"HS256","typ":1}"#), Header),
            ("kid a number", hs256_headed(r#"{"alg":"HS256","kid":1}"#), Header),
            ("kid a list", hs256_headed(r#"{"alg":"HS256","kid":["a"]}"#), Header),
            (
                "kid of an empty file",
                signed(r#"{"alg":"HS256","kid":"../../dev/null"}"#, good_claims(), &hmac(""), HS256),
                Signature,
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn signatures_that_are_none() {
    let good = hs256(good_claims());
    let (signed_part, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = signed_part.split_once('.').unwrap();
    let others = hs256(claims_and(r#","x":1"#));
    withstand(
        &by_secrets(),
        vec![
            ("empty", format!("{signed_part}."), Signature),
            ("cut short", good[..good.len() - 2].to_owned(), Signature),
            ("too long", format!("{good}AA"), Signature),
            ("of another token", format!("{signed_part}.{}", others.rsplit_once('.').unwrap().1), Signature),
            ("all zeros", format!("{signed_part}.{}", encode([0; 32])), Signature),
            (
                "other claims under it",
                format!("{header}.{}.{signature}", encode(claims_and(r#","role":"admin""#))),
                Signature,
            ),
            (
                "another header over it",
                format!("{}.{}", encode(r#"{"alg":"HS256" }"#), good.split_once('.').unwrap().1),
                Signature,
            ),
            ("another secret", signed(r#"{"alg":"HS256"}"#, good_claims(), &hmac("guessed"), HS256), Signature),
            ("no secret", signed(r#"{"alg":"HS256"}"#, good_claims(), &hmac(""), HS256), Signature),
            (
                "both secrets",
                signed(r#"{"alg":"HS256"}"#, good_claims(), &hmac(&format!("{SECRET},{OLD_SECRET}")), HS256),
                Signature,
            ),
            (
                "expired and forged",
                signed(r#"{"alg":"HS256"}"#, r#"{"sub":"ann","exp":1}"#, &hmac("guessed"), HS256),
                Signature,
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn public_keys_are_no_secrets() {
    let pem = fixture!("rsa2048.pub.pem");
    let header = r#"{"alg":"HS256"}"#;
    let relabelled = signed(r#"{"alg":"RS256"}"#, good_claims(), &hmac(pem), HS256);
    let none = signed(r#"{"alg":"RS256"}"#, good_claims(), &rsa(), RS256);
    withstand(
        &by_public_key(pem, RS256),
        vec![
            ("HS256 by the public key", signed(header, good_claims(), &hmac(pem), HS256), Algorithm),
            (
                "HS256 by the public key, trimmed",
                signed(header, good_claims(), &hmac(pem.trim_end()), HS256),
                Algorithm,
            ),
            ("the same, called RS256", relabelled, Signature),
            ("PS256 by the right key", signed(r#"{"alg":"PS256"}"#, good_claims(), &rsa(), PS256), Algorithm),
            ("RS384 by the right key", signed(r#"{"alg":"RS384"}"#, good_claims(), &rsa(), RS384), Algorithm),
            ("PS256, called RS256", signed(r#"{"alg":"RS256"}"#, good_claims(), &rsa(), PS256), Signature),
            ("another RSA key", signed(r#"{"alg":"RS256"}"#, good_claims(), &other_rsa(), RS256), Signature),
            ("no signature", none.rsplit_once('.').unwrap().0.to_owned() + ".", Signature),
            ("alg none", format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode(good_claims())), Algorithm),
        ],
    )
    .await;
}

#[tokio::test]
async fn curves() {
    let good = signed(r#"{"alg":"ES256"}"#, good_claims(), &ec256(), ES256);
    let signed_part = good.rsplit_once('.').unwrap().0;
    withstand(
        &by_public_key(fixture!("ec256.pub.pem"), ES256),
        vec![
            ("r and s zero", format!("{signed_part}.{}", encode([0; 64])), Signature),
            ("in DER", format!("{signed_part}.{}", encode([0x30, 6, 2, 1, 1, 2, 1, 1])), Signature),
            ("another curve", signed(r#"{"alg":"ES384"}"#, good_claims(), &ec384(), Algorithm::ES384), Algorithm),
            (
                "another curve, called ES256",
                signed(r#"{"alg":"ES256"}"#, good_claims(), &ec384(), Algorithm::ES384),
                Signature,
            ),
        ],
    )
    .await;
    let good = signed(r#"{"alg":"EdDSA"}"#, good_claims(), &ed25519(), EdDSA);
    let signed_part = good.rsplit_once('.').unwrap().0;
    withstand(
        &by_public_key(fixture!("ed25519.pub.pem"), EdDSA),
        vec![
            ("all zeros", format!("{signed_part}.{}", encode([0; 64])), Signature),
            ("ES256, called EdDSA", signed(r#"{"alg":"EdDSA"}"#, good_claims(), &ec256(), ES256), Signature),
        ],
    )
    .await;
}

#[tokio::test]
async fn times() {
    let at = |claims: &str| hs256(format!(r#"{{"sub":"ann",{claims}}}"#));
    let good = TODAY + 60;
    withstand(
        &by_secrets(),
        vec![
            ("no exp", hs256(r#"{"sub":"ann"}"#), Time),
            ("exp null", at(r#""exp":null"#), Time),
            ("exp a text", at(r#""exp":"never""#), Time),
            ("exp a number as text", at(&format!(r#""exp":"{good}""#)), Time),
            ("exp a fraction", at(&format!(r#""exp":{good}.5"#)), Time),
            ("exp a float", at(r#""exp":1.9e9"#), Time),
            ("exp negative", at(r#""exp":-1"#), Time),
            ("exp true", at(r#""exp":true"#), Time),
            ("exp a list", at(&format!(r#""exp":[{good}]"#)), Time),
            ("exp in milliseconds", at(&format!(r#""exp":{good}000"#)), Time),
            ("exp the largest number", at(r#""exp":18446744073709551615"#), Time),
            ("exp beyond numbers", at(r#""exp":99999999999999999999999"#), Time),
            ("exp infinite", at(r#""exp":1e999"#), Shape),
            ("EXP", at(&format!(r#""EXP":{good}"#)), Time),
            ("expired long ago", at(r#""exp":1"#), Expired),
            ("exp zero", at(r#""exp":0"#), Expired),
            ("expired five seconds ago", at(&format!(r#""exp":{}"#, TODAY - 5)), Expired),
            ("nbf in six seconds", at(&format!(r#""exp":{good},"nbf":{}"#, TODAY + 6)), NotYet),
            ("nbf a text", at(&format!(r#""exp":{good},"nbf":"0""#)), Time),
            ("nbf null", at(&format!(r#""exp":{good},"nbf":null"#)), Time),
            ("iat in six seconds", at(&format!(r#""exp":{good},"iat":{}"#, TODAY + 6)), NotYet),
            ("iat a text", at(&format!(r#""exp":{good},"iat":"now""#)), Time),
            ("iat negative", at(&format!(r#""exp":{good},"iat":-5"#)), Time),
        ],
    )
    .await;
}

#[tokio::test]
async fn bearers_that_are_nobody() {
    let who = |claims: &str| hs256(format!(r#"{{"exp":{},{claims}}}"#, TODAY + 60));
    let long = "x".repeat(65);
    withstand(
        &by_secrets(),
        vec![
            ("no subject", hs256(format!(r#"{{"exp":{}}}"#, TODAY + 60)), Subject),
            ("subject of another name", who(r#""user":"ann""#), Subject),
            ("the team", who(r#""sub":"team""#), Subject),
            ("empty", who(r#""sub":"""#), Subject),
            ("an embedded NUL", who(r#""sub":"ann\u0000""#), Subject),
            ("a space", who(r#""sub":"ann ""#), Subject),
            ("a slash", who(r#""sub":"../ann""#), Subject),
            ("a newline", who(r#""sub":"ann\n""#), Subject),
            ("a look-alike letter", who(r#""sub":"аnn""#), Subject),
            ("a zero-width character", who(r#""sub":"ann\u200b""#), Subject),
            ("a glob", who(r#""sub":"*""#), Subject),
            ("65 bytes", who(&format!(r#""sub":"{long}""#)), Subject),
            ("null", who(r#""sub":null"#), Subject),
            ("a list", who(r#""sub":["ann"]"#), Subject),
            ("a query", who(r#""sub":{"$ne":null}"#), Subject),
            ("true", who(r#""sub":true"#), Subject),
            ("a fraction", who(r#""sub":1.5"#), Subject),
            ("a float", who(r#""sub":1e3"#), Subject),
            ("a number beyond numbers", who(r#""sub":99999999999999999999999"#), Subject),
            ("the first claim bad, the second good", who(r#""id":null,"sub":"ann""#), Subject),
            ("the first claim empty, the second good", who(r#""id":"","sub":"ann""#), Subject),
            ("role root", hs256(claims_and(r#","role":"root""#)), Role),
            ("role Admin", hs256(claims_and(r#","role":"Admin""#)), Role),
            ("role empty", hs256(claims_and(r#","role":"""#)), Role),
            ("role null", hs256(claims_and(r#","role":null"#)), Role),
            ("roles", hs256(claims_and(r#","role":["admin"]"#)), Role),
            ("role a number", hs256(claims_and(r#","role":1"#)), Role),
            ("name a number", hs256(claims_and(r#","name":1"#)), Profile),
            ("name a list", hs256(claims_and(r#","name":["Ann"]"#)), Profile),
            ("name with an escape", hs256(claims_and(r#","name":"\u001b[2J""#)), Profile),
            ("email an object", hs256(claims_and(r#","email":{}"#)), Profile),
            ("email too long", hs256(claims_and(&format!(r#","email":"{}""#, "x".repeat(255)))), Profile),
            ("jti a number", hs256(claims_and(r#","jti":1"#)), Profile),
            ("jti too long", hs256(claims_and(&format!(r#","jti":"{}""#, "x".repeat(129)))), Profile),
        ],
    )
    .await;
}

#[tokio::test]
async fn tokens_for_somebody_else() {
    let mut auth = auth(Keys::Secrets(vec![Secret::new(SECRET)]));
    auth.issuer = Some("https://issuer.example".to_owned());
    auth.audiences = vec!["chat".to_owned(), "talk".to_owned()];
    let iss = |iss: &str| hs256(claims_and(&format!(r#","aud":"chat","iss":{iss}"#)));
    let aud = |aud: &str| hs256(claims_and(&format!(r#","iss":"https://issuer.example","aud":{aud}"#)));
    let expired = hs256(r#"{"sub":"ann","exp":1,"aud":"chat","iss":"https://other.example"}"#);
    withstand(
        &open(&auth),
        vec![
            ("neither", hs256(good_claims()), Issuer),
            ("no issuer", hs256(claims_and(r#","aud":"chat""#)), Issuer),
            ("another issuer", iss(r#""https://other.example""#), Issuer),
            ("the issuer's beginning", iss(r#""https://issuer""#), Issuer),
            ("the issuer and more", iss(r#""https://issuer.example/""#), Issuer),
            ("the issuer in capitals", iss(r#""HTTPS://issuer.example""#), Issuer),
            ("issuers", iss(r#"["https://issuer.example"]"#), Issuer),
            ("issuer null", iss("null"), Issuer),
            ("expired, of another issuer", expired, Issuer),
            ("no audience", hs256(claims_and(r#","iss":"https://issuer.example""#)), Audience),
            ("another audience", aud(r#""shop""#), Audience),
            ("the audience's beginning", aud(r#""cha""#), Audience),
            ("other audiences", aud(r#"["shop","mail"]"#), Audience),
            ("no audiences", aud("[]"), Audience),
            ("an audience that is none", aud(r#"["chat",1]"#), Audience),
            ("audience an object", aud(r#"{"chat":true}"#), Audience),
            ("audience null", aud("null"), Audience),
        ],
    )
    .await;
}
