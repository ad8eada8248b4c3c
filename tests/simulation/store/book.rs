//! What the store holds, and its true semantics, without any fault.

use std::collections::{BTreeMap, BTreeSet};

use super::BEGINNING;
use crate::dice::Dice;
use switchboard::model::limits::{PAGE_BYTES_MAX, PAGE_MESSAGES_MAX, UNREAD_COUNT_MAX};
use switchboard::model::{
    Activity, Appearance, Assignment, ClientKey, Conversation, ConversationId, Cursor, CursorKind, Event, Group, Kind,
    Message, MessageId, NewMessage, Preview, Profile, Seq, Standing, StoreTime, Summary, Timestamp, UserId,
};
use switchboard::store::{Attempt, Behind, Outcome, Since, Span, Tail, Talks};

/// A message and when the store took it.
#[derive(Debug, Clone)]
pub struct Kept {
    pub message: Message,
    pub stored: StoreTime,
}

#[derive(Debug, Default)]
pub struct Entry {
    conversation: Option<Conversation>,
    group: Option<Group>,
    departures: BTreeMap<UserId, (StoreTime, Seq)>,
    pub messages: BTreeMap<Seq, Kept>,
    keys: BTreeMap<(UserId, ClientKey), Seq>,
    head: Option<Preview>,
    activity: StoreTime,
    cursors: BTreeMap<UserId, Cursor>,
    assignment: Assignment,
}

#[derive(Debug, Default)]
pub struct Book {
    pub entries: BTreeMap<ConversationId, Entry>,
    profiles: BTreeMap<UserId, Profile>,
    agreed: BTreeMap<&'static str, String>,
    standings: BTreeMap<UserId, Standing>,
    addresses: BTreeMap<UserId, String>,
    appearances: BTreeMap<UserId, Appearance>,
    /// A defect for the test of the test: keys are not unique.
    pub keys_may_repeat: bool,
}

impl Book {
    /// `key_first` decides what is told of an attempt that both unique keys refuse.
    pub fn insert(&mut self, attempt: &Attempt, now: StoreTime, key_first: bool) -> Outcome {
        let Attempt { message, seq } = attempt;
        let entry = self.entries.entry(message.conversation).or_default();
        let key = (message.sender.clone(), message.key.clone());
        let key_taken = entry.keys.contains_key(&key) && !self.keys_may_repeat;
        let seq_taken = entry.messages.contains_key(seq);
        match (key_taken, seq_taken) {
            (true, true) if key_first => Outcome::KeyTaken,
            (_, true) => Outcome::SeqTaken,
            (true, false) => Outcome::KeyTaken,
            (false, false) => {
                let stored = entry.messages.values().next_back().map_or(now, |last| last.stored.max(now));
                entry.keys.insert(key, *seq);
                entry.messages.insert(*seq, Kept { message: message.clone().at_seq(*seq), stored });
                Outcome::Stored
            }
        }
    }

    /// Messages of before the run, at most ten minutes old.
    pub fn write_history(&mut self, one: &UserId, other: &UserId, many: u64, dice: &Dice) {
        let conversation = Conversation::direct(one, other);
        self.open(&conversation);
        let mut at = BEGINNING.minus(dice.millis(0, 600_000));
        for seq in (1..=many).map(Seq) {
            at = at.plus(dice.millis(0, 30_000)).min(BEGINNING);
            let sender = dice.pick(&conversation.members).clone();
            let key: ClientKey = format!("old-{seq}").parse().unwrap();
            let id = MessageId::from_bytes([seq.0 as u8; 12]);
            let text = key.to_string();
            let message =
                NewMessage { conversation: conversation.id, id, sender, key, at: Timestamp(at.0), text, event: None };
            self.insert(&Attempt { message: message.clone(), seq }, at, true);
            self.raise(&[message.at_seq(seq)], at);
        }
    }

    pub fn tail(&self, conversation: ConversationId, before: Option<StoreTime>) -> Option<Tail> {
        let messages = self.entries.get(&conversation)?.messages.values();
        let mut taken = messages.rev().filter(|kept| before.is_none_or(|before| kept.stored < before));
        taken.next().map(|kept| Tail { seq: kept.message.seq, stored: kept.stored })
    }

    pub fn find(&self, conversation: ConversationId, sender: &UserId, key: &ClientKey) -> Option<Message> {
        let entry = self.entries.get(&conversation)?;
        let seq = entry.keys.get(&(sender.clone(), key.clone()))?;
        entry.messages.get(seq).map(|kept| kept.message.clone())
    }

    pub fn page(&self, conversation: ConversationId, span: Span, limit: usize) -> Vec<Message> {
        let Some(entry) = self.entries.get(&conversation) else { return Vec::new() };
        let limit = limit.min(PAGE_MESSAGES_MAX);
        let mut bytes = 0;
        let mut has_room = |message: &&Message| {
            let room = bytes < PAGE_BYTES_MAX;
            bytes += message.text.len();
            room
        };
        let messages = |kept: &'_ Kept| kept.message.clone();
        match span {
            Span::After(seq) => {
                let after = entry.messages.range(seq.next()..).take(limit);
                after.map(|(_, kept)| kept).take_while(|kept| has_room(&&kept.message)).map(messages).collect()
            }
            Span::Before(seq) => {
                let before = entry.messages.range(..seq).rev().take(limit);
                let page = before.map(|(_, kept)| kept).take_while(|kept| has_room(&&kept.message)).map(messages);
                let mut page: Vec<_> = page.collect();
                page.reverse();
                page
            }
        }
    }

    pub fn standings(&self, users: &[UserId]) -> Vec<(UserId, Standing)> {
        let decided = |user: &UserId| Some((user.clone(), self.standings.get(user)?.clone()));
        users.iter().filter_map(decided).collect()
    }

    pub fn standing(&mut self, user: &UserId) -> &mut Standing {
        self.standings.entry(user.clone()).or_default()
    }

    pub fn block(&mut self, user: &UserId, other: &UserId, active: bool) {
        let change = |list: &mut Vec<UserId>, one: &UserId| {
            list.retain(|listed| listed != one);
            list.extend(active.then(|| one.clone()));
            list.sort();
        };
        change(&mut self.standing(user).blocks, other);
        change(&mut self.standing(other).blocked_by, user);
    }

    pub fn set_address(&mut self, user: &UserId, address: &str) {
        self.addresses.insert(user.clone(), address.to_owned());
    }

    pub fn by_address(&self, address: &str) -> Vec<UserId> {
        let theirs = self.addresses.iter().filter(|(_, of)| *of == address && !address.is_empty());
        theirs.map(|(user, _)| user.clone()).take(2).collect()
    }

    pub fn open(&mut self, conversation: &Conversation) {
        let entry = self.entries.entry(conversation.id).or_default();
        entry.conversation.get_or_insert_with(|| conversation.clone());
    }

    pub fn found(&mut self, conversation: &Conversation, group: &Group) {
        let entry = self.entries.entry(conversation.id).or_default();
        if entry.conversation.is_none() {
            entry.conversation = Some(conversation.clone());
            entry.group = Some(group.clone());
        }
    }

    pub fn apply(&mut self, message: &Message, now: StoreTime) {
        let entry = self.entries.entry(message.conversation).or_default();
        let (Some(event), Some(group), Some(conversation)) =
            (&message.event, &mut entry.group, &mut entry.conversation)
        else {
            return;
        };
        if group.apply(message.seq, event) {
            conversation.members = group.members();
            if let Event::Removed { user } | Event::Left { user } = event {
                entry.departures.insert(user.clone(), (now, message.seq));
            }
        }
    }

    pub fn get(&self, ids: &[ConversationId]) -> Vec<Summary> {
        ids.iter().filter_map(|id| self.entries.get(id)?.summary()).collect()
    }

    pub fn raise(&mut self, messages: &[Message], now: StoreTime) {
        for message in messages {
            let entry = self.entries.entry(message.conversation).or_default();
            if entry.head.as_ref().is_none_or(|head| head.seq < message.seq) {
                entry.head = Some(Preview::of(message));
                entry.activity = entry.activity.max(now);
            }
        }
    }

    pub fn active(&self, users: &[UserId], since: Since, limit: usize) -> Vec<Activity> {
        let mut found: Vec<Activity> = self
            .entries
            .values()
            .filter_map(Entry::summary)
            .filter(|summary| users.iter().any(|user| summary.conversation.has(user)))
            .map(|s| Activity { conversation: s.conversation, last_seq: s.last_seq, activity: s.activity })
            .chain(self.entries.values().flat_map(|entry| entry.departed(users)))
            .filter(|a| a.activity > since.at || (a.activity == since.at && Some(a.conversation.id) > since.after))
            .collect();
        found.sort_by_key(|activity| (activity.activity, activity.conversation.id));
        found.truncate(limit);
        found
    }

    pub fn list(&self, user: &UserId, behind: Option<Behind>, limit: usize) -> Vec<Summary> {
        let behind = behind.map(|behind| (behind.activity, behind.conversation));
        let mut rows: Vec<Summary> = self
            .entries
            .values()
            .filter_map(Entry::summary)
            .filter(|row| row.conversation.has(user) && row.last_seq > Seq::ZERO)
            .filter(|row| behind.is_none_or(|behind| (row.activity, row.conversation.id) < behind))
            .collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.activity, row.conversation.id)));
        rows.truncate(limit);
        rows
    }

    pub fn advance(&mut self, conversation: ConversationId, user: &UserId, kind: CursorKind, to: Seq) -> bool {
        let cursors = &mut self.entries.entry(conversation).or_default().cursors;
        let fresh = || Cursor { user: user.clone(), read: Seq::ZERO, delivered: Seq::ZERO };
        let cursor = cursors.entry(user.clone()).or_insert_with(fresh);
        let place = match kind {
            CursorKind::Read => &mut cursor.read,
            CursorKind::Delivered => &mut cursor.delivered,
        };
        let moved = *place < to;
        *place = to.max(*place);
        moved
    }

    pub fn cursors(&self, conversation: ConversationId) -> Vec<Cursor> {
        self.entries.get(&conversation).map(|entry| entry.cursors.values().cloned().collect()).unwrap_or_default()
    }

    pub fn cursors_of(&self, members: &[(ConversationId, UserId)]) -> Vec<(ConversationId, Cursor)> {
        let cursor = |(id, user): &(ConversationId, UserId)| {
            let cursor = self.entries.get(id)?.cursors.get(user)?;
            Some((*id, cursor.clone())).filter(|_| cursor.read > Seq::ZERO || cursor.delivered > Seq::ZERO)
        };
        members.iter().filter_map(cursor).collect()
    }

    pub fn assign(&mut self, talk: ConversationId, new: &Assignment) -> bool {
        let is_talk = |entry: &&mut Entry| entry.conversation.as_ref().is_some_and(|c| c.kind == Kind::Support);
        let Some(entry) = self.entries.get_mut(&talk).filter(is_talk) else { return false };
        let is_next = entry.assignment.change + 1 == new.change;
        if is_next {
            entry.assignment = new.clone();
        }
        is_next
    }

    pub fn talks(&self, which: &Talks, behind: Option<Behind>, limit: usize) -> Vec<Summary> {
        let mut rows = self.list(&UserId::team(), behind, usize::MAX);
        rows.retain(|row| match (which, &row.assignment) {
            (Talks::All, _) => true,
            (Talks::In(state), Some(assignment)) => assignment.state == *state,
            (Talks::Of(agent), Some(assignment)) => assignment.agent.as_ref() == Some(agent),
            (_, None) => false,
        });
        rows.truncate(limit);
        rows
    }

    pub fn holders(&self) -> Vec<UserId> {
        let agents: BTreeSet<UserId> =
            self.entries.values().filter_map(|entry| entry.assignment.agent.clone()).collect();
        agents.into_iter().collect()
    }

    pub fn unread(&self, user: &UserId, conversations: &[(ConversationId, Seq)]) -> Vec<u64> {
        let count = |(id, after): &(ConversationId, Seq)| {
            let entry = self.entries.get(id)?;
            let read = entry.cursors.get(user).map_or(Seq::ZERO, |cursor| cursor.read).max(*after);
            let beyond = entry.messages.range(read.next()..).map(|(_, kept)| &kept.message);
            Some(beyond.filter(|message| message.sender != *user && message.event.is_none()).count() as u64)
        };
        conversations.iter().map(|id| count(id).unwrap_or(0).min(UNREAD_COUNT_MAX)).collect()
    }

    pub fn profiles(&self, users: &[UserId]) -> Vec<Option<Profile>> {
        users.iter().map(|user| self.profiles.get(user).cloned()).collect()
    }

    pub fn put_profile(&mut self, user: &UserId, profile: &Profile) {
        self.profiles.insert(user.clone(), profile.clone());
    }

    pub fn acquainted(&self, user: &UserId, others: &[UserId]) -> Vec<bool> {
        let talks: Vec<&Conversation> =
            self.entries.values().filter(|entry| entry.head.is_some()).filter_map(Entry::conversation).collect();
        let share = |other| talks.iter().any(|talk| talk.has(user) && talk.has(other));
        others.iter().map(share).collect()
    }

    pub fn seen(&mut self, users: &[(UserId, Timestamp)]) {
        for (user, at) in users {
            let appearance = self.appearances.entry(user.clone()).or_default();
            if !appearance.offline {
                appearance.last_seen = appearance.last_seen.max(Some(*at));
            }
        }
    }

    pub fn appear(&mut self, user: &UserId, offline: bool, at: Timestamp) {
        if offline {
            self.seen(&[(user.clone(), at)]);
        }
        self.appearances.entry(user.clone()).or_default().offline = offline;
    }

    pub fn appearances(&self, users: &[UserId]) -> Vec<Appearance> {
        users.iter().map(|user| self.appearances.get(user).copied().unwrap_or_default()).collect()
    }

    pub fn agree(&mut self, on: &'static str, proposal: Option<&str>) -> Option<String> {
        if let Some(proposal) = proposal {
            self.agreed.entry(on).or_insert_with(|| proposal.to_owned());
        }
        self.agreed.get(on).cloned()
    }
}

impl Entry {
    pub fn conversation(&self) -> Option<&Conversation> {
        self.conversation.as_ref()
    }

    /// The group, for each of these who left it.
    fn departed(&self, users: &[UserId]) -> Vec<Activity> {
        let Some(conversation) = &self.conversation else { return Vec::new() };
        let of = |(user, (activity, last_seq)): (&UserId, &(StoreTime, Seq))| Activity {
            conversation: Conversation { members: vec![user.clone()], ..conversation.clone() },
            last_seq: *last_seq,
            activity: *activity,
        };
        self.departures.iter().filter(|(user, _)| users.contains(user)).map(of).collect()
    }

    fn summary(&self) -> Option<Summary> {
        let conversation = self.conversation.clone()?;
        let last_seq = self.head.as_ref().map_or(Seq::ZERO, |head| head.seq);
        let group = self.group.clone();
        let assignment = (conversation.kind == Kind::Support).then(|| self.assignment.clone());
        let (last, activity) = (self.head.clone(), self.activity);
        Some(Summary { conversation, group, last_seq, last, activity, assignment })
    }
}
