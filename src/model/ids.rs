//! Identifiers. Each is checked once, where it enters, and is then trusted everywhere.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

use super::Timestamp;
use super::limits::{CLIENT_KEY_BYTES_MAX, USER_ID_BYTES_MAX};

/// Why a piece of text is not an id. The text itself is never repeated: it came from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not a user id.
    #[error("a user id is 1 to 64 of the characters A-Z a-z 0-9 _ . @ | : + -")]
    User,
    /// Not a conversation id.
    #[error("a conversation id is 32 hexadecimal digits")]
    Conversation,
    /// Not a message id.
    #[error("a message id is 24 hexadecimal digits")]
    Message,
    /// Not a client key.
    #[error("a client key is 1 to 64 printable ASCII characters")]
    ClientKey,
}

/// Who somebody is: the subject of their token. 1 to 64 bytes of a fixed ASCII alphabet, cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(Arc<str>);

impl UserId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The team: the one member of a support conversation besides the person who asks. Its agents come and go, and are
    /// members of none. No person may have this id.
    #[must_use]
    pub fn team() -> Self {
        Self("team".into())
    }

    /// The system: who writes what no person wrote. Only services write as it, and nobody reads what is written to it.
    /// No person may have this id.
    #[must_use]
    pub fn system() -> Self {
        Self("system".into())
    }

    /// Whether no person may have this id.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        matches!(&*self.0, "team" | "system")
    }
}

impl FromStr for UserId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.@|:+-".contains(&b);
        if text.is_empty() || text.len() > USER_ID_BYTES_MAX || !text.bytes().all(allowed) {
            return Err(IdError::User);
        }
        Ok(Self(text.into()))
    }
}

/// The name that a client gives a message of its own, so that sending it twice stores it once.
/// 1 to 64 printable ASCII bytes, unique per sender and conversation.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientKey(Arc<str>);

impl ClientKey {
    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ClientKey {
    /// The key of a message that was imported: by its id, so that importing it again stores it once.
    #[must_use]
    pub fn imported(id: MessageId) -> Self {
        Self(format!("import:{id}").into())
    }

    /// The key with which somebody who is erased since then leaves a group that they joined there: one for each time they
    /// were in it, and none that they could have used up before.
    #[must_use]
    pub fn erased(since: Timestamp, joined: Seq) -> Self {
        Self(format!("erased:{}:{joined}", since.0).into())
    }
}

impl FromStr for ClientKey {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.is_empty() || text.len() > CLIENT_KEY_BYTES_MAX || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(IdError::ClientKey);
        }
        Ok(Self(text.into()))
    }
}

/// Which conversation. Sixteen bytes, written as 32 hexadecimal digits.
///
/// The id of a direct conversation is derived from its two members, so that both find it without asking anybody; that of
/// a support conversation from the person who asks; that of a group from who made it and what they called that.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConversationId([u8; 16]);

impl ConversationId {
    /// The one conversation of two people, whichever of them asks. A person may write to themselves.
    #[must_use]
    pub fn direct(one: &UserId, other: &UserId) -> Self {
        let (low, high) = if one <= other { (one, other) } else { (other, one) };
        let digest = Sha256::new()
            .chain_update(b"direct\0")
            .chain_update(low.as_str())
            .chain_update(b"\0")
            .chain_update(high.as_str());
        Self::first_of(digest)
    }

    /// The one conversation of a person with the team.
    #[must_use]
    pub fn support(user: &UserId) -> Self {
        Self::first_of(Sha256::new().chain_update(b"support\0").chain_update(user.as_str()))
    }

    /// The group that somebody made under this key: making it again is making the same one.
    #[must_use]
    pub fn group(creator: &UserId, key: &ClientKey) -> Self {
        let digest = Sha256::new().chain_update(b"group\0").chain_update(creator.as_str());
        Self::first_of(digest.chain_update(b"\0").chain_update(key.as_str()))
    }

    fn first_of(digest: Sha256) -> Self {
        let mut id = [0; 16];
        id.copy_from_slice(&digest.finalize()[..16]);
        Self(id)
    }

    /// An id from its raw bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl FromStr for ConversationId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        parse_hex(text).map(Self).ok_or(IdError::Conversation)
    }
}

/// Which message, for ever. Twelve bytes, written as 24 hexadecimal digits: the shape of a MongoDB ObjectId,
/// so that imported messages keep theirs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId([u8; 12]);

impl MessageId {
    /// An id from its raw bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 12] {
        &self.0
    }
}

impl FromStr for MessageId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        parse_hex(text).map(Self).ok_or(IdError::Message)
    }
}

/// A message's place in its conversation: 1, 2, 3 … without a gap. Zero means "before the first".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// Before the first message.
    pub const ZERO: Self = Self(0);

    /// The place after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The place before this one; zero stays zero.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which history a store holds. A restored back-up is another generation: cursors into the old one mean nothing in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Generation(pub u64);

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// One run of one node: random at each start, so that a node restarted under the same label is another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeId(pub u64);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

pub(super) fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(bytes)
}

/// At once, since every message has several of these in it.
pub(super) fn write_hex<const N: usize>(bytes: &[u8; N], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut pairs = [[0; 2]; N];
    for (pair, byte) in pairs.iter_mut().zip(bytes) {
        *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    }
    f.write_str(std::str::from_utf8(pairs.as_flattened()).map_err(|_| fmt::Error)?)
}

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// On the wire every textual id is its own text, checked again when it is read.
macro_rules! as_text {
    ($($id:ty),+) => {$(
        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $id {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                struct Text;
                impl de::Visitor<'_> for Text {
                    type Value = $id;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("an id as text")
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$id, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                from.deserialize_str(Text)
            }
        }
    )+};
}

as_text!(UserId, ClientKey, ConversationId, MessageId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_direct_conversation_is_the_same_from_both_sides() {
        let (ann, bob): (UserId, UserId) = ("ann".parse().unwrap(), "bob".parse().unwrap());
        assert_eq!(ConversationId::direct(&ann, &bob), ConversationId::direct(&bob, &ann));
        assert_ne!(ConversationId::direct(&ann, &bob), ConversationId::direct(&ann, &ann));
    }

    #[test]
    fn a_support_conversation_is_the_persons_own() {
        let (ann, bob): (UserId, UserId) = ("ann".parse().unwrap(), "bob".parse().unwrap());
        assert_eq!(UserId::team().as_str().parse(), Ok(UserId::team()));
        assert_ne!(ConversationId::support(&ann), ConversationId::support(&bob));
        assert_ne!(ConversationId::support(&ann), ConversationId::direct(&ann, &UserId::team()));
        assert_eq!(ConversationId::support(&ann).to_string(), "52779bc0bd601d8ad52ccba1df37ec06");
    }

    #[test]
    fn ids_survive_their_text_and_refuse_other_text() {
        let id = ConversationId::from_bytes([7; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "07", &"g".repeat(32), &"0".repeat(33)] {
            assert_eq!(bad.parse::<ConversationId>(), Err(IdError::Conversation), "{bad}");
        }
        for bad in ["", "a b", "a/b", "{a}", "ä", &"x".repeat(65), "a\0"] {
            assert_eq!(bad.parse::<UserId>(), Err(IdError::User), "{bad}");
        }
        assert_eq!("a b".parse::<ClientKey>(), Err(IdError::ClientKey));
    }
}
