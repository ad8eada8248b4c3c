//! The team's inbox: which agent sees to which talk. Every change is one compare-and-set, so that of two agents who are as
//! fast as one another one gets it, and the other is told who.

use std::sync::Arc;

use tokio::time::{Instant, sleep};

use super::announce::Announcer;
use super::list::Listing;
use super::member::not_yours;
use super::{Chat, unavailable};
use crate::model::limits::{SEND_WAIT, STORE_PAUSE};
use crate::model::{
    Assignment, Clock, Code, Conversation, ConversationId, Handling, Identity, InboxFilter, Kind, Message, Refusal,
    Role, TalkState, Truth, UserId,
};
use crate::store::{Memberships, Store, StoreError, Talks};

/// How often a change is tried anew when others keep changing the same talk; then they were faster.
const TRIES: u32 = 8;

/// What an agent wants to become of a talk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Which talk.
    pub conversation: ConversationId,
    /// What is to be done.
    pub action: Handling,
    /// Whom to pass it to.
    pub to: Option<UserId>,
    /// Who is thought to see to it now: must be named to change what is another's.
    pub from: Option<UserId>,
}

/// What a wish comes to.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    /// It is so already.
    Keep,
    /// It becomes that agent's, or nobody's in that state.
    Become(Result<UserId, TalkState>),
    /// It is not as was thought.
    Conflict,
}

impl Chat {
    /// Changes who sees to a talk; answers who does then.
    ///
    /// # Errors
    /// `forbidden` to others than agents and where there is no such talk, `invalid` if it is passed to nobody or to somebody
    /// who never came as an agent, `conflict` with what is true if it is not as was thought, `unavailable` if the store does
    /// not answer.
    pub async fn handle(&self, who: &Identity, wish: &Wish) -> Result<Assignment, Refusal> {
        agents_only(who)?;
        let talk = self.member(who, wish.conversation).await?.conversation;
        if talk.kind != Kind::Support {
            return Err(not_yours());
        }
        self.check_successor(wish).await?;
        let mut now = self.desk.read(talk.id).await?;
        for _ in 0..TRIES {
            match decide(&now, wish, &who.user) {
                Decision::Keep => {
                    // Said again, in case it got lost when it became so.
                    self.desk.announcer.assignment(&talk, now.clone()).await;
                    return Ok(now);
                }
                Decision::Conflict => break,
                Decision::Become(to) => {
                    let new = now.changed(to, &who.user, self.clock.now());
                    if self.desk.set(&talk, &new).await? {
                        return Ok(new);
                    }
                    now = self.desk.read(talk.id).await?;
                }
            }
        }
        let refusal = Refusal::new(Code::Conflict, "the talk is another's, or in another state");
        Err(refusal.with(Truth::Assignment(now)))
    }

    /// A page of the team's inbox, latest activity first.
    ///
    /// # Errors
    /// `forbidden` to others than agents, `invalid` if `behind` is not what a page before ended with, `unavailable` if the
    /// store does not answer.
    pub async fn inbox(
        &self,
        who: &Identity,
        filter: InboxFilter,
        behind: Option<&str>,
        limit: Option<usize>,
    ) -> Result<Listing, Refusal> {
        agents_only(who)?;
        let which = match filter {
            InboxFilter::All => Talks::All,
            InboxFilter::Mine => Talks::Of(who.user.clone()),
            InboxFilter::Open => Talks::In(TalkState::Open),
            InboxFilter::Claimed => Talks::In(TalkState::Claimed),
            InboxFilter::Closed => Talks::In(TalkState::Closed),
        };
        self.listing(&UserId::team(), behind, limit, async |behind, limit| {
            self.store.talks(&which, behind, limit).await
        })
        .await
    }

    async fn check_successor(&self, wish: &Wish) -> Result<(), Refusal> {
        let is_known = match (wish.action, &wish.to) {
            (Handling::Pass, Some(to)) => self.recent_standing(to).await?.agent,
            (Handling::Pass, None) => false,
            _ => true,
        };
        if is_known { Ok(()) } else { Err(Refusal::new(Code::Invalid, "a talk is passed `to` an agent")) }
    }
}

fn agents_only(who: &Identity) -> Result<(), Refusal> {
    if who.role == Role::Admin { Ok(()) } else { Err(Refusal::new(Code::Forbidden, "the inbox is the team's")) }
}

fn decide(now: &Assignment, wish: &Wish, me: &UserId) -> Decision {
    let holder = now.agent.as_ref();
    let is_as_thought = match &wish.from {
        Some(from) => holder == Some(from),
        None => holder.is_none_or(|holder| holder == me),
    };
    match (wish.action, now.state) {
        (Handling::Claim, _) if holder == Some(me) => Decision::Keep,
        (Handling::Pass, _) if holder.is_some() && holder == wish.to.as_ref() => Decision::Keep,
        (Handling::Free, TalkState::Open) | (Handling::Close, TalkState::Closed) => Decision::Keep,
        (Handling::Reopen, TalkState::Open | TalkState::Claimed) => Decision::Keep,
        (Handling::Reopen, TalkState::Closed) => Decision::Become(Err(TalkState::Open)),
        (Handling::Claim | Handling::Pass | Handling::Free, TalkState::Closed) => Decision::Conflict,
        _ if !is_as_thought => Decision::Conflict,
        (Handling::Claim, _) => Decision::Become(Ok(me.clone())),
        (Handling::Pass, _) => wish.to.clone().map_or(Decision::Conflict, |to| Decision::Become(Ok(to))),
        (Handling::Free, _) => Decision::Become(Err(TalkState::Open)),
        (Handling::Close, _) => Decision::Become(Err(TalkState::Closed)),
    }
}

/// Where assignments are changed and told of.
pub(super) struct Desk {
    store: Arc<dyn Store>,
    memberships: Arc<Memberships>,
    announcer: Arc<Announcer>,
    clock: Arc<dyn Clock>,
}

impl Desk {
    pub(super) fn new(
        store: Arc<dyn Store>,
        memberships: Arc<Memberships>,
        announcer: Arc<Announcer>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { store, memberships, announcer, clock }
    }

    async fn read(&self, talk: ConversationId) -> Result<Assignment, Refusal> {
        let found = self.try_read(talk).await.map_err(|error| unavailable(&error))?;
        found.ok_or_else(not_yours)
    }

    async fn try_read(&self, talk: ConversationId) -> Result<Option<Assignment>, StoreError> {
        Ok(self.store.get(&[talk]).await?.pop().and_then(|summary| summary.assignment))
    }

    /// Sets what a talk's assignment becomes, unless others were faster; tells the team and the talk's user.
    async fn set(&self, talk: &Conversation, new: &Assignment) -> Result<bool, Refusal> {
        let is_set = match self.store.assign(talk.id, new).await {
            Ok(true) => true,
            // Perhaps by ourselves, in an attempt that was not answered.
            Ok(false) => self.read(talk.id).await? == *new,
            Err(error) => match self.read(talk.id).await? == *new {
                true => true,
                false => return Err(unavailable(&error)),
            },
        };
        if is_set {
            self.announcer.assignment(talk, new.clone()).await;
        }
        Ok(is_set)
    }

    /// Who writes to the team again opens the talk that was closed. The message is stored; if this cannot be done in time,
    /// its sender is told to repeat it, which does it then.
    pub(super) async fn reopen_by(&self, message: &Message) -> Result<(), Refusal> {
        let deadline = Instant::now() + SEND_WAIT / 2;
        loop {
            match self.try_reopen_by(message).await {
                Err(refusal) if Instant::now() < deadline && refusal.code == Code::Unavailable => {
                    sleep(STORE_PAUSE).await;
                }
                decided => return decided,
            }
        }
    }

    async fn try_reopen_by(&self, message: &Message) -> Result<(), Refusal> {
        let found = self.memberships.get(message.conversation).await.map_err(|error| unavailable(&error))?;
        let is_by_user = |talk: &Arc<Conversation>| talk.kind == Kind::Support && talk.has(&message.sender);
        let Some(talk) = found.map(|found| found.conversation).filter(is_by_user) else { return Ok(()) };
        for _ in 0..TRIES {
            let now = self.read(talk.id).await?;
            if now.state != TalkState::Closed {
                return Ok(());
            }
            let new = now.changed(Err(TalkState::Open), &message.sender, self.clock.now());
            if self.set(&talk, &new).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Opens a talk whose agent has gone, if it is still theirs.
    pub(super) async fn free(&self, talk: &Conversation, held: &Assignment) -> Result<bool, Refusal> {
        let new = held.changed(Err(TalkState::Open), &UserId::system(), self.clock.now());
        self.set(talk, &new).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn id(name: &str) -> UserId {
        name.parse().unwrap()
    }

    fn wish(action: Handling, to: Option<&str>, from: Option<&str>) -> Wish {
        Wish { conversation: ConversationId::support(&id("ann")), action, to: to.map(id), from: from.map(id) }
    }

    #[test]
    fn what_is_anothers_is_changed_only_by_who_knows_whose_it_is() {
        let open = Assignment::default();
        let sues = open.changed(Ok(id("sue")), &id("sue"), Timestamp(1));
        let closed = sues.changed(Err(TalkState::Closed), &id("sue"), Timestamp(2));
        let becomes = |agent: &str| Decision::Become(Ok(id(agent)));
        let nobodys = |state| Decision::Become(Err(state));
        let (o, c) = (TalkState::Open, TalkState::Closed);
        let table = [
            (&open, wish(Handling::Claim, None, None), becomes("tom")),
            (&open, wish(Handling::Claim, None, Some("sue")), Decision::Conflict),
            (&open, wish(Handling::Pass, Some("sue"), None), becomes("sue")),
            (&open, wish(Handling::Free, None, None), Decision::Keep),
            (&open, wish(Handling::Close, None, None), nobodys(c)),
            (&open, wish(Handling::Reopen, None, None), Decision::Keep),
            (&sues, wish(Handling::Claim, None, None), Decision::Conflict),
            (&sues, wish(Handling::Claim, None, Some("sue")), becomes("tom")),
            (&sues, wish(Handling::Claim, None, Some("eve")), Decision::Conflict),
            (&sues, wish(Handling::Pass, Some("eve"), None), Decision::Conflict),
            (&sues, wish(Handling::Pass, Some("eve"), Some("sue")), becomes("eve")),
            (&sues, wish(Handling::Pass, Some("sue"), None), Decision::Keep),
            (&sues, wish(Handling::Free, None, None), Decision::Conflict),
            (&sues, wish(Handling::Free, None, Some("sue")), nobodys(o)),
            (&sues, wish(Handling::Close, None, None), Decision::Conflict),
            (&sues, wish(Handling::Close, None, Some("sue")), nobodys(c)),
            (&sues, wish(Handling::Reopen, None, None), Decision::Keep),
            (&closed, wish(Handling::Claim, None, None), Decision::Conflict),
            (&closed, wish(Handling::Pass, Some("eve"), None), Decision::Conflict),
            (&closed, wish(Handling::Free, None, None), Decision::Conflict),
            (&closed, wish(Handling::Close, None, None), Decision::Keep),
            (&closed, wish(Handling::Reopen, None, None), nobodys(o)),
        ];
        for (now, wish, decision) in table {
            assert_eq!(decide(now, &wish, &id("tom")), decision, "{now:?} {wish:?}");
        }
        for action in [Handling::Claim, Handling::Free, Handling::Close] {
            let decided = decide(&sues, &wish(action, None, None), &id("sue"));
            assert_ne!(decided, Decision::Conflict, "{action:?} of one's own");
        }
    }
}
