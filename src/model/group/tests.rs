use proptest::prelude::*;

use super::*;
use crate::model::limits::TERM_STEPS_MAX;

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

fn founded(history: bool) -> Group {
    let id = ConversationId::from_bytes([1; 16]);
    Group::new(id, &user("ann"), &[user("bob"), user("ann")], "Cooks", history).1
}

#[test]
fn who_leaves_sees_up_to_their_leaving_and_who_comes_again_from_there() {
    let mut group = founded(false);
    let [bob, cyd] = [user("bob"), user("cyd")];
    assert_eq!(group.range(&bob), Some(Range::ALL));
    assert_eq!(group.range(&cyd), None);
    group.apply(Seq(5), &Event::Added { user: cyd.clone() });
    group.apply(Seq(7), &Event::Removed { user: bob.clone() });
    assert_eq!(group.members(), [user("ann"), cyd.clone()]);
    assert_eq!(group.range(&cyd), Some(Range { after: Seq(4), until: None }));
    assert_eq!(group.range(&bob), Some(Range { after: Seq(0), until: Some(Seq(7)) }));
    assert_eq!(group.audience(Seq(3)), [user("ann")], "said again later: not to who came after it, or is gone");
    assert_eq!(group.audience(Seq(7)), [user("ann"), bob.clone(), cyd.clone()], "who goes is told");
    assert_eq!(group.audience(Seq(8)), [user("ann"), cyd.clone()]);
    group.apply(Seq(9), &Event::Added { user: bob.clone() });
    assert_eq!(group.range(&bob), Some(Range { after: Seq(8), until: None }));
}

#[test]
fn newcomers_see_everything_where_the_group_allows_it() {
    let mut group = founded(true);
    group.apply(Seq(5), &Event::Added { user: user("cyd") });
    assert_eq!(group.range(&user("cyd")), Some(Range::ALL));
}

#[test]
fn owners_manage_and_without_one_everybody() {
    let mut group = founded(false);
    let [ann, bob] = [user("ann"), user("bob")];
    assert!(group.is_managed_by(&ann) && !group.is_managed_by(&bob) && !group.is_managed_by(&user("cyd")));
    group.apply(Seq(2), &Event::Role { user: bob.clone(), role: Post::Owner });
    assert!(group.is_managed_by(&bob));
    group.apply(Seq(3), &Event::Role { user: bob.clone(), role: Post::Member });
    group.apply(Seq(4), &Event::Left { user: ann.clone() });
    assert!(group.is_managed_by(&bob), "nobody owns it any more");
    group.apply(Seq(5), &Event::Added { user: ann.clone() });
    assert_eq!(group.standing(&ann).unwrap().role, Post::Member, "who comes again begins anew");
}

#[test]
fn what_happened_twice_happened_once() {
    let mut group = founded(false);
    let bob = user("bob");
    group.apply(Seq(4), &Event::Removed { user: bob.clone() });
    group.apply(Seq(6), &Event::Removed { user: bob.clone() });
    assert_eq!(group.range(&bob).unwrap().until, Some(Seq(4)), "nothing of what came between is theirs");
    group.apply(Seq(8), &Event::Added { user: bob.clone() });
    group.apply(Seq(9), &Event::Added { user: bob.clone() });
    assert_eq!(group.range(&bob).unwrap().after, Seq(7));
}

#[test]
fn a_long_history_of_one_person_is_summed_up() {
    let mut group = founded(false);
    let bob = user("bob");
    for round in 1..200_u64 {
        group.apply(Seq(round * 3), &Event::Removed { user: bob.clone() });
        group.apply(Seq(round * 3 + 1), &Event::Added { user: bob.clone() });
        group.apply(Seq(round * 3 + 2), &Event::Role { user: bob.clone(), role: Post::Owner });
        assert!(group.is_managed_by(&bob), "{round}");
        assert_eq!(group.range(&bob).unwrap().after, Seq(round * 3), "{round}");
    }
    let term = group.terms.iter().find(|term| term.user == bob).unwrap();
    assert!(term.steps.len() <= TERM_STEPS_MAX, "{}", term.steps.len());
    let before = group.clone();
    assert!(!group.apply(Seq(3), &Event::Removed { user: bob }), "it was summed up");
    assert_eq!(group, before);
}

fn event() -> impl Strategy<Value = Event> {
    let who = prop_oneof![Just("ann"), Just("bob"), Just("cyd")].prop_map(user);
    (who, 0..6).prop_map(|(user, what)| match what {
        0 => Event::Named { name: user.to_string() },
        1 => Event::Added { user },
        2 => Event::Removed { user },
        3 => Event::Left { user },
        4 => Event::Role { user, role: Post::Owner },
        _ => Event::Role { user, role: Post::Member },
    })
}

proptest! {
    /// In whatever order events become known, and however often: the group is what the messages say.
    #[test]
    fn the_order_of_knowing_does_not_matter(
        events in proptest::collection::vec(event(), 1..20),
        order in proptest::collection::vec(any::<prop::sample::Index>(), 0..60),
    ) {
        let mut told = founded(false);
        for (index, event) in events.iter().enumerate() {
            told.apply(Seq(index as u64 + 2), event);
        }
        let mut found = founded(false);
        let mut apply = |index: usize| found.apply(Seq(index as u64 + 2), &events[index]);
        order.iter().for_each(|index| { apply(index.index(events.len())); });
        (0..events.len()).rev().for_each(|index| { apply(index); });
        prop_assert_eq!(&found, &told);
        for (index, event) in events.iter().enumerate() {
            prop_assert!(found.reflects(Seq(index as u64 + 2), event));
        }
    }
}
