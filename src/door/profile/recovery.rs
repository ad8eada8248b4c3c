//! Socket.IO's connection state recovery, with nothing kept here: what a socket was shown, and whose it is, travels
//! sealed with its client, as the "offset" at the end of events. A client (4.6 and later) brings the last one back, with
//! the private id that its first connection was given, and goes on from there, on any node.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::model::limits::{AS_OF_MARGIN, CURSORS_MAX, OFFSET_BYTES_MAX, PRIVATE_ID_BYTES};
use crate::model::{AsOf, Chance, ConversationId, Generation, Identity, Role, Seq, StoreTime, Timestamp, UserId};
use crate::session::Known;
use crate::wire::client::Resume;

/// What the store's clock may be ahead of what a node believes.
const CLOCK_SLACK: std::time::Duration = std::time::Duration::from_secs(5);

/// The name that a recoverable connection is known by to its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PrivateId(String);

impl PrivateId {
    pub(super) fn by(chance: &dyn Chance) -> Self {
        let bytes: Vec<u8> = (0..PRIVATE_ID_BYTES / 8).flat_map(|_| chance.bits().to_be_bytes()).collect();
        Self(BASE64.encode(bytes))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The connection's public id: the same after a recovery, and no way back to the private one.
    pub(super) fn public(&self) -> String {
        BASE64.encode(&Sha256::digest(self.0.as_bytes())[..15])
    }

    /// What the keys begin with that messages of this connection are given.
    pub(super) fn mark(&self) -> String {
        format!("s-{}-", &self.public()[..12])
    }
}

/// Where a socket has come to in the conversations that it was shown something of lately.
#[derive(Debug, Default)]
pub(super) struct Shown(Vec<(ConversationId, Seq, StoreTime)>);

impl Shown {
    pub(super) fn of(resume: &Resume, now: StoreTime) -> Self {
        Self(resume.cursors.iter().map(|(conversation, seq)| (*conversation, *seq, now)).collect())
    }

    /// It was shown this. `as_of` says what need not be remembered: older places are implied by it.
    pub(super) fn note(&mut self, conversation: ConversationId, seq: Seq, now: StoreTime, as_of: AsOf) {
        self.0.retain(|(of, _, at)| *of != conversation && at.plus(AS_OF_MARGIN + CLOCK_SLACK) >= as_of.at);
        if self.0.len() >= CURSORS_MAX {
            self.0.remove(0); // the one that rested longest: something of it may be shown twice
        }
        self.0.push((conversation, seq, now));
    }
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Kept {
    user: UserId,
    role: Role,
    name: Option<Box<str>>,
    email: Option<Box<str>>,
    token_id: Option<Box<str>>,
    issued: Option<Timestamp>,
    expires: Timestamp,
    generation: u64,
    as_of: StoreTime,
    since: StoreTime,
    shown: Vec<([u8; 16], Seq)>,
}

/// Seals and opens offsets. Every node of a cluster has the same key.
pub(super) struct Recovery {
    key: RandomizedNonceKey,
}

impl Recovery {
    /// With a key made of this secret. `None` if the library refuses it.
    pub(super) fn new(secret: &str) -> Option<Self> {
        let key = Sha256::new().chain_update(b"switchboard recovery\0").chain_update(secret).finalize();
        RandomizedNonceKey::new(&AES_256_GCM, &key).ok().map(|key| Self { key })
    }

    /// An offset: at most [`OFFSET_BYTES_MAX`] bytes of text. It counts only together with this private id.
    pub(super) fn seal(
        &self,
        id: &PrivateId,
        identity: &Identity,
        as_of: AsOf,
        since: StoreTime,
        shown: &Shown,
    ) -> Option<String> {
        let boxed = |text: &Option<std::sync::Arc<str>>| text.as_deref().map(Box::from);
        let kept = Kept {
            user: identity.user.clone(),
            role: identity.role,
            name: boxed(&identity.name),
            email: boxed(&identity.email),
            token_id: boxed(&identity.token_id),
            issued: identity.issued,
            expires: identity.expires,
            generation: as_of.generation.0,
            as_of: as_of.at,
            since,
            shown: shown.0.iter().map(|(conversation, seq, _)| (*conversation.as_bytes(), *seq)).collect(),
        };
        let mut bytes = rmp_serde::to_vec(&kept).ok()?;
        let nonce = self.key.seal_in_place_append_tag(Aad::from(id.as_str()), &mut bytes).ok()?;
        bytes.extend_from_slice(nonce.as_ref());
        Some(BASE64.encode(bytes))
    }

    /// Who left off where, if this node's cluster sealed it for this private id and their token still counts.
    pub(super) fn open(&self, id: &str, offset: &str, now: Timestamp) -> Option<(PrivateId, Known)> {
        if offset.len() > OFFSET_BYTES_MAX || id.len() > 2 * PRIVATE_ID_BYTES {
            return None;
        }
        let mut bytes = BASE64.decode(offset).ok()?;
        let nonce = bytes.split_off(bytes.len().checked_sub(NONCE_LEN)?);
        let nonce = Nonce::try_assume_unique_for_key(&nonce).ok()?;
        let plain = self.key.open_in_place(nonce, Aad::from(id), &mut bytes).ok()?;
        let kept: Kept = rmp_serde::from_slice(plain).ok()?;
        let shared = |text: Option<Box<str>>| text.map(std::sync::Arc::from);
        let identity = Identity {
            user: kept.user,
            role: kept.role,
            name: shared(kept.name),
            email: shared(kept.email),
            token_id: shared(kept.token_id),
            issued: kept.issued,
            expires: kept.expires,
        };
        let cursors = kept.shown.into_iter().map(|(id, seq)| (ConversationId::from_bytes(id), seq)).collect();
        let resume = Resume { as_of: AsOf { generation: Generation(kept.generation), at: kept.as_of }, cursors };
        let known = Known { identity, resume, since: kept.since };
        (known.identity.expires > now).then(|| (PrivateId(id.to_owned()), known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting(std::sync::atomic::AtomicU64);
    impl Chance for Counting {
        fn bits(&self) -> u64 {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
        }
    }

    fn somebody() -> Identity {
        let user = "ann".parse().unwrap();
        let name = Some("Ann".into());
        let expires = Timestamp(1_000);
        Identity { user, role: Role::Admin, name, email: None, token_id: None, issued: None, expires }
    }

    fn place(n: u8) -> ConversationId {
        ConversationId::from_bytes([n; 16])
    }

    #[test]
    fn what_is_sealed_opens_for_its_id_alone() {
        let recovery = Recovery::new("secret").unwrap();
        let id = PrivateId::by(&Counting(7.into()));
        let as_of = AsOf { generation: Generation(9), at: StoreTime(500) };
        let mut shown = Shown::default();
        shown.note(place(1), Seq(3), StoreTime(400), as_of);
        shown.note(place(1), Seq(4), StoreTime(410), as_of);
        let offset = recovery.seal(&id, &somebody(), as_of, StoreTime(50), &shown).unwrap();
        let (again, known) = recovery.open(id.as_str(), &offset, Timestamp(999)).unwrap();
        assert_eq!((again, known.identity), (id.clone(), somebody()));
        assert_eq!(known.resume, Resume { as_of, cursors: [(place(1), Seq(4))].into() });
        assert_eq!(known.since, StoreTime(50));

        assert!(recovery.open(id.as_str(), &offset, Timestamp(1_000)).is_none(), "the token has expired");
        assert!(recovery.open("another", &offset, Timestamp(999)).is_none());
        assert!(Recovery::new("other").unwrap().open(id.as_str(), &offset, Timestamp(999)).is_none());
        for at in 0..offset.len() {
            let mut spoilt = offset.clone().into_bytes();
            spoilt[at] = if spoilt[at] == b'A' { b'B' } else { b'A' };
            let spoilt = String::from_utf8(spoilt).unwrap();
            assert!(recovery.open(id.as_str(), &spoilt, Timestamp(999)).is_none(), "{at}");
        }
        for nonsense in ["", "A", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "***"] {
            assert!(recovery.open(id.as_str(), nonsense, Timestamp(999)).is_none(), "{nonsense}");
        }
    }

    #[test]
    fn places_are_forgotten_when_as_of_implies_them_or_they_are_too_many() {
        let at = |at: u64| AsOf { generation: Generation(1), at: StoreTime(at) };
        let mut shown = Shown::default();
        shown.note(place(1), Seq(1), StoreTime(1_000), at(1_000));
        shown.note(place(2), Seq(1), StoreTime(60_000), at(60_000));
        assert_eq!(shown.0.len(), 2);
        shown.note(place(2), Seq(2), StoreTime(70_000), at(67_000));
        assert_eq!(shown.0.len(), 1, "the first is older than a minute before as_of");
        for n in 0..=u8::try_from(CURSORS_MAX).unwrap() {
            shown.note(place(n), Seq(1), StoreTime(70_000), at(70_000));
        }
        assert_eq!(shown.0.len(), CURSORS_MAX);
    }
}
