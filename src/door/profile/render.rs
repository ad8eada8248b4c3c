//! From what a session says to the events that a page of this family hears. What must be looked up for it is waited for:
//! nothing that was to be shown is left out because the store was away for a moment.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout_at};

use super::Desk;
use super::people::Known;
use super::view::{Parties, View};
use super::words::MessageObject;
use crate::delivery::SharedMessage;
use crate::model::limits::{LISTED_PAUSE, LISTED_WAIT, LOOKUP_WAIT, STORE_PAUSE};
use crate::model::{Code, ConversationId, Identity, Kind, Message, Profile, Refusal, UserId};
use crate::wire::Form;
use crate::wire::socketio::{MAIN, Writer};

/// An event with one argument, and the offset that its client is to bring back, if it may.
pub(super) fn event(name: &str, argument: &impl Serialize, offset: Option<&str>) -> Bytes {
    let mut writer = Writer::event(MAIN, name, None, 0);
    let written = writer.argument(argument);
    debug_assert!(written.is_ok(), "all objects here have text keys");
    finish(writer, offset)
}

fn event_of_json(name: &str, json: &[u8], offset: Option<&str>) -> Bytes {
    let mut writer = Writer::event(MAIN, name, None, 0);
    // It was made by serde_json just before.
    writer.raw(std::str::from_utf8(json).unwrap_or("null"));
    finish(writer, offset)
}

fn finish(mut writer: Writer, offset: Option<&str>) -> Bytes {
    if let Some(offset) = offset {
        let written = writer.argument(offset);
        debug_assert!(written.is_ok(), "a text can be written");
    }
    writer.finish()
}

/// The answer to a client's callback.
pub(super) fn callback(id: u64, argument: &impl Serialize) -> Bytes {
    let mut writer = Writer::ack(MAIN, id, 0);
    let written = writer.argument(argument);
    debug_assert!(written.is_ok(), "all objects here have text keys");
    writer.finish()
}

/// A message on its way to one person's page, with everything that must be known of it. None of a group: these pages know
/// of none.
struct Shown {
    message: Arc<Message>,
    parties: Parties,
    people: Known,
    /// Whom the team is to the viewer.
    team: UserId,
    viewer: Arc<Identity>,
}

impl Shown {
    async fn find(desk: &Desk, viewer: Arc<Identity>, message: Arc<Message>) -> Result<Option<Self>, Refusal> {
        let conversation = desk.services.chat.member(&viewer, message.conversation).await?.conversation;
        let alias = desk.people.alias().await?;
        let view = View { viewer: &viewer, alias: alias.as_ref() };
        let (Some(parties), team) = (view.parties(&message, &conversation), view.team()) else { return Ok(None) };
        let mut asked = vec![parties.sender.clone(), parties.receiver.clone()];
        asked.extend(parties.agent.clone());
        let people = desk.people.of(&asked).await?;
        Ok(Some(Self { message, parties, people, team, viewer }))
    }

    fn object(&self, read: bool) -> MessageObject<'_> {
        object(&self.message, self.parties.clone(), read, &self.people, &self.viewer, &self.team)
    }
}

/// A message's object, with what the viewer may know of people: a user learns no other user's address.
pub(super) fn object<'a>(
    message: &'a Message,
    parties: Parties,
    read: bool,
    people: &Known,
    viewer: &Identity,
    team: &UserId,
) -> MessageObject<'a> {
    let sees_all = viewer.role == crate::model::Role::Admin;
    MessageObject::new(message, parties, read, |user| {
        let profile = people.of(user);
        if sees_all || *user == viewer.user || user == team {
            profile
        } else {
            Profile { email: String::new(), ..profile }
        }
    })
}

/// The event that shows somebody else's message.
pub(super) async fn received(
    desk: Arc<Desk>,
    viewer: Arc<Identity>,
    shared: Arc<SharedMessage>,
    offset: Option<String>,
) -> Vec<Bytes> {
    let find = || Shown::find(&desk, viewer.clone(), shared.message.clone());
    let Some(shown) = insist(find).await.flatten() else { return Vec::new() };
    let json = |shown: &Shown| -> Bytes { serde_json::to_vec(&shown.object(false)).unwrap_or_default().into() };
    // All users see the same; each agent sees their own.
    let sees_own = viewer.role == crate::model::Role::Admin;
    if sees_own {
        until_listed(&desk, &viewer, &shared.message).await;
    }
    let json = if sees_own { json(&shown) } else { shared.in_form(Form::Profile, |_| json(&shown)) };
    vec![event_of_json(desk.profile.hears.message, &json, offset.as_deref())]
}

/// Waits until the team's list shows a message: an agent's page reads it when it hears of one, and not again before the
/// next. A message is announced before its conversation's head is raised, so that the page could be faster.
async fn until_listed(desk: &Desk, viewer: &Identity, message: &Message) {
    let deadline = Instant::now() + LISTED_WAIT;
    while Instant::now() < deadline {
        let ends = desk.services.chat.ends(&viewer.seats(), &[message.conversation]).await;
        match ends.as_ref().map(|ends| ends.get(&message.conversation)) {
            Ok(Some(end)) if end.head < message.seq => sleep(LISTED_PAUSE).await,
            _ => return,
        }
    }
}

/// The event that tells a socket that its own message is stored, and the answer to its callback, if it gave one.
pub(super) async fn sent(
    desk: Arc<Desk>,
    viewer: Arc<Identity>,
    message: Arc<Message>,
    callback_id: Option<u64>,
    offset: Option<String>,
) -> Vec<Bytes> {
    let find = || Shown::find(&desk, viewer.clone(), message.clone());
    let Some(shown) = insist(find).await.flatten() else { return Vec::new() };
    let object = shown.object(false).sent();
    let answer = callback_id.map(|id| {
        let (key, seq) = (&message.key, message.seq);
        callback(id, &json!({ "success": true, "ok": true, "message": object, "tempId": key, "seq": seq }))
    });
    answer.into_iter().chain([event(desk.profile.hears.sent, &object, offset.as_deref())]).collect()
}

/// Who, as the viewer knows them, does something in a conversation; nobody if it is the viewer's own side, or if that cannot
/// be found out soon.
pub(super) async fn other_side(
    desk: &Desk,
    viewer: &Identity,
    conversation: ConversationId,
    member: &UserId,
) -> Option<UserId> {
    let alias = soon(|| desk.people.alias()).await.ok()?;
    let view = View { viewer, alias: alias.as_ref() };
    let conversation = match view.conversation_of(conversation, member) {
        Some(conversation) => Arc::new(conversation),
        None => soon(|| desk.services.chat.member(viewer, conversation)).await.ok()?.conversation,
    };
    if conversation.kind == Kind::Group {
        return None;
    }
    // An agent does it as the team.
    let acting = if conversation.has(member) { member.clone() } else { UserId::team() };
    let is_own = view.is_own_side(member) || view.is_own_side(&acting);
    (!is_own).then(|| view.member(&acting))
}

/// Asks until there is an answer, as long as asking again can help: the store may be away. None where it cannot, as for
/// somebody who is no agent any more and has no part in the team's talks.
pub(super) async fn insist<T, F: Future<Output = Result<T, Refusal>>>(mut ask: impl FnMut() -> F) -> Option<T> {
    loop {
        match ask().await {
            Ok(answer) => return Some(answer),
            Err(refusal) if refusal.retry_after.is_some() => {
                tracing::debug!(%refusal, "a page waits for what must be known to show something");
                sleep(STORE_PAUSE * 5).await;
            }
            Err(refusal) => {
                tracing::debug!(%refusal, "a page is not shown something");
                return None;
            }
        }
    }
}

/// Asks until there is an answer, for somebody who waits for it: at most [`LOOKUP_WAIT`].
///
/// # Errors
/// The last refusal.
pub(super) async fn soon<T, F: Future<Output = Result<T, Refusal>>>(mut ask: impl FnMut() -> F) -> Result<T, Refusal> {
    let deadline = Instant::now() + LOOKUP_WAIT;
    loop {
        let too_late = || Refusal::new(Code::Unavailable, "the store does not answer").after(LOOKUP_WAIT);
        let answer = timeout_at(deadline, ask()).await.unwrap_or_else(|_| Err(too_late()));
        let pause = STORE_PAUSE * 5;
        match answer {
            Err(refusal) if refusal.retry_after.is_some() && Instant::now() + pause < deadline => sleep(pause).await,
            answer => return answer,
        }
    }
}
