//! What is decided about people: who may come, which tokens count, who blocks whom. Each decision is stored, and then
//! announced on the channels of whom it concerns: their sessions read it anew.

use std::sync::Arc;

use super::{Chat, unavailable};
use crate::model::limits::{BAN_REASON_BYTES_MAX, BLOCKS_MAX, REVOKED_TOKENS_MAX, TOKEN_ID_BYTES_MAX};
use crate::model::{Ban, Code, Identity, Refusal, Revoked, Role, Standing, Timestamp, UserId};
use crate::store::StoreError;

/// Which of somebody's tokens are not to count any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocation {
    /// All that were issued before this time.
    Before(Timestamp),
    /// One.
    Token(Revoked),
}

impl Chat {
    /// The standing of who comes, read now. Whoever comes as an agent is remembered as one.
    ///
    /// # Errors
    /// `forbidden` to the banned, `unauthorized` to the bearer of a revoked token, `unavailable` if the store does not
    /// answer.
    pub async fn admit(&self, who: &Identity) -> Result<Arc<Standing>, Refusal> {
        let standing = self.standings.fresh(&who.user).await;
        self.let_in(who, standing).await
    }

    /// The same for one who only asks something: what was decided lately may not count yet.
    ///
    /// # Errors
    /// As [`admit`](Self::admit).
    pub async fn admit_request(&self, who: &Identity) -> Result<Arc<Standing>, Refusal> {
        let standing = self.standings.recent(&who.user).await;
        self.let_in(who, standing).await
    }

    async fn let_in(&self, who: &Identity, read: Result<Arc<Standing>, StoreError>) -> Result<Arc<Standing>, Refusal> {
        let standing = read.map_err(|error| unavailable(&error))?;
        if let Some(refusal) = standing.refuses(who) {
            return Err(refusal);
        }
        if who.role == Role::Admin && !standing.agent {
            self.store.note_agent(&who.user).await.map_err(|error| unavailable(&error))?;
            self.standings.forget(&who.user);
        }
        Ok(standing)
    }

    /// Somebody's standing, read now.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn standing(&self, user: &UserId) -> Result<Arc<Standing>, StoreError> {
        self.standings.fresh(user).await
    }

    /// Somebody's standing, as it was a moment ago at the most.
    ///
    /// # Errors
    /// `unavailable` if the store does not answer.
    pub async fn recent_standing(&self, user: &UserId) -> Result<Arc<Standing>, Refusal> {
        self.standings.recent(user).await.map_err(|error| unavailable(&error))
    }

    /// Bans somebody, for a reason, or lets them come again.
    ///
    /// # Errors
    /// `forbidden` to users, and to agents if it is about an agent; `invalid` for a reason that is too long or about
    /// oneself; `unavailable` if the store does not answer.
    pub async fn ban(&self, who: &Identity, user: &UserId, reason: Option<&str>) -> Result<(), Refusal> {
        self.check_decides(who, user).await?;
        let ban = match reason {
            Some(reason) if reason.len() > BAN_REASON_BYTES_MAX || reason.chars().any(char::is_control) => {
                let message = format!("a reason is at most {BAN_REASON_BYTES_MAX} bytes, without control characters");
                return Err(Refusal::new(Code::Invalid, message));
            }
            Some(reason) => Some(Ban { by: who.user.clone(), at: self.clock.now(), reason: reason.to_owned() }),
            None => None,
        };
        self.store.ban(user, ban.as_ref()).await.map_err(|error| unavailable(&error))?;
        self.announce_standing(user).await;
        Ok(())
    }

    /// Somebody's ban, if they are banned.
    ///
    /// # Errors
    /// `forbidden` to users, `unavailable` if the store does not answer.
    pub async fn ban_of(&self, who: &Identity, user: &UserId) -> Result<Option<Ban>, Refusal> {
        check_role(who)?;
        let standing = self.standing(user).await.map_err(|error| unavailable(&error))?;
        Ok(standing.ban.clone())
    }

    /// Has tokens of somebody not count any more.
    ///
    /// # Errors
    /// As [`ban`](Self::ban); `invalid` for a time that is yet to come, a token's id that is none, or one token too
    /// many.
    pub async fn revoke(&self, who: &Identity, user: &UserId, what: &Revocation) -> Result<(), Refusal> {
        self.check_decides(who, user).await?;
        let now = self.clock.now();
        match what {
            Revocation::Before(before) if *before > now => {
                return Err(Refusal::new(Code::Invalid, "only tokens of the past can be revoked"));
            }
            Revocation::Before(before) => {
                self.store.revoke_before(user, *before).await.map_err(|error| unavailable(&error))?;
            }
            Revocation::Token(revoked) if revoked.token.is_empty() || revoked.token.len() > TOKEN_ID_BYTES_MAX => {
                let message = format!("a token's id is 1 to {TOKEN_ID_BYTES_MAX} bytes");
                return Err(Refusal::new(Code::Invalid, message));
            }
            Revocation::Token(revoked) => {
                let kept = self.store.revoke_token(user, revoked, now).await.map_err(|error| unavailable(&error))?;
                if !kept {
                    let message = format!("{REVOKED_TOKENS_MAX} tokens are revoked: revoke all before a time");
                    return Err(Refusal::new(Code::Invalid, message));
                }
            }
        }
        self.announce_standing(user).await;
        Ok(())
    }

    /// Blocks somebody, or does not any more: the two do not write to each other directly, nor see each other write.
    ///
    /// # Errors
    /// `invalid` for oneself, for who is no person, and for one too many; `unavailable` if the store does not answer.
    pub async fn block(&self, who: &Identity, other: &UserId, active: bool) -> Result<(), Refusal> {
        if *other == who.user || other.is_reserved() {
            return Err(Refusal::new(Code::Invalid, "only other people can be blocked"));
        }
        let kept = self.store.block(&who.user, other, active).await.map_err(|error| unavailable(&error))?;
        if !kept {
            return Err(Refusal::new(Code::Invalid, format!("at most {BLOCKS_MAX} people can be blocked")));
        }
        self.announce_standing(&who.user).await;
        self.announce_standing(other).await;
        Ok(())
    }

    /// Whom somebody blocks.
    ///
    /// # Errors
    /// `unavailable` if the store does not answer.
    pub async fn blocks(&self, who: &Identity) -> Result<Vec<UserId>, Refusal> {
        let standing = self.standing(&who.user).await.map_err(|error| unavailable(&error))?;
        Ok(standing.blocks.clone())
    }

    pub(super) async fn announce_standing(&self, user: &UserId) {
        self.standings.forget(user);
        self.announcer.standing(user).await;
    }

    /// Whether one may decide about another: agents about users, services about anybody.
    async fn check_decides(&self, who: &Identity, user: &UserId) -> Result<(), Refusal> {
        check_role(who)?;
        if *user == who.user || user.is_reserved() {
            return Err(Refusal::new(Code::Invalid, "nobody decides so about themselves, or about who is no person"));
        }
        if who.role == Role::Admin {
            let standing = self.standing(user).await.map_err(|error| unavailable(&error))?;
            if standing.agent {
                return Err(Refusal::new(Code::Forbidden, "only a service decides about an agent"));
            }
        }
        Ok(())
    }
}

fn check_role(who: &Identity) -> Result<(), Refusal> {
    match who.role {
        Role::Admin | Role::Service => Ok(()),
        Role::User => Err(Refusal::new(Code::Forbidden, "only agents and services decide about others")),
    }
}
