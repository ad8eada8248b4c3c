//! Who is online, as pages of this family are told: one event for each of their people who is, when they come, and one for
//! each change. Users are told of the team by its alias, agents of the users that they talk to.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::json;
use tokio::time::Instant;

use super::Desk;
use super::render::event;
use super::words::iso;
use crate::model::limits::{COMPANY_PAUSE, WATCHED_USERS_MAX};
use crate::model::{Identity, Role, Seen, UserId};
use crate::wire::ClientFrame;

/// The people of one page.
#[derive(Default)]
pub(super) struct Company {
    /// Of whom the page was told, and whether they were online.
    told: HashMap<UserId, bool>,
    /// Those whom the page has met since it came, the latest last.
    met: VecDeque<UserId>,
    /// Whether the page may believe of somebody that they are online who is not.
    is_stale: bool,
    /// When the list of whom to watch is to be made next.
    due: Option<Instant>,
    listing: Option<BoxFuture<'static, ClientFrame>>,
}

impl Company {
    /// The page is in. One that `returns` may have missed that somebody left.
    pub(super) fn begin(&mut self, returns: bool) {
        self.is_stale = returns;
        self.due = Some(Instant::now());
    }

    /// Somebody wrote: if the page is not told of them yet, it is from now on.
    pub(super) fn meet(&mut self, user: &UserId) {
        if self.told.contains_key(user) || self.met.contains(user) {
            return;
        }
        if self.met.len() >= WATCHED_USERS_MAX {
            self.met.pop_front();
        }
        self.met.push_back(user.clone());
        self.due.get_or_insert(Instant::now() + COMPANY_PAUSE);
    }

    /// The list of whom to watch, when it is time for one.
    pub(super) fn poll(&mut self, desk: &Arc<Desk>, viewer: &Arc<Identity>, cx: &mut Context<'_>) -> Poll<ClientFrame> {
        if self.listing.is_none() && self.due.is_some_and(|due| due <= Instant::now()) {
            self.due = None;
            let met = self.met.iter().rev().cloned().collect();
            self.listing = Some(Box::pin(list(desk.clone(), viewer.clone(), met)));
        }
        let Some(listing) = &mut self.listing else { return Poll::Pending };
        let frame = std::task::ready!(listing.as_mut().poll(cx));
        self.listing = None;
        Poll::Ready(frame)
    }

    /// Those of whom there is news for the page.
    pub(super) fn news(&mut self, seen: Vec<Seen>) -> Vec<Seen> {
        let is_stale = std::mem::take(&mut self.is_stale);
        let mut news = seen;
        news.retain(|Seen { user, presence }| {
            let told = self.told.insert(user.clone(), presence.online);
            told.unwrap_or(is_stale && !presence.online) != presence.online
        });
        self.met.retain(|user| !self.told.contains_key(user));
        news
    }
}

/// Whom a page is told of: those it met, the team, and those in its latest conversations.
async fn list(desk: Arc<Desk>, viewer: Arc<Identity>, met: Vec<UserId>) -> ClientFrame {
    // Without the store there is nobody but these.
    let latest = desk.services.chat.company(&viewer, WATCHED_USERS_MAX).await.unwrap_or_default();
    let team = (viewer.role == Role::User).then(UserId::team);
    let mut users: Vec<UserId> = Vec::new();
    for user in team.into_iter().chain(met).chain(latest) {
        if users.len() < WATCHED_USERS_MAX && user != viewer.user && !users.contains(&user) {
            users.push(user);
        }
    }
    ClientFrame::Watch { users }
}

/// The events of some news, as the viewer knows the people in it.
pub(super) async fn tell(desk: Arc<Desk>, viewer: Arc<Identity>, news: Vec<Seen>) -> Vec<Bytes> {
    let alias = desk.people.alias().await.ok().flatten();
    let is_agent = viewer.role == Role::Admin;
    let shown = |user: UserId| match (&alias, user == UserId::team()) {
        // To an agent the team is oneself.
        (_, true) if is_agent => None,
        (Some(alias), true) => Some(alias.clone()),
        // What is said of the alias is said of the team.
        (Some(alias), false) if !is_agent && *alias == user => None,
        _ => Some(user),
    };
    let told = |Seen { user, presence }: Seen| {
        let names = &desk.profile.hears;
        let name = if presence.online { names.online } else { names.offline };
        let told =
            json!({ "userId": shown(user)?, "online": presence.online, "lastSeen": presence.last_seen.map(iso) });
        Some(event(name, &told, None))
    };
    news.into_iter().filter_map(told).collect()
}
