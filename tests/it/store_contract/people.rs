//! Rules of cursors, unread counts, profiles and the store's clock.

use futures_util::future::join_all;
use switchboard::model::limits::{CURSORS_PER_QUESTION_MAX, UNREAD_COUNT_MAX};
use switchboard::model::{Conversation, ConversationId, Cursor, CursorKind, Profile, Seq, UserId};
use switchboard::store::Store;

use super::messages::AWKWARD;
use super::{Fixture, fill, message, somebody, store_at, talk, talks};

async fn advance(store: &dyn Store, talk: &Conversation, user: &UserId, kind: CursorKind, to: u64) -> bool {
    store.advance(talk.id, user, kind, Seq(to)).await.unwrap()
}

async fn cursors(store: &dyn Store, id: ConversationId) -> Vec<Cursor> {
    let mut cursors = store.cursors(id).await.unwrap();
    cursors.sort_by(|one, other| one.user.cmp(&other.user));
    cursors
}

fn cursor(user: &UserId, read: u64, delivered: u64) -> Cursor {
    Cursor { user: user.clone(), read: Seq(read), delivered: Seq(delivered) }
}

pub(crate) async fn a_cursor_only_rises(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    let ann = &talk.members[0];
    for kind in [CursorKind::Read, CursorKind::Delivered] {
        for (to, moves) in [(0, false), (3, true), (3, false), (2, false), (4, true), (0, false)] {
            assert_eq!(advance(&*store, &talk, ann, kind, to).await, moves, "{kind:?} to {to}");
        }
    }
    assert_eq!(cursors(&*store, talk.id).await, [cursor(ann, 4, 4)]);
}

pub(crate) async fn read_and_delivered_are_independent(fixture: impl Fixture) {
    let store = fixture.store();
    // Ids whose characters mean something in a field's path.
    let [ann, bob] = [somebody("a.b"), somebody("x|y@z:+")];
    let talk = Conversation::direct(&ann, &bob);
    store.open(&talk).await.unwrap();
    assert!(advance(&*store, &talk, &ann, CursorKind::Delivered, 7).await);
    assert!(advance(&*store, &talk, &ann, CursorKind::Read, 5).await);
    assert!(advance(&*store, &talk, &bob, CursorKind::Read, 9).await);
    assert_eq!(cursors(&*store, talk.id).await, [cursor(&ann, 5, 7), cursor(&bob, 9, 0)]);

    let others = Conversation::direct(&ann, &somebody("eve"));
    store.open(&others).await.unwrap();
    assert_eq!(cursors(&*store, others.id).await, [], "one conversation's are not another's");
}

pub(crate) async fn rival_advances_leave_the_highest(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    let ann = &talk.members[0];
    let moved = join_all((1..=30).map(|to| advance(&*store, &talk, ann, CursorKind::Read, (to * 7) % 31))).await;
    assert!(moved.contains(&true));
    assert_eq!(cursors(&*store, talk.id).await, [cursor(ann, 30, 0)]);
}

pub(crate) async fn cursors_of_members_are_asked_together(fixture: impl Fixture) {
    let store = fixture.store();
    let talks = talks(&*store, CURSORS_PER_QUESTION_MAX / 2).await;
    let members: Vec<_> =
        talks.iter().flat_map(|talk| talk.members.iter().map(|member| (talk.id, member.clone()))).collect();
    assert_eq!(store.cursors_of(&members).await.unwrap(), []);
    let mut expected = Vec::new();
    for (number, talk) in (1..).zip(talks.iter().take(20)) {
        advance(&*store, talk, &talk.members[0], CursorKind::Read, number).await;
        advance(&*store, talk, &talk.members[1], CursorKind::Delivered, number + 1).await;
        expected.push((talk.id, cursor(&talk.members[0], number, 0)));
        expected.push((talk.id, cursor(&talk.members[1], 0, number + 1)));
    }
    let asked = async |members: &[(ConversationId, UserId)]| {
        let mut found = store.cursors_of(members).await.unwrap();
        found.sort_by_key(|(id, cursor)| (*id, cursor.user.clone()));
        found
    };
    expected.sort_by_key(|(id, cursor)| (*id, cursor.user.clone()));
    assert_eq!(asked(&members).await, expected);
    let one = expected[7].clone();
    assert_eq!(asked(&[(one.0, one.1.user.clone())]).await, [one], "nobody else's");
    assert_eq!(asked(&[]).await, []);
}

pub(crate) async fn nobody_moved_means_no_cursors(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    assert_eq!(cursors(&*store, talk.id).await, []);
    assert_eq!(cursors(&*store, ConversationId::direct(&somebody("ann"), &somebody("bob"))).await, []);
    advance(&*store, &talk, &talk.members[0], CursorKind::Read, 1).await;
    assert_eq!(cursors(&*store, talk.id).await, [cursor(&talk.members[0], 1, 0)]);
}

pub(crate) async fn unread_counts_what_others_wrote(fixture: impl Fixture) {
    let store = fixture.store();
    let talks = talks(&*store, 3).await;
    let [ann, bob] = [&talks[0].members[0], &talks[0].members[1]];
    for (seq, sender) in (1..).zip([bob, ann, bob, bob, ann, bob]) {
        store_at(&*store, message(talks[0].id, sender, &format!("m{seq}")), seq).await;
    }
    fill(&*store, talks[1].id, &talks[1].members[0], 1, 3).await;
    let unheard_of = ConversationId::direct(&somebody("ann"), &somebody("bob"));
    let ids = [talks[1].id, talks[0].id, unheard_of, talks[2].id];

    let places = ids.map(|id| (id, Seq::ZERO));
    assert_eq!(store.unread(ann, &places).await.unwrap(), [3, 4, 0, 0], "never read: everything of others");
    assert_eq!(store.unread(bob, &places[1..2]).await.unwrap(), [2]);
    advance(&*store, &talks[0], ann, CursorKind::Delivered, 6).await;
    assert_eq!(store.unread(ann, &places[1..2]).await.unwrap(), [4], "delivered is not read");
    for (read, left) in [(1, 3), (2, 3), (4, 1), (6, 0)] {
        advance(&*store, &talks[0], ann, CursorKind::Read, read).await;
        assert_eq!(store.unread(ann, &places[..2]).await.unwrap(), [3, left], "read up to {read}");
    }
    assert_eq!(store.unread(bob, &places[1..2]).await.unwrap(), [2], "another's cursor is another's");
    assert_eq!(store.unread(ann, &[]).await.unwrap(), Vec::<u64>::new());
}

pub(crate) async fn unread_stops_counting(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    let [ann, bob] = [&talk.members[0], &talk.members[1]];
    fill(&*store, talk.id, ann, 1, UNREAD_COUNT_MAX + 20).await;
    assert_eq!(store.unread(bob, &[(talk.id, Seq::ZERO)]).await.unwrap(), [UNREAD_COUNT_MAX]);
    advance(&*store, &talk, bob, CursorKind::Read, 21).await;
    assert_eq!(store.unread(bob, &[(talk.id, Seq::ZERO)]).await.unwrap(), [UNREAD_COUNT_MAX - 1]);
    assert_eq!(store.unread(ann, &[(talk.id, Seq::ZERO)]).await.unwrap(), [0]);
}

fn profile(name: &str, email: &str) -> Profile {
    Profile { name: name.to_owned(), email: email.to_owned() }
}

pub(crate) async fn profiles_come_in_order(fixture: impl Fixture) {
    let store = fixture.store();
    let [ann, bob, eve] = ["ann", "bob", "eve"].map(somebody);
    let [of_ann, of_bob] = [profile("Ann", "ann@example.org"), profile("", "")];
    store.put_profile(&ann, &of_ann).await.unwrap();
    store.put_profile(&bob, &of_bob).await.unwrap();

    let asked = [bob.clone(), eve.clone(), ann.clone(), bob.clone()];
    let known = [Some(of_bob.clone()), None, Some(of_ann), Some(of_bob)];
    assert_eq!(store.profiles(&asked).await.unwrap(), known);
    assert_eq!(store.profiles(&[]).await.unwrap(), []);
}

pub(crate) async fn all_agree_on_the_first_proposal(fixture: impl Fixture) {
    let store = fixture.store();
    assert_eq!(store.agree("colour", None).await.unwrap(), None);
    let proposals: Vec<String> = (0..8).map(|n| format!("colour {n}")).collect();
    let asked = join_all(proposals.iter().map(|proposal| store.agree("colour", Some(proposal)))).await;
    let agreed = store.agree("colour", None).await.unwrap().unwrap();
    assert!(proposals.contains(&agreed), "{agreed}");
    for answer in asked.into_iter().flatten() {
        assert_eq!(answer.as_ref(), Some(&agreed));
    }
    assert_eq!(store.agree("colour", Some("another")).await.unwrap(), Some(agreed));
    assert_eq!(store.agree("taste", None).await.unwrap(), None);
}

pub(crate) async fn a_profile_is_replaced(fixture: impl Fixture) {
    let store = fixture.store();
    let ann = somebody("ann.x");
    for text in AWKWARD {
        let said = profile(text, text);
        store.put_profile(&ann, &said).await.unwrap();
        store.put_profile(&ann, &said).await.unwrap();
        assert_eq!(store.profiles(std::slice::from_ref(&ann)).await.unwrap(), [Some(said)]);
    }
    let many = join_all((0..8).map(|n| {
        let (store, ann) = (&store, &ann);
        async move { store.put_profile(ann, &profile(&format!("Ann {n}"), "")).await }
    }));
    assert!(many.await.into_iter().all(|put| put == Ok(())));
    let [Some(last)] = &store.profiles(std::slice::from_ref(&ann)).await.unwrap()[..] else { panic!("gone") };
    assert!(last.name.starts_with("Ann "), "{last:?}");
}

pub(crate) async fn the_clock_does_not_step_back(fixture: impl Fixture) {
    let store = fixture.store();
    let mut last = store.now().await.unwrap();
    assert!(last.0 > 1_500_000_000_000, "milliseconds since 1970: {last:?}");
    for _ in 0..100 {
        let now = store.now().await.unwrap();
        assert!(now >= last, "{now:?} after {last:?}");
        last = now;
    }
}
