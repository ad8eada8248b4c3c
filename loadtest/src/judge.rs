//! What was promised against what was kept.
//!
//! For every direction of every conversation: each acknowledged message was shown to its receiver exactly once, whole,
//! in the order in which it was sent, at the place that its sender was told.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use switchboard::model::{ConversationId, Seq, UserId};

/// One acknowledgement, as the sender heard it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ack {
    pub(crate) conversation: ConversationId,
    /// Which of the sender's messages.
    pub(crate) number: u64,
    pub(crate) seq: Seq,
}

/// One message, as a receiver was shown it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) conversation: ConversationId,
    pub(crate) seq: Seq,
    pub(crate) sender: UserId,
    /// Which of the sender's messages; none if its text is not one that anybody wrote.
    pub(crate) number: Option<u64>,
}

/// What one person saw.
#[derive(Debug, Clone, Default)]
pub(crate) struct Testimony {
    /// What they sent: conversation and number, in their order, so that numbers ascend.
    pub(crate) sent: Vec<(ConversationId, u64)>,
    pub(crate) acks: Vec<Ack>,
    /// Others' messages, in the order in which they appeared.
    pub(crate) shown: Vec<Shown>,
}

/// Who wrote to whom.
#[derive(Debug, Clone)]
pub(crate) struct Direction {
    pub(crate) from: UserId,
    pub(crate) to: UserId,
}

/// The sums. All below `received` must be zero.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Verdict {
    pub(crate) sent: u64,
    pub(crate) acked: u64,
    /// Different messages that were shown to their receiver.
    pub(crate) received: u64,
    /// Acknowledged and never shown.
    pub(crate) lost: u64,
    /// Shown once more than once, or acknowledged at a second place.
    pub(crate) doubled: u64,
    /// Shown behind one that was sent later, or that has a later place.
    pub(crate) out_of_order: u64,
    /// Shown with a text that nobody sent, or to somebody whom it was not for.
    pub(crate) foreign: u64,
    /// Shown at another place than was acknowledged.
    pub(crate) misplaced: u64,
    /// Never acknowledged, though the run gave it time.
    pub(crate) unacknowledged: u64,
}

impl Verdict {
    /// Whether everything that was promised was kept, and everything that was sent was promised.
    pub(crate) fn is_clean(&self) -> bool {
        let Self { lost, doubled, out_of_order, foreign, misplaced, unacknowledged, .. } = *self;
        lost + doubled + out_of_order + foreign + misplaced + unacknowledged == 0
    }
}

/// Judges a whole run. `directions` are all there were: what was shown outside of them is foreign.
pub(crate) fn judge(directions: &[Direction], testimonies: &HashMap<UserId, Testimony>) -> Verdict {
    let mut verdict = Verdict::default();
    let nothing = Testimony::default();
    let of = |user: &UserId| testimonies.get(user).unwrap_or(&nothing);
    let mut expected = HashMap::<(&UserId, ConversationId), &UserId>::new();
    for direction in directions {
        let conversation = ConversationId::direct(&direction.from, &direction.to);
        expected.insert((&direction.to, conversation), &direction.from);
        judge_direction(&mut verdict, &direction.from, conversation, of(&direction.from), of(&direction.to));
    }
    for (receiver, testimony) in testimonies {
        judge_places(&mut verdict, testimony);
        let is_foreign = |shown: &&Shown| {
            shown.number.is_none() || expected.get(&(receiver, shown.conversation)) != Some(&&shown.sender)
        };
        verdict.foreign += count(testimony.shown.iter().filter(is_foreign));
    }
    verdict
}

fn judge_direction(
    verdict: &mut Verdict,
    from: &UserId,
    conversation: ConversationId,
    sender: &Testimony,
    receiver: &Testimony,
) {
    let sent: Vec<u64> = sender.sent.iter().filter(|(of, _)| *of == conversation).map(|(_, number)| *number).collect();
    let mut promised = BTreeMap::<u64, Seq>::new();
    for ack in sender.acks.iter().filter(|ack| ack.conversation == conversation) {
        let first = *promised.entry(ack.number).or_insert(ack.seq);
        verdict.doubled += u64::from(first != ack.seq);
    }
    let mut kept = BTreeMap::<u64, Seq>::new();
    let mut latest = 0;
    for shown in receiver.shown.iter().filter(|shown| shown.conversation == conversation && shown.sender == *from) {
        let Some(number) = shown.number else { continue };
        if sent.binary_search(&number).is_err() {
            verdict.foreign += 1;
        } else if let Entry::Vacant(place) = kept.entry(number) {
            place.insert(shown.seq);
            verdict.out_of_order += u64::from(number < latest);
            latest = latest.max(number);
        } else {
            verdict.doubled += 1;
        }
    }
    verdict.sent += count(sent.iter());
    verdict.acked += count(promised.iter());
    verdict.received += count(kept.iter());
    verdict.unacknowledged += count(sent.iter().filter(|number| !promised.contains_key(number)));
    for (number, seq) in &promised {
        match kept.get(number) {
            None => verdict.lost += 1,
            Some(shown) => verdict.misplaced += u64::from(shown != seq),
        }
    }
}

/// Whatever the senders say: places in a conversation only ever go up.
fn judge_places(verdict: &mut Verdict, receiver: &Testimony) {
    let mut highest = HashMap::<ConversationId, Seq>::new();
    for shown in &receiver.shown {
        let highest = highest.entry(shown.conversation).or_default();
        verdict.out_of_order += u64::from(shown.seq < *highest);
        *highest = shown.seq.max(*highest);
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u64 {
    items.fold(0, |sum, _| sum + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two people who wrote 50 messages each, in turns, without any damage.
    struct World {
        ann: UserId,
        bob: UserId,
        talk: ConversationId,
        testimonies: HashMap<UserId, Testimony>,
    }

    impl World {
        fn new() -> Self {
            let (ann, bob): (UserId, UserId) = ("ann".parse().unwrap(), "bob".parse().unwrap());
            let talk = ConversationId::direct(&ann, &bob);
            let mut world = Self { ann, bob, talk, testimonies: HashMap::new() };
            for seq in 1_u64..=100 {
                let (from, to) = if seq % 2 == 0 { (&world.ann, &world.bob) } else { (&world.bob, &world.ann) };
                let (number, seq) = (seq.div_ceil(2), Seq(seq));
                let sender = world.testimonies.entry(from.clone()).or_default();
                sender.sent.push((talk, number));
                sender.acks.push(Ack { conversation: talk, number, seq });
                let shown = Shown { conversation: talk, seq, sender: from.clone(), number: Some(number) };
                world.testimonies.entry(to.clone()).or_default().shown.push(shown);
            }
            world
        }

        fn of_bob(&mut self) -> &mut Testimony {
            self.testimonies.get_mut(&self.bob).unwrap()
        }

        fn of_ann(&mut self) -> &mut Testimony {
            self.testimonies.get_mut(&self.ann).unwrap()
        }

        fn verdict(&self) -> Verdict {
            let direction = |from: &UserId, to: &UserId| Direction { from: from.clone(), to: to.clone() };
            judge(&[direction(&self.ann, &self.bob), direction(&self.bob, &self.ann)], &self.testimonies)
        }
    }

    fn clean() -> Verdict {
        Verdict { sent: 100, acked: 100, received: 100, ..Verdict::default() }
    }

    #[test]
    fn a_run_without_damage_is_clean() {
        assert_eq!(World::new().verdict(), clean());
        assert!(clean().is_clean());
    }

    #[test]
    fn a_dropped_message_is_lost() {
        let mut world = World::new();
        world.of_bob().shown.remove(20);
        assert_eq!(world.verdict(), Verdict { received: 99, lost: 1, ..clean() });
        assert!(!world.verdict().is_clean());
    }

    #[test]
    fn a_message_shown_twice_is_doubled_wherever_the_second_is() {
        let mut world = World::new();
        let again = world.of_bob().shown[20].clone();
        world.of_bob().shown.insert(20, again);
        assert_eq!(world.verdict(), Verdict { doubled: 1, ..clean() });
    }

    #[test]
    fn a_message_stored_twice_is_doubled() {
        let mut world = World::new();
        let Shown { number, .. } = world.of_bob().shown[49].clone();
        let (sender, conversation) = (world.ann.clone(), world.talk);
        world.of_bob().shown.push(Shown { conversation, seq: Seq(101), sender, number });
        world.of_ann().acks.push(Ack { conversation, number: number.unwrap(), seq: Seq(101) });
        assert_eq!(world.verdict(), Verdict { doubled: 2, ..clean() });
    }

    #[test]
    fn swapped_messages_are_out_of_order() {
        let mut world = World::new();
        world.of_bob().shown.swap(20, 21);
        assert!(world.verdict().out_of_order > 0);
    }

    #[test]
    fn messages_stored_in_another_order_than_sent_are_out_of_order() {
        let mut world = World::new();
        let (one, other) = (world.of_bob().shown[20].number, world.of_bob().shown[21].number);
        world.of_bob().shown[20].number = other;
        world.of_bob().shown[21].number = one;
        assert!(world.verdict().out_of_order > 0);
    }

    #[test]
    fn an_acknowledgement_without_storing_is_a_loss() {
        let mut world = World::new();
        let (conversation, number) = (world.talk, 51);
        world.of_ann().sent.push((conversation, number));
        world.of_ann().acks.push(Ack { conversation, number, seq: Seq(101) });
        assert_eq!(world.verdict(), Verdict { sent: 101, acked: 101, lost: 1, ..clean() });
    }

    #[test]
    fn a_message_without_acknowledgement_is_unfinished_business() {
        let mut world = World::new();
        world.of_ann().acks.remove(7);
        assert_eq!(world.verdict(), Verdict { acked: 99, unacknowledged: 1, ..clean() });
        assert!(!world.verdict().is_clean());
    }

    #[test]
    fn what_nobody_wrote_or_not_to_them_is_foreign() {
        let mut world = World::new();
        world.of_bob().shown[3].number = None;
        let mut stray = world.of_bob().shown[4].clone();
        stray.conversation = ConversationId::from_bytes([1; 16]);
        world.of_bob().shown.push(stray);
        assert_eq!(world.verdict(), Verdict { received: 99, lost: 1, foreign: 2, ..clean() });
    }

    #[test]
    fn every_seeded_damage_is_found() {
        for seed in 0_usize..200 {
            let mut world = World::new();
            let (at, shown) = (seed * 31 % 49, &mut world.of_bob().shown);
            match seed % 3 {
                0 => drop(shown.remove(at)),
                1 => shown.insert(seed % 50, shown[at].clone()),
                _ => shown.swap(at, at + 1),
            }
            assert!(!world.verdict().is_clean(), "seed {seed}");
        }
    }
}
