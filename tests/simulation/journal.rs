//! What devices saw and did, for the judge.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use switchboard::model::{ClientKey, ConversationId, Message, MessageId, Seq, StoreTime, UserId};
use tokio::time::Instant;

use super::trace::Trace;

/// One device's view of one conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    pub first: Seq,
    pub last: Seq,
}

/// A send and what became of it.
#[derive(Debug, Clone)]
pub struct Said {
    pub key: ClientKey,
    pub text: String,
    /// When it was first put on a socket.
    pub begun: Option<Instant>,
    /// Its place, and when this was learned.
    pub sent: Option<(Seq, MessageId, Instant)>,
    /// The place that it must be stored right after, or not at all.
    pub exact: Option<Seq>,
    /// What it was refused with because others were faster, and whether that was not all.
    pub refused: Option<(Vec<Message>, bool)>,
}

/// What one device did and saw.
#[derive(Debug)]
pub struct Record {
    pub device: String,
    pub user: UserId,
    /// The `as_of` of its first welcome.
    pub began: Option<StoreTime>,
    pub views: BTreeMap<ConversationId, View>,
    /// In the order in which they were said.
    pub said: BTreeMap<ConversationId, Vec<Said>>,
    /// Since when its present connection is welcome.
    pub connected: Option<Instant>,
    /// Since when the oldest request of the present connection has no answer.
    pub waits_since: Option<Instant>,
}

/// A conversation's name in traces.
pub fn short(conversation: ConversationId) -> String {
    conversation.to_string()[..6].to_owned()
}

/// All devices' records, and what went wrong.
pub struct Journal {
    pub records: Mutex<Vec<Record>>,
    failures: Mutex<Vec<Failure>>,
    pub trace: Arc<Trace>,
}

/// Something that must not be.
#[derive(Debug, Clone)]
pub struct Failure {
    pub what: String,
    /// What to look for in the trace.
    pub about: BTreeSet<String>,
}

impl Journal {
    pub fn new(trace: Arc<Trace>) -> Self {
        Self { records: Mutex::default(), failures: Mutex::default(), trace }
    }

    /// Opens a record; answers its number.
    pub fn open(&self, device: String, user: UserId) -> usize {
        let mut records = self.lock();
        records.push(Record {
            device,
            user,
            began: None,
            views: BTreeMap::new(),
            said: BTreeMap::new(),
            connected: None,
            waits_since: None,
        });
        records.len() - 1
    }

    pub fn lock(&self) -> MutexGuard<'_, Vec<Record>> {
        self.records.lock().unwrap()
    }

    /// Notes that something is wrong.
    pub fn fail(&self, what: String, about: impl IntoIterator<Item = String>) {
        self.trace.say(|| format!("FAILURE: {what}"));
        self.failures.lock().unwrap().push(Failure { what, about: about.into_iter().collect() });
    }

    pub fn failures(&self) -> Vec<Failure> {
        self.failures.lock().unwrap().clone()
    }
}
