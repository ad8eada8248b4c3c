//! Stand-in.
use crate::model::{Identity, Role, Timestamp};
/// x
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthError {
    /// x
    Expired,
    /// x
    Missing,
    /// x
    Invalid,
}
/// x
pub struct Verifier;
impl Verifier {
    /// x
    pub async fn verify(&self, token: &str, _now: Timestamp) -> Result<Identity, AuthError> {
        let user = token.parse().map_err(|_| AuthError::Invalid)?;
        Ok(Identity {
            user,
            role: Role::User,
            name: None,
            email: None,
            token_id: None,
            issued: None,
            expires: Timestamp(u64::MAX / 2),
        })
    }
}
