//! The team, as people see it, and who the people are that it sees.

use super::profile::profile_of_token;
use super::{Chat, unavailable};
use crate::model::limits::PAGE_CONVERSATIONS_MAX;
use crate::model::{Identity, Profile, Refusal, UserId};
use crate::store::TEAM_ALIAS;

impl Chat {
    /// The person whom users of older pages see in place of the team: settled once, for ever, by the first proposal.
    ///
    /// # Errors
    /// `unavailable` if the store does not answer.
    pub async fn team_alias(&self, proposal: Option<&UserId>) -> Result<Option<UserId>, Refusal> {
        let agreed =
            self.store.agree(TEAM_ALIAS, proposal.map(UserId::as_str)).await.map_err(|error| unavailable(&error))?;
        Ok(agreed.and_then(|agreed| agreed.parse().ok()))
    }

    /// Keeps the name that somebody's token gives them, so that others see it. Answers it, if there is one.
    ///
    /// # Errors
    /// `unavailable` if the store does not answer.
    pub async fn introduce(&self, who: &Identity) -> Result<Option<Profile>, Refusal> {
        if who.name.is_none() {
            return Ok(None);
        }
        let [stored] = &self.profiles(std::slice::from_ref(&who.user)).await?[..] else { return Ok(None) };
        let mut profile = profile_of_token(who);
        if who.email.is_none() {
            profile.email = stored.as_ref().map(|stored| stored.email.clone()).unwrap_or_default();
        }
        if stored.as_ref() != Some(&profile) {
            self.store.put_profile(&who.user, &profile).await.map_err(|error| unavailable(&error))?;
        }
        Ok(Some(profile))
    }

    /// What is known of these people, in the order given.
    ///
    /// # Errors
    /// `unavailable` if the store does not answer.
    pub async fn profiles(&self, users: &[UserId]) -> Result<Vec<Option<Profile>>, Refusal> {
        let mut profiles = Vec::with_capacity(users.len());
        for some in users.chunks(2 * PAGE_CONVERSATIONS_MAX) {
            profiles.extend(self.store.profiles(some).await.map_err(|error| unavailable(&error))?);
        }
        Ok(profiles)
    }
}
