//! Where a session starts: where its client left off, exactly.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Services;
use crate::chat::End;
use crate::delivery::{Outbox, Seat, Start};
use crate::model::limits::{AS_OF_MARGIN, CURSORS_MAX, PAGE_MARGIN, PAGE_TALKS_MAX, PAGE_WAIT};
use crate::model::{Activity, AsOf, Code, ConversationId, Identity, Kind, Refusal, Role, Seq, StoreTime};
use crate::store::Since;
use crate::wire::ServerFrame;
use crate::wire::client::Resume;
use crate::wire::server::Fault;

/// How long after an election a primary may not know yet what was acknowledged before.
const SECOND_LOOK: Duration = Duration::from_secs(2);

/// Rows of one answer about activity.
const ACTIVITIES_MAX: usize = 1_000;

/// Where in history a session starts – where its client left off, unless that was another history – and from when on
/// it is owed conversations that its client does not name: never from before `since`.
pub(super) fn start(services: &Services, resume: Option<&Resume>, since: StoreTime) -> (AsOf, StoreTime) {
    let here = services.delivery.here();
    let left = resume.map(|resume| resume.as_of).filter(|as_of| as_of.generation == here.generation);
    let as_of = left.unwrap_or(here);
    (as_of, as_of.at.minus(AS_OF_MARGIN).max(since))
}

/// Finds what was missed, and opens the outbox with `welcome`. From then on everything comes.
///
/// # Errors
/// `invalid` for too many cursors, `unavailable` if the store does not answer a client that has something to resume.
pub(super) async fn begin(
    services: &Arc<Services>,
    identity: &Identity,
    seat: &Seat,
    resume: Option<Resume>,
    starts_live: bool,
) -> Result<(), Refusal> {
    let outbox = seat.outbox();
    let mut refused = Vec::new();
    match resume {
        None => {
            services.metrics.welcomed.increment(1);
            if starts_live {
                start_live(services, identity, outbox).await?;
            }
        }
        Some(resume) if resume.as_of.generation != outbox.as_of().generation => {
            services.metrics.welcomed.increment(1);
            refused.push(Reset::All);
        }
        Some(resume) => {
            services.metrics.resumed.increment(1);
            refused = resume_cursors(services, outbox, &resume.cursors).await?;
            outbox.owe(resume.cursors.keys().copied(), Instant::now());
            // Wants what happened, since the client left, in conversations that it did not name.
            each_active(services, outbox, |activity| {
                let Activity { conversation, last_seq, .. } = activity;
                outbox.want(conversation.id, *last_seq, conversation.kind == Kind::Group);
            })
            .await?;
        }
    }
    // Before it opens, so that they come right behind `welcome`: a client with wrong cursors would drop messages.
    refused.iter().for_each(|reset| outbox.push(reset.frame()));
    outbox.open(welcome(services, identity, outbox));
    Ok(())
}

fn welcome(services: &Services, identity: &Identity, outbox: &Outbox) -> ServerFrame {
    let Identity { user, role, expires, .. } = identity;
    let policy = services.chat.policy();
    ServerFrame::Welcome { user: user.clone(), role: *role, as_of: outbox.as_of(), expires: *expires, policy }
}

/// A cursor that is not taken.
pub(super) enum Reset {
    /// All of them: they are of another history.
    All,
    /// One that is beyond the head of its conversation.
    Beyond(ConversationId),
    /// One of a conversation that is not the client's.
    NotYours(ConversationId),
}

impl Reset {
    pub(super) fn frame(&self) -> ServerFrame {
        let (refusal, conversation) = match self {
            Self::All => (Refusal::new(Code::Reset, "another history: forget all cursors, read again"), None),
            Self::Beyond(id) => (Refusal::new(Code::Reset, "the cursor is beyond the head: read again"), Some(*id)),
            Self::NotYours(id) => (Refusal::new(Code::Forbidden, "no such conversation of yours"), Some(*id)),
        };
        ServerFrame::Error(Fault { conversation, ..refusal.into() })
    }
}

/// Starts the session at the client's cursors. Answers which of them were not taken.
pub(super) async fn resume_cursors(
    services: &Services,
    outbox: &Outbox,
    cursors: &BTreeMap<ConversationId, Seq>,
) -> Result<Vec<Reset>, Refusal> {
    if cursors.len() > CURSORS_MAX {
        return Err(Refusal::new(Code::Invalid, format!("at most {CURSORS_MAX} cursors at once")));
    }
    if cursors.is_empty() {
        return Ok(Vec::new());
    }
    let ends = services.chat.ends(outbox.seats(), &cursors.keys().copied().collect::<Vec<_>>()).await?;
    let mut starts = Vec::with_capacity(cursors.len());
    let mut refused = Vec::new();
    for (&conversation, &shown) in cursors {
        let Some(&End { head, range, group }) = ends.get(&conversation) else {
            refused.push(Reset::NotYours(conversation));
            continue;
        };
        if let Some(until) = range.until {
            // Of a group that they have left, that is all there is.
            starts.push(Start { conversation, shown: shown.min(until), wanted: until, group });
            continue;
        }
        let end = if shown > head { confirm_end(services, conversation, shown).await? } else { head };
        if shown > end {
            refused.push(Reset::Beyond(conversation));
        }
        starts.push(Start { conversation, shown: shown.min(end), wanted: end, group });
    }
    outbox.start_from(starts);
    Ok(refused)
}

/// Before a cursor is called wrong, the messages themselves are asked, since a head may lag behind them; and once more
/// after a while, since a store that has just changed its primary may lag behind itself.
async fn confirm_end(services: &Services, conversation: ConversationId, shown: Seq) -> Result<Seq, Refusal> {
    let end = services.chat.end(conversation).await?;
    if shown <= end {
        return Ok(end);
    }
    tokio::time::sleep(SECOND_LOOK).await;
    services.chat.end(conversation).await
}

/// Starts a page without cursors at what comes now. What was before, it reads by other means; but it may have done so a
/// moment ago, and is not to miss what was stored in between. A page reads its history for good, so that tells: if all that
/// is older than [`PAGE_MARGIN`] was read, it is shown what was not. Agents read as one, which tells nothing of one of
/// them; their pages ask for a history later, when they open a talk.
async fn start_live(services: &Services, identity: &Identity, outbox: &Outbox) -> Result<(), Refusal> {
    let recently = outbox.as_of().at.minus(PAGE_MARGIN);
    let mut fresh = Vec::new();
    each_active(services, outbox, |activity| {
        let (conversation, end) = (activity.conversation.id, activity.last_seq);
        let group = activity.conversation.kind == Kind::Group;
        let is_fresh = activity.activity >= recently && identity.role == Role::User && !group;
        if is_fresh && fresh.len() < PAGE_TALKS_MAX {
            fresh.push((conversation, end));
        } else {
            outbox.start_from([Start { conversation, shown: end, wanted: end, group }]);
        }
    })
    .await?;
    if !fresh.is_empty() {
        tokio::time::sleep(PAGE_WAIT).await;
    }
    for (conversation, end) in fresh {
        let shown = services.chat.has_read(identity, conversation, recently).await?.unwrap_or(end);
        outbox.start_from([Start { conversation, shown, wanted: end.max(shown), group: false }]);
    }
    Ok(())
}

/// Tells of each conversation with activity since the session's start.
async fn each_active(services: &Services, outbox: &Outbox, mut tell: impl FnMut(&Activity)) -> Result<(), Refusal> {
    let mut since = Since { at: outbox.starts_at(), after: None };
    loop {
        let active = services.chat.active(outbox.seats(), since, ACTIVITIES_MAX).await?;
        active.iter().for_each(&mut tell);
        match active.last() {
            Some(last) if active.len() == ACTIVITIES_MAX => {
                since = Since { at: last.activity, after: Some(last.conversation.id) };
            }
            _ => return Ok(()),
        }
    }
}
