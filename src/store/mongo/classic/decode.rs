//! From the old app's documents to our words, or to what is wrong with them.

use std::fmt;

use mongodb::bson::oid::ObjectId;
use mongodb::bson::raw::{RawBsonRef, RawDocument};

use crate::model::limits::{EMAIL_BYTES_MAX, IMPORT_TEXT_BYTES_MAX, NAME_BYTES_MAX};
use crate::model::{MessageId, Profile, Timestamp, UserId};

/// A message of the old app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldMessage {
    /// Its id, which it keeps.
    pub id: MessageId,
    /// Who wrote it.
    pub sender: UserId,
    /// To whom.
    pub receiver: UserId,
    /// What it says: at most [`IMPORT_TEXT_BYTES_MAX`] bytes.
    pub text: String,
    /// Whether the receiver has read it.
    pub read: bool,
    /// When it was said.
    pub at: Timestamp,
}

/// A user of the old app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldPerson {
    /// Who.
    pub user: UserId,
    /// What was known of them, made to fit.
    pub profile: Profile,
}

/// Why a document is not taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flaw {
    /// Its id is no ObjectId.
    Id,
    /// The sender of a message is no ObjectId.
    Sender,
    /// The receiver of a message is no ObjectId.
    Receiver,
    /// The text of a message is no text.
    Text,
    /// The text of a message is longer than [`IMPORT_TEXT_BYTES_MAX`].
    Length,
    /// The time of a message is no date, or before 1970.
    Time,
}

impl Flaw {
    /// All of them, in their order.
    pub const ALL: [Self; 6] = [Self::Id, Self::Sender, Self::Receiver, Self::Text, Self::Length, Self::Time];
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id => f.write_str("_id is no ObjectId"),
            Self::Sender => f.write_str("sender is no ObjectId"),
            Self::Receiver => f.write_str("receiver is no ObjectId"),
            Self::Text => f.write_str("message is no text"),
            Self::Length => write!(f, "message is longer than {IMPORT_TEXT_BYTES_MAX} bytes"),
            Self::Time => f.write_str("createdAt is no date, or before 1970"),
        }
    }
}

/// A document that is not taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its id, if that is an ObjectId.
    pub id: Option<MessageId>,
    /// Why.
    pub flaw: Flaw,
}

pub(super) fn message(document: &RawDocument) -> Result<OldMessage, Skipped> {
    let id = id(document)?;
    let skipped = |flaw| Skipped { id: Some(MessageId::from_bytes(id.bytes())), flaw };
    let party = |field, flaw| document.get_object_id(field).ok().and_then(user).ok_or_else(|| skipped(flaw));
    let length = || document.get_i32("bytes").ok().and_then(|bytes| usize::try_from(bytes).ok());
    let at = document.get_datetime("createdAt").ok().and_then(|date| u64::try_from(date.timestamp_millis()).ok());
    Ok(OldMessage {
        id: MessageId::from_bytes(id.bytes()),
        sender: party("sender", Flaw::Sender)?,
        receiver: party("receiver", Flaw::Receiver)?,
        text: match document.get_str("message") {
            Ok(text) => text.to_owned(),
            Err(_) => {
                return Err(skipped(if length() > Some(IMPORT_TEXT_BYTES_MAX) { Flaw::Length } else { Flaw::Text }));
            }
        },
        read: document.get_bool("read").unwrap_or_default(),
        at: at.map(Timestamp).ok_or_else(|| skipped(Flaw::Time))?,
    })
}

pub(super) fn person(document: &RawDocument) -> Result<OldPerson, Skipped> {
    let user = user_id(document)?;
    let name = text(document, "name");
    let name = name[..name.floor_char_boundary(NAME_BYTES_MAX)].to_owned();
    // Half an address is none.
    let email = Some(text(document, "email")).filter(|email| email.len() <= EMAIL_BYTES_MAX).unwrap_or_default();
    Ok(OldPerson { user, profile: Profile { name, email } })
}

pub(super) fn user_id(document: &RawDocument) -> Result<UserId, Skipped> {
    id(document).ok().and_then(user).ok_or(Skipped { id: None, flaw: Flaw::Id })
}

fn id(document: &RawDocument) -> Result<ObjectId, Skipped> {
    document.get_object_id("_id").map_err(|_| Skipped { id: None, flaw: Flaw::Id })
}

/// An ObjectId's 24 digits, which are a user id.
fn user(id: ObjectId) -> Option<UserId> {
    id.to_hex().parse().ok()
}

/// A text without control characters and blanks at its ends; empty if it is none.
fn text(document: &RawDocument, field: &str) -> String {
    match document.get(field) {
        Ok(Some(RawBsonRef::String(text))) => {
            let plain: String = text.chars().filter(|c| !c.is_control()).collect();
            plain.trim().to_owned()
        }
        _ => String::new(),
    }
}
