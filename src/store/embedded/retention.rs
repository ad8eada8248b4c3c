//! What is not kept any more.

use async_trait::async_trait;
use rusqlite::Connection;

use super::EmbeddedStore;
use super::fault::Unwritten;
use super::group::{Write, Written};
use super::questions::count;
use super::row::{self, checksum, conversation_id, select_messages, signed};
use crate::model::limits::PURGE_STEP_MESSAGES;
use crate::model::{ConversationId, Event, Message, Seq};
use crate::store::{Retention, StoreError};

#[async_trait]
impl Retention for EmbeddedStore {
    async fn conversations_after(
        &self,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<ConversationId>, StoreError> {
        self.readers.ask(move |connection| conversations_after(connection, after, limit)).await
    }

    async fn purge(&self, conversation: ConversationId, up_to: Seq) -> Result<u64, StoreError> {
        match self.writer.write(Write::Purge(conversation, up_to)).await {
            Ok(Written::Emptied(messages)) => Ok(messages),
            Ok(other) => Err(Unwritten::mismatched(&other).into()),
            Err(unwritten) => Err(unwritten.into()),
        }
    }

    async fn blank(&self, conversation: ConversationId, seq: Seq) -> Result<bool, StoreError> {
        self.write(Write::Blank(conversation, seq)).await
    }
}

fn conversations_after(
    connection: &Connection,
    after: Option<ConversationId>,
    limit: usize,
) -> rusqlite::Result<Vec<ConversationId>> {
    let sql = "SELECT id FROM conversations WHERE id > ?1 AND last_seq > 0 ORDER BY id LIMIT ?2";
    let after: &[u8] = after.as_ref().map_or(&[], |id| id.as_bytes());
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_map((after, count(limit)), |row| conversation_id(row, 0))?.collect()
}

/// Deletes messages from the first one on.
pub(super) fn purge(connection: &Connection, conversation: ConversationId, up_to: Seq) -> rusqlite::Result<u64> {
    let sql = "DELETE FROM messages WHERE conversation = ?1 AND seq IN ( \
                   SELECT seq FROM messages WHERE conversation = ?1 AND seq <= ?2 \
                   AND seq < (SELECT max(seq) FROM messages WHERE conversation = ?1) \
                   AND seq <= (SELECT last_seq FROM conversations WHERE id = ?1) \
                   ORDER BY seq LIMIT ?3)";
    let mut delete = connection.prepare_cached(sql)?;
    Ok(delete.execute((conversation.as_bytes(), signed(up_to.0), signed(PURGE_STEP_MESSAGES)))? as u64)
}

/// Empties one message.
pub(super) fn blank(connection: &Connection, conversation: ConversationId, seq: Seq) -> rusqlite::Result<bool> {
    let id = conversation.as_bytes();
    let sql = select_messages!("WHERE conversation = ?1 AND seq = ?2 AND text <> ''");
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((id, signed(seq.0)))?;
    let Some(row) = rows.next()? else { return Ok(false) };
    let (message, stored) = row::message(conversation, row)?;
    drop(rows);
    let blank = Message { text: String::new(), event: Some(Event::Erased), ..message };
    let erased = row::written(blank.event.as_ref());
    let sql = "UPDATE messages SET text = '', event = ?4, checksum = ?3 WHERE conversation = ?1 AND seq = ?2";
    connection.prepare_cached(sql)?.execute((id, signed(seq.0), checksum(&blank, stored), &erased))?;
    let sql = "UPDATE conversations SET last_text = '', last_event = ?3 WHERE id = ?1 AND last_seq = ?2";
    connection.prepare_cached(sql)?.execute((id, signed(seq.0), &erased))?;
    Ok(true)
}
