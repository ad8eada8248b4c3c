//! Rules of the conversations and their heads. A head may stand anywhere between where it was raised to and the last
//! message, so these only ever look at one that was raised to the last.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::future::join_all;
use switchboard::model::limits::{BATCH_MESSAGES_MAX, CURSORS_MAX, PREVIEW_BYTES_MAX, USERS_PER_QUESTION_MAX};
use switchboard::model::{Activity, Conversation, CursorKind, Message, Preview, Seq, StoreTime, Summary, UserId};
use switchboard::store::{Attempt, Behind, Outcome, Since, Store};

use super::messages::AWKWARD;
use super::{Fixture, fill, message, open_all, say, saying, somebody, store_at, talk, talks, wait_past};

async fn summary(store: &dyn Store, conversation: &Conversation) -> Summary {
    let mut found = store.get(&[conversation.id]).await.unwrap();
    assert_eq!(found.len(), 1);
    found.remove(0)
}

/// Says one message in each of these, where nothing was said yet.
async fn say_one_in_each(store: &dyn Store, talks: &[Conversation]) -> Vec<Message> {
    let mut said = Vec::new();
    for batch in talks.chunks(BATCH_MESSAGES_MAX) {
        let attempts: Vec<_> = batch
            .iter()
            .map(|talk| Attempt { message: message(talk.id, &talk.members[0], "one"), seq: Seq(1) })
            .collect();
        assert_eq!(store.append_each(attempts.clone()).await, vec![Outcome::Stored; batch.len()]);
        let messages: Vec<_> = attempts.into_iter().map(|one| one.message.at_seq(one.seq)).collect();
        store.raise(&messages).await.unwrap();
        said.extend(messages);
    }
    said
}

/// Everything since a time, asked page by page as the port says.
async fn all_active(store: &dyn Store, users: &[UserId], at: StoreTime, limit: usize) -> Vec<Activity> {
    let mut since = Since { at, after: None };
    let mut all = Vec::new();
    loop {
        let page = store.active(users, since, limit).await.unwrap();
        assert!(page.len() <= limit, "{} of at most {limit}", page.len());
        let Some(last) = page.last().filter(|_| page.len() == limit) else {
            all.extend(page);
            return all;
        };
        since = Since { at: last.activity, after: Some(last.conversation.id) };
        all.extend(page);
    }
}

/// Its author is an agent, who is no member: for the person the message is another's, and it is in both lists.
pub(crate) async fn a_support_conversation_is_a_persons_and_the_teams(fixture: impl Fixture) {
    let store = fixture.store();
    let (ann, team, agent) = (somebody("ann"), somebody("team"), somebody("agent"));
    let talk = Conversation::support(&ann, &team);
    store.open(&talk).await.unwrap();
    say(&*store, message(talk.id, &ann, "question"), 1).await;
    let answer = say(&*store, message(talk.id, &agent, "answer"), 2).await;

    let row = summary(&*store, &talk).await;
    assert_eq!((&row.conversation, row.last_seq), (&talk, Seq(2)));
    assert_eq!(row.last, Some(Preview::of(&answer)));
    for (member, unread) in [(&ann, 1), (&team, 2)] {
        assert_eq!(store.list(member, None, 10).await.unwrap(), std::slice::from_ref(&row));
        assert_eq!(store.unread(member, &[(talk.id, Seq::ZERO)]).await.unwrap(), [unread]);
        assert!(store.advance(talk.id, member, CursorKind::Read, Seq(2)).await.unwrap());
        assert_eq!(store.unread(member, &[(talk.id, Seq::ZERO)]).await.unwrap(), [0]);
    }
    assert_eq!(store.list(&agent, None, 10).await.unwrap(), []);
}

pub(crate) async fn opening_twice_changes_nothing(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    let fresh = summary(&*store, &talk).await;
    assert_eq!((&fresh.conversation, fresh.last_seq, &fresh.last), (&talk, Seq::ZERO, &None));

    store.open(&talk).await.unwrap();
    assert_eq!(summary(&*store, &talk).await, fresh);
    say(&*store, message(talk.id, &talk.members[0], "one"), 1).await;
    let raised = summary(&*store, &talk).await;
    assert_eq!(raised.last_seq, Seq(1));
    wait_past(&*store, raised.activity).await;
    store.open(&talk).await.unwrap();
    assert_eq!(summary(&*store, &talk).await, raised);

    let alone = somebody("ann");
    let notes = Conversation::direct(&alone, &alone);
    store.open(&notes).await.unwrap();
    assert_eq!(summary(&*store, &notes).await.conversation, notes);
}

pub(crate) async fn many_may_open_at_once(fixture: impl Fixture) {
    let store = fixture.store();
    for _ in 0..5 {
        let talk = Conversation::direct(&somebody("ann"), &somebody("bob"));
        for opened in join_all((0..16).map(|_| store.open(&talk))).await {
            opened.unwrap();
        }
        assert_eq!(summary(&*store, &talk).await.conversation, talk);
    }
}

pub(crate) async fn get_answers_those_that_exist(fixture: impl Fixture) {
    let store = fixture.store();
    let mut known = talks(&*store, CURSORS_MAX - 1).await;
    let unknown = Conversation::direct(&somebody("ann"), &somebody("bob"));
    let ids: Vec<_> = known.iter().chain([&unknown]).map(|talk| talk.id).collect();

    let mut found: Vec<_> = store.get(&ids).await.unwrap().into_iter().map(|one| one.conversation).collect();
    found.sort_by_key(|talk| talk.id);
    known.sort_by_key(|talk| talk.id);
    assert_eq!(found, known);
    assert_eq!(store.get(&[]).await.unwrap(), []);
}

pub(crate) async fn heads_never_lead(fixture: impl Fixture) {
    let store = fixture.store();
    let mut known = talks(&*store, CURSORS_MAX - 1).await;
    known.push(Conversation::direct(&somebody("ann"), &somebody("bob")));
    let ids: Vec<_> = known.iter().map(|talk| talk.id).collect();
    let heads = async || -> HashMap<_, _> {
        store.get(&ids).await.unwrap().into_iter().map(|summary| (summary.conversation.id, summary.last_seq)).collect()
    };
    assert!(heads().await.values().all(|head| *head == Seq::ZERO));
    assert_eq!(heads().await.len(), CURSORS_MAX - 1, "one does not exist");

    let said = fill(&*store, ids[0], &known[0].members[0], 1, 3).await;
    let unraised = heads().await[&ids[0]];
    assert!(unraised <= Seq(3), "{unraised:?}");
    store.raise(&said[2..]).await.unwrap();
    let (raised, end) = (summary(&*store, &known[0]).await, store.tail(ids[0], None).await.unwrap().unwrap());
    assert_eq!(raised.last_seq, end.seq);
    assert!(raised.activity >= end.stored, "{raised:?} {end:?}: it was stored by then");
    assert_eq!(store.get(&[]).await.unwrap(), []);
}

pub(crate) async fn a_head_only_rises(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    let all = fill(&*store, talk.id, &talk.members[0], 1, 3).await;
    store.raise(&all[2..]).await.unwrap();
    let raised = summary(&*store, &talk).await;
    assert_eq!((raised.last_seq, &raised.last), (Seq(3), &Some(Preview::of(&all[2]))));

    wait_past(&*store, raised.activity).await;
    store.raise(&all[..1]).await.unwrap();
    assert_eq!(summary(&*store, &talk).await, raised, "a lower message changes nothing");
    let fourth = say(&*store, message(talk.id, &talk.members[1], "four"), 4).await;
    let higher = summary(&*store, &talk).await;
    assert_eq!((higher.last_seq, higher.last), (Seq(4), Some(Preview::of(&fourth))));
    assert!(higher.activity > raised.activity);
}

pub(crate) async fn raising_again_changes_nothing(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    let said = say(&*store, message(talk.id, &talk.members[0], "one"), 1).await;
    let raised = summary(&*store, &talk).await;
    wait_past(&*store, raised.activity).await;
    store.raise(&[said]).await.unwrap();
    assert_eq!(summary(&*store, &talk).await, raised, "not even its activity");
    store.raise(&[]).await.unwrap();
}

/// By whatever way it is raised; only activity may be stamped anew where that is allowed.
pub(crate) async fn a_new_head_only_rises(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    let all = fill(&*store, talk.id, &talk.members[0], 1, 3).await;
    store.raise_new(&all[2..]).await.unwrap();
    let raised = summary(&*store, &talk).await;
    assert_eq!((raised.last_seq, &raised.last), (Seq(3), &Some(Preview::of(&all[2]))));
    wait_past(&*store, raised.activity).await;
    for again in [&all[..1], &all[2..]] {
        store.raise_new(again).await.unwrap();
        let now = summary(&*store, &talk).await;
        assert!(now.activity >= raised.activity, "{raised:?} {now:?}");
        assert_eq!(now, Summary { activity: now.activity, ..raised.clone() });
    }
    let before = summary(&*store, &talk).await;
    wait_past(&*store, before.activity).await;
    let fourth = store_at(&*store, message(talk.id, &talk.members[1], "four"), 4).await;
    store.raise_new(std::slice::from_ref(&fourth)).await.unwrap();
    let higher = summary(&*store, &talk).await;
    assert_eq!((higher.last_seq, higher.last), (Seq(4), Some(Preview::of(&fourth))));
    assert!(higher.activity > before.activity);
    store.raise_new(&[]).await.unwrap();
}

pub(crate) async fn a_head_rises_also_where_the_message_came_first(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = Conversation::direct(&somebody("ann"), &somebody("bob"));
    let all = fill(&*store, talk.id, &talk.members[0], 1, 2).await;
    store.open(&talk).await.unwrap();
    let before = store.now().await.unwrap();
    store.raise(&all[1..]).await.unwrap();

    let head = summary(&*store, &talk).await;
    assert_eq!((head.last_seq, &head.last), (Seq(2), &Some(Preview::of(&all[1]))));
    assert!(head.activity >= before, "{head:?} at {before:?}");
    assert_eq!(store.list(&talk.members[1], None, 5).await.unwrap(), [head]);
}

pub(crate) async fn many_heads_rise_at_once(fixture: impl Fixture) {
    let store = fixture.store();
    let talks = talks(&*store, BATCH_MESSAGES_MAX).await;
    let already = say(&*store, message(talks[7].id, &talks[7].members[1], "already"), 1).await;
    let fresh: Vec<_> = talks.iter().filter(|talk| talk.id != already.conversation).cloned().collect();
    let mut said = say_one_in_each(&*store, &fresh).await;
    said.push(already);

    // All of them again, one of which has gone on meanwhile.
    let further = say(&*store, message(talks[3].id, &talks[3].members[1], "further"), 2).await;
    store.raise(&said).await.unwrap();
    for message in said {
        let talk = talks.iter().find(|talk| talk.id == message.conversation).unwrap();
        let last = if talk.id == further.conversation { &further } else { &message };
        assert_eq!(summary(&*store, talk).await.last, Some(Preview::of(last)));
    }
}

pub(crate) async fn rival_raises_leave_the_highest(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    let all = fill(&*store, talk.id, &talk.members[0], 1, 20).await;
    let raise = async |one: &Message| match one.seq.0 % 2 {
        0 => store.raise(std::slice::from_ref(one)).await.unwrap(),
        _ => store.raise_new(std::slice::from_ref(one)).await.unwrap(),
    };
    join_all(all.iter().rev().map(raise)).await;
    let head = summary(&*store, &talk).await;
    assert_eq!((head.last_seq, head.last), (Seq(20), Some(Preview::of(&all[19]))));
}

pub(crate) async fn the_preview_is_cut_between_characters(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    // One byte, then characters of three: the bound falls inside one of them.
    let long = format!("x{}", "\u{20ac}".repeat(PREVIEW_BYTES_MAX));
    say(&*store, saying(talk.id, &talk.members[0], "one", &long), 1).await;
    let text = summary(&*store, &talk).await.last.unwrap().text;
    assert!(long.starts_with(&text), "{text}");
    assert_eq!(text.len(), PREVIEW_BYTES_MAX);

    let longer = "\u{1f680}".repeat(100) + "end";
    say(&*store, saying(talk.id, &talk.members[0], "two", &format!("ab{longer}")), 2).await;
    assert_eq!(summary(&*store, &talk).await.last.unwrap().text, format!("ab{}", "\u{1f680}".repeat(63)));
}

pub(crate) async fn the_preview_is_kept_literally(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    for (seq, text) in (1..).zip(AWKWARD) {
        let said = say(&*store, saying(talk.id, &talk.members[0], &format!("$k.{seq}"), text), seq).await;
        assert_eq!(summary(&*store, &talk).await.last, Some(Preview::of(&said)));
    }
}

pub(crate) async fn activity_is_on_the_stores_clock(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    for seq in 1..=5 {
        let before = store.now().await.unwrap();
        // The writer's own clock is far off, and does not matter.
        let mut said = message(talk.id, &talk.members[0], &format!("m{seq}"));
        said.at.0 += seq * 1_000_000_000;
        say(&*store, said, seq).await;
        let activity = summary(&*store, &talk).await.activity;
        assert!(before <= activity && activity <= store.now().await.unwrap(), "{before:?} {activity:?}");
    }
}

pub(crate) async fn activity_is_asked_since_a_time(fixture: impl Fixture) {
    let store = fixture.store();
    let talks = talks(&*store, 2).await;
    let users = [talks[0].members[0].clone(), talks[1].members[1].clone()];
    let silent = Conversation::direct(&users[0], &users[1]);
    store.open(&silent).await.unwrap();
    say(&*store, message(talks[0].id, &users[0], "one"), 1).await;
    let first = summary(&*store, &talks[0]).await.activity;
    wait_past(&*store, first).await;
    say(&*store, message(talks[1].id, &users[1], "one"), 1).await;
    let second = summary(&*store, &talks[1]).await.activity;

    let said = |talk: usize, activity| Activity { conversation: talks[talk].clone(), last_seq: Seq(1), activity };
    let both = [said(0, first), said(1, second)];
    assert_eq!(all_active(&*store, &users, first, 50).await, both, "the time itself counts");
    assert_eq!(all_active(&*store, &users, second, 50).await, both[1..]);
    assert_eq!(all_active(&*store, &users, second.plus(Duration::from_millis(1)), 50).await, []);
    assert_eq!(all_active(&*store, &users[..1], first, 50).await, both[..1], "only those asked about");
    assert_eq!(all_active(&*store, &[somebody("eve")], first, 50).await, []);
    assert_eq!(all_active(&*store, &[], first, 50).await, []);

    let after = Since { at: first, after: Some(talks[0].id) };
    assert_eq!(store.active(&users, after, 50).await.unwrap(), both[1..]);
    let everything = store.active(&users, Since { at: first, after: None }, 1).await.unwrap();
    assert_eq!(everything, both[..1], "the earliest come first");
}

pub(crate) async fn activity_is_paged_without_loss(fixture: impl Fixture) {
    let store = fixture.store();
    let hub = somebody("hub");
    let talks: Vec<_> = (0..40).map(|_| Conversation::direct(&hub, &somebody("ann"))).collect();
    open_all(&*store, &talks).await;
    let start = store.now().await.unwrap();
    // Raised together, so that many share one time; and then some of them again.
    say_one_in_each(&*store, &talks).await;
    for talk in &talks[..5] {
        say(&*store, message(talk.id, &hub, "two"), 2).await;
    }

    let whole = all_active(&*store, std::slice::from_ref(&hub), start, 1_000).await;
    let order: Vec<_> = whole.iter().map(|one| (one.activity, one.conversation.id)).collect();
    assert!(order.is_sorted(), "{order:?}");
    let ids: HashSet<_> = whole.iter().map(|one| one.conversation.id).collect();
    assert_eq!((whole.len(), ids), (40, talks.iter().map(|talk| talk.id).collect()));
    for limit in [1, 2, 7, 39, 40, 41] {
        assert_eq!(all_active(&*store, std::slice::from_ref(&hub), start, limit).await, whole, "in pages of {limit}");
    }
}

pub(crate) async fn five_hundred_users_may_be_asked_about(fixture: impl Fixture) {
    let store = fixture.store();
    let hub = somebody("hub");
    let mut users: Vec<_> = (1..USERS_PER_QUESTION_MAX).map(|_| somebody("u")).collect();
    // Two of those asked about are in each of these: it is still one conversation.
    let talks: Vec<_> = users.iter().map(|user| Conversation::direct(&hub, user)).collect();
    users.push(hub);
    open_all(&*store, &talks).await;
    let start = store.now().await.unwrap();
    say_one_in_each(&*store, &talks).await;

    for limit in [100, 1_000] {
        let all = all_active(&*store, &users, start, limit).await;
        assert!(all.iter().map(|one| (one.activity, one.conversation.id)).is_sorted());
        assert!(all.iter().all(|one| one.last_seq == Seq(1)));
        let ids: HashSet<_> = all.iter().map(|one| one.conversation.id).collect();
        assert_eq!((all.len(), ids), (talks.len(), talks.iter().map(|talk| talk.id).collect()));
    }
}

pub(crate) async fn the_list_shows_where_something_was_said(fixture: impl Fixture) {
    let store = fixture.store();
    let hub = somebody("hub");
    let [first, second, silent] = [(); 3].map(|()| Conversation::direct(&hub, &somebody("ann")));
    open_all(&*store, &[first.clone(), second.clone(), silent]).await;
    assert_eq!(store.list(&hub, None, 10).await.unwrap(), []);

    let mut last = StoreTime::default();
    for (talk, seq) in [(&first, 1), (&second, 1), (&first, 2)] {
        wait_past(&*store, last).await;
        say(&*store, message(talk.id, &hub, &format!("m{seq}")), seq).await;
        last = summary(&*store, talk).await.activity;
    }
    let rows = [summary(&*store, &first).await, summary(&*store, &second).await];
    assert_eq!(store.list(&hub, None, 10).await.unwrap(), rows);
    let other = first.members.iter().find(|user| **user != hub).unwrap();
    assert_eq!(store.list(other, None, 10).await.unwrap(), rows[..1]);
    assert_eq!(store.list(&somebody("eve"), None, 10).await.unwrap(), []);
}

pub(crate) async fn the_list_is_paged_without_loss(fixture: impl Fixture) {
    let store = fixture.store();
    let hub = somebody("hub");
    let talks: Vec<_> = (0..25).map(|_| Conversation::direct(&hub, &somebody("ann"))).collect();
    open_all(&*store, &talks).await;
    say_one_in_each(&*store, &talks).await;

    let whole = store.list(&hub, None, 50).await.unwrap();
    assert_eq!(whole.len(), 25);
    assert!(whole.iter().rev().map(|row| (row.activity, row.conversation.id)).is_sorted());
    for limit in [1, 4, 24, 25] {
        let mut walked: Vec<Summary> = Vec::new();
        loop {
            let behind = walked.last().map(|row| Behind { activity: row.activity, conversation: row.conversation.id });
            let page = store.list(&hub, behind, limit).await.unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            walked.extend(page);
        }
        assert_eq!(walked, whole, "in pages of {limit}");
    }
}

pub(crate) async fn who_shares_a_conversation_is_acquainted(fixture: impl Fixture) {
    let store = fixture.store();
    let [ann, bob, eve, sue] = ["ann", "bob", "eve", "sue"].map(somebody);
    let (with_bob, with_eve) = (Conversation::direct(&ann, &bob), Conversation::direct(&ann, &eve));
    let support = Conversation::support(&ann, &sue);
    for conversation in [&with_bob, &with_eve, &support] {
        store.open(conversation).await.unwrap();
    }
    say(&*store, message(with_bob.id, &bob, "m1"), 1).await;
    say(&*store, message(support.id, &ann, "m1"), 1).await;
    let others = [eve.clone(), bob.clone(), somebody("nobody"), sue.clone(), bob.clone()];
    assert_eq!(
        store.acquainted(&ann, &others).await.unwrap(),
        [false, true, false, true, true],
        "nothing was said to eve"
    );
    assert_eq!(store.acquainted(&bob, &[ann.clone(), eve.clone()]).await.unwrap(), [true, false]);
    assert_eq!(store.acquainted(&sue, &[bob.clone(), ann.clone()]).await.unwrap(), [false, true]);
    assert_eq!(store.acquainted(&ann, &[]).await.unwrap(), Vec::<bool>::new());
    say(&*store, message(with_eve.id, &ann, "m1"), 1).await;
    assert_eq!(store.acquainted(&eve, &[ann]).await.unwrap(), [true]);
}
