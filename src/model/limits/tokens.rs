//! Bounds of tokens, and of the keys and secrets that they are signed with.

use std::time::Duration;

/// A token; longer is refused with `unauthorized` before it is looked at.
pub const TOKEN_BYTES_MAX: usize = 4 * 1024;
/// The display name in a token; a longer one is cut between characters.
pub const NAME_BYTES_MAX: usize = 128;
/// The e-mail address in a token; a token with a longer one is refused with `unauthorized`.
pub const EMAIL_BYTES_MAX: usize = 254;
/// The id of a token (`jti`); a token with a longer one is refused with `unauthorized`.
pub const TOKEN_ID_BYTES_MAX: usize = 128;
/// How far the clocks of a token's issuer and of a node may differ; beyond, the token has expired or is not yet good.
pub const TOKEN_LEEWAY: Duration = Duration::from_secs(5);
/// A secret that signs tokens; a shorter one is refused at start.
pub const JWT_SECRET_BYTES_MIN: usize = 32;
/// Secrets that count at once, while rotating; more are refused at start.
pub const JWT_SECRETS_MAX: usize = 2;
/// The keys that an issuer publishes; a larger answer counts as a failed fetch.
pub const JWKS_BYTES_MAX: usize = 64 * 1024;
/// How long fetching them may take; then it failed. Also how long a token with an unknown key waits for it.
pub const JWKS_WAIT: Duration = Duration::from_secs(5);
/// Between two fetches that unknown keys ask for; within it, a token with an unknown key is refused at once.
pub const JWKS_REST: Duration = Duration::from_secs(30);
/// Between two fetches that nobody asks for.
pub const JWKS_REFRESH: Duration = Duration::from_secs(600);
/// Between two fetches while no key at all is known, so nobody can get in.
pub const JWKS_RETRY: Duration = Duration::from_secs(5);
/// Published keys that a token which names none is tried with; a key beyond does not count for it.
pub const JWKS_UNNAMED_KEYS_MAX: usize = 4;
/// A configuration file or a file that holds a secret; a larger one is refused at start.
pub const CONFIG_FILE_BYTES_MAX: u64 = 64 * 1024;
