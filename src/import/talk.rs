//! Whose conversation an old message belongs to, and how far it had been read.

use std::collections::HashSet;

use crate::model::{Conversation, Seq, UserId};
use crate::store::mongo::classic::OldMessage;

/// The team of the old app: its users of the role admin.
#[derive(Debug)]
pub(super) struct Team {
    agents: HashSet<UserId>,
}

/// Between whom a message was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Parties {
    /// Two people, in order; or two agents; or somebody and themselves.
    Direct(UserId, UserId),
    /// A person and any agent.
    Support(UserId),
}

impl Team {
    pub(super) fn new(agents: impl IntoIterator<Item = UserId>) -> Self {
        Self { agents: agents.into_iter().collect() }
    }

    /// Between whom a message was.
    pub(super) fn parties(&self, message: &OldMessage) -> Parties {
        let (sender, receiver) = (&message.sender, &message.receiver);
        match (self.agents.contains(sender), self.agents.contains(receiver)) {
            (true, false) => Parties::Support(receiver.clone()),
            (false, true) => Parties::Support(sender.clone()),
            _ if sender <= receiver => Parties::Direct(sender.clone(), receiver.clone()),
            _ => Parties::Direct(receiver.clone(), sender.clone()),
        }
    }
}

impl Parties {
    /// Their conversation.
    pub(super) fn conversation(&self) -> Conversation {
        match self {
            Self::Direct(one, other) => Conversation::direct(one, other),
            Self::Support(person) => Conversation::support(person, &UserId::team()),
        }
    }

    /// Which member a message was for; nobody, if it was a note to oneself.
    fn reader(&self, message: &OldMessage) -> Option<UserId> {
        match self {
            Self::Direct(one, other) => (one != other).then(|| message.receiver.clone()),
            Self::Support(person) if message.sender == *person => Some(UserId::team()),
            Self::Support(person) => Some(person.clone()),
        }
    }
}

/// How far each member had read: up to the last message before the first of others that they had not.
#[derive(Debug, Default)]
pub(super) struct Marks {
    last: Seq,
    unread: Vec<(UserId, Seq)>,
}

impl Marks {
    /// Takes note of the next message.
    pub(super) fn note(&mut self, parties: &Parties, message: &OldMessage) {
        self.last = self.last.next();
        let reader = parties.reader(message).filter(|_| !message.read);
        if let Some(reader) = reader
            && !self.unread.iter().any(|(other, _)| *other == reader)
        {
            self.unread.push((reader, self.last));
        }
    }

    /// Where the read cursor of a member belongs.
    pub(super) fn cursor(&self, member: &UserId) -> Seq {
        let unread = self.unread.iter().find(|(reader, _)| reader == member);
        unread.map_or(self.last, |(_, first)| first.previous())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ConversationId, Kind, MessageId, Timestamp};

    fn user(name: &str) -> UserId {
        name.parse().unwrap()
    }

    fn said(from: &str, to: &str, read: bool) -> OldMessage {
        let id = MessageId::from_bytes([1; 12]);
        OldMessage { id, sender: user(from), receiver: user(to), text: String::new(), read, at: Timestamp(1) }
    }

    #[test]
    fn talks_with_any_agent_are_one() {
        let team = Team::new(["kim", "lea"].map(user));
        let kind = |from, to| {
            let conversation = team.parties(&said(from, to, true)).conversation();
            (conversation.kind, conversation.id)
        };
        let support = (Kind::Support, ConversationId::support(&user("ann")));
        for (from, to) in [("ann", "kim"), ("kim", "ann"), ("ann", "lea"), ("lea", "ann")] {
            assert_eq!(kind(from, to), support, "{from} to {to}");
        }
        for (from, to) in [("ann", "bob"), ("bob", "ann"), ("kim", "lea"), ("lea", "kim"), ("ann", "ann")] {
            let direct = ConversationId::direct(&user(from), &user(to));
            assert_eq!(kind(from, to), (Kind::Direct, direct), "{from} to {to}");
        }
    }

    /// Messages as "who to whom, read or not", and the cursors that follow.
    fn cursors(talk: &[(&str, &str, bool)], members: [&str; 2]) -> [u64; 2] {
        let team = Team::new(["kim", "lea"].map(user));
        let mut marks = Marks::default();
        for (from, to, read) in talk {
            let message = said(from, to, *read);
            marks.note(&team.parties(&message), &message);
        }
        members.map(|member| marks.cursor(&user(member)).0)
    }

    #[test]
    fn a_cursor_stands_before_the_first_unread_message_of_others() {
        let both = ["ann", "bob"];
        assert_eq!(cursors(&[("ann", "bob", true), ("bob", "ann", true)], both), [2, 2]);
        assert_eq!(cursors(&[("ann", "bob", false), ("bob", "ann", true)], both), [2, 0]);
        assert_eq!(cursors(&[("ann", "bob", true), ("ann", "bob", false), ("ann", "bob", true)], both), [3, 1]);
        assert_eq!(cursors(&[("ann", "ann", false)], ["ann", "ann"]), [1, 1], "nobody has unread notes of their own");
    }

    #[test]
    fn the_team_reads_as_one() {
        let talk = [("ann", "kim", true), ("lea", "ann", false), ("ann", "lea", false), ("ann", "kim", true)];
        assert_eq!(cursors(&talk, ["ann", "team"]), [1, 2]);
    }
}
