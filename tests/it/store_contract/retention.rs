//! Rules of what is not kept any more.

use switchboard::model::{Event, Message, Seq, UserId};
use switchboard::store::{Outcome, Span, Store};

use super::{Fixture, append, fill, message, say, somebody, store_at, talk, talks};

async fn places(store: &dyn Store, talk: &switchboard::model::Conversation) -> Vec<u64> {
    let page = store.page(talk.id, Span::After(Seq::ZERO), 50).await.unwrap();
    page.iter().map(|message| message.seq.0).collect()
}

pub(crate) async fn a_purge_takes_the_beginning_and_never_the_last(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    let [ann, bob] = [&talk.members[0], &talk.members[1]];
    let all: Vec<Message> = fill(&*store, talk.id, ann, 1, 9).await;
    store.raise(&all[8..]).await.unwrap();
    assert_eq!(store.purge(talk.id, Seq(3)).await.unwrap(), 3);
    assert_eq!(store.purge(talk.id, Seq(3)).await.unwrap(), 0, "they are gone");
    assert_eq!(places(&*store, &talk).await, [4, 5, 6, 7, 8, 9], "a page begins where the history does");
    let earlier = store.page(talk.id, Span::Before(Seq(6)), 50).await.unwrap();
    assert_eq!(earlier, all[3..5], "also from the other side");
    assert_eq!(store.page(talk.id, Span::Before(Seq(4)), 50).await.unwrap(), []);
    assert_eq!(store.unread(bob, &[(talk.id, Seq::ZERO)]).await.unwrap(), [6], "what is gone is not unread");
    assert_eq!(store.find(talk.id, ann, &"m2".parse().unwrap()).await.unwrap(), None);

    let mut gone = 0;
    while let Some(more) = Some(store.purge(talk.id, Seq(99)).await.unwrap()).filter(|more| *more > 0) {
        gone += more;
    }
    assert_eq!((gone, places(&*store, &talk).await), (5, vec![9]), "the last one keeps its place");
    assert_eq!(store.tail(talk.id, None).await.unwrap().unwrap().seq, Seq(9));
    let again = append(&*store, &message(talk.id, ann, "again"), 9).await;
    assert_eq!(again, Outcome::SeqTaken, "no place is given again");
    store_at(&*store, message(talk.id, bob, "on"), 10).await;
}

pub(crate) async fn what_the_head_has_not_reached_is_not_purged(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    let all = fill(&*store, talk.id, &talk.members[0], 1, 5).await;
    let head = store.get(&[talk.id]).await.unwrap().pop().unwrap().last_seq;
    if head == Seq::ZERO {
        assert_eq!(store.purge(talk.id, Seq(9)).await.unwrap(), 0, "an event among them may still have to take effect");
    }
    store.raise(&all[4..]).await.unwrap();
    assert_eq!(store.purge(talk.id, Seq(9)).await.unwrap(), 4);
    let nowhere = switchboard::model::ConversationId::direct(&somebody("a"), &somebody("b"));
    assert_eq!(store.purge(nowhere, Seq(9)).await.unwrap(), 0);
}

pub(crate) async fn one_message_is_emptied_where_it_stands(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    let ann: &UserId = &talk.members[0];
    say(&*store, message(talk.id, ann, "m1"), 1).await;
    let second = say(&*store, message(talk.id, ann, "m2"), 2).await;
    assert!(store.blank(talk.id, Seq(2)).await.unwrap());
    assert!(!store.blank(talk.id, Seq(2)).await.unwrap(), "it is empty");
    assert!(!store.blank(talk.id, Seq(3)).await.unwrap());
    store.raise(std::slice::from_ref(&second)).await.unwrap();
    store.raise_new(&[second]).await.unwrap();
    let page = store.page(talk.id, Span::After(Seq::ZERO), 50).await.unwrap();
    assert_eq!((page[0].text.as_str(), &page[0].event), ("this is m1", &None), "nothing else is");
    assert_eq!((page[1].text.as_str(), &page[1].event), ("", &Some(Event::Erased)));
    let last = store.get(&[talk.id]).await.unwrap().pop().unwrap().last.unwrap();
    assert_eq!((last.seq, last.text.as_str(), last.event), (Seq(2), "", Some(Event::Erased)), "nor do lists show it");
    assert!(store.blank(talk.id, Seq(1)).await.unwrap());
    let last = store.get(&[talk.id]).await.unwrap().pop().unwrap().last.unwrap();
    assert_eq!(last.seq, Seq(2));
    assert_eq!(store.written(talk.id, ann, Seq::ZERO, Seq(9)).await.unwrap(), 0);
    say(&*store, message(talk.id, ann, "m3"), 3).await;
    assert_eq!(store.written(talk.id, ann, Seq::ZERO, Seq(9)).await.unwrap(), 1);
    assert_eq!(store.written(talk.id, ann, Seq(3), Seq(9)).await.unwrap(), 0);
}

pub(crate) async fn all_conversations_are_walked_through_by_id(fixture: impl Fixture) {
    let store = fixture.store();
    let mut said = Vec::new();
    for talk in talks(&*store, 5).await {
        say(&*store, message(talk.id, &talk.members[0], "k"), 1).await;
        said.push(talk.id);
    }
    let silent = talk(&*store).await;
    // Others say things in the same database meanwhile.
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let some = store.conversations_after(after, 3).await.unwrap();
        assert!(some.len() <= 3 && some.is_sorted() && some.iter().all(|id| Some(*id) > after));
        let Some(last) = some.last() else { break };
        after = Some(*last);
        all.extend(some);
    }
    assert!(said.iter().all(|id| all.contains(id)) && !all.contains(&silent.id));
}
