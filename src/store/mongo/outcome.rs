//! What an answer of the driver means. The rule: a thing is only called done, or not done, if the server said so; after
//! everything else it is unknown.

use mongodb::bson::error::Error as BsonError;
use mongodb::error::{Error, ErrorKind, IndexedWriteError, InsertManyError};

use super::run::Failure;
use super::schema::KEY_INDEX;
use crate::model::IdError;
use crate::store::{Outcome, StoreError};

/// "Duplicate key".
const DUPLICATE_KEY: i32 = 11_000;

/// A document that we did not write, or that was damaged since.
#[derive(Debug, thiserror::Error)]
pub(super) enum Malformed {
    #[error("a stored document lacks a field or has one of another type: {0}")]
    Field(#[from] BsonError),
    #[error("a stored document holds something that is not an id: {0}")]
    Id(#[from] IdError),
    #[error("a stored document holds {0}")]
    Value(&'static str),
}

impl From<Malformed> for Error {
    fn from(malformed: Malformed) -> Self {
        Self::custom(malformed)
    }
}

impl Failure {
    /// What a reader is told, and a writer whose write may be repeated freely.
    pub(super) fn into_error(self) -> StoreError {
        match self {
            Self::NoRoom => StoreError::Unavailable("too many operations are under way".to_owned()),
            Self::NoAnswer => StoreError::Unavailable("MongoDB did not answer in time".to_owned()),
            Self::Driver(error) => match error.get_custom::<Malformed>() {
                Some(malformed) => StoreError::Broken(malformed.to_string()),
                None => StoreError::Unavailable(describe(&error)),
            },
        }
    }

    /// What became of one message whose insert failed as a whole.
    pub(super) fn into_outcome(self) -> Outcome {
        let never_sent = match &self {
            Self::NoRoom => true,
            Self::NoAnswer => false,
            Self::Driver(error) => was_never_sent(error),
        };
        let error = self.into_error();
        if never_sent { Outcome::Refused(error) } else { Outcome::Unknown(error) }
    }
}

/// Whether the driver found nobody to send it to. (After a first attempt, it would have answered with the error of
/// that.) All other errors may stand for a write that was done, or that is done later.
fn was_never_sent(error: &Error) -> bool {
    matches!(
        error.kind.as_ref(),
        ErrorKind::ServerSelection { .. } | ErrorKind::InvalidArgument { .. } | ErrorKind::BsonSerialization(_)
    )
}

/// What became of each of `count` messages that were inserted together, each by itself. Fails where the server did not
/// say.
pub(super) fn of_each(count: usize, result: Result<(), Error>) -> Result<Vec<Outcome>, Error> {
    let mut outcomes = vec![Outcome::Stored; count];
    for error in refusals(result)? {
        if let Some(outcome) = outcomes.get_mut(error.index) {
            *outcome = of_one(&error);
        }
    }
    Ok(outcomes)
}

/// What became of each of `count` messages that were inserted in order, up to the first that was not. Fails where the
/// server did not say.
pub(super) fn of_run(count: usize, result: Result<(), Error>) -> Result<Vec<Outcome>, Error> {
    let mut outcomes = vec![Outcome::Stored; count];
    if let Some(error) = refusals(result)?.first() {
        outcomes.truncate(error.index);
        outcomes.push(of_one(error));
        outcomes.resize(count, Outcome::Untried);
    }
    Ok(outcomes)
}

/// The documents that the server refused, each with its reason, when it is certain of all others. With a write concern
/// error it is certain of nothing: what it calls a duplicate may be rolled back with the document it collided with.
fn refusals(result: Result<(), Error>) -> Result<Vec<IndexedWriteError>, Error> {
    let Err(error) = result else { return Ok(Vec::new()) };
    match *error.kind {
        ErrorKind::InsertMany(InsertManyError {
            write_errors: Some(ref errors), write_concern_error: None, ..
        }) => Ok(errors.clone()),
        _ => Err(error),
    }
}

/// Why one document was refused. The two unique keys are told apart by the index that the server names: ours by its
/// name, the clustered one by none (in later versions perhaps by its own), but always with the field.
fn of_one(error: &IndexedWriteError) -> Outcome {
    if error.code != DUPLICATE_KEY {
        return Outcome::Refused(StoreError::Unavailable(format!("MongoDB refused the message: code {}", error.code)));
    }
    if error.message.contains(&format!(" index: {KEY_INDEX} ")) {
        Outcome::KeyTaken
    } else if error.message.contains(" dup key: { _id: ") {
        Outcome::SeqTaken
    } else {
        Outcome::Unknown(StoreError::Broken("MongoDB reported a duplicate without saying of what".to_owned()))
    }
}

/// One line for an operator: without labels, topologies and values.
pub(super) fn describe(error: &Error) -> String {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => {
            format!("MongoDB answered {} ({}): {}", command.code, command.code_name, command.message)
        }
        ErrorKind::InsertMany(InsertManyError { write_concern_error: Some(concern), .. }) => {
            format!("no majority confirmed the write: code {} ({})", concern.code, concern.code_name)
        }
        ErrorKind::Write(_) | ErrorKind::InsertMany(_) => "MongoDB refused the write".to_owned(),
        ErrorKind::ServerSelection { .. } => "no MongoDB primary can be reached".to_owned(),
        other => other.to_string(),
    }
}
