//! Seals, by which nodes know that one of them has spoken, and not just anybody who reaches the bus.

use aws_lc_rs::hmac::{self, HMAC_SHA256};

use crate::model::{ConversationId, Generation, Seq};

/// Bytes of a seal.
pub const SEAL_BYTES: usize = 16;

/// One node's word that a place of a conversation is taken for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seal([u8; SEAL_BYTES]);

impl Seal {
    /// The seal as bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; SEAL_BYTES] {
        self.0
    }

    /// [`SEAL_BYTES`] as a seal, true or not.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

/// Makes and tells seals. All nodes of a store have the same.
#[derive(Debug, Clone)]
pub struct Sealer(hmac::Key);

impl Sealer {
    /// The sealer of those who share this secret and this history: what was true of a store is not true of a restored one.
    #[must_use]
    pub fn new(secret: &str, generation: Generation) -> Self {
        Self(hmac::Key::new(HMAC_SHA256, format!("places taken {generation} {secret}").as_bytes()))
    }

    /// Seals that this place is taken.
    #[must_use]
    pub fn seal(&self, conversation: ConversationId, seq: Seq) -> Seal {
        let tag = hmac::sign(&self.0, &said(conversation, seq));
        let mut bytes = [0; SEAL_BYTES];
        bytes.copy_from_slice(&tag.as_ref()[..SEAL_BYTES]);
        Seal(bytes)
    }

    /// Whether one of us has said so.
    #[must_use]
    pub fn is_true(&self, seal: Seal, conversation: ConversationId, seq: Seq) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(&self.seal(conversation, seq).0, &seal.0).is_ok()
    }
}

fn said(conversation: ConversationId, seq: Seq) -> [u8; 24] {
    let mut said = [0; 24];
    said[..16].copy_from_slice(conversation.as_bytes());
    said[16..].copy_from_slice(&seq.0.to_be_bytes());
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_true_of_one_place_in_one_history_among_those_who_share_a_secret() {
        let sealer = Sealer::new("secret", Generation(1));
        let (here, there) = (ConversationId::from_bytes([1; 16]), ConversationId::from_bytes([2; 16]));
        let seal = sealer.seal(here, Seq(7));
        assert!(sealer.is_true(seal, here, Seq(7)));
        assert!(Sealer::new("secret", Generation(1)).is_true(seal, here, Seq(7)));
        assert!(!sealer.is_true(seal, here, Seq(8)));
        assert!(!sealer.is_true(seal, there, Seq(7)));
        assert!(!Sealer::new("secret", Generation(2)).is_true(seal, here, Seq(7)));
        assert!(!Sealer::new("another", Generation(1)).is_true(seal, here, Seq(7)));
        assert_eq!(Seal::from_bytes(&seal.to_bytes()), Some(seal));
        assert_eq!(Seal::from_bytes(&[0; SEAL_BYTES - 1]), None);
    }
}
