//! Tokens of our own making, and the secret of development logins.

use std::time::Duration;

use jsonwebtoken::Algorithm::RS256;

use super::super::{AuthError, Minter};
use super::*;
use crate::config::TokenRequest;
use crate::model::{Role, SystemChance};

fn request() -> TokenRequest {
    let (name, email) = (Some("Ann Ü".to_owned()), Some("ann@example.com".to_owned()));
    TokenRequest { user: "ann".parse().unwrap(), role: Role::Admin, name, email, ttl: Duration::from_secs(60) }
}

#[tokio::test]
async fn a_minted_token_counts_until_it_expires() {
    let mut auth = auth(Keys::Secrets(vec![Secret::new(SECRET), Secret::new(OLD_SECRET)]));
    auth.issuer = Some("https://issuer.example".to_owned());
    auth.audiences = vec!["chat".to_owned(), "talk".to_owned()];
    for claims in [vec!["id", "sub"], vec!["sub"], vec!["email"]] {
        auth.user_claims = claims.into_iter().map(str::to_owned).collect();
        let token = Minter::open(&auth, &Seven).unwrap().mint(&request(), NOW).unwrap();
        let verifier = open(&auth);
        let identity = verifier.verify(&token, NOW).await.unwrap();
        assert_eq!((identity.user.as_str(), identity.role), ("ann", Role::Admin));
        assert_eq!(identity.name.as_deref(), Some("Ann Ü"));
        assert_eq!(identity.expires, Timestamp(NOW.0 + 60_000));
        assert_eq!(verifier.verify(&token, Timestamp(NOW.0 + 65_000)).await, Err(AuthError::Expired));
    }
    let alone = self::auth(Keys::Secrets(vec![Secret::new(OLD_SECRET)]));
    let token = Minter::open(&auth, &Seven).unwrap().mint(&request(), NOW).unwrap();
    assert_eq!(open(&alone).verify(&token, NOW).await, Err(AuthError::Invalid), "the first secret mints");
}

#[test]
fn nobody_mints_for_a_public_key() {
    let keys = Keys::PublicKey { pem: fixture!("rsa2048.pub.pem").to_owned(), algorithm: RS256 };
    let sentence = Minter::open(&auth(keys), &Seven).err().unwrap().to_string();
    assert!(sentence.contains("SWITCHBOARD_JWT_SECRET"), "{sentence}");
}

#[tokio::test]
async fn development_logins_survive_a_restart_and_count_nowhere_else() {
    let here = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let at = |dir: &tempfile::TempDir| auth(Keys::Development { dir: dir.path().join("made/if/absent") });
    let token = Minter::open(&at(&here), &SystemChance).unwrap().mint(&request(), NOW).unwrap();
    for _ in 0..2 {
        let verifier = Verifier::open(&at(&here), &SystemChance).unwrap();
        assert!(verifier.verify(&token, NOW).await.is_ok());
    }
    let stranger = Verifier::open(&at(&elsewhere), &SystemChance).unwrap();
    assert_eq!(stranger.verify(&token, NOW).await, Err(AuthError::Invalid));
    let files: Vec<_> = std::fs::read_dir(here.path().join("made/if/absent")).unwrap().map(Result::unwrap).collect();
    assert_eq!(files.len(), 1, "no draft is left behind");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn of_nodes_that_start_at_once_all_have_one_secret() {
    let dir = tempfile::tempdir().unwrap();
    let auth = auth(Keys::Development { dir: dir.path().to_owned() });
    let mint = || Minter::open(&auth, &SystemChance).unwrap().mint(&request(), NOW).unwrap();
    let tokens: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(mint)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(tokens.iter().all(|token| *token == tokens[0]));
}

#[test]
fn a_broken_secret_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("development-secret"), "short").unwrap();
    let keys = Keys::Development { dir: dir.path().to_owned() };
    let sentence = Verifier::open(&auth(keys), &Seven).err().unwrap().to_string();
    assert!(sentence.contains("development-secret") && sentence.contains("remove it"), "{sentence}");
}
