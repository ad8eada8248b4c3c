//! Finding somebody by their exact id or address. Whoever may not be found is answered for like somebody who does not
//! exist, after the same reads.

use super::profile::profile_of_token;
use super::{Chat, unavailable};
use crate::model::limits::{ADDRESSES_MET_MAX, EMAIL_BYTES_MAX};
use crate::model::{Code, Identity, Policy, Refusal, Role, Standing, Timestamp, UserId, address};

/// Somebody who came, with the address that their token vouched for, and the time before which their tokens did not count:
/// who was erased since is met anew.
pub(super) type Met = (UserId, String, Option<Timestamp>);

/// Who is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Somebody of this id.
    Id(UserId),
    /// Somebody of this e-mail address, whatever its case.
    Address(String),
}

impl Chat {
    /// Somebody's id and display name (their id where none is known). Addresses count that a token or a service gave:
    /// nobody can be found by another's. The caller sees to it that it is not asked too often.
    ///
    /// # Errors
    /// `forbidden` if there is nobody, or nobody whom the asker may find; `invalid` for an address that is too long;
    /// `unavailable` if the store does not answer.
    pub async fn find(
        &self,
        who: &Identity,
        standing: &Standing,
        wanted: &Wanted,
    ) -> Result<(UserId, String), Refusal> {
        let candidate = match wanted {
            Wanted::Id(user) => Some(user.clone()),
            Wanted::Address(text) if text.len() > EMAIL_BYTES_MAX => {
                return Err(Refusal::new(Code::Invalid, format!("an address is at most {EMAIL_BYTES_MAX} bytes")));
            }
            Wanted::Address(text) => {
                let mut found = self.store.by_address(&address(text)).await.map_err(|error| unavailable(&error))?;
                // One address of two people names neither.
                if found.len() == 1 { found.pop() } else { None }
            }
        };
        let asked = candidate.clone().unwrap_or_else(|| who.user.clone());
        let profile =
            self.store.profiles(std::slice::from_ref(&asked)).await.map_err(|error| unavailable(&error))?.pop();
        let profile = profile.flatten().filter(|profile| !profile.is_deleted());
        let found = candidate.filter(|user| self.may_find(who, standing, user));
        match (found, profile) {
            (Some(team), _) if team == UserId::team() => Ok((team, "Team".to_owned())),
            (Some(user), Some(profile)) => {
                let name = if profile.name.is_empty() { user.to_string() } else { profile.name };
                Ok((user, name))
            }
            _ => Err(Refusal::new(Code::Forbidden, "nobody of that id or address")),
        }
    }

    fn may_find(&self, who: &Identity, standing: &Standing, user: &UserId) -> bool {
        let is_free = self.policy() == Policy::Open || who.role != Role::User || *user == who.user;
        *user == UserId::team() || (is_free && *user != UserId::system() && !standing.is_blocked_by(user))
    }

    /// Remembers somebody who came, so that others can find them: their name, if nothing is known of them yet, and the
    /// address that their token vouches for.
    ///
    /// # Errors
    /// `unavailable` if the store does not answer.
    pub async fn meet(&self, who: &Identity) -> Result<(), Refusal> {
        let theirs = address(who.email.as_deref().unwrap_or_default());
        let standing = self.recent_standing(&who.user).await?;
        let met = (who.user.clone(), theirs.clone(), standing.tokens_before);
        if self.met().contains(&met) {
            return Ok(());
        }
        // Of who comes back while they are erased, the end of that forgets this, too: then they are met once more.
        let is_being_erased = standing.tokens_before.is_some()
            && self.store.erasure(&who.user).await.map_err(|error| unavailable(&error))?.is_some();
        let known = self.store.profiles(std::slice::from_ref(&who.user)).await.map_err(|error| unavailable(&error))?;
        if known.into_iter().flatten().all(|profile| profile.is_deleted()) {
            self.store.put_profile(&who.user, &profile_of_token(who)).await.map_err(|error| unavailable(&error))?;
        }
        if !theirs.is_empty() {
            self.store.set_address(&who.user, &theirs).await.map_err(|error| unavailable(&error))?;
        }
        if is_being_erased {
            return Ok(());
        }
        let mut known = self.met();
        if known.len() >= ADDRESSES_MET_MAX {
            known.clear();
        }
        known.insert(met);
        Ok(())
    }
}
