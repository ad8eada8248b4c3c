//! Rules of the way in for old histories.

use switchboard::model::{Conversation, Seq, StoreTime, Timestamp};
use switchboard::store::{Archive, Attempt, Outcome};

use super::{Fixture, message, say, somebody, store_at, talk, talks};

/// Messages that were said at these times, from place 1.
fn said(talk: &Conversation, times: &[u64]) -> Vec<Attempt> {
    let old = |(seq, at): (u64, &u64)| {
        let message = message(talk.id, &talk.members[0], &format!("old{seq}"));
        Attempt { message: switchboard::model::NewMessage { at: Timestamp(*at), ..message }, seq: Seq(seq) }
    };
    (1..).zip(times).map(old).collect()
}

/// Adopts messages that were said at these times and settles the head on the last.
async fn adopt(store: &dyn Archive, talk: &Conversation, times: &[u64], until: StoreTime) {
    let attempts = said(talk, times);
    assert_eq!(store.adopt_run(attempts.clone(), until).await, vec![Outcome::Stored; times.len()]);
    let last = attempts.into_iter().last().map(|last| last.message.at_seq(last.seq)).unwrap();
    store.settle(&[last], until).await.unwrap();
}

const YEAR: u64 = 365 * 24 * 60 * 60 * 1_000;

pub(crate) async fn what_is_adopted_keeps_its_own_time(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    let now = store.now().await.unwrap();
    let old = now.0 - YEAR;
    // The last one claims to be from the future.
    let attempts = said(&talk, &[old, old, old + 60_000, now.0 + YEAR]);
    assert_eq!(
        store.adopt_run(attempts, now).await,
        [Outcome::Stored, Outcome::Stored, Outcome::Stored, Outcome::Stored]
    );

    let grain = u64::try_from(fixture.grain().as_millis()).unwrap().max(1);
    let tail = |before| {
        let store = &store;
        async move { store.tail(talk.id, before).await.unwrap().map(|tail| (tail.seq.0, tail.stored.0)) }
    };
    assert_eq!(tail(None).await, Some((4, now.0 / grain * grain)), "not after the time it was adopted at");
    assert_eq!(tail(Some(StoreTime(old + 120_000))).await, Some((3, (old + 60_000) / grain * grain)));
    assert_eq!(tail(Some(StoreTime(old + 30_000))).await, Some((2, old / grain * grain)));
    assert_eq!(tail(Some(StoreTime(old - 1_000))).await, None);

    let next = store_at(&*store, message(talk.id, &talk.members[1], "new"), 5).await;
    let tail = store.tail(talk.id, None).await.unwrap().unwrap();
    assert!(tail.seq == next.seq && tail.stored.0 + grain > now.0, "what is said now is new: {tail:?}");
}

pub(crate) async fn an_adopted_run_stops_at_the_first_refusal(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    let now = store.now().await.unwrap();
    store_at(&*store, message(talk.id, &talk.members[1], "alive"), 2).await;
    let outcomes = store.adopt_run(said(&talk, &[5, 6, 7]), now).await;
    assert_eq!(outcomes, [Outcome::Stored, Outcome::SeqTaken, Outcome::Untried]);
    let again = store.adopt_run(said(&talk, &[5]), now).await;
    assert!(matches!(again[..], [Outcome::SeqTaken | Outcome::KeyTaken]), "{again:?}");
    assert_eq!(store.adopt_run(Vec::new(), now).await, []);
    store.settle(&[], now).await.unwrap();
}

pub(crate) async fn settling_keeps_the_old_order(fixture: impl Fixture) {
    let store = fixture.store();
    let now = store.now().await.unwrap();
    let bob = somebody("bob");
    let talks: Vec<_> = (0..4).map(|_| Conversation::direct(&somebody("ann"), &bob)).collect();
    super::open_all(&*store, &talks).await;
    // Adopted in another order than they were last spoken in.
    for (talk, at) in talks.iter().zip([3_000, 1_000, 4_000, 2_000]) {
        adopt(&*store, talk, &[500, at], now).await;
    }
    let listed = store.list(&bob, None, 10).await.unwrap();
    let rows: Vec<_> = listed.iter().map(|row| (row.conversation.id, row.activity.0, row.last_seq.0)).collect();
    let expected: Vec<_> =
        [(2, 4_000), (0, 3_000), (3, 2_000), (1, 1_000)].map(|(talk, at): (usize, u64)| (talks[talk].id, at, 2)).into();
    assert_eq!(rows, expected);
    assert_eq!(listed[0].last.as_ref().map(|last| last.at), Some(Timestamp(4_000)));
}

pub(crate) async fn settling_takes_nothing_back(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talks(&*store, 1).await.remove(0);
    let now = store.now().await.unwrap();
    adopt(&*store, &talk, &[1_000, 2_000], now).await;
    say(&*store, message(talk.id, &talk.members[1], "new"), 3).await;
    let fresh = store.get(&[talk.id]).await.unwrap();
    assert!(fresh[0].activity >= now, "{fresh:?}");

    let last = said(&talk, &[1_000, 2_000]).pop().map(|last| last.message.at_seq(last.seq)).unwrap();
    store.settle(&[last], now).await.unwrap();
    assert_eq!(store.get(&[talk.id]).await.unwrap(), fresh);

    // A later place of an earlier time raises the head, but not back in time.
    let attempt = Attempt { message: message(talk.id, &talk.members[0], "old4"), seq: Seq(4) };
    assert_eq!(store.adopt_run(vec![attempt.clone()], StoreTime(9_000)).await, [Outcome::Stored]);
    store.settle(&[attempt.message.at_seq(Seq(4))], StoreTime(9_000)).await.unwrap();
    let raised = store.get(&[talk.id]).await.unwrap();
    assert_eq!((raised[0].last_seq, raised[0].activity), (Seq(4), fresh[0].activity));
}
