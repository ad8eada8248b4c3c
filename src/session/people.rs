//! What a live session does about people: blocks, bans, and finding somebody.

use tokio::time::Instant;

use super::live::{Change, Live};
use super::requests::refused;
use crate::chat::{Rights, Wanted};
use crate::model::{Code, Refusal, Role};
use crate::wire::{ServerFrame, client};

impl Live {
    /// What the session's user may do, as far as it is known now.
    pub(super) fn rights(&self) -> Rights {
        Rights::of(self.identity.role, self.outbox.standing())
    }

    /// Has others able to find who came. Nothing waits for it, and the next session makes good what fails.
    pub(super) fn begin_to_meet(&mut self) {
        let (services, who) = (self.services.clone(), self.identity.clone());
        self.requests.push(Box::pin(async move {
            if let Err(refusal) = services.chat.meet(&who).await {
                tracing::debug!(%refusal, "somebody who came could not be remembered");
            }
        }));
    }

    pub(super) fn on_block(&mut self, block: client::Block) {
        if let Err(wait) = self.blocks.take(Instant::now()) {
            return self.refuse(Refusal::new(Code::RateLimited, "too many blocks").after(wait));
        }
        let (services, outbox, who) = (self.services.clone(), self.outbox.clone(), self.identity.clone());
        self.exclusive = Some(Box::pin(async move {
            let client::Block { user, active } = block;
            match services.chat.block(&who, &user, active).await {
                Ok(()) => {
                    // At once: what this session says next must not depend on the bus.
                    if let Ok(standing) = services.chat.standing(&who.user).await {
                        outbox.set_standing(standing);
                    }
                    outbox.push(ServerFrame::Blocked { user, active });
                }
                Err(refusal) => outbox.push(refused(&services, refusal, None)),
            }
            Change::None
        }));
    }

    pub(super) fn on_blocks(&mut self) {
        let (services, outbox, who) = (self.services.clone(), self.outbox.clone(), self.identity.clone());
        self.exclusive = Some(Box::pin(async move {
            outbox.push(match services.chat.blocks(&who).await {
                Ok(users) => ServerFrame::Blocks { users },
                Err(refusal) => refused(&services, refusal, None),
            });
            Change::None
        }));
    }

    pub(super) fn on_ban(&mut self, ban: client::Ban) {
        let (services, outbox, who) = (self.services.clone(), self.outbox.clone(), self.identity.clone());
        self.exclusive = Some(Box::pin(async move {
            let client::Ban { user, active, reason } = ban;
            let reason = active.then_some(reason.as_deref().unwrap_or_default());
            outbox.push(match services.chat.ban(&who, &user, reason).await {
                Ok(()) => ServerFrame::Banned { user, active },
                Err(refusal) => refused(&services, refusal, None),
            });
            Change::None
        }));
    }

    pub(super) fn on_find(&mut self, find: client::Find) {
        let wanted = match (find.user, find.email) {
            (Some(user), None) => Wanted::Id(user),
            (None, Some(email)) => Wanted::Address(email),
            _ => return self.refuse(Refusal::new(Code::Invalid, "there must be either `user` or `email`")),
        };
        if self.identity.role == Role::User
            && let Err(refusal) = self.services.finds.take(&self.identity.user, Instant::now())
        {
            return self.refuse(refusal);
        }
        let (services, outbox, who) = (self.services.clone(), self.outbox.clone(), self.identity.clone());
        self.exclusive = Some(Box::pin(async move {
            let answer = services.chat.find(&who, &outbox.standing(), &wanted).await;
            outbox.push(match answer {
                Ok((user, name)) => ServerFrame::Person { user, name },
                Err(refusal) => refused(&services, refusal, None),
            });
            Change::None
        }));
    }
}
