//! Reading documents: one query, one round trip, each document decoded where it lies in the answer.

use mongodb::bson::{Document, RawDocumentBuf, raw::RawDocument};
use mongodb::error::Result as DriverResult;
use mongodb::{ClientSession, Collection};

use super::MongoStore;
use super::metrics::Operation;
use super::outcome::Malformed;
use super::run::Failure;
use crate::model::limits::ATTEMPT_WAIT;
use crate::store::StoreError;

/// What to read.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Which documents.
    pub(super) filter: Document,
    /// In which order; any, if empty.
    pub(super) sort: Document,
    /// How many at most; none, if zero.
    pub(super) limit: usize,
    /// Which fields; all, if empty.
    pub(super) projection: Document,
}

/// Reads documents.
pub(super) async fn read<T>(
    from: &Collection<RawDocumentBuf>,
    session: &mut ClientSession,
    what: Read,
    decode: fn(&RawDocument) -> Result<T, Malformed>,
) -> DriverResult<Vec<T>> {
    read_while(from, session, what, decode, |_| true).await
}

/// Reads documents up to the first for which `go_on` says no, including that one.
pub(super) async fn read_while<T>(
    from: &Collection<RawDocumentBuf>,
    session: &mut ClientSession,
    what: Read,
    decode: fn(&RawDocument) -> Result<T, Malformed>,
    mut go_on: impl FnMut(&T) -> bool,
) -> DriverResult<Vec<T>> {
    let mut all = Vec::new();
    let limit = i32::try_from(what.limit).unwrap_or(i32::MAX);
    if limit == 0 {
        return Ok(all);
    }
    let mut found = from
        .find(what.filter)
        .sort(what.sort)
        .projection(what.projection)
        // Below zero: all in one answer, and no cursor is left open on the server.
        .limit(-i64::from(limit))
        .batch_size(limit.unsigned_abs())
        // So that the server ends what nobody waits for any more.
        .max_time(ATTEMPT_WAIT)
        .session(&mut *session)
        .await?;
    while found.advance(&mut *session).await? {
        all.push(decode(found.current())?);
        if !all.last().is_some_and(&mut go_on) {
            break;
        }
    }
    Ok(all)
}

impl MongoStore {
    /// Reads documents as one operation.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        operation: Operation,
        from: &Collection<RawDocumentBuf>,
        what: Read,
        decode: fn(&RawDocument) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, StoreError> {
        let from = from.clone();
        self.runner
            .run(operation, move |session| Box::pin(async move { read(&from, session, what, decode).await }))
            .await
            .map_err(Failure::into_error)
    }
}
