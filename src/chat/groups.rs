//! Groups: who may make and change them. Every change is a message of the group, placed like any other.

use std::future::Future;
use std::sync::Arc;

use super::lane::{Opening, Pending};
use super::rights::cannot_be_added;
use super::send::{Said, Sent};
use super::{Chat, Gate, Rights};
use crate::model::limits::{GROUP_MEMBERS_MAX, GROUP_NAME_BYTES_MAX};
use crate::model::{ClientKey, Code, ConversationId, Event, Group, Policy, Refusal, Role, UserId};
use crate::wire::client::Action;

/// What somebody wants of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Who.
    pub sender: UserId,
    /// What they may do.
    pub rights: Rights,
    /// What they call it: the same key again is the same change again.
    pub key: ClientKey,
    /// What.
    pub action: Action,
}

impl Change {
    /// The group that it is about, known without asking anybody.
    #[must_use]
    pub fn conversation(&self) -> ConversationId {
        match &self.action {
            Action::Create { .. } => ConversationId::group(&self.sender, &self.key),
            Action::Name { conversation, .. }
            | Action::Add { conversation, .. }
            | Action::Remove { conversation, .. }
            | Action::Leave { conversation }
            | Action::Role { conversation, .. } => *conversation,
        }
    }

    /// What its message will say. To put oneself out is to leave.
    #[must_use]
    pub fn event(&self) -> Event {
        match self.action.clone() {
            Action::Create { name, .. } => Event::Created { name },
            Action::Name { name, .. } => Event::Named { name },
            Action::Add { user, .. } => Event::Added { user },
            Action::Remove { user, .. } if user != self.sender => Event::Removed { user },
            Action::Remove { .. } | Action::Leave { .. } => Event::Left { user: self.sender.clone() },
            Action::Role { user, role, .. } => Event::Role { user, role },
        }
    }

    fn opening(&self) -> Option<Opening> {
        let Action::Create { name, members, history } = &self.action else { return None };
        let (conversation, group) = Group::new(self.conversation(), &self.sender, members, name, *history);
        Some(Opening::Group(Box::new((conversation, group))))
    }

    /// What can be said of it without knowing the group.
    fn check(&self, policy: Policy) -> Result<(), Refusal> {
        if policy == Policy::Support && self.rights.role == Role::User {
            return Err(Refusal::new(Code::Forbidden, "users write to the team only"));
        }
        match &self.action {
            Action::Create { name, members, .. } => {
                check_name(name)?;
                if members.len() >= GROUP_MEMBERS_MAX {
                    return Err(too_many());
                }
                members.iter().try_for_each(|user| self.may_add(user))
            }
            Action::Name { name, .. } => check_name(name),
            Action::Add { user, .. } => self.may_add(user),
            Action::Remove { .. } | Action::Leave { .. } | Action::Role { .. } => Ok(()),
        }
    }

    /// Whether the sender may add somebody, whatever the group, as far as their standing tells: the lane asks the store
    /// where it does not tell all ([`Rules::bars`](super::rights::Rules::bars)).
    fn may_add(&self, user: &UserId) -> Result<(), Refusal> {
        if *user == UserId::team() || *user == UserId::system() {
            return Err(Refusal::new(Code::Invalid, "only people are in groups: the team's agents each by themselves"));
        }
        if self.rights.standing.blocks(user) || self.rights.standing.is_blocked_by(user) {
            return Err(cannot_be_added());
        }
        Ok(())
    }
}

impl Chat {
    /// Queues a change of a group and answers with a future of what became of it, as [`send`](Self::send) does with a
    /// message, in one order with those.
    ///
    /// `forbidden` to whom the group does not let; `invalid` for what makes no sense in it.
    pub fn change(
        &self,
        change: Change,
        gate: Option<Arc<Gate>>,
    ) -> impl Future<Output = Result<Sent, Refusal>> + 'static {
        let checked = change.check(self.policy());
        let said = Said {
            conversation: change.conversation(),
            open: change.opening(),
            event: Some(change.event()),
            sender: change.sender,
            for_team: false,
            rights: change.rights,
            exact: None,
            key: change.key,
            text: String::new(),
            trace: None,
        };
        self.queue(said, checked, gate)
    }
}

impl Pending {
    /// Whom it brings into a group.
    pub(super) fn brings(&self) -> &[UserId] {
        match (&self.open, &self.new.event) {
            (Some(Opening::Group(new)), _) => &new.0.members,
            (_, Some(Event::Added { user })) => std::slice::from_ref(user),
            _ => &[],
        }
    }
}

/// Whether a member may change a group so, as it is.
pub(super) fn may_change(group: &Group, sender: &UserId, event: &Event) -> Result<(), Refusal> {
    let invalid = |message: &str| Err(Refusal::new(Code::Invalid, message));
    let is_member = |user: &UserId| group.standing(user).is_some_and(|standing| standing.is_current());
    if !matches!(event, Event::Created { .. } | Event::Left { .. }) && !group.is_managed_by(sender) {
        return Err(Refusal::new(Code::Forbidden, "only an owner of the group may do that"));
    }
    match event {
        Event::Added { user } if is_member(user) => invalid("they are in the group"),
        Event::Added { .. } if group.is_full() => Err(too_many()),
        Event::Removed { user } | Event::Role { user, .. } if !is_member(user) => invalid("they are not in the group"),
        Event::Role { user, role } if group.standing(user).is_some_and(|standing| standing.role == *role) => {
            invalid("that is what they are")
        }
        _ => Ok(()),
    }
}

fn check_name(name: &str) -> Result<(), Refusal> {
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        Err(Refusal::new(Code::Invalid, "a group has a name, without control characters"))
    } else if name.len() > GROUP_NAME_BYTES_MAX {
        Err(Refusal::new(
            Code::Invalid,
            format!("the name of a group is at most {GROUP_NAME_BYTES_MAX} bytes of UTF-8"),
        ))
    } else {
        Ok(())
    }
}

fn too_many() -> Refusal {
    Refusal::new(Code::Invalid, format!("a group has at most {GROUP_MEMBERS_MAX} members"))
}
