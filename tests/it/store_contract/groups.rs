//! Rules of groups: what is kept of them, and what their events do.

use futures_util::future::join_all;
use switchboard::model::limits::CROWD_MEMBERS;
use switchboard::model::{
    Chance, Conversation, ConversationId, Event, Group, Message, NewMessage, Post, Preview, Range, Seq, StoreTime,
    SystemChance, UserId,
};
use switchboard::store::{Since, Span, Store};

use super::{Fixture, append, message, say, somebody, store_at, wait_past};

/// A group that `owner` made, founded.
async fn founded(store: &dyn Store, owner: &UserId, others: &[UserId]) -> (Conversation, Group) {
    let key = format!("{:016x}", SystemChance.bits()).parse().unwrap();
    let (conversation, group) = Group::new(ConversationId::group(owner, &key), owner, others, "Cooks", false);
    store.found(&conversation, &group).await.unwrap();
    (conversation, group)
}

fn telling(conversation: ConversationId, sender: &UserId, key: &str, event: Event) -> NewMessage {
    NewMessage { text: String::new(), event: Some(event), ..message(conversation, sender, key) }
}

/// Stores an event, lets it take effect, and raises the head.
async fn change(store: &dyn Store, talk: ConversationId, by: &UserId, event: Event, seq: u64) -> Message {
    let told = store_at(store, telling(talk, by, &format!("e{seq}"), event), seq).await;
    store.apply(&told).await.unwrap();
    store.raise(std::slice::from_ref(&told)).await.unwrap();
    told
}

async fn get(store: &dyn Store, talk: ConversationId) -> (Vec<UserId>, Group) {
    let found = store.get(&[talk]).await.unwrap().pop().unwrap();
    (found.conversation.members, found.group.unwrap())
}

fn sorted(mut users: Vec<UserId>) -> Vec<UserId> {
    users.sort();
    users
}

pub(crate) async fn a_group_is_founded_once(fixture: impl Fixture) {
    let store = fixture.store();
    let (ann, bob, cyd) = (somebody("ann"), somebody("bob"), somebody("cyd"));
    let (talk, group) = founded(&*store, &ann, std::slice::from_ref(&bob)).await;
    let (_, other) = Group::new(talk.id, &ann, &[cyd], "Bakers", true);
    store.found(&talk, &other).await.unwrap();
    assert_eq!(get(&*store, talk.id).await, (sorted(vec![ann.clone(), bob]), group.clone()));
    assert!(store.list(&ann, None, 10).await.unwrap().is_empty(), "nothing was said yet");
    let fixture = fixture.reopen().await;
    assert_eq!(get(&*fixture.store(), talk.id).await.1, group);
}

pub(crate) async fn an_event_is_kept_with_its_message(fixture: impl Fixture) {
    let store = fixture.store();
    let (ann, bob) = (somebody("ann"), somebody("bob"));
    let (talk, _) = founded(&*store, &ann, std::slice::from_ref(&bob)).await;
    let events = [
        Event::Created { name: "$Cooks".to_owned() },
        Event::Named { name: "Köche \"&\"".to_owned() },
        Event::Role { user: bob.clone(), role: Post::Owner },
        Event::Left { user: ann.clone() },
    ];
    let mut told = Vec::new();
    for (event, seq) in events.into_iter().zip(1..) {
        told.push(change(&*store, talk.id, &ann, event, seq).await);
    }
    assert_eq!(store.page(talk.id, Span::After(Seq::ZERO), 10).await.unwrap(), told);
    assert_eq!(store.find(talk.id, &ann, &told[1].key).await.unwrap().as_ref(), Some(&told[1]));
    let row = store.list(&bob, None, 10).await.unwrap().remove(0);
    assert_eq!((row.last, row.last_seq), (Some(Preview::of(&told[3])), Seq(4)));
    assert_eq!(row.group.unwrap().name, "Köche \"&\"");
    let fixture = fixture.reopen().await;
    let store = fixture.store();
    assert_eq!(store.page(talk.id, Span::After(Seq::ZERO), 10).await.unwrap(), told);
    let text = say(&*store, message(talk.id, &ann, "text"), 5).await;
    assert_eq!(text.event, None);
    assert_eq!(store.unread(&bob, &[(talk.id, Seq::ZERO)]).await.unwrap(), [1], "events do not count");
    assert_eq!(store.unread(&bob, &[(talk.id, Seq(5))]).await.unwrap(), [0], "nor what was before");
}

pub(crate) async fn events_take_effect_once_and_in_any_order(fixture: impl Fixture) {
    let store = fixture.store();
    let (ann, bob, cyd) = (somebody("ann"), somebody("bob"), somebody("cyd"));
    let (talk, mut expected) = founded(&*store, &ann, std::slice::from_ref(&bob)).await;
    let events = [
        Event::Added { user: cyd.clone() },
        Event::Removed { user: bob.clone() },
        Event::Role { user: cyd.clone(), role: Post::Owner },
        Event::Removed { user: cyd.clone() },
        Event::Added { user: cyd.clone() },
        Event::Named { name: "Bakers".to_owned() },
    ];
    say(&*store, message(talk.id, &ann, "text"), 1).await;
    let mut told = Vec::new();
    for (event, seq) in events.iter().zip(2..) {
        expected.apply(Seq(seq), event);
        told.push(store_at(&*store, telling(talk.id, &ann, &format!("{seq}"), event.clone()), seq).await);
    }
    for index in [4, 1, 5, 1, 2, 0, 3, 4, 0] {
        store.apply(&told[index]).await.unwrap();
    }
    assert_eq!(get(&*store, talk.id).await, (sorted(vec![ann.clone(), cyd.clone()]), expected.clone()));
    assert_eq!(expected.range(&cyd), Some(Range { after: Seq(5), until: None }));
    assert_eq!(expected.range(&bob), Some(Range { after: Seq(0), until: Some(Seq(3)) }));
    store.raise(&told[5..]).await.unwrap();
    for (user, is_listed) in [(&ann, true), (&bob, false), (&cyd, true)] {
        assert_eq!(store.list(user, None, 10).await.unwrap().len(), usize::from(is_listed), "{user}");
    }
    // Where there is no group, and where there is no event, nothing happens.
    let talk = super::talk(&*store).await;
    let said = say(&*store, telling(talk.id, &ann, "1", Event::Left { user: ann.clone() }), 1).await;
    store.apply(&said).await.unwrap();
    store.apply(&Message { event: None, ..said }).await.unwrap();
    assert_eq!(store.get(&[talk.id]).await.unwrap()[0].conversation, talk);
}

pub(crate) async fn who_leaves_is_found_once_more(fixture: impl Fixture) {
    let store = fixture.store();
    let (ann, bob) = (somebody("ann"), somebody("bob"));
    let (talk, _) = founded(&*store, &ann, std::slice::from_ref(&bob)).await;
    say(&*store, message(talk.id, &ann, "text"), 1).await;
    let before = store.now().await.unwrap();
    wait_past(&*store, before).await;
    change(&*store, talk.id, &ann, Event::Removed { user: bob.clone() }, 2).await;
    say(&*store, message(talk.id, &ann, "more"), 3).await;
    let since = Since { at: StoreTime(before.0.saturating_sub(2_000)), after: None };
    let found = store.active(std::slice::from_ref(&bob), since, 10).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((&found[0].conversation.members[..], found[0].last_seq), (&[bob.clone()][..], Seq(2)));
    assert!(found[0].activity >= since.at);
    let later = Since { at: found[0].activity, after: Some(talk.id) };
    assert_eq!(store.active(std::slice::from_ref(&bob), later, 10).await.unwrap(), [], "and that was all");
    let both = store.active(&[ann.clone(), bob.clone()], since, 10).await.unwrap();
    assert_eq!(both.len(), 2, "the group for who is in it, and once more for who left it: {both:?}");
    let one = store.active(&[ann.clone(), bob.clone()], since, 1).await.unwrap();
    assert_eq!(one, both[..1], "a page is a page");
    change(&*store, talk.id, &ann, Event::Added { user: bob.clone() }, 4).await;
    let found = store.active(std::slice::from_ref(&bob), since, 10).await.unwrap();
    assert!(found.iter().any(|of| of.last_seq == Seq(4)), "who came again is there again: {found:?}");
}

pub(crate) async fn rival_events_all_take_effect(fixture: impl Fixture) {
    let store = fixture.store();
    let ann = somebody("ann");
    let (talk, _) = founded(&*store, &ann, &[]).await;
    let mut told = Vec::new();
    let newcomers: Vec<UserId> = (0..8).map(|_| somebody("new")).collect();
    for (user, seq) in newcomers.iter().zip(1..) {
        let event = Event::Added { user: user.clone() };
        told.push(store_at(&*store, telling(talk.id, &ann, &format!("{seq}"), event), seq).await);
    }
    for applied in join_all(told.iter().chain(&told).map(|event| store.apply(event))).await {
        applied.unwrap();
    }
    let everybody = sorted(newcomers.iter().cloned().chain([ann]).collect());
    assert_eq!(get(&*store, talk.id).await.0, everybody);
}

pub(crate) async fn a_crowds_head_rises_every_time(fixture: impl Fixture) {
    let store = fixture.store();
    let ann = somebody("ann");
    let others: Vec<UserId> = (0..CROWD_MEMBERS).map(|_| somebody("other")).collect();
    let (talk, _) = founded(&*store, &ann, &others).await;
    let mut stamps = Vec::new();
    for seq in 1..=5 {
        let text = format!("$literally {seq}");
        let said = super::saying(talk.id, &ann, &format!("{seq}"), &text);
        assert_eq!(append(&*store, &said, seq).await, switchboard::store::Outcome::Stored);
        let said = said.at_seq(Seq(seq));
        store.raise_crowds(std::slice::from_ref(&said)).await.unwrap();
        let row = store.list(&others[7], None, 10).await.unwrap().remove(0);
        assert_eq!((row.last_seq, row.last), (Seq(seq), Some(Preview::of(&said))));
        stamps.push(row.activity);
    }
    store.raise_crowds(&[super::message(talk.id, &ann, "x").at_seq(Seq(4))]).await.unwrap();
    assert_eq!(store.get(&[talk.id]).await.unwrap()[0].last_seq, Seq(5), "a head never falls");
    assert!(stamps[0] > StoreTime(0));
    for pair in stamps.windows(2) {
        assert!(pair[0] == pair[1] || pair[1].0 >= pair[0].0 + 990, "stamped at most once a second: {stamps:?}");
    }
}
