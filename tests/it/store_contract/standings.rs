//! Rules of what is decided about people, and of the addresses that they are found by.

use std::collections::HashMap;

use futures_util::future::{join, join_all};
use switchboard::model::limits::{BLOCKED_BY_MAX, BLOCKS_MAX, REVOKED_TOKENS_MAX, USERS_PER_QUESTION_MAX};
use switchboard::model::{
    Ban, Conversation, ConversationId, Event, Message, Profile, Revoked, Seq, Standing, Summary, Timestamp, UserId,
};
use switchboard::store::{Progress, Span, Store};

use super::messages::AWKWARD;
use super::{Fixture, message, say, somebody};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

async fn standing(store: &dyn Store, user: &UserId) -> Standing {
    let found = store.standings(std::slice::from_ref(user)).await.unwrap();
    assert!(found.iter().all(|(of, _)| of == user) && found.len() <= 1, "{found:?}");
    found.into_iter().next().map(|(_, standing)| standing).unwrap_or_default()
}

fn ban(reason: &str) -> Ban {
    Ban { by: "sue".parse().unwrap(), at: NOW, reason: reason.to_owned() }
}

fn token(id: &str, until: Option<u64>) -> Revoked {
    Revoked { token: id.into(), until: until.map(Timestamp) }
}

pub(crate) async fn a_ban_holds_until_it_is_lifted(fixture: impl Fixture) {
    let store = fixture.store();
    let ann = somebody("ann");
    assert_eq!(store.standings(std::slice::from_ref(&ann)).await.unwrap(), [], "nothing was decided");
    store.ban(&ann, None).await.unwrap();
    assert_eq!(standing(&*store, &ann).await, Standing::default(), "nothing was lifted");
    for reason in AWKWARD {
        store.ban(&ann, Some(&ban(reason))).await.unwrap();
        assert_eq!(standing(&*store, &ann).await, Standing { ban: Some(ban(reason)), ..Standing::default() });
    }
    let fixture = fixture.reopen().await;
    let store = fixture.store();
    assert!(standing(&*store, &ann).await.ban.is_some());
    store.ban(&ann, None).await.unwrap();
    assert_eq!(standing(&*store, &ann).await, Standing::default());
}

pub(crate) async fn tokens_are_revoked_up_to_the_latest_time(fixture: impl Fixture) {
    let store = fixture.store();
    let ann = somebody("ann");
    for (before, holds) in [(5, 5), (9, 9), (7, 9)] {
        store.revoke_before(&ann, Timestamp(before)).await.unwrap();
        assert_eq!(standing(&*store, &ann).await.tokens_before, Some(Timestamp(holds)));
    }
    store.ban(&ann, Some(&ban("both"))).await.unwrap();
    store.ban(&ann, None).await.unwrap();
    assert_eq!(standing(&*store, &ann).await.tokens_before, Some(Timestamp(9)), "a ban is another matter");
}

pub(crate) async fn single_tokens_are_revoked_until_they_expire(fixture: impl Fixture) {
    let store = fixture.store();
    let ann = somebody("ann");
    for id in AWKWARD {
        assert!(store.revoke_token(&ann, &token(id, None), NOW).await.unwrap());
        assert!(store.revoke_token(&ann, &token(id, None), NOW).await.unwrap(), "again is the same");
    }
    let kept = standing(&*store, &ann).await.revoked;
    assert_eq!(kept.len(), AWKWARD.len());
    for id in AWKWARD {
        assert!(kept.contains(&token(id, None)), "{id:?} among {kept:?}");
    }
    let bob = somebody("bob");
    assert!(store.revoke_token(&bob, &token("short", Some(NOW.0 + 10)), NOW).await.unwrap());
    assert!(store.revoke_token(&bob, &token("long", Some(NOW.0 + 20)), Timestamp(NOW.0 + 9)).await.unwrap());
    assert_eq!(standing(&*store, &bob).await.revoked.len(), 2);
    assert!(store.revoke_token(&bob, &token("next", None), Timestamp(NOW.0 + 10)).await.unwrap());
    let kept = standing(&*store, &bob).await.revoked;
    assert_eq!(kept, [token("long", Some(NOW.0 + 20)), token("next", None)], "the expired one was forgotten");
}

pub(crate) async fn revoked_tokens_are_bounded(fixture: impl Fixture) {
    let store = fixture.store();
    let ann = somebody("ann");
    for number in 0..REVOKED_TOKENS_MAX {
        assert!(store.revoke_token(&ann, &token(&number.to_string(), None), NOW).await.unwrap());
    }
    assert!(!store.revoke_token(&ann, &token("one more", None), NOW).await.unwrap());
    assert!(store.revoke_token(&ann, &token("0", None), NOW).await.unwrap(), "it is there");
    assert_eq!(standing(&*store, &ann).await.revoked.len(), REVOKED_TOKENS_MAX);
}

pub(crate) async fn a_block_is_seen_from_both_sides(fixture: impl Fixture) {
    let store = fixture.store();
    let [ann, bob, eve] = [somebody("ann"), somebody("bob"), somebody("eve")];
    for other in [&eve, &bob, &bob] {
        assert!(store.block(&ann, other, true).await.unwrap());
    }
    assert!(store.block(&bob, &eve, true).await.unwrap());
    let mut blocked = vec![bob.clone(), eve.clone()];
    blocked.sort();
    assert_eq!(standing(&*store, &ann).await, Standing { blocks: blocked, ..Standing::default() });
    let of_bob = Standing { blocks: vec![eve.clone()], blocked_by: vec![ann.clone()], ..Standing::default() };
    assert_eq!(standing(&*store, &bob).await, of_bob);
    assert!(store.block(&ann, &bob, false).await.unwrap());
    assert!(store.block(&ann, &bob, false).await.unwrap(), "nobody to unblock is no error");
    assert_eq!(standing(&*store, &ann).await.blocks, std::slice::from_ref(&eve));
    assert_eq!(standing(&*store, &bob).await.blocked_by, []);
    let mut by = vec![ann, bob];
    by.sort();
    assert_eq!(standing(&*store, &eve).await.blocked_by, by);
}

pub(crate) async fn rival_blocks_are_all_kept(fixture: impl Fixture) {
    let store = fixture.store();
    let ann = somebody("ann");
    let others: Vec<UserId> = (0..40).map(|_| somebody("other")).collect();
    for some in others.chunks(10) {
        let theirs = some.iter().map(|other| block(&*store, other, &ann));
        let (blocked, by) =
            join(join_all(some.iter().map(|other| block(&*store, &ann, other))), join_all(theirs)).await;
        assert!(blocked.into_iter().chain(by).all(|kept| kept));
    }
    let standing = standing(&*store, &ann).await;
    let mut sorted = others;
    sorted.sort();
    assert_eq!((&standing.blocks, &standing.blocked_by), (&sorted, &sorted));
}

/// Blocks somebody, also on a machine that is too busy for it at first.
async fn block(store: &dyn Store, user: &UserId, other: &UserId) -> bool {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match store.block(user, other, true).await {
            Ok(kept) => return kept,
            Err(error) => assert!(attempts < 5, "{error}"),
        }
    }
}

pub(crate) async fn blocks_are_bounded_on_both_sides(fixture: impl Fixture) {
    let store = fixture.store();
    let ann = somebody("ann");
    let others: Vec<UserId> = (0..=BLOCKS_MAX.max(BLOCKED_BY_MAX)).map(|_| somebody("o")).collect();
    for some in others[..BLOCKS_MAX].chunks(8) {
        let kept = join_all(some.iter().map(|other| block(&*store, &ann, other))).await;
        assert!(kept.into_iter().all(|kept| kept));
    }
    assert!(!store.block(&ann, &others[BLOCKS_MAX], true).await.unwrap());
    assert!(store.block(&ann, &others[0], true).await.unwrap(), "they are blocked");
    assert_eq!(standing(&*store, &ann).await.blocks.len(), BLOCKS_MAX);
    assert_eq!(standing(&*store, &others[BLOCKS_MAX]).await, Standing::default());

    for some in others[..BLOCKED_BY_MAX].chunks(8) {
        join_all(some.iter().map(|other| block(&*store, other, &ann))).await;
    }
    assert!(!standing(&*store, &ann).await.blocked_by_more);
    assert!(store.block(&others[BLOCKED_BY_MAX], &ann, true).await.unwrap(), "one may be blocked by any number");
    let crowded = standing(&*store, &ann).await;
    assert!(crowded.blocked_by_more);
    assert_eq!(crowded.blocked_by.len(), BLOCKED_BY_MAX);
    assert!(standing(&*store, &others[BLOCKED_BY_MAX]).await.blocks(&ann), "and each knows");
}

pub(crate) async fn agents_are_remembered(fixture: impl Fixture) {
    let store = fixture.store();
    let sue = somebody("sue");
    for _ in 0..2 {
        store.note_agent(&sue).await.unwrap();
        assert_eq!(standing(&*store, &sue).await, Standing { agent: true, ..Standing::default() });
    }
}

pub(crate) async fn many_standings_are_read_at_once(fixture: impl Fixture) {
    let store = fixture.store();
    let users: Vec<UserId> = (0..USERS_PER_QUESTION_MAX).map(|_| somebody("u")).collect();
    store.revoke_before(&users[3], Timestamp(1)).await.unwrap();
    store.note_agent(&users[400]).await.unwrap();
    let found: HashMap<UserId, Standing> = store.standings(&users).await.unwrap().into_iter().collect();
    assert_eq!(found.len(), 2);
    assert_eq!(found[&users[3]].tokens_before, Some(Timestamp(1)));
    assert!(found[&users[400]].agent);
    assert_eq!(store.standings(&[]).await.unwrap(), []);
}

pub(crate) async fn people_are_found_by_their_address(fixture: impl Fixture) {
    let store = fixture.store();
    let [ann, bob, eve] = [somebody("ann"), somebody("bob"), somebody("eve")];
    let address = |of: &UserId| format!("{of}@example.com");
    store.set_address(&ann, &address(&ann)).await.unwrap();
    store.set_address(&ann, &address(&ann)).await.unwrap();
    assert_eq!(store.by_address(&address(&ann)).await.unwrap(), std::slice::from_ref(&ann));
    assert_eq!(store.by_address(&address(&bob)).await.unwrap(), []);
    assert_eq!(store.by_address("").await.unwrap(), []);
    store.set_address(&ann, &address(&bob)).await.unwrap();
    assert_eq!(store.by_address(&address(&ann)).await.unwrap(), [], "one has one address");
    store.set_address(&bob, &address(&bob)).await.unwrap();
    assert_eq!(store.by_address(&address(&bob)).await.unwrap().len(), 2, "an address may be several people's");
    store.set_address(&eve, &address(&bob)).await.unwrap();
    assert_eq!(store.by_address(&address(&bob)).await.unwrap().len(), 2, "how many does not matter");
    for user in [&ann, &bob, &eve] {
        store.set_address(user, "").await.unwrap();
    }
    assert_eq!(store.by_address(&address(&bob)).await.unwrap(), []);
    assert_eq!(store.by_address("").await.unwrap(), []);
    for text in AWKWARD.into_iter().filter(|text| !text.is_empty()) {
        store.set_address(&ann, text).await.unwrap();
        assert!(store.by_address(text).await.unwrap().contains(&ann), "{text:?}");
    }
}

pub(crate) async fn an_erasure_goes_on_where_it_was(fixture: impl Fixture) {
    let store = fixture.store();
    let ann = somebody("ann");
    assert_eq!(store.erasure(&ann).await.unwrap(), None);
    let first = Progress { began: NOW, ..Progress::default() };
    let conversation = Some(ConversationId::from_bytes([7; 16]));
    let later = Progress { last: true, in_team: true, conversation, seq: Seq(5), emptied: 9, began: NOW };
    for progress in [&first, &later] {
        store.keep_erasure(&ann, Some(progress)).await.unwrap();
        assert_eq!(store.erasure(&ann).await.unwrap().as_ref(), Some(progress));
    }
    let fixture = fixture.reopen().await;
    let store = fixture.store();
    assert_eq!(store.erasure(&ann).await.unwrap(), Some(later));
    for _ in 0..2 {
        store.keep_erasure(&ann, None).await.unwrap();
        assert_eq!(store.erasure(&ann).await.unwrap(), None);
    }
}

pub(crate) async fn ones_conversations_are_walked_through_by_id(fixture: impl Fixture) {
    let store = fixture.store();
    let ann = somebody("ann");
    let mut ids = Vec::new();
    for _ in 0..5 {
        let talk = Conversation::direct(&ann, &somebody("bob"));
        store.open(&talk).await.unwrap();
        say(&*store, message(talk.id, &ann, "k"), 1).await;
        ids.push(talk.id);
    }
    store.open(&Conversation::direct(&ann, &somebody("silent"))).await.unwrap();
    ids.sort();
    assert_eq!(store.conversations_of(&ann, None, 9).await.unwrap(), ids);
    assert_eq!(store.conversations_of(&ann, None, 2).await.unwrap(), ids[..2]);
    assert_eq!(store.conversations_of(&ann, Some(ids[3]), 9).await.unwrap(), ids[3..]);
    let support = Conversation::support(&ann, &UserId::team());
    store.open(&support).await.unwrap();
    say(&*store, message(support.id, &ann, "k"), 1).await;
    assert_eq!(store.conversations_of(&UserId::team(), Some(support.id), 1).await.unwrap(), [support.id]);
}

pub(crate) async fn what_somebody_wrote_is_emptied_and_nothing_else(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = Conversation::direct(&somebody("ann"), &somebody("bob"));
    let [ann, bob] = [&talk.members[0], &talk.members[1]];
    store.open(&talk).await.unwrap();
    for seq in 1..=6 {
        say(&*store, message(talk.id, if seq % 2 == 0 { ann } else { bob }, &format!("m{seq}")), seq).await;
    }
    assert_eq!(store.empty(talk.id, ann, Seq(0), Seq(4)).await.unwrap(), 2);
    assert_eq!(store.empty(talk.id, ann, Seq(0), Seq(4)).await.unwrap(), 0, "they are empty");
    assert_eq!(store.empty(talk.id, ann, Seq(4), Seq(99)).await.unwrap(), 1);
    let page = store.page(talk.id, Span::After(Seq::ZERO), 50).await.unwrap();
    let texts: Vec<_> = page.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(texts, ["this is m1", "", "this is m3", "", "this is m5", ""]);
    let erased = |message: &Message| message.event == Some(Event::Erased);
    assert_eq!(page.iter().map(erased).collect::<Vec<_>>(), [false, true, false, true, false, true]);
    assert!(page.iter().all(|message| message.key.as_str() == format!("m{}", message.seq.0)), "all else is kept");
    let found = store.find(talk.id, ann, &"m2".parse().unwrap()).await.unwrap();
    assert_eq!(found.as_ref(), page.get(1), "a repetition is still recognised");
    let last = |summary: Summary| summary.last.map(|last| last.text);
    let summary = store.get(&[talk.id]).await.unwrap().pop().unwrap();
    assert_eq!(last(summary), Some(String::new()), "nor does a list show it");
    assert_eq!(store.empty(talk.id, bob, Seq(0), Seq(99)).await.unwrap(), 3);
}

pub(crate) async fn who_is_forgotten_leaves_only_refusals(fixture: impl Fixture) {
    let store = fixture.store();
    let [ann, bob, eve] = [somebody("ann"), somebody("bob"), somebody("eve")];
    let (address, profile) = (format!("{ann}@example.com"), Profile { name: "Ann".to_owned(), email: String::new() });
    store.put_profile(&ann, &profile).await.unwrap();
    store.set_address(&ann, &address).await.unwrap();
    store.ban(&ann, Some(&ban("a private matter"))).await.unwrap();
    store.revoke_before(&ann, NOW).await.unwrap();
    store.revoke_token(&ann, &token("x", None), NOW).await.unwrap();
    store.note_agent(&ann).await.unwrap();
    store.block(&ann, &bob, true).await.unwrap();
    store.block(&eve, &ann, true).await.unwrap();
    store.block(&eve, &bob, true).await.unwrap();
    for _ in 0..2 {
        store.forget(&ann).await.unwrap();
        let left = Standing { ban: Some(ban("")), tokens_before: Some(NOW), ..Standing::default() };
        assert_eq!(standing(&*store, &ann).await, left);
    }
    assert_eq!(store.profiles(std::slice::from_ref(&ann)).await.unwrap(), [Some(Profile::deleted())]);
    assert_eq!(store.by_address(&address).await.unwrap(), []);
    assert_eq!(standing(&*store, &eve).await.blocks, std::slice::from_ref(&bob));
    assert_eq!(standing(&*store, &bob).await.blocked_by, [eve]);
    store.forget(&somebody("nobody")).await.unwrap();
    let kept = somebody("kept");
    store.note_agent(&kept).await.unwrap();
    store.forget(&kept).await.unwrap();
    assert_eq!(standing(&*store, &kept).await, Standing::default());
}
