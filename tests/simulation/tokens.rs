//! Real tokens, checked by the production verifier, that count on every node however wrong its clock is.

use std::time::Duration;

use switchboard::auth::{Minter, Verifier};
use switchboard::config::{Auth, Keys, Secret, TokenRequest};
use switchboard::model::{Role, SystemChance, Timestamp};

/// Before every clock of a simulation.
const ISSUED: Timestamp = Timestamp(1_749_000_000_000);

fn auth() -> Auth {
    Auth {
        keys: Keys::Secrets(vec![Secret::new("the secret of every simulated cluster")]),
        issuer: None,
        audiences: Vec::new(),
        user_claims: vec!["sub".to_owned()],
    }
}

pub fn verifier() -> Verifier {
    Verifier::open(&auth(), &SystemChance).unwrap()
}

pub fn token(user: &str) -> String {
    let user = user.parse().unwrap();
    let ttl = Duration::from_secs(90 * 24 * 3_600);
    let request = TokenRequest { user, role: Role::User, name: None, email: None, ttl };
    Minter::open(&auth(), &SystemChance).and_then(|minter| minter.mint(&request, ISSUED)).unwrap()
}
