//! The settings of tokens: which keys count, and what a token must say.

use std::net::SocketAddr;
use std::path::PathBuf;

use jsonwebtoken::{Algorithm, AlgorithmFamily};
use reqwest::Url;

use super::raw::Raw;
use super::settings::{
    JWT_ALGORITHM, JWT_AUDIENCE, JWT_ISSUER, JWT_JWKS_URL, JWT_PUBLIC_KEY, JWT_SECRET, JWT_USER_CLAIMS, TRUSTED_PROXIES,
};
use super::{BusKind, Command, ConfigError, Secret, Storage};
use crate::model::limits::{JWT_SECRET_BYTES_MIN, JWT_SECRETS_MAX};

/// How tokens are checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Auth {
    /// The keys that count.
    pub keys: Keys,
    /// What `iss` must be, if it must be anything.
    pub issuer: Option<String>,
    /// What `aud` must name one of; empty when it need not.
    pub audiences: Vec<String>,
    /// The claims that may hold the user id, in order; never empty.
    pub user_claims: Vec<String>,
}

/// The keys that count.
#[derive(Debug, Clone, PartialEq)]
pub enum Keys {
    /// Nothing is configured: a secret of the data directory's own, and a login for everybody who can reach loopback.
    Development {
        /// The data directory.
        dir: PathBuf,
    },
    /// No token counts: for a command that lets nobody in.
    Nobody,
    /// HS256. One secret, or two while rotating; the first mints.
    Secrets(Vec<Secret>),
    /// A public key, not yet parsed.
    PublicKey {
        /// The key in PEM.
        pem: String,
        /// The algorithm of every token.
        algorithm: Algorithm,
    },
    /// Keys that the issuer publishes.
    Jwks {
        /// Where: https, or http on loopback.
        url: Url,
        /// The algorithms that count; never HS*, never empty.
        algorithms: Vec<Algorithm>,
    },
}

impl Auth {
    /// Whether anybody who reaches the page may choose who they are.
    #[must_use]
    pub const fn development_logins(&self) -> bool {
        matches!(self.keys, Keys::Development { .. })
    }
}

/// Claims that mean something else and so cannot hold the user id.
const RESERVED_CLAIMS: [&str; 7] = ["aud", "exp", "iat", "iss", "jti", "nbf", "role"];

pub(super) fn auth(
    raw: &Raw,
    command: &Command,
    listen: SocketAddr,
    storage: &Storage,
    bus: &BusKind,
) -> Result<Auth, ConfigError> {
    let claim = |item: &str| {
        let is_name = !item.is_empty() && item.len() <= 64 && item.chars().all(|c| c.is_ascii_graphic());
        (is_name && !RESERVED_CLAIMS.contains(&item)).then(|| item.to_owned())
    };
    let nonempty = |item: &str| (!item.is_empty()).then(|| item.to_owned());
    Ok(Auth {
        keys: if command.is_on_store() { Keys::Nobody } else { keys(raw, listen, storage, bus)? },
        issuer: raw.text(&JWT_ISSUER).map(str::to_owned),
        audiences: raw.list(&JWT_AUDIENCE, "one audience or several, comma-separated", nonempty)?,
        user_claims: raw.list(&JWT_USER_CLAIMS, "names of claims, comma-separated, such as id,sub", claim)?,
    })
}

fn keys(raw: &Raw, listen: SocketAddr, storage: &Storage, bus: &BusKind) -> Result<Keys, ConfigError> {
    let (secret, public_key, jwks) = (raw.has(&JWT_SECRET), raw.has(&JWT_PUBLIC_KEY), raw.has(&JWT_JWKS_URL));
    match (secret, public_key, jwks) {
        (true, false, false) => secrets(raw),
        (false, true, false) => public_key_in(raw),
        (false, false, true) => published(raw),
        (false, false, false) => development(raw, listen, storage, bus),
        _ => Err(ConfigError(
            "set only one of SWITCHBOARD_JWT_SECRET, SWITCHBOARD_JWT_PUBLIC_KEY and SWITCHBOARD_JWT_JWKS_URL"
                .to_owned(),
        )),
    }
}

fn secrets(raw: &Raw) -> Result<Keys, ConfigError> {
    let secrets: Vec<_> = raw.text(&JWT_SECRET).unwrap_or_default().split(',').map(Secret::new).collect();
    if secrets.len() > JWT_SECRETS_MAX {
        return Err(raw.refuse(&JWT_SECRET, "one secret, or two with a comma between while rotating"));
    }
    if secrets.iter().any(|secret| secret.expose().trim() != secret.expose()) {
        return Err(raw.refuse(&JWT_SECRET, "free of spaces at the ends of a secret"));
    }
    if secrets.iter().any(|secret| secret.expose().len() < JWT_SECRET_BYTES_MIN) {
        let wanted =
            format!("at least {JWT_SECRET_BYTES_MIN} bytes for each secret, such as `openssl rand -hex 32` gives");
        return Err(raw.refuse(&JWT_SECRET, &wanted));
    }
    match raw.text(&JWT_ALGORITHM) {
        None | Some("HS256") => Ok(Keys::Secrets(secrets)),
        Some(_) => Err(raw.refuse(&JWT_ALGORITHM, "HS256, or left out, with SWITCHBOARD_JWT_SECRET")),
    }
}

const ALGORITHMS: &str = "one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA";

fn public_key_in(raw: &Raw) -> Result<Keys, ConfigError> {
    // A variable often holds the lines of a key with `\n` written out.
    let pem = raw.text(&JWT_PUBLIC_KEY).unwrap_or_default().replace("\\n", "\n");
    if !pem.contains("-----BEGIN PUBLIC KEY-----") && !pem.contains("-----BEGIN RSA PUBLIC KEY-----") {
        return Err(raw.refuse(&JWT_PUBLIC_KEY, "a public key in PEM, beginning with -----BEGIN PUBLIC KEY-----"));
    }
    let algorithm = raw.want(&JWT_ALGORITHM, ALGORITHMS, asymmetric)?.unwrap_or(Algorithm::RS256);
    Ok(Keys::PublicKey { pem, algorithm })
}

fn published(raw: &Raw) -> Result<Keys, ConfigError> {
    let wanted = "a URL that begins with https:// (or http:// on loopback) and holds no password";
    let url = raw.want(&JWT_JWKS_URL, wanted, safe_url)?.ok_or_else(|| raw.refuse(&JWT_JWKS_URL, wanted))?;
    let mut algorithms = raw.list(&JWT_ALGORITHM, &format!("{ALGORITHMS}, or several, comma-separated"), asymmetric)?;
    if algorithms.is_empty() {
        algorithms.push(Algorithm::RS256);
    }
    Ok(Keys::Jwks { url, algorithms })
}

fn asymmetric(name: &str) -> Option<Algorithm> {
    name.parse::<Algorithm>().ok().filter(|algorithm| algorithm.family() != AlgorithmFamily::Hmac)
}

fn safe_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_anonymous = url.username().is_empty() && url.password().is_none();
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    (is_anonymous && is_safe && url.has_host()).then_some(url)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Development logins let anybody be anyone, so they exist only where nobody else can come by.
fn development(raw: &Raw, listen: SocketAddr, storage: &Storage, bus: &BusKind) -> Result<Keys, ConfigError> {
    let set_a_key = "set SWITCHBOARD_JWT_SECRET, SWITCHBOARD_JWT_PUBLIC_KEY or SWITCHBOARD_JWT_JWKS_URL";
    if raw.has(&JWT_ALGORITHM) {
        return Err(ConfigError(format!("SWITCHBOARD_JWT_ALGORITHM is set but no key: {set_a_key}")));
    }
    let Storage::Embedded { dir } = storage else {
        return Err(ConfigError(format!("a node with MongoDB needs a key to check tokens with: {set_a_key}")));
    };
    if *bus != BusKind::Local {
        return Err(ConfigError(format!("a node with Redis needs a key to check tokens with: {set_a_key}")));
    }
    if !listen.ip().to_canonical().is_loopback() {
        return Err(ConfigError(format!(
            "development logins let anybody be anyone, so they need a loopback address and SWITCHBOARD_LISTEN is \
             {listen}: {set_a_key}, or listen on 127.0.0.1"
        )));
    }
    if raw.has(&TRUSTED_PROXIES) {
        return Err(ConfigError(format!(
            "development logins let anybody be anyone, and SWITCHBOARD_TRUSTED_PROXIES lets others in: {set_a_key}"
        )));
    }
    Ok(Keys::Development { dir: dir.clone() })
}
