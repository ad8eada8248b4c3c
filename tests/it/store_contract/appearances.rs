//! Rules of how users appear to others.

use futures_util::future::join_all;
use switchboard::model::limits::USERS_PER_QUESTION_MAX;
use switchboard::model::{Appearance, Timestamp, UserId};
use switchboard::store::Store;

use super::{Fixture, somebody};

async fn of(store: &dyn Store, user: &UserId) -> Appearance {
    store.appearances(std::slice::from_ref(user)).await.unwrap()[0]
}

async fn seen(store: &dyn Store, user: &UserId, at: u64) {
    store.seen(&[(user.clone(), Timestamp(at))]).await.unwrap();
}

fn last_seen(at: u64, offline: bool) -> Appearance {
    Appearance { last_seen: Some(Timestamp(at)), offline }
}

pub(crate) async fn who_was_never_seen_is_unknown(fixture: impl Fixture) {
    let store = fixture.store();
    let [ann, bob] = ["ann.x", "bob|y@z"].map(somebody);
    seen(&*store, &bob, 7).await;
    let asked = [ann.clone(), bob.clone(), ann.clone()];
    let expected = [Appearance::default(), last_seen(7, false), Appearance::default()];
    assert_eq!(store.appearances(&asked).await.unwrap(), expected);
    assert_eq!(store.appearances(&[]).await.unwrap(), []);
    store.seen(&[]).await.unwrap();
    store.appear(&ann, false, Timestamp(9)).await.unwrap();
    assert_eq!(of(&*store, &ann).await, Appearance::default(), "who appears as ever was not seen for that");
}

pub(crate) async fn the_latest_time_counts(fixture: impl Fixture) {
    let store = fixture.store();
    let ann = somebody("ann");
    for (at, latest) in
        [(1_700_000_000_000, 1_700_000_000_000), (5, 1_700_000_000_000), (1_700_000_000_001, 1_700_000_000_001)]
    {
        seen(&*store, &ann, at).await;
        assert_eq!(of(&*store, &ann).await, last_seen(latest, false));
    }
    let many: Vec<(UserId, Timestamp)> =
        (0..USERS_PER_QUESTION_MAX as u64).map(|at| (somebody("many"), Timestamp(at + 1))).collect();
    let (first, second) = (store.seen(&many), store.seen(&many[100..]));
    for done in join_all([first, second]).await {
        done.unwrap();
    }
    let users: Vec<UserId> = many.iter().map(|(user, _)| user.clone()).collect();
    let expected: Vec<Appearance> = many.iter().map(|(_, at)| last_seen(at.0, false)).collect();
    assert_eq!(store.appearances(&users).await.unwrap(), expected);
}

pub(crate) async fn who_appears_offline_is_not_seen_any_more(fixture: impl Fixture) {
    let store = fixture.store();
    let [ann, bob] = ["ann", "bob"].map(somebody);
    store.appear(&ann, true, Timestamp(10)).await.unwrap();
    assert_eq!(of(&*store, &ann).await, last_seen(10, true), "they were last seen when they began to");
    seen(&*store, &ann, 20).await;
    store.appear(&ann, true, Timestamp(30)).await.unwrap();
    assert_eq!(of(&*store, &ann).await, last_seen(10, true));
    store.appear(&ann, false, Timestamp(40)).await.unwrap();
    assert_eq!(of(&*store, &ann).await, last_seen(10, false));
    seen(&*store, &ann, 50).await;
    assert_eq!(of(&*store, &ann).await, last_seen(50, false));
    assert_eq!(of(&*store, &bob).await, Appearance::default(), "another's wish is another's");
}

pub(crate) async fn a_setting_outlives_a_restart(fixture: impl Fixture) {
    let ann = somebody("ann");
    fixture.store().appear(&ann, true, Timestamp(10)).await.unwrap();
    let fixture = fixture.reopen().await;
    assert_eq!(of(&*fixture.store(), &ann).await, last_seen(10, true));
}
