//! What must hold when all is over.

use std::collections::BTreeMap;
use std::time::Duration;

use switchboard::model::{ConversationId, Seq, StoreTime, UserId};
use tokio::time::Instant;

use super::journal::{Journal, Record, Said, short};
use super::store::{Book, Entry, Kept};
use super::world::World;

/// Some time after a doubt on every node: whoever was connected all the while has everything that was acknowledged,
/// without waiting for an audit.
pub fn judge_promptness(world: &World, connected_before: Instant, acknowledged_before: Instant) {
    let records = world.journal.lock();
    let mut acknowledged: BTreeMap<ConversationId, Seq> = BTreeMap::new();
    for (conversation, said) in records.iter().flat_map(|record| &record.said) {
        let sent = said.iter().filter_map(|said| said.sent).filter(|sent| sent.2 < acknowledged_before);
        let highest = acknowledged.entry(*conversation).or_default();
        *highest = sent.map(|sent| sent.0).fold(*highest, Seq::max);
    }
    let book = world.store.lock();
    for record in records.iter().filter(|record| record.connected.is_some_and(|since| since < connected_before)) {
        for (conversation, seq) in &acknowledged {
            let view = record.views.get(conversation).map_or(Seq::ZERO, |view| view.last);
            let is_member = book.entries[conversation].has(&record.user);
            if is_member && view < *seq && base(&book.entries[conversation], record) < *seq {
                fail(&world.journal, record, *conversation, format!("shows {view} of {seq} long after a doubt"));
            }
        }
    }
}

/// When all has been quiet for long.
pub fn judge(world: &World) {
    let records = world.journal.lock();
    let book = world.store.lock();
    for (conversation, entry) in &book.entries {
        judge_places(&world.journal, *conversation, entry);
        judge_acknowledged_order(&world.journal, *conversation, &records);
    }
    for record in records.iter() {
        judge_record(&world.journal, record, &book);
        for (conversation, entry) in book.entries.iter().filter(|(_, entry)| entry.has(&record.user)) {
            judge_view(&world.journal, record, *conversation, entry);
        }
    }
}

/// One message a place, one place a key, no place empty, and none was stored before its predecessor.
fn judge_places(journal: &Journal, conversation: ConversationId, entry: &Entry) {
    let mut expected = Seq(1);
    let mut stored = StoreTime(0);
    let mut keys: BTreeMap<_, Seq> = BTreeMap::new();
    let about = || [short(conversation)];
    for (seq, kept) in &entry.messages {
        if *seq != expected {
            journal.fail(format!("{}: place {expected} is empty", short(conversation)), about());
        }
        if let Some(other) = keys.insert((&kept.message.sender, &kept.message.key), *seq) {
            let key = &kept.message.key;
            journal.fail(format!("{}: {key} is stored at {other} and at {seq}", short(conversation)), about());
        }
        if stored > kept.stored {
            journal.fail(format!("{}: {seq} was stored before its predecessor", short(conversation)), about());
        }
        stored = kept.stored;
        expected = seq.next();
    }
}

/// What was begun after something else was acknowledged comes after it.
fn judge_acknowledged_order(journal: &Journal, conversation: ConversationId, records: &[Record]) {
    let all = || records.iter().filter_map(|record| record.said.get(&conversation)).flatten();
    let mut begun: Vec<_> = all().filter_map(|said| Some((said.begun?, said.sent?.0, &said.key))).collect();
    let mut sent: Vec<_> = all().filter_map(|said| said.sent).map(|(seq, _, at)| (at, seq)).collect();
    begun.sort();
    sent.sort();
    let mut sent = sent.into_iter().peekable();
    let mut highest = Seq::ZERO;
    for (at, seq, key) in begun {
        while let Some((_, acknowledged)) = sent.next_if(|(acknowledged, _)| *acknowledged < at) {
            highest = highest.max(acknowledged);
        }
        if seq < highest {
            let what = format!("{}: {key} is at {seq} but was begun after {highest}", short(conversation));
            journal.fail(what, [short(conversation)]);
        }
    }
}

/// Everything said is stored as acknowledged, in the order in which it was said; every request was answered.
fn judge_record(journal: &Journal, record: &Record, book: &Book) {
    match record.connected {
        Some(since) if since.elapsed() > Duration::from_secs(60) => {}
        _ => journal.fail(format!("{} is not connected", record.device), [record.device.clone()]),
    }
    if record.waits_since.is_some_and(|since| since.elapsed() > Duration::from_secs(5)) {
        let what = format!("{}: a request has no answer", record.device);
        journal.fail(what, [record.device.clone()]);
    }
    for (conversation, said) in &record.said {
        let mut before = Seq::ZERO;
        for said in said {
            if said.exact.is_some() {
                judge_exact(journal, record, *conversation, said, book);
            }
            let Some((seq, id, _)) = said.sent else {
                if said.refused.is_some() {
                    continue;
                }
                fail(journal, record, *conversation, format!("{} is not acknowledged", said.key));
                continue;
            };
            if seq <= before {
                fail(journal, record, *conversation, format!("{} is at {seq}, after {before}", said.key));
            }
            before = seq;
            let kept = book.entries.get(conversation).and_then(|entry| entry.messages.get(&seq));
            let is_it = |message: &switchboard::model::Message| {
                (&message.key, message.id, &message.text, &message.sender) == (&said.key, id, &said.text, &record.user)
            };
            if !kept.is_some_and(|kept| is_it(&kept.message)) {
                fail(
                    journal,
                    record,
                    *conversation,
                    format!("{} was acknowledged at {seq} but is not there", said.key),
                );
            }
        }
    }
}

/// What must be stored right after a place is stored there, or refused with what is there instead; never both, and never
/// elsewhere.
fn judge_exact(journal: &Journal, record: &Record, conversation: ConversationId, said: &Said, book: &Book) {
    let head = said.exact.unwrap_or_default();
    if let Some((seq, ..)) = said.sent.filter(|(seq, ..)| *seq != head.next()) {
        fail(journal, record, conversation, format!("{} is at {seq}, but was to be right after {head}", said.key));
    }
    let Some((messages, more)) = &said.refused else { return };
    let Some(entry) = book.entries.get(&conversation) else { return };
    let is_it = |kept: &&Kept| kept.message.sender == record.user && kept.message.key == said.key;
    if let Some(kept) = entry.messages.values().find(is_it) {
        let seq = kept.message.seq;
        fail(journal, record, conversation, format!("{} was refused for {head} but is at {seq}", said.key));
    }
    let there = entry.messages.range(head.next()..).map(|(_, kept)| &kept.message);
    if messages.is_empty() && !more || !messages.iter().eq(there.take(messages.len())) {
        let told: Vec<Seq> = messages.iter().map(|message| message.seq).collect();
        fail(journal, record, conversation, format!("{} was refused for {head}, but with {told:?}", said.key));
    }
}

/// A device shows its conversation from where it is owed it to the end. That it does so without a hole and in order was
/// checked with every frame.
fn judge_view(journal: &Journal, record: &Record, conversation: ConversationId, entry: &Entry) {
    let end = entry.messages.keys().next_back().copied().unwrap_or_default();
    let owed_after = base(entry, record);
    let Some(view) = record.views.get(&conversation) else {
        if owed_after < end {
            fail(journal, record, conversation, format!("shows nothing; is owed what is after {owed_after} to {end}"));
        }
        return;
    };
    if view.last != end {
        fail(journal, record, conversation, format!("shows up to {} of {end}", view.last));
    }
    if view.first > owed_after.next() {
        fail(journal, record, conversation, format!("shows from {}; is owed what is after {owed_after}", view.first));
    }
}

/// The place after which a device is owed a conversation: what was stored after it first came.
fn base(entry: &Entry, record: &Record) -> Seq {
    let Some(began) = record.began else { return Seq(u64::MAX) };
    let older = entry.messages.values().filter(|kept| kept.stored < began);
    older.map(|kept| kept.message.seq).max().unwrap_or_default()
}

fn fail(journal: &Journal, record: &Record, conversation: ConversationId, what: String) {
    let about = [short(conversation), record.device.clone()];
    journal.fail(format!("{}: {}: {what}", record.device, short(conversation)), about);
}

impl Entry {
    fn has(&self, user: &UserId) -> bool {
        self.conversation().is_some_and(|conversation| conversation.has(user))
    }
}
