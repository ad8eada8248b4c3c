//! A person's conversations, latest activity first.

use std::collections::HashMap;

use super::directory::not_yours;
use super::receipts::Cursors;
use super::{Chat, Membership, unavailable};
use crate::model::limits::PAGE_CONVERSATIONS_MAX;
use crate::model::{
    Code, ConversationId, Cursor, Identity, Presence, Profile, Refusal, StoreTime, Summary, UserId,
};
use crate::store::{Behind, StoreError};
use crate::wire::server::{Assigned, Member, Row};

/// A page of the list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// Its rows.
    pub rows: Vec<Row>,
    /// What to ask for the next page with; none after the last.
    pub next: Option<String>,
}

impl Chat {
    /// A page of a person's conversations, with unread counts and members' names.
    ///
    /// # Errors
    /// `invalid` if `behind` is not what a page before ended with, `unavailable` if the store does not answer.
    pub async fn conversations(
        &self,
        user: &UserId,
        behind: Option<&str>,
        limit: Option<usize>,
    ) -> Result<Listing, Refusal> {
        self.listing(user, behind, limit, async |behind, limit| self.store.list(user, behind, limit).await).await
    }

    /// A page of what `read` reads, as somebody in this seat sees it.
    pub(super) async fn listing(
        &self,
        user: &UserId,
        behind: Option<&str>,
        limit: Option<usize>,
        read: impl AsyncFnOnce(Option<Behind>, usize) -> Result<Vec<Summary>, StoreError>,
    ) -> Result<Listing, Refusal> {
        let behind = behind.map(parse_behind).transpose()?;
        let limit = limit.unwrap_or(PAGE_CONVERSATIONS_MAX).clamp(1, PAGE_CONVERSATIONS_MAX);
        let summaries = read(behind, limit).await.map_err(|error| unavailable(&error))?;
        let next = summaries.last().filter(|_| summaries.len() == limit).map(print_behind);
        let rows = self.rows(user, summaries).await?;
        Ok(Listing { rows, next })
    }

    /// One conversation, as a row of its member's list.
    ///
    /// # Errors
    /// `forbidden` to others than its members, `unavailable` if the store does not answer.
    pub async fn conversation(&self, who: &Identity, id: ConversationId) -> Result<Row, Refusal> {
        let found = self.store.get(&[id]).await.map_err(|error| unavailable(&error))?;
        let Membership { seat, .. } = self.member(who, id).await?;
        self.rows(&seat, found).await?.pop().ok_or_else(not_yours)
    }

    async fn rows(&self, user: &UserId, summaries: Vec<Summary>) -> Result<Vec<Row>, Refusal> {
        if summaries.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<ConversationId> = summaries.iter().map(|summary| summary.conversation.id).collect();
        let unread = self.store.unread(user, &ids).await.map_err(|error| unavailable(&error))?;
        let mut people: Vec<UserId> = summaries.iter().flat_map(|s| s.conversation.members.iter().cloned()).collect();
        people.sort();
        people.dedup();
        let around = Around {
            names: self.names(&people).await?,
            presences: self.presences_for(user, &people).await?,
            cursors: self.cursors(summaries.iter().map(|summary| &summary.conversation)).await?,
            is_team: *user == UserId::team(),
        };
        Ok(summaries.into_iter().zip(unread).map(|(summary, unread)| around.row(summary, unread)).collect())
    }

    async fn names(&self, people: &[UserId]) -> Result<HashMap<UserId, String>, Refusal> {
        let profiles = self.store.profiles(people).await.map_err(|error| unavailable(&error))?;
        let named = |(user, profile): (&UserId, Option<Profile>)| {
            Some((user.clone(), profile?.name)).filter(|(_, name)| !name.is_empty())
        };
        Ok(people.iter().zip(profiles).filter_map(named).collect())
    }
}

/// What rows say beside what is in the conversations themselves.
struct Around {
    names: HashMap<UserId, String>,
    presences: HashMap<UserId, Presence>,
    cursors: Cursors,
    /// Whether it is the team that looks.
    is_team: bool,
}

impl Around {
    fn row(&self, summary: Summary, unread: u64) -> Row {
        let Summary { conversation, last_seq, last, assignment, .. } = summary;
        let member = |user: UserId| {
            let name = self.names.get(&user).cloned().unwrap_or_else(|| user.to_string());
            let presence = self.presences.get(&user).copied().unwrap_or_default();
            let Cursor { user, read, delivered } = self.cursors.of(conversation.id, user);
            Member { user, name, read, delivered, presence }
        };
        let members = conversation.members.into_iter().map(member).collect();
        let assignment = assignment.map(|assignment| Assigned::of(assignment, self.is_team));
        Row { conversation: conversation.id, kind: conversation.kind, members, last_seq, last, unread, assignment }
    }
}

pub(super) fn behind(last: &Summary) -> Behind {
    Behind { activity: last.activity, conversation: last.conversation.id }
}

fn print_behind(last: &Summary) -> String {
    format!("{}-{}", last.activity.0, last.conversation.id)
}

fn parse_behind(text: &str) -> Result<Behind, Refusal> {
    let parsed = text.split_once('-').and_then(|(activity, conversation)| {
        Some(Behind { activity: StoreTime(activity.parse().ok()?), conversation: conversation.parse().ok()? })
    });
    parsed.ok_or_else(|| Refusal::new(Code::Invalid, "behind is the `next` of the page before"))
}
