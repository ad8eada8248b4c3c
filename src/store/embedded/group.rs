//! One transaction for all writes that waited.

use std::collections::HashMap;

use rusqlite::{Connection, ErrorCode};

use super::fault::{is_failed_write, is_full, meaning};
use super::schema;
use super::standings::{self, Decision};
use super::{addresses, appearances, changes, erasure, memberships, retention, talks};
use crate::model::{
    Assignment, Conversation, ConversationId, CursorKind, Group, Message, Profile, Seq, StoreTime, Timestamp, UserId,
};
use crate::store::archive::taken;
use crate::store::{Attempt, Outcome, Progress, StoreError};

/// Something to be written.
#[derive(Debug)]
pub(super) enum Write {
    /// Messages of different conversations, each by itself.
    Each(Vec<Attempt>),
    /// Messages of one conversation, up to the first that is not stored.
    Run(Vec<Attempt>),
    /// The same, of messages that count as taken when they were said, but at this time at the latest.
    Adopt(Vec<Attempt>, StoreTime),
    /// A conversation.
    Open(Conversation),
    /// A group.
    Found(Conversation, Group),
    /// What a message of a group changes.
    Apply(Message),
    /// The heads of conversations.
    Raise(Vec<Message>),
    /// The same, with the activity that goes with such times.
    Settle(Vec<Message>, StoreTime),
    /// A member's cursor.
    Advance {
        conversation: ConversationId,
        user: UserId,
        kind: CursorKind,
        to: Seq,
    },
    /// What is known of a person.
    PutProfile {
        user: UserId,
        profile: Profile,
    },
    Agree {
        on: &'static str,
        proposal: String,
    },
    /// Where somebody can be found.
    SetAddress {
        user: UserId,
        address: String,
    },
    /// How far the erasure of somebody has come.
    KeepErasure(UserId, Option<Progress>),
    /// What somebody wrote after a place and up to another.
    Empty {
        conversation: ConversationId,
        user: UserId,
        after: Seq,
        up_to: Seq,
    },
    /// What is known of somebody.
    Forget(UserId),
    /// The messages of a conversation up to a place.
    Purge(ConversationId, Seq),
    /// What one message says.
    Blank(ConversationId, Seq),
    /// Something about a user.
    Decide(UserId, Decision),
    /// Who sees to a talk.
    Assign(ConversationId, Assignment),
    /// When users were last seen.
    Seen(Vec<(UserId, Timestamp)>),
    /// Whether a user appears offline.
    Appear {
        user: UserId,
        offline: bool,
        at: Timestamp,
    },
}

impl Write {
    /// About how many bytes it takes up while it waits.
    pub(super) fn bytes(&self) -> usize {
        const EACH: usize = 256;
        match self {
            Self::Each(attempts) | Self::Run(attempts) | Self::Adopt(attempts, _) => {
                attempts.iter().map(|attempt| EACH + attempt.message.text.len()).sum()
            }
            Self::Raise(messages) | Self::Settle(messages, _) => {
                messages.iter().map(|message| EACH + message.text.len()).sum()
            }
            Self::Found(conversation, _) => EACH * (1 + conversation.members.len()),
            Self::Open(_)
            | Self::Apply(_)
            | Self::Advance { .. }
            | Self::Assign(..)
            | Self::KeepErasure(..)
            | Self::Empty { .. }
            | Self::Forget(_)
            | Self::Purge(..)
            | Self::Blank(..)
            | Self::Appear { .. } => EACH,
            Self::Seen(users) => EACH * users.len(),
            Self::PutProfile { profile, .. } => EACH + profile.name.len() + profile.email.len(),
            Self::Agree { proposal, .. } => EACH + proposal.len(),
            Self::SetAddress { address, .. } => EACH + address.len(),
            Self::Decide(..) => 2 * EACH,
        }
    }
}

/// What came of a write.
#[derive(Debug)]
pub(super) enum Written {
    /// Of messages: one for each, in their order.
    Outcomes(Vec<Outcome>),
    /// Of anything else: whether it changed anything.
    Changed(bool),
    /// Of an erasure or a purge: how many messages were emptied or deleted.
    Emptied(u64),
}

/// A whole group that was not written.
#[derive(Debug)]
pub(super) enum Undone {
    /// The transaction was given up, or found no room: nothing of it is there, or will be.
    Certainly(rusqlite::Error),
    /// Its commit failed: it may be there when the file is opened next.
    Perhaps(rusqlite::Error),
}

/// A whole group that was written.
#[derive(Debug)]
pub(super) struct Done {
    /// One for each write, in their order.
    pub(super) answers: Vec<Result<Written, StoreError>>,
    /// Whether anything was changed by them.
    pub(super) changed: bool,
}

/// Does all of these in one transaction, each by itself: one that fails leaves no trace and does not keep the others
/// from being done. Nothing that this answers may be told to anybody if it answers [`Undone`].
pub(super) fn commit(connection: &Connection, writes: Vec<Write>, now: StoreTime) -> Result<Done, Undone> {
    let done = begin(connection)
        .and_then(|()| {
            let before = connection.total_changes();
            let answers = fill(connection, writes, now)?;
            let changed = connection.total_changes() > before;
            if changed {
                schema::record(connection, now)?;
            }
            Ok(Done { answers, changed })
        })
        .map_err(Undone::Certainly)?;
    match end(connection) {
        Ok(()) => Ok(done),
        // The mark of a commit is the last thing that is written to the log, so without room for it there is none. (No
        // room for the log's *index* is another code, and comes after the mark.)
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => Err(Undone::Certainly(error)),
        Err(error) => Err(Undone::Perhaps(error)),
    }
}

fn begin(connection: &Connection) -> rusqlite::Result<()> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([]).map(drop)
}

fn end(connection: &Connection) -> rusqlite::Result<()> {
    connection.prepare_cached("COMMIT")?.execute([]).map(drop)
}

/// The transaction's content.
fn fill(
    connection: &Connection,
    writes: Vec<Write>,
    now: StoreTime,
) -> rusqlite::Result<Vec<Result<Written, StoreError>>> {
    let mut last = HashMap::new();
    let mut answers = Vec::with_capacity(writes.len());
    for write in writes {
        answers.push(match write {
            Write::Each(attempts) => Ok(Written::Outcomes(each(connection, attempts, now, &mut last)?)),
            Write::Run(attempts) => Ok(Written::Outcomes(run(connection, attempts, |_| now, &mut last)?)),
            Write::Adopt(attempts, until) => {
                let said = |attempt: &Attempt| taken(attempt.message.at, until);
                Ok(Written::Outcomes(run(connection, attempts, said, &mut HashMap::new())?))
            }
            Write::Empty { conversation, user, after, up_to } => {
                item(connection, || erasure::empty(connection, conversation, &user, after, up_to))?
                    .map(Written::Emptied)
            }
            Write::Purge(conversation, up_to) => {
                item(connection, || retention::purge(connection, conversation, up_to))?.map(Written::Emptied)
            }
            other => item(connection, || change(connection, &other, now))?.map(Written::Changed),
        });
    }
    // Once for each conversation, however many messages it was given. A head may lag, so one that cannot be raised
    // fails no message: the `raise` that follows meets the same fault and tells.
    for message in last.values() {
        if let Err(error) = item(connection, || changes::raise(connection, message, now))? {
            tracing::error!(%error, conversation = %message.conversation, "a conversation's head could not be raised");
        }
    }
    Ok(answers)
}

fn each(
    connection: &Connection,
    attempts: Vec<Attempt>,
    now: StoreTime,
    last: &mut HashMap<ConversationId, Message>,
) -> rusqlite::Result<Vec<Outcome>> {
    attempts.into_iter().map(|attempt| append(connection, attempt, now, last)).collect()
}

fn run(
    connection: &Connection,
    attempts: Vec<Attempt>,
    stored: impl Fn(&Attempt) -> StoreTime,
    last: &mut HashMap<ConversationId, Message>,
) -> rusqlite::Result<Vec<Outcome>> {
    let mut outcomes = vec![Outcome::Untried; attempts.len()];
    for (attempt, outcome) in attempts.into_iter().zip(&mut outcomes) {
        let stored = stored(&attempt);
        *outcome = append(connection, attempt, stored, last)?;
        if *outcome != Outcome::Stored {
            break;
        }
    }
    Ok(outcomes)
}

/// Tries one message, and remembers it if it is the highest of its conversation.
fn append(
    connection: &Connection,
    attempt: Attempt,
    stored: StoreTime,
    last: &mut HashMap<ConversationId, Message>,
) -> rusqlite::Result<Outcome> {
    let message = attempt.message.at_seq(attempt.seq);
    let outcome = match item(connection, || changes::insert(connection, &message, stored))? {
        Ok(outcome) => outcome,
        Err(error) => Outcome::Refused(error),
    };
    // An event's head is raised after it took effect, not before.
    let raises = outcome == Outcome::Stored && message.event.is_none();
    if raises && last.get(&message.conversation).is_none_or(|other| other.seq < message.seq) {
        last.insert(message.conversation, message);
    }
    Ok(outcome)
}

/// Does anything but messages; answers whether it changed anything.
fn change(connection: &Connection, write: &Write, now: StoreTime) -> rusqlite::Result<bool> {
    match write {
        Write::Each(_) | Write::Run(_) | Write::Adopt(..) | Write::Empty { .. } | Write::Purge(..) => Ok(false),
        Write::KeepErasure(user, progress) => erasure::keep(connection, user, progress.as_ref()),
        Write::Forget(user) => erasure::forget(connection, user),
        Write::Blank(conversation, seq) => retention::blank(connection, *conversation, *seq),
        Write::Open(conversation) => changes::open(connection, conversation),
        Write::Found(conversation, group) => memberships::found(connection, conversation, group),
        Write::Apply(message) => memberships::apply(connection, message, now),
        Write::Raise(messages) => {
            messages.iter().try_for_each(|message| changes::raise(connection, message, now)).map(|()| true)
        }
        Write::Settle(messages, until) => {
            let settle = |message: &Message| changes::raise(connection, message, taken(message.at, *until));
            messages.iter().try_for_each(settle).map(|()| true)
        }
        Write::Advance { conversation, user, kind, to } => {
            changes::advance(connection, *conversation, user, *kind, *to)
        }
        Write::PutProfile { user, profile } => changes::put_profile(connection, user, profile).map(|()| true),
        Write::Agree { on, proposal } => changes::agree(connection, on, proposal),
        Write::SetAddress { user, address } => addresses::set(connection, user, address),
        Write::Decide(user, decision) => standings::decide(connection, user, decision),
        Write::Assign(talk, new) => talks::assign(connection, *talk, new),
        Write::Seen(users) => appearances::note_seen(connection, users).map(|()| true),
        Write::Appear { user, offline, at } => appearances::set(connection, user, *offline, *at).map(|()| true),
    }
}

/// Does one thing wholly or not at all. The inner error is this thing's own; the outer one ends the transaction.
fn item<T>(
    connection: &Connection,
    change: impl FnOnce() -> rusqlite::Result<T>,
) -> rusqlite::Result<Result<T, StoreError>> {
    let run = |sql| connection.prepare_cached(sql)?.execute([]).map(drop);
    run("SAVEPOINT item")?;
    match change() {
        Ok(done) => {
            run("RELEASE item")?;
            Ok(Ok(done))
        }
        // SQLite may have rolled everything back by itself, and a disk that is full or failing is everybody's fault.
        Err(error) if connection.is_autocommit() || is_full(&error) || is_failed_write(&error) => Err(error),
        Err(error) => {
            run("ROLLBACK TO item")?;
            run("RELEASE item")?;
            tracing::error!(%error, "one write could not be done and left no trace");
            Ok(Err(meaning(&error)))
        }
    }
}
