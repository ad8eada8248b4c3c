//! The team's inbox in the file: changes and questions.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row};

use super::EmbeddedStore;
use super::fault::damaged;
use super::group::Write;
use super::questions::{NO_ID, count, list, listed};
use super::row::{conversation_id, natural, parsed, signed};
use crate::model::limits::{AGENTS_MAX, PAGE_CONVERSATIONS_MAX};
use crate::model::{Assignment, ConversationId, Summary, TalkState, Timestamp, UserId};
use crate::store::{Assignments, Behind, StoreError, Talks};

#[async_trait]
impl Assignments for EmbeddedStore {
    async fn assign(&self, talk: ConversationId, new: &Assignment) -> Result<bool, StoreError> {
        self.write(Write::Assign(talk, new.clone())).await
    }

    async fn talks(&self, which: &Talks, behind: Option<Behind>, limit: usize) -> Result<Vec<Summary>, StoreError> {
        let (which, limit) = (which.clone(), limit.min(PAGE_CONVERSATIONS_MAX));
        self.readers.ask(move |connection| talks(connection, &which, behind, limit)).await
    }

    async fn holders(&self) -> Result<Vec<UserId>, StoreError> {
        self.readers.ask(holders).await
    }
}

/// How a state is written.
const fn state_number(state: TalkState) -> i64 {
    match state {
        TalkState::Open => 1,
        TalkState::Claimed => 2,
        TalkState::Closed => 3,
    }
}

/// Sets who sees to a talk, if nobody else did; answers whether it was set.
pub(super) fn assign(connection: &Connection, talk: ConversationId, new: &Assignment) -> rusqlite::Result<bool> {
    let sql = "UPDATE talks SET state = ?2, agent = ?3, changed_by = ?4, changed_at = ?5, change = ?6 \
               WHERE conversation = ?1 AND change = ?6 - 1";
    let set = connection.prepare_cached(sql)?.execute((
        talk.as_bytes(),
        state_number(new.state),
        new.agent.as_ref().map(UserId::as_str),
        new.by.as_ref().map(UserId::as_str),
        new.at.map(|at| signed(at.0)),
        signed(new.change),
    ))?;
    Ok(set > 0)
}

/// Sets who sees to a talk, as it was when it was backed up, and its activity.
pub(super) fn restore(
    connection: &Connection,
    talk: ConversationId,
    assignment: &Assignment,
    activity: i64,
) -> rusqlite::Result<()> {
    let sql = "UPDATE talks SET state = ?2, agent = ?3, changed_by = ?4, changed_at = ?5, change = ?6, activity = ?7 \
               WHERE conversation = ?1";
    let Assignment { agent, state, by, at, change } = assignment;
    let row = (
        talk.as_bytes(),
        state_number(*state),
        agent.as_ref().map(UserId::as_str),
        by.as_ref().map(UserId::as_str),
        at.map(|at| signed(at.0)),
        signed(*change),
        activity,
    );
    connection.prepare_cached(sql)?.execute(row).map(drop)
}

/// Who sees to a talk.
pub(super) fn assignment(connection: &Connection, talk: ConversationId) -> rusqlite::Result<Assignment> {
    let sql = "SELECT state, agent, changed_by, changed_at, change FROM talks WHERE conversation = ?1";
    let found = connection.prepare_cached(sql)?.query_one([talk.as_bytes()], read).optional()?;
    found.ok_or_else(|| damaged(format!("conversation {talk} is the team's but not in its inbox")))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Assignment> {
    let number: i64 = row.get(0)?;
    let state = TalkState::ALL.into_iter().find(|state| state_number(*state) == number);
    let user = |column| -> rusqlite::Result<Option<UserId>> {
        let is_there = row.get_ref(column)?.as_str_or_null()?.is_some();
        if is_there { parsed(row, column).map(Some) } else { Ok(None) }
    };
    let at: Option<i64> = row.get(3)?;
    Ok(Assignment {
        agent: user(1)?,
        state: state.ok_or_else(|| damaged(format!("an unknown state {number} of a talk")))?,
        by: user(2)?,
        at: at.map(natural).transpose()?.map(Timestamp),
        change: natural(row.get(4)?)?,
    })
}

/// A page of the inbox.
fn talks(
    connection: &Connection,
    which: &Talks,
    behind: Option<Behind>,
    limit: usize,
) -> rusqlite::Result<Vec<Summary>> {
    let by_state = "SELECT conversation FROM talks WHERE state = ?1 AND activity > 0 \
                    AND (activity, conversation) < (?2, ?3) ORDER BY activity DESC, conversation DESC LIMIT ?4";
    let by_agent = "SELECT conversation FROM talks WHERE agent = ?1 AND activity > 0 \
                    AND (activity, conversation) < (?2, ?3) ORDER BY activity DESC, conversation DESC LIMIT ?4";
    let (activity, id) =
        behind.as_ref().map_or((i64::MAX, NO_ID), |behind| (signed(behind.activity.0), behind.conversation.as_bytes()));
    let id_of = |row: &Row<'_>| conversation_id(row, 0);
    let ids: Vec<ConversationId> = match which {
        Talks::All => return list(connection, &UserId::team(), behind, limit),
        Talks::In(state) => {
            let mut statement = connection.prepare_cached(by_state)?;
            statement.query_map((state_number(*state), activity, id, count(limit)), id_of)?.collect::<Result<_, _>>()?
        }
        Talks::Of(agent) => {
            let mut statement = connection.prepare_cached(by_agent)?;
            statement.query_map((agent.as_str(), activity, id, count(limit)), id_of)?.collect::<Result<_, _>>()?
        }
    };
    ids.into_iter().map(|id| listed(connection, id)).collect()
}

/// Everybody who sees to a talk.
fn holders(connection: &Connection) -> rusqlite::Result<Vec<UserId>> {
    let sql = "SELECT DISTINCT agent FROM talks WHERE agent IS NOT NULL LIMIT ?1";
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_map([count(AGENTS_MAX)], |row| parsed(row, 0))?.collect()
}
