//! Rules of the messages.

use switchboard::model::limits::{
    BATCH_MESSAGES_MAX, PAGE_BYTES_MAX, PAGE_MESSAGES_MAX, RUN_MESSAGES_MAX, TEXT_BYTES_MAX,
};
use switchboard::model::{ConversationId, Message, NewMessage, Seq};
use switchboard::store::{Attempt, Outcome, Span, Store};

use super::{Fixture, append, fill, message, saying, somebody, store_at, talk, talks, wait_past};

async fn page(store: &dyn Store, conversation: ConversationId, span: Span, limit: usize) -> Vec<Message> {
    store.page(conversation, span, limit).await.unwrap()
}

fn seqs(messages: &[Message]) -> Vec<u64> {
    messages.iter().map(|message| message.seq.0).collect()
}

fn at(message: &NewMessage, seq: u64) -> Attempt {
    Attempt { message: message.clone(), seq: Seq(seq) }
}

pub(crate) async fn an_append_is_found_again_whole(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    let [ann, bob] = [&talk.members[0], &talk.members[1]];
    let first = store_at(&*store, message(talk.id, ann, "one"), 1).await;
    let second = store_at(&*store, message(talk.id, bob, "two"), 2).await;
    let third = store_at(&*store, message(talk.id, ann, "three"), 3).await;

    assert_eq!(store.find(talk.id, bob, &second.key).await.unwrap(), Some(second.clone()));
    assert_eq!(page(&*store, talk.id, Span::After(Seq::ZERO), 10).await, [first, second, third]);
}

pub(crate) async fn a_taken_place_is_refused(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    let [ann, bob] = [&talk.members[0], &talk.members[1]];
    let first = store_at(&*store, message(talk.id, ann, "one"), 1).await;
    let rival = message(talk.id, bob, "rival");

    assert_eq!(append(&*store, &rival, 1).await, Outcome::SeqTaken);
    assert_eq!(store.append_run(vec![at(&rival, 1)]).await, [Outcome::SeqTaken]);
    assert_eq!(store.find(talk.id, bob, &rival.key).await.unwrap(), None);
    assert_eq!(page(&*store, talk.id, Span::After(Seq::ZERO), 10).await, [first]);
    assert_eq!(append(&*store, &rival, 2).await, Outcome::Stored, "the refusal left no trace");
}

pub(crate) async fn a_key_is_stored_once(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    let ann = &talk.members[0];
    let first = store_at(&*store, saying(talk.id, ann, "key", "first"), 1).await;
    let again = saying(talk.id, ann, "key", "second");

    assert_eq!(append(&*store, &again, 2).await, Outcome::KeyTaken);
    assert_eq!(store.append_run(vec![at(&again, 2)]).await, [Outcome::KeyTaken]);
    assert_eq!(store.find(talk.id, ann, &first.key).await.unwrap(), Some(first.clone()));
    assert_eq!(page(&*store, talk.id, Span::After(Seq::ZERO), 10).await, [first], "the place stayed free");
}

pub(crate) async fn a_key_belongs_to_one_sender_in_one_conversation(fixture: impl Fixture) {
    let store = fixture.store();
    let talks = talks(&*store, 2).await;
    let [ann, bob] = [&talks[0].members[0], &talks[0].members[1]];

    store_at(&*store, message(talks[0].id, ann, "$key.a"), 1).await;
    store_at(&*store, message(talks[0].id, bob, "$key.a"), 2).await;
    store_at(&*store, message(talks[0].id, ann, "$KEY.a"), 3).await;
    store_at(&*store, message(talks[1].id, ann, "$key.a"), 1).await;
}

pub(crate) async fn a_repeated_message_is_refused_either_way(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    let first = message(talk.id, &talk.members[0], "one");
    store_at(&*store, first.clone(), 1).await;

    let repeated = append(&*store, &first, 1).await;
    assert!(matches!(repeated, Outcome::SeqTaken | Outcome::KeyTaken), "{repeated:?}");
    assert_eq!(page(&*store, talk.id, Span::After(Seq::ZERO), 10).await, [first.at_seq(Seq(1))]);
}

pub(crate) async fn each_of_a_batch_stands_alone(fixture: impl Fixture) {
    let store = fixture.store();
    let talks = talks(&*store, 5).await;
    let sender = somebody("ann");
    store_at(&*store, message(talks[1].id, &sender, "early"), 1).await;
    store_at(&*store, message(talks[3].id, &sender, "now"), 1).await;

    let attempts = [1, 1, 1, 2, 1].into_iter().zip(&talks);
    let attempts = attempts.map(|(seq, talk)| at(&message(talk.id, &sender, "now"), seq)).collect();
    assert_eq!(
        store.append_each(attempts).await,
        [Outcome::Stored, Outcome::SeqTaken, Outcome::Stored, Outcome::KeyTaken, Outcome::Stored]
    );
    for talk in &talks {
        assert_eq!(seqs(&page(&*store, talk.id, Span::After(Seq::ZERO), 10).await), [1]);
    }
}

pub(crate) async fn a_full_batch_is_taken(fixture: impl Fixture) {
    let store = fixture.store();
    let talks = talks(&*store, BATCH_MESSAGES_MAX).await;
    let sender = somebody("ann");
    let attempts: Vec<_> = talks.iter().map(|talk| at(&message(talk.id, &sender, "one"), 1)).collect();

    assert_eq!(store.append_each(attempts).await, vec![Outcome::Stored; BATCH_MESSAGES_MAX]);
    for talk in talks.iter().step_by(20) {
        assert_eq!(store.tail(talk.id, None).await.unwrap().map(|tail| tail.seq), Some(Seq(1)));
    }
}

pub(crate) async fn a_run_stops_at_the_first_refusal(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    let [ann, bob] = [&talk.members[0], &talk.members[1]];
    store_at(&*store, message(talk.id, bob, "rival"), 3).await;

    let run = (1..=5).map(|seq| at(&message(talk.id, ann, &format!("r{seq}")), seq)).collect();
    assert_eq!(
        store.append_run(run).await,
        [Outcome::Stored, Outcome::Stored, Outcome::SeqTaken, Outcome::Untried, Outcome::Untried]
    );
    assert_eq!(seqs(&page(&*store, talk.id, Span::After(Seq::ZERO), 10).await), [1, 2, 3]);
    for untried in ["r3", "r4", "r5"] {
        assert_eq!(store.find(talk.id, ann, &untried.parse().unwrap()).await.unwrap(), None, "{untried}");
    }
}

pub(crate) async fn a_run_stops_at_a_taken_key(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    let ann = &talk.members[0];
    store_at(&*store, message(talk.id, ann, "old"), 1).await;

    let run = vec![
        at(&message(talk.id, ann, "new"), 2),
        at(&message(talk.id, ann, "old"), 3),
        at(&message(talk.id, ann, "later"), 4),
    ];
    assert_eq!(store.append_run(run).await, [Outcome::Stored, Outcome::KeyTaken, Outcome::Untried]);
    assert_eq!(store.tail(talk.id, None).await.unwrap().map(|tail| tail.seq), Some(Seq(2)));
}

pub(crate) async fn a_full_run_is_taken(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    let run: Vec<_> = (1..=RUN_MESSAGES_MAX as u64)
        .map(|seq| at(&saying(talk.id, &talk.members[0], &format!("r{seq}"), &"x".repeat(TEXT_BYTES_MAX)), seq))
        .collect();

    assert_eq!(store.append_run(run).await, vec![Outcome::Stored; RUN_MESSAGES_MAX]);
    assert_eq!(store.tail(talk.id, None).await.unwrap().map(|tail| tail.seq), Some(Seq(RUN_MESSAGES_MAX as u64)));
}

pub(crate) async fn nothing_to_append_is_no_error(fixture: impl Fixture) {
    let store = fixture.store();
    assert_eq!(store.append_each(Vec::new()).await, []);
    assert_eq!(store.append_run(Vec::new()).await, []);
}

pub(crate) async fn find_knows_only_what_was_stored(fixture: impl Fixture) {
    let store = fixture.store();
    let talks = talks(&*store, 2).await;
    let [ann, bob] = [&talks[0].members[0], &talks[0].members[1]];
    let stored = store_at(&*store, message(talks[0].id, ann, "key"), 1).await;

    assert_eq!(store.find(talks[0].id, ann, &stored.key).await.unwrap(), Some(stored.clone()));
    assert_eq!(store.find(talks[0].id, bob, &stored.key).await.unwrap(), None);
    assert_eq!(store.find(talks[1].id, ann, &stored.key).await.unwrap(), None);
    assert_eq!(store.find(talks[0].id, ann, &"other".parse().unwrap()).await.unwrap(), None);
}

pub(crate) async fn an_empty_conversation_has_nothing(fixture: impl Fixture) {
    let store = fixture.store();
    let opened = talk(&*store).await.id;
    let unheard_of = ConversationId::direct(&somebody("ann"), &somebody("bob"));
    for id in [opened, unheard_of] {
        assert_eq!(store.tail(id, None).await.unwrap(), None);
        assert_eq!(store.tail(id, Some(store.now().await.unwrap())).await.unwrap(), None);
        assert_eq!(page(&*store, id, Span::After(Seq::ZERO), 10).await, []);
        assert_eq!(page(&*store, id, Span::Before(Seq(10)), 10).await, []);
    }
}

pub(crate) async fn pages_walk_forward_and_backward(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    let all = fill(&*store, talk.id, &talk.members[0], 1, 10).await;

    assert_eq!(page(&*store, talk.id, Span::After(Seq::ZERO), 4).await, all[..4]);
    assert_eq!(page(&*store, talk.id, Span::After(Seq(4)), 4).await, all[4..8]);
    assert_eq!(page(&*store, talk.id, Span::After(Seq(8)), 4).await, all[8..]);
    assert_eq!(page(&*store, talk.id, Span::After(Seq(10)), 4).await, []);
    assert_eq!(page(&*store, talk.id, Span::Before(Seq(11)), 4).await, all[6..]);
    assert_eq!(page(&*store, talk.id, Span::Before(Seq(7)), 4).await, all[2..6]);
    assert_eq!(page(&*store, talk.id, Span::Before(Seq(3)), 4).await, all[..2]);
    assert_eq!(page(&*store, talk.id, Span::Before(Seq(1)), 4).await, []);
    assert_eq!(page(&*store, talk.id, Span::After(Seq(3)), 0).await, [], "none was asked for");
}

pub(crate) async fn a_page_is_cut_at_its_longest(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    let all = fill(&*store, talk.id, &talk.members[0], 1, PAGE_MESSAGES_MAX as u64 + 20).await;

    assert_eq!(page(&*store, talk.id, Span::After(Seq(3)), 1_000).await, all[3..3 + PAGE_MESSAGES_MAX]);
    assert_eq!(page(&*store, talk.id, Span::Before(Seq(u64::MAX)), usize::MAX).await, all[20..]);
}

pub(crate) async fn a_page_ends_at_its_bytes(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    // Eight of these reach the bound exactly; one byte less each, and it takes nine.
    for (first, bytes) in [(1, TEXT_BYTES_MAX), (21, TEXT_BYTES_MAX - 1)] {
        for seq in first..first + 20 {
            let text = "y".repeat(bytes);
            store_at(&*store, saying(talk.id, &talk.members[0], &format!("m{seq}"), &text), seq).await;
        }
    }
    let exactly = (PAGE_BYTES_MAX / TEXT_BYTES_MAX) as u64;

    let span = |from: u64, count: u64| (from..from + count).collect::<Vec<_>>();
    assert_eq!(seqs(&page(&*store, talk.id, Span::After(Seq::ZERO), 50).await), span(1, exactly));
    assert_eq!(seqs(&page(&*store, talk.id, Span::Before(Seq(21)), 50).await), span(21 - exactly, exactly));
    assert_eq!(seqs(&page(&*store, talk.id, Span::After(Seq(20)), 50).await), span(21, exactly + 1));
    assert_eq!(seqs(&page(&*store, talk.id, Span::Before(Seq(41)), 50).await), span(40 - exactly, exactly + 1));
    assert_eq!(seqs(&page(&*store, talk.id, Span::After(Seq::ZERO), 2).await), [1, 2], "the limit still counts");
}

pub(crate) async fn far_places_are_no_error(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    let all = fill(&*store, talk.id, &talk.members[0], 1, 3).await;
    for far in [Seq(u64::MAX), Seq(1 << 63), Seq((1 << 63) - 1)] {
        assert_eq!(page(&*store, talk.id, Span::After(far), 10).await, []);
        assert_eq!(page(&*store, talk.id, Span::Before(far), 10).await, all);
    }
    assert_eq!(page(&*store, talk.id, Span::Before(Seq::ZERO), 10).await, []);
}

pub(crate) async fn the_tail_is_the_last_message(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    let before = store.now().await.unwrap();
    for seq in 1..=3 {
        fill(&*store, talk.id, &talk.members[0], seq, seq).await;
        let tail = store.tail(talk.id, None).await.unwrap().unwrap();
        assert_eq!(tail.seq, Seq(seq));
        let earliest = before.minus(fixture.grain());
        assert!(earliest <= tail.stored && tail.stored <= store.now().await.unwrap(), "{tail:?}");
    }
}

pub(crate) async fn the_tail_before_a_time_is_the_last_one_earlier(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    let mut stored = Vec::new();
    for round in 0..4 {
        fill(&*store, talk.id, &talk.members[0], 3 * round + 1, 3 * round + 3).await;
        let tail = store.tail(talk.id, None).await.unwrap().unwrap();
        wait_past(&*store, tail.stored.plus(fixture.grain())).await;
        stored.push(tail);
    }
    for (earlier, later) in stored.iter().zip(&stored[1..]) {
        // Just behind the earlier three, before the later ones.
        let between = earlier.stored.plus(std::time::Duration::from_millis(1));
        assert!(between <= later.stored, "{earlier:?} {later:?}");
        assert_eq!(store.tail(talk.id, Some(between)).await.unwrap(), Some(*earlier));
        let at_the_time = store.tail(talk.id, Some(later.stored)).await.unwrap().unwrap();
        assert!(at_the_time.stored < later.stored && at_the_time.seq >= earlier.seq, "{at_the_time:?}");
    }
    let now = store.now().await.unwrap();
    assert_eq!(store.tail(talk.id, Some(now)).await.unwrap(), stored.last().copied());
    assert_eq!(store.tail(talk.id, Some(now.minus(std::time::Duration::from_secs(3_600)))).await.unwrap(), None);
}

pub(crate) async fn stored_times_never_decrease(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    let mut last = store.now().await.unwrap().minus(fixture.grain());
    for seq in 1..=50 {
        fill(&*store, talk.id, &talk.members[0], seq, seq).await;
        let tail = store.tail(talk.id, None).await.unwrap().unwrap();
        assert!(tail.stored >= last, "{tail:?} after {last:?}");
        last = tail.stored;
    }
}

/// Text that a store, a query language or a C library could mistake for something else.
pub(super) const AWKWARD: [&str; 10] = [
    "",
    "$set",
    "$$ROOT",
    "a.b.$[].c",
    "{\"$gt\": \"\"}",
    "'; DROP TABLE messages; --",
    "nul \0 in the middle and at the end\0",
    "e\u{301} is not \u{e9}, \u{1f9d1}\u{200d}\u{1f680}, \u{202e}right to left",
    " spaces and\r\nlines \t kept ",
    "\u{feff}\u{fffd}\u{10ffff}",
];

pub(crate) async fn text_is_kept_literally(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk(&*store).await;
    let ann = &talk.members[0];
    for (seq, text) in (1..).zip(AWKWARD) {
        let stored = store_at(&*store, saying(talk.id, ann, &format!("$k.{seq}"), text), seq).await;
        assert_eq!(store.find(talk.id, ann, &stored.key).await.unwrap(), Some(stored));
    }
    let texts: Vec<_> =
        page(&*store, talk.id, Span::After(Seq::ZERO), 50).await.into_iter().map(|message| message.text).collect();
    assert_eq!(texts, AWKWARD);
}
