//! A message from one of its members into a conversation.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::conflict::Conflicts;
use super::lane::{Opening, Pending};
use super::{Chat, Gate, Rights};
use crate::model::limits::TEXT_BYTES_MAX;
use crate::model::{
    ClientKey, Code, Conversation, ConversationId, Event, Message, MessageId, NewMessage, Refusal, Seq, StoreTime,
    Traceparent, UserId,
};

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// To a person: into the direct conversation with them, which begins with its first message.
    Person(UserId),
    /// To the team, or from the team to this person: into that person's conversation with it, which begins with its
    /// first message.
    Support(UserId),
    /// Into a conversation that exists.
    Conversation(ConversationId),
}

impl Target {
    /// Where a message of `sender` to `other` goes. The team is written to like a person.
    #[must_use]
    pub fn to(sender: &UserId, other: UserId) -> Self {
        if other == UserId::team() { Self::Support(sender.clone()) } else { Self::Person(other) }
    }

    /// The conversation that a message of `sender` goes to, known without asking anybody.
    #[must_use]
    pub fn conversation(&self, sender: &UserId) -> ConversationId {
        match self {
            Self::Person(other) => ConversationId::direct(sender, other),
            Self::Support(user) => ConversationId::support(user),
            Self::Conversation(id) => *id,
        }
    }
}

/// What is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Send {
    /// The authenticated writer.
    pub sender: UserId,
    /// Whether they are an agent, who may write for the team.
    pub for_team: bool,
    /// What they may do.
    pub rights: Rights,
    /// Where it goes.
    pub target: Target,
    /// What the writer calls it: the same key again is the same message again.
    pub key: ClientKey,
    /// What it says.
    pub text: String,
    /// The highest place that the writer saw, if it must be stored right after that or not at all.
    pub exact: Option<Seq>,
    /// The trace that its writer says it belongs to.
    pub trace: Option<Traceparent>,
}

impl Send {
    /// The conversation it goes to, known without asking anybody.
    #[must_use]
    pub fn conversation(&self) -> ConversationId {
        self.target.conversation(&self.sender)
    }
}

/// A stored message: what its sender is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The message at its place.
    pub message: Arc<Message>,
    /// No later than this did the store take the message before it; none where that is not known.
    pub predecessor: Option<StoreTime>,
    /// Whether its conversation is a group.
    pub group: bool,
}

/// What is to become a message.
pub(super) struct Said {
    pub(super) conversation: ConversationId,
    /// What to make exist first, where its id was derived.
    pub(super) open: Option<Opening>,
    pub(super) sender: UserId,
    pub(super) for_team: bool,
    pub(super) rights: Rights,
    /// The place that it must be stored right after, or not at all.
    pub(super) exact: Option<Seq>,
    pub(super) key: ClientKey,
    pub(super) text: String,
    pub(super) event: Option<Event>,
    pub(super) trace: Option<Traceparent>,
}

impl Chat {
    /// Queues a message and answers with a future of what became of it. Order is settled by the order of these calls,
    /// not of awaiting. `gate` is the session's, where there is one; see [`Gate`].
    ///
    /// The answer, within [`SEND_WAIT`](crate::model::limits::SEND_WAIT) and a few attempts: stored for good; or
    /// `invalid`, `forbidden`, `busy`, `blocked`; `conflict` with what others wrote, where it was to be stored right after
    /// a place that is no longer the last; or `unavailable`, after which the message may or may not be stored, and
    /// sending it again under the same key tells.
    pub fn send(&self, send: Send, gate: Option<Arc<Gate>>) -> impl Future<Output = Result<Sent, Refusal>> + 'static {
        let for_team = send.for_team;
        let checked = check(&send.text);
        let conflicts = Conflicts::of(self, &send);
        let open = match &send.target {
            Target::Person(other) => Some(Conversation::direct(&send.sender, other)),
            Target::Support(user) => Some(Conversation::support(user, &UserId::team())),
            Target::Conversation(_) => None,
        };
        let conversation = send.conversation();
        let Send { sender, rights, key, text, exact, trace, .. } = send;
        let (writer, named) = (sender.clone(), key.clone());
        let open = open.map(Opening::Talk);
        let said = Said { conversation, open, sender, for_team, rights, key, text, exact, event: None, trace };
        let answer = self.queue(said, checked, gate);
        let (reading, desk, store) = (self.reading(), self.desk.clone(), self.store.clone());
        async move {
            let sent = match answer.await {
                // Somebody who may not write any more may have written this before: a repetition gets its first answer.
                Err(refusal) if refusal.code == Code::Forbidden => {
                    match store.find(conversation, &writer, &named).await {
                        Ok(Some(message)) => Sent { message: Arc::new(message), predecessor: None, group: false },
                        _ => return Err(refusal),
                    }
                }
                Err(refusal) if refusal.code == Code::Conflict => return Err(conflicts.tell(refusal).await),
                decided => decided?,
            };
            if for_team {
                reading.by_answering(&sent.message).await;
            }
            desk.reopen_by(&sent.message).await?;
            Ok(sent)
        }
    }

    /// Queues what was checked and found good; answers the rest at once.
    pub(super) fn queue(
        &self,
        said: Said,
        checked: Result<(), Refusal>,
        gate: Option<Arc<Gate>>,
    ) -> impl Future<Output = Result<Sent, Refusal>> + 'static {
        let (reply, answer) = oneshot::channel();
        match checked {
            Ok(()) => self.lanes.push(self.accept(said, gate, reply)),
            Err(refusal) => {
                let _ = reply.send(Err(refusal));
            }
        }
        async move { answer.await.unwrap_or_else(|_| Err(Refusal::new(Code::Internal, "the send was given up"))) }
    }

    fn accept(&self, said: Said, gate: Option<Arc<Gate>>, reply: oneshot::Sender<Result<Sent, Refusal>>) -> Pending {
        let Said { conversation, open, sender, for_team, rights, key, text, exact, event, trace } = said;
        if let Some(gate) = &gate {
            gate.arrives(conversation, &key);
        }
        let id = self.message_id();
        let trace = self.traces.begin(id, trace);
        let new = NewMessage { conversation, id, sender, key, at: self.clock.now(), text, event };
        let (accepted, _waiting) = (Instant::now(), self.lanes.waits());
        Pending { new, for_team, rights, exact, unseen_since: None, open, gate, accepted, reply, trace, _waiting }
    }

    /// Four bytes of time and eight of chance, as in a MongoDB ObjectId: sortable at a glance, unique for sure.
    fn message_id(&self) -> MessageId {
        let seconds = u32::try_from(self.clock.now().0 / 1_000).unwrap_or(u32::MAX);
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&seconds.to_be_bytes());
        bytes[4..].copy_from_slice(&self.chance.bits().to_be_bytes());
        MessageId::from_bytes(bytes)
    }
}

fn check(text: &str) -> Result<(), Refusal> {
    if text.is_empty() {
        Err(Refusal::new(Code::Invalid, "a message says something"))
    } else if text.len() > TEXT_BYTES_MAX {
        Err(Refusal::new(Code::Invalid, format!("a message is at most {TEXT_BYTES_MAX} bytes of UTF-8")))
    } else {
        Ok(())
    }
}
