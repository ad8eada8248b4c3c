//! What is known of a person, and to whom it is shown.

use super::{Chat, unavailable};
use crate::model::limits::{EMAIL_BYTES_MAX, NAME_BYTES_MAX};
use crate::model::{Code, ConversationId, Identity, Profile, Refusal, Role, UserId, address};

impl Chat {
    /// A person's profile: all of it to themselves, to agents and to backends; without the address to whom they have a
    /// direct conversation with. `None` for anybody else, whether that person exists or not.
    ///
    /// # Errors
    /// `unavailable` if the store does not answer.
    pub async fn profile(&self, asker: &Identity, user: &UserId) -> Result<Option<Profile>, Refusal> {
        let sees_all = *user == asker.user || matches!(asker.role, Role::Admin | Role::Service);
        if !sees_all && !self.share_a_conversation(asker, user).await? {
            return Ok(None);
        }
        let profiles = self.store.profiles(std::slice::from_ref(user)).await.map_err(|error| unavailable(&error))?;
        let stored = profiles.into_iter().next().flatten();
        if *user == asker.user {
            let own = stored.filter(|profile| !profile.is_deleted());
            return Ok(Some(own.unwrap_or_else(|| profile_of_token(asker))));
        }
        // Anybody may begin a conversation: that must not tell them an address.
        let shown = |profile: Profile| if sees_all { profile } else { Profile { email: String::new(), ..profile } };
        Ok(stored.map(shown))
    }

    /// Sets a person's profile. Only they themselves and backends may.
    ///
    /// # Errors
    /// `forbidden` to others, `invalid` for a name or an address that is too long or holds control characters,
    /// `unavailable` if the store does not answer.
    pub async fn set_profile(&self, asker: &Identity, user: &UserId, profile: &Profile) -> Result<(), Refusal> {
        if *user != asker.user && asker.role != Role::Service {
            return Err(Refusal::new(Code::Forbidden, "only oneself and a service may set a profile"));
        }
        check("name", &profile.name, NAME_BYTES_MAX)?;
        check("email", &profile.email, EMAIL_BYTES_MAX)?;
        self.store.put_profile(user, profile).await.map_err(|error| unavailable(&error))?;
        if asker.role == Role::Service {
            // A backend vouches for what it says; what somebody says of themselves, nobody is found by.
            let vouched = address(&profile.email);
            self.store.set_address(user, &vouched).await.map_err(|error| unavailable(&error))?;
        }
        Ok(())
    }

    async fn share_a_conversation(&self, one: &Identity, other: &UserId) -> Result<bool, Refusal> {
        match self.member(one, ConversationId::direct(&one.user, other)).await {
            Ok(_) => Ok(true),
            Err(refusal) if refusal.code == Code::Forbidden => Ok(false),
            Err(refusal) => Err(refusal),
        }
    }
}

pub(super) fn profile_of_token(identity: &Identity) -> Profile {
    let text = |claim: &Option<std::sync::Arc<str>>| claim.as_deref().unwrap_or_default().to_owned();
    Profile { name: text(&identity.name), email: text(&identity.email) }
}

fn check(field: &str, text: &str, bytes_max: usize) -> Result<(), Refusal> {
    if text.len() > bytes_max {
        Err(Refusal::new(Code::Invalid, format!("{field} is at most {bytes_max} bytes of UTF-8")))
    } else if text.chars().any(char::is_control) {
        Err(Refusal::new(Code::Invalid, format!("{field} holds no control characters")))
    } else {
        Ok(())
    }
}
