use super::verdict::Example;
use super::*;
use switchboard::model::{Seq, UserId};

/// Two people who wrote 50 messages each, in turns, without any damage.
fn talk() -> Vec<Record> {
    talk_of(50)
}

fn people() -> (UserId, UserId, ConversationId) {
    let (ann, bob): (UserId, UserId) = ("ann".parse().unwrap(), "bob".parse().unwrap());
    let conversation = ConversationId::direct(&ann, &bob);
    (ann, bob, conversation)
}

fn talk_of(each: u64) -> Vec<Record> {
    let (ann, bob, conversation) = people();
    let devices = vec![Device::first(ann.clone()), Device::first(bob.clone())];
    let mut records = vec![
        Record::Run { title: "test".to_owned(), seed: 1, late_micros: 1_000_000 },
        Record::Room { conversation, devices, echoes: true },
    ];
    for seq in 1..=2 * each {
        let (from, to) = if seq % 2 == 0 { (&ann, &bob) } else { (&bob, &ann) };
        let (number, at) = (seq.div_ceil(2), seq * 1_000);
        let user = from.clone();
        records.push(Record::Sent { conversation, user: user.clone(), number, at });
        records.push(Record::Acked { conversation, user: user.clone(), number, seq: Seq(seq), at });
        records.push(shown(to, from, Some(number), seq));
    }
    records
}

fn shown(to: &UserId, from: &UserId, number: Option<u64>, seq: u64) -> Record {
    let conversation = people().2;
    let device = Device::first(to.clone());
    Record::Shown { device, conversation, seq: Seq(seq), from: from.clone(), number, took: 5_000, at: seq * 1_000 }
}

fn judged(records: &[Record]) -> Verdict {
    let mut judge = Judge::default();
    records.iter().for_each(|record| judge.take(record));
    judge.close()
}

/// What is shown to Bob, by its place in the records.
fn of_bob(records: &[Record]) -> Vec<usize> {
    let (_, bob, _) = people();
    let is_his = |record: &Record| matches!(record, Record::Shown { device, .. } if device.user == bob);
    records.iter().enumerate().filter(|(_, record)| is_his(record)).map(|(index, _)| index).collect()
}

/// A verdict's counts without its examples.
fn counts(records: &[Record]) -> Verdict {
    Verdict { examples: Vec::new(), ..judged(records) }
}

fn clean() -> Verdict {
    Verdict { sent: 100, acked: 100, received: 100, ..Verdict::default() }
}

#[test]
fn a_run_without_damage_is_clean() {
    assert_eq!(judged(&talk()), clean());
    assert!(clean().is_clean());
}

#[test]
fn a_dropped_message_is_lost_and_named() {
    let mut records = talk();
    records.remove(of_bob(&records)[20]);
    let verdict = judged(&records);
    assert_eq!(Verdict { examples: Vec::new(), ..verdict.clone() }, Verdict { received: 99, lost: 1, ..clean() });
    assert!(!verdict.is_clean());
    let what = "message 21 of ann, acknowledged at place 42, never shown to bob".to_owned();
    assert_eq!(verdict.examples, [Example { damage: Damage::Lost, what }]);
}

#[test]
fn the_last_message_may_be_the_lost_one() {
    let mut records = talk();
    records.remove(of_bob(&records)[49]);
    assert_eq!(counts(&records), Verdict { received: 99, lost: 1, ..clean() });
}

#[test]
fn a_message_shown_twice_is_doubled_wherever_the_second_is() {
    for behind in 0..29 {
        let mut records = talk();
        let places = of_bob(&records);
        records.insert(places[20 + behind] + 1, records[places[20]].clone());
        assert_eq!(counts(&records), Verdict { doubled: 1, ..clean() }, "{behind}");
    }
}

#[test]
fn a_message_shown_twice_is_doubled_though_it_was_settled_long_ago() {
    let mut records = talk_of(1_000);
    let early = records[of_bob(&records)[3]].clone();
    records.push(early);
    assert_eq!(counts(&records).doubled, 1);
}

#[test]
fn a_message_stored_twice_is_doubled() {
    let (ann, bob, conversation) = people();
    let mut records = talk();
    records.push(shown(&bob, &ann, Some(50), 101));
    records.push(Record::Acked { conversation, user: ann, number: 50, seq: Seq(101), at: 0 });
    assert_eq!(counts(&records), Verdict { doubled: 2, ..clean() });
}

#[test]
fn swapped_messages_are_out_of_order() {
    let mut records = talk();
    let places = of_bob(&records);
    // As a swap on the wire is seen: both were sent and acknowledged before.
    let (one, other) = (records[places[48]].clone(), records[places[49]].clone());
    records.remove(places[49]);
    records.remove(places[48]);
    records.extend([other, one]);
    assert_eq!(counts(&records), Verdict { out_of_order: 1, ..clean() });
}

#[test]
fn messages_stored_in_another_order_than_sent_are_out_of_order() {
    let (ann, bob, _) = people();
    let mut records = talk();
    let places = of_bob(&records);
    records.remove(places[49]);
    records.remove(places[48]);
    records.extend([shown(&bob, &ann, Some(50), 98), shown(&bob, &ann, Some(49), 100)]);
    let verdict = counts(&records);
    assert_eq!((verdict.out_of_order, verdict.misplaced, verdict.lost), (1, 2, 0));
}

#[test]
fn an_acknowledgement_without_storing_is_a_loss() {
    let (user, _, conversation) = people();
    let mut records = talk();
    records.push(Record::Sent { conversation, user: user.clone(), number: 51, at: 0 });
    records.push(Record::Acked { conversation, user, number: 51, seq: Seq(101), at: 0 });
    assert_eq!(counts(&records), Verdict { sent: 101, acked: 101, lost: 1, ..clean() });
}

#[test]
fn a_message_without_acknowledgement_is_unfinished_business() {
    let mut records = talk();
    records.retain(|record| !matches!(record, Record::Acked { seq: Seq(14), .. }));
    assert_eq!(counts(&records), Verdict { acked: 99, unacknowledged: 1, ..clean() });
}

#[test]
fn what_nobody_wrote_or_not_to_them_is_foreign() {
    let (ann, bob, _) = people();
    let carol: UserId = "carol".parse().unwrap();
    let mut records = talk();
    records.push(shown(&bob, &ann, None, 101));
    records.push(shown(&bob, &ann, Some(51), 102));
    records.push(shown(&carol, &ann, Some(1), 2));
    records.push(shown(&bob, &carol, Some(1), 103));
    records.push(shown(&ann, &ann, Some(1), 2));
    assert_eq!(counts(&records), Verdict { foreign: 5, ..clean() });
}

#[test]
fn two_messages_at_one_place_and_one_at_two_are_misplaced() {
    let (ann, bob, conversation) = people();
    let mut records = talk();
    records.push(Record::Sent { conversation, user: ann.clone(), number: 51, at: 0 });
    records.push(Record::Acked { conversation, user: ann.clone(), number: 51, seq: Seq(101), at: 0 });
    records.push(shown(&bob, &ann, Some(51), 100));
    assert_eq!(counts(&records).misplaced, 2, "another message is there, and it was promised another place");
}

#[test]
fn what_takes_longer_than_the_run_allows_is_late() {
    let mut records = talk();
    let at = of_bob(&records)[7];
    if let Record::Shown { took, .. } = &mut records[at] {
        *took = 1_000_001;
    }
    let verdict = judged(&records);
    assert_eq!(verdict.late, 1);
    assert_eq!(verdict.examples[0].what, "message 8 of ann on bob after 1000 ms");
}

#[test]
fn every_other_device_is_owed_every_message() {
    let (ann, bob, conversation) = people();
    let screen = |user: &UserId, number| Device { user: user.clone(), number };
    let devices = vec![screen(&ann, 1), screen(&ann, 2), screen(&bob, 1), screen(&bob, 2)];
    let mut records = vec![Record::Room { conversation, devices: devices.clone(), echoes: true }];
    records.push(Record::Sent { conversation, user: ann.clone(), number: 1, at: 0 });
    records.push(Record::Acked { conversation, user: ann.clone(), number: 1, seq: Seq(1), at: 0 });
    for device in &devices[1..] {
        let device = device.clone();
        let from = ann.clone();
        records.push(Record::Shown { device, conversation, seq: Seq(1), from, number: Some(1), took: 1, at: 1 });
    }
    assert_eq!(judged(&records), Verdict { sent: 1, acked: 1, received: 3, ..Verdict::default() });
    records.remove(3);
    let verdict = judged(&records);
    assert_eq!(verdict.lost, 1);
    assert!(verdict.examples[0].what.ends_with("never shown to ann#2"), "{:?}", verdict.examples);
}

#[test]
fn what_is_shown_and_not_kept_is_lost() {
    let (ann, _, conversation) = people();
    let archive = Device::archive(ann);
    let mut records = talk();
    let admit = |devices| Record::Room { conversation, devices, echoes: true };
    records.insert(2, admit(vec![archive.clone()]));
    let kept = records.iter().filter_map(|record| match record {
        Record::Shown { conversation, seq, from, number, at, .. } => Some(Record::Shown {
            device: archive.clone(),
            conversation: *conversation,
            seq: *seq,
            from: from.clone(),
            number: *number,
            took: 0,
            at: *at,
        }),
        _ => None,
    });
    let mut records = [records.clone(), kept.collect()].concat();
    assert_eq!(judged(&records), clean(), "who reads back is no receiver, and is owed one's own as well");
    records.remove(records.len() - 10);
    let verdict = judged(&records);
    assert_eq!(verdict.lost, 1);
    assert_eq!(verdict.examples[0].what, "message 46 of bob, acknowledged at place 91, not kept by the server");
}

#[test]
fn every_seeded_damage_is_found_by_its_name() {
    for seed in 0_usize..300 {
        let mut records = talk();
        let places = of_bob(&records);
        let at = places[seed * 31 % 49];
        let expected = match seed % 3 {
            0 => {
                records.remove(at);
                Damage::Lost
            }
            1 => {
                let copy = records[at].clone();
                records.insert(places[seed * 31 % 49 + 1], copy);
                Damage::Doubled
            }
            _ => {
                // Held back behind the next one.
                let held = records.remove(at);
                records.insert(places[seed * 31 % 49 + 1], held);
                Damage::OutOfOrder
            }
        };
        let verdict = judged(&records);
        assert_eq!((verdict.count(expected), verdict.damages()), (1, 1), "seed {seed}: {verdict:?}");
    }
}

#[test]
fn what_is_settled_is_forgotten() {
    let mut judge = Judge::default();
    talk_of(10_000).iter().for_each(|record| judge.take(record));
    let kept = format!("{judge:?}").len();
    assert!(kept < 100_000, "{kept} bytes to remember 20,000 settled messages");
    assert!(judge.close().is_clean());
}

#[test]
fn a_history_is_judged_as_the_run_was() {
    let mut records = talk();
    records.remove(of_bob(&records)[20]);
    let directory = std::env::temp_dir().join(format!("switchboard-loadtest-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("history.ndjson");
    let witness = Witness::new(Some(&path)).unwrap();
    records.iter().for_each(|record| witness.note(record));
    let verdict = witness.close().unwrap();
    assert_eq!(verdict.lost, 1);
    assert_eq!(check(&path, None).unwrap(), verdict);
    assert_eq!(check(&path, Some(4_000)).unwrap().late, 99, "by a stricter bound");
    std::fs::write(&path, "{}\n").unwrap();
    assert!(check(&path, None).unwrap_err().to_string().contains("line 1"));
    std::fs::remove_dir_all(&directory).unwrap();
}
