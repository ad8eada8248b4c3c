//! What pages of this family must be told of people with every message: names, and whom the team is to them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::time::Instant;

use crate::chat::Chat;
use crate::model::limits::{NAMES_AGE_MAX, NAMES_MAX};
use crate::model::{Identity, Profile, Refusal, Role, UserId};

/// What is shown where no name is known: pages of this family break without one.
const NOBODY: &str = "Unknown user";

/// The people of one node's pages.
pub(super) struct People {
    chat: Arc<Chat>,
    /// Whom the operator wants users to see in place of the team.
    configured: Option<UserId>,
    agreed: OnceLock<UserId>,
    known: Mutex<HashMap<UserId, (Arc<Profile>, Instant)>>,
}

/// What is known of some people.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<UserId, Arc<Profile>>);

impl Known {
    /// What is known of one of them, as one may show it: with a name in any case.
    pub(super) fn of(&self, user: &UserId) -> Profile {
        let mut profile = self.0.get(user).map_or_else(Profile::default, |profile| (**profile).clone());
        if profile.name.is_empty() {
            NOBODY.clone_into(&mut profile.name);
        }
        profile
    }
}

impl People {
    pub(super) fn new(chat: Arc<Chat>, configured: Option<UserId>) -> Self {
        Self { chat, configured, agreed: OnceLock::new(), known: Mutex::default() }
    }

    /// Whom users see in place of the team: configured, else the first agent whom any node has known. None yet, if there
    /// was no agent.
    ///
    /// # Errors
    /// `unavailable` if the store does not answer.
    pub(super) async fn alias(&self) -> Result<Option<UserId>, Refusal> {
        match self.configured.as_ref().or_else(|| self.agreed.get()) {
            Some(alias) => Ok(Some(alias.clone())),
            None => self.agree(None).await,
        }
    }

    /// The same for somebody who says something: an agent is the one whom users see, if nobody is yet.
    ///
    /// # Errors
    /// `unavailable` if the store does not answer.
    pub(super) async fn alias_for(&self, who: &Identity) -> Result<Option<UserId>, Refusal> {
        match self.alias().await? {
            None if who.role == Role::Admin => self.agree(Some(&who.user)).await,
            alias => Ok(alias),
        }
    }

    /// Remembers somebody who came: their name for others, and an agent as the one whom users see, if nobody is yet.
    ///
    /// # Errors
    /// `unavailable` if the store does not answer.
    pub(super) async fn welcome(&self, who: &Identity) -> Result<(), Refusal> {
        self.alias_for(who).await?;
        let told = self.chat.introduce(who).await?;
        if let Some(profile) = told {
            self.remember(&who.user, profile.into());
        }
        Ok(())
    }

    /// What is known of these people, at most [`NAMES_AGE_MAX`] ago.
    ///
    /// # Errors
    /// `unavailable` if the store does not answer.
    pub(super) async fn of(&self, users: &[UserId]) -> Result<Known, Refusal> {
        let mut known = Known::default();
        let mut unknown = Vec::new();
        {
            let remembered = self.lock();
            for user in users {
                match remembered.get(user).filter(|(_, read)| read.elapsed() < NAMES_AGE_MAX) {
                    Some((profile, _)) => drop(known.0.insert(user.clone(), profile.clone())),
                    None => unknown.push(user.clone()),
                }
            }
        }
        unknown.sort();
        unknown.dedup();
        if !unknown.is_empty() {
            let profiles = self.chat.profiles(&unknown).await?;
            for (user, profile) in unknown.into_iter().zip(profiles) {
                let profile = Arc::new(profile.unwrap_or_default());
                self.remember(&user, profile.clone());
                known.0.insert(user, profile);
            }
        }
        Ok(known)
    }

    async fn agree(&self, proposal: Option<&UserId>) -> Result<Option<UserId>, Refusal> {
        let agreed = self.chat.team_alias(proposal).await?;
        Ok(agreed.map(|agreed| self.agreed.get_or_init(|| agreed).clone()))
    }

    fn remember(&self, user: &UserId, profile: Arc<Profile>) {
        let mut known = self.lock();
        if known.len() >= NAMES_MAX {
            known.clear();
        }
        known.insert(user.clone(), (profile, Instant::now()));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, (Arc<Profile>, Instant)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
