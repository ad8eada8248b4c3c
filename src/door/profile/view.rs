//! Who wrote to whom, as one person's page must see it.

use crate::model::{Conversation, ConversationId, Identity, Kind, Message, Role, UserId};

/// Somebody who looks at their messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    /// Who looks.
    pub(super) viewer: &'a Identity,
    /// Whom users see in place of the team, if anybody.
    pub(super) alias: Option<&'a UserId>,
}

/// The two sides of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parties {
    /// Whose message it seems to be.
    pub(super) sender: UserId,
    /// Whom it seems to be to.
    pub(super) receiver: UserId,
    /// The agent who wrote it, where it is the team's.
    pub(super) agent: Option<UserId>,
}

impl View<'_> {
    pub(super) fn is_agent(&self) -> bool {
        self.viewer.role == Role::Admin
    }

    /// Whom the viewer means by an id: agents talk to people as the team, and people to the team by its alias.
    pub(super) fn conversation_with(&self, other: &UserId) -> ConversationId {
        match self.support_of(other) {
            Some(user) => ConversationId::support(user),
            None => ConversationId::direct(&self.viewer.user, other),
        }
    }

    /// Whose conversation with the team is meant by a conversation of the viewer with this other; none if it is no
    /// matter of the team.
    pub(super) fn support_of<'b>(&'b self, other: &'b UserId) -> Option<&'b UserId> {
        if self.is_agent() {
            Some(other)
        } else if self.alias == Some(other) || *other == UserId::team() {
            Some(&self.viewer.user)
        } else {
            None
        }
    }

    /// The viewer's conversation of this id with somebody, known without asking anybody: also before it began.
    pub(super) fn conversation_of(&self, id: ConversationId, other: &UserId) -> Option<Conversation> {
        let team = UserId::team();
        let direct = Conversation::direct(&self.viewer.user, other);
        let support = [&self.viewer.user, other].map(|user| Conversation::support(user, &team));
        std::iter::once(direct).chain(support).find(|conversation| conversation.id == id)
    }

    /// The two sides of a message. The team is one stable person to users; to each agent, it is that agent: their pages
    /// tell their own side from the other by that. A group has no two sides, and is not for these pages.
    pub(super) fn parties(&self, message: &Message, conversation: &Conversation) -> Option<Parties> {
        let others = |not: &UserId| conversation.members.iter().find(|member| *member != not).unwrap_or(not).clone();
        match conversation.kind {
            Kind::Group => None,
            // What no person wrote comes from the team.
            Kind::Direct if message.sender == UserId::system() => {
                Some(Parties { sender: self.team(), receiver: others(&message.sender), agent: None })
            }
            Kind::Direct => {
                let receiver = others(&message.sender);
                Some(Parties { sender: message.sender.clone(), receiver, agent: None })
            }
            Kind::Support => {
                let user = others(&UserId::team());
                let team = self.team();
                Some(if message.sender == user {
                    Parties { sender: user, receiver: team, agent: None }
                } else {
                    let agent = Some(message.sender.clone()).filter(|agent| *agent != UserId::system());
                    Parties { sender: team, receiver: user, agent }
                })
            }
        }
    }

    /// Who the team is to the viewer.
    pub(super) fn team(&self) -> UserId {
        if self.is_agent() { self.viewer.user.clone() } else { self.alias.cloned().unwrap_or_else(UserId::team) }
    }

    /// A member, as the viewer knows them.
    pub(super) fn member(&self, member: &UserId) -> UserId {
        if *member == UserId::team() { self.team() } else { member.clone() }
    }

    /// Whether what a member does is the viewer's own side doing it.
    pub(super) fn is_own_side(&self, member: &UserId) -> bool {
        *member == self.viewer.user || (self.is_agent() && *member == UserId::team())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MessageId, Seq, Timestamp};

    fn id(text: &str) -> UserId {
        text.parse().unwrap()
    }

    fn person(user: &str, role: Role) -> Identity {
        Identity { user: id(user), role, name: None, email: None, token_id: None, issued: None, expires: Timestamp(0) }
    }

    fn message(conversation: &Conversation, sender: &str) -> Message {
        Message {
            conversation: conversation.id,
            seq: Seq(1),
            id: MessageId::from_bytes([1; 12]),
            sender: id(sender),
            key: "k".parse().unwrap(),
            at: Timestamp(0),
            text: "hi".to_owned(),
            event: None,
        }
    }

    #[test]
    fn the_team_is_one_person_to_users_and_oneself_to_agents() {
        let support = Conversation::support(&id("ann"), &UserId::team());
        let (ann, sue, tom) = (person("ann", Role::User), person("sue", Role::Admin), person("tom", Role::Admin));
        let desk = id("desk");
        let seen = |viewer: &Identity, sender: &str| {
            let Parties { sender, receiver, agent } =
                View { viewer, alias: Some(&desk) }.parties(&message(&support, sender), &support).unwrap();
            (sender.to_string(), receiver.to_string(), agent.map(|agent| agent.to_string()))
        };
        let expected = |sender: &str, receiver: &str, agent: Option<&str>| {
            (sender.to_owned(), receiver.to_owned(), agent.map(str::to_owned))
        };
        assert_eq!(seen(&ann, "ann"), expected("ann", "desk", None));
        assert_eq!(seen(&ann, "sue"), expected("desk", "ann", Some("sue")));
        assert_eq!(seen(&sue, "ann"), expected("ann", "sue", None));
        assert_eq!(seen(&sue, "sue"), expected("sue", "ann", Some("sue")));
        assert_eq!(seen(&tom, "sue"), expected("tom", "ann", Some("sue")));
    }

    #[test]
    fn ids_lead_to_conversations() {
        let (ann, sue) = (person("ann", Role::User), person("sue", Role::Admin));
        let (desk, bob) = (id("desk"), id("bob"));
        let of_ann = View { viewer: &ann, alias: Some(&desk) };
        assert_eq!(of_ann.conversation_with(&desk), ConversationId::support(&ann.user));
        assert_eq!(of_ann.conversation_with(&bob), ConversationId::direct(&ann.user, &bob));
        let of_sue = View { viewer: &sue, alias: Some(&desk) };
        assert_eq!(of_sue.conversation_with(&bob), ConversationId::support(&bob));
        assert!(of_sue.is_own_side(&UserId::team()) && !of_ann.is_own_side(&UserId::team()));
    }
}
