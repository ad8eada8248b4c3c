//! A person's conversations, latest activity first.

use std::collections::HashMap;

use super::member::{Membership, not_yours};
use super::receipts::Cursors;
use super::{Chat, unavailable};
use crate::model::limits::{LISTED_MEMBERS_MAX, PAGE_CONVERSATIONS_MAX};
use crate::model::{
    Code, ConversationId, Cursor, Group, Identity, Post, Presence, Profile, Range, Refusal, Seq, StoreTime, Summary,
    UserId,
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
        let rows = self.rows(user, summaries, LISTED_MEMBERS_MAX).await?;
        Ok(Listing { rows, next })
    }

    /// One conversation, as a row of its member's list, but with all of its members.
    ///
    /// # Errors
    /// `forbidden` to others than its members, `unavailable` if the store does not answer.
    pub async fn conversation(&self, who: &Identity, id: ConversationId) -> Result<Row, Refusal> {
        let found = self.store.get(&[id]).await.map_err(|error| unavailable(&error))?;
        let Membership { seat, .. } = self.member(who, id).await?;
        let theirs: Vec<Summary> = found.into_iter().filter(|summary| summary.conversation.has(&seat)).collect();
        self.rows(&seat, theirs, usize::MAX).await?.pop().ok_or_else(not_yours)
    }

    /// Rows, of groups with at most so many members.
    async fn rows(&self, user: &UserId, summaries: Vec<Summary>, members_max: usize) -> Result<Vec<Row>, Refusal> {
        if summaries.is_empty() {
            return Ok(Vec::new());
        }
        let places = unread_from(user, &summaries);
        let unread = self.store.unread(user, &places).await.map_err(|error| unavailable(&error))?;
        let listed: Vec<_> = summaries.iter().map(|summary| listed(summary, members_max)).collect();
        let mut people: Vec<UserId> = listed.iter().flatten().map(|(user, _)| user.clone()).collect();
        people.sort();
        people.dedup();
        let around = Around {
            viewer: user,
            names: self.names(&people).await?,
            presences: self.presences_for(user, &people).await?,
            cursors: self.cursors(summaries.iter().map(|summary| &summary.conversation)).await?,
        };
        let rows = summaries.into_iter().zip(listed).zip(unread);
        Ok(rows.map(|((summary, members), unread)| around.row(summary, members, unread)).collect())
    }

    async fn names(&self, people: &[UserId]) -> Result<HashMap<UserId, String>, Refusal> {
        let profiles = self.profiles(people).await?;
        let named = |(user, profile): (&UserId, Option<Profile>)| {
            Some((user.clone(), profile?.name)).filter(|(_, name)| !name.is_empty())
        };
        Ok(people.iter().zip(profiles).filter_map(named).collect())
    }
}

/// From where on messages can be unread to a member of these conversations.
pub(super) fn unread_from(user: &UserId, summaries: &[Summary]) -> Vec<(ConversationId, Seq)> {
    summaries.iter().map(|summary| (summary.conversation.id, range(user, summary).after)).collect()
}

fn range(user: &UserId, summary: &Summary) -> Range {
    summary.group.as_ref().and_then(|group| group.range(user)).unwrap_or(Range::ALL)
}

/// The members that a row shows, each with what they are in a group, if more than a member: owners first, where not all
/// are shown.
fn listed(summary: &Summary, members_max: usize) -> Vec<(UserId, Option<Post>)> {
    let post = |group: &Group, user: &UserId| group.standing(user).map(|standing| standing.role);
    let of = |user: &UserId| summary.group.as_ref().and_then(|group| post(group, user)).filter(|p| *p == Post::Owner);
    let mut members: Vec<_> = summary.conversation.members.iter().map(|user| (user.clone(), of(user))).collect();
    if summary.group.is_some() && members.len() > members_max {
        members.sort_by_key(|(_, post)| post.is_none());
        members.truncate(members_max);
    }
    members
}

/// What rows say beside what is in the conversations themselves.
struct Around<'a> {
    /// Who looks at them.
    viewer: &'a UserId,
    names: HashMap<UserId, String>,
    presences: HashMap<UserId, Presence>,
    cursors: Cursors,
}

impl Around<'_> {
    fn row(&self, summary: Summary, members: Vec<(UserId, Option<Post>)>, unread: u64) -> Row {
        let (range, is_team) = (range(self.viewer, &summary), *self.viewer == UserId::team());
        let Summary { conversation, group, last_seq, last, assignment, .. } = summary;
        let member = |(user, role): (UserId, Option<Post>)| {
            let name = self.names.get(&user).cloned().unwrap_or_else(|| user.to_string());
            let presence = self.presences.get(&user).copied().unwrap_or_default();
            let Cursor { user, read, delivered } = self.cursors.of(conversation.id, user);
            Member { user, name, role, read, delivered, presence }
        };
        Row {
            conversation: conversation.id,
            kind: conversation.kind,
            history: group.as_ref().map(|group| group.history),
            name: group.map(|group| group.name),
            member_count: conversation.members.len(),
            members: members.into_iter().map(member).collect(),
            // Just after somebody came, the head may still be before that.
            last: last.filter(|last| range.shows(last.seq)),
            last_seq,
            unread,
            assignment: assignment.map(|assignment| Assigned::of(assignment, is_team)),
        }
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
