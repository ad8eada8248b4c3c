//! One conversation: who wrote what, and how far each device has come. What is settled is forgotten, so that a run may
//! last for days.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use switchboard::model::{Seq, UserId};

use super::record::Device;
use super::verdict::{Damage, Verdict};

/// Settled messages of one writer that are remembered, so that a second acknowledgement of one is seen: more than a
/// client has under way.
const SETTLED_KEPT: u64 = 128;

/// A conversation.
#[derive(Debug, Default)]
pub(super) struct Room {
    places: HashMap<Device, usize>,
    echoes: bool,
    /// The highest place that each device showed.
    highest: Vec<Seq>,
    writers: BTreeMap<UserId, Writer>,
}

/// Somebody who writes there.
#[derive(Debug, Default)]
struct Writer {
    /// The number of their last message; they count up.
    sent: u64,
    /// How many messages that is.
    count: u64,
    /// Devices that are owed them.
    readers: usize,
    /// Messages that are not settled yet, and the last ones that are.
    open: BTreeMap<u64, Open>,
    /// What each device showed of them.
    views: Vec<View>,
}

#[derive(Debug, Default, Clone)]
struct View {
    /// The highest number shown.
    latest: u64,
    /// Those below it that were not.
    holes: BTreeSet<u64>,
}

#[derive(Debug, Default)]
struct Open {
    acked: Option<Seq>,
    shown: Option<Seq>,
    /// Devices that showed it.
    seen: usize,
}

/// A message on a device.
pub(super) struct Sight<'a> {
    pub(super) device: &'a Device,
    pub(super) from: &'a UserId,
    pub(super) number: Option<u64>,
    pub(super) seq: Seq,
}

impl Room {
    /// Lets devices in that look at it; `echoes` if those of a writer are owed what they write on another one.
    pub(super) fn admit(&mut self, devices: &[Device], echoes: bool) {
        self.echoes = echoes;
        for device in devices {
            let next = self.places.len();
            self.places.entry(device.clone()).or_insert(next);
        }
        self.highest.resize(self.places.len(), Seq::ZERO);
        for (user, writer) in &mut self.writers {
            // Who comes later is owed what comes later.
            let now = View { latest: writer.sent, ..View::default() };
            writer.views.resize(self.places.len(), now);
            writer.readers = self.places.keys().filter(|device| owes(device, user, echoes)).count();
        }
    }

    pub(super) fn sent(&mut self, user: &UserId, number: u64) {
        let (places, echoes) = (&self.places, self.echoes);
        let writer = self.writers.entry(user.clone()).or_insert_with(|| Writer {
            // Somebody may go on where they were.
            views: vec![View { latest: number.saturating_sub(1), ..View::default() }; places.len()],
            readers: places.keys().filter(|device| owes(device, user, echoes)).count(),
            ..Writer::default()
        });
        writer.count += 1;
        writer.sent = writer.sent.max(number);
        writer.open.insert(number, Open::default());
        while let Some(first) = writer.open.first_entry() {
            let is_settled = first.get().acked.is_some() && first.get().seen >= writer.readers;
            if !is_settled || first.key().saturating_add(SETTLED_KEPT) > number {
                break;
            }
            first.remove();
        }
    }

    pub(super) fn acked(&mut self, user: &UserId, number: u64, seq: Seq, verdict: &mut Verdict) {
        let writer = self.writers.get_mut(user);
        let Some(open) = writer.and_then(|writer| writer.open.get_mut(&number)) else { return };
        let what = || format!("message {number} of {} at place {}", user.as_str(), seq.0);
        match open.acked {
            Some(first) if first != seq => {
                verdict.find(Damage::Doubled, || format!("{} was acknowledged at place {} before", what(), first.0));
            }
            Some(_) => {}
            None => {
                open.acked = Some(seq);
                verdict.acked += 1;
                if let Some(shown) = open.shown.filter(|shown| *shown != seq) {
                    let text = || format!("{} as acknowledged, shown at place {}", what(), shown.0);
                    verdict.find(Damage::Misplaced, text);
                }
            }
        }
    }

    /// Answers whether it was owed to this device, and shown for the first time.
    pub(super) fn shown(&mut self, sight: &Sight<'_>, verdict: &mut Verdict) -> bool {
        let what = || sight.describe();
        let place = self.places.get(sight.device).copied();
        let is_owed = owes(sight.device, sight.from, self.echoes);
        let writer = self.writers.get_mut(sight.from).filter(|_| is_owed);
        let number = sight.number.filter(|number| *number > 0);
        let (Some(place), Some(writer), Some(number)) = (place, writer, number) else {
            verdict.find(Damage::Foreign, what);
            return false;
        };
        if number > writer.sent {
            verdict.find(Damage::Foreign, what);
            return false;
        }
        let view = &mut writer.views[place];
        let is_behind = number < view.latest;
        if number > view.latest {
            view.holes.extend(view.latest + 1..number);
            view.latest = number;
        } else if !view.holes.remove(&number) {
            verdict.find(Damage::Doubled, || format!("{} once more", what()));
            return false;
        }
        verdict.received += u64::from(!sight.device.is_archive());
        let highest = &mut self.highest[place];
        if is_behind || sight.seq < *highest {
            verdict.find(Damage::OutOfOrder, || format!("{} behind place {}", what(), highest.0));
        } else if sight.seq == *highest {
            verdict.find(Damage::Misplaced, || format!("{}, where another message is", what()));
        }
        *highest = sight.seq.max(*highest);
        if let Some(open) = writer.open.get_mut(&number) {
            open.seen += 1;
            let known = open.acked.or(open.shown);
            if let Some(known) = known.filter(|known| *known != sight.seq) {
                verdict.find(Damage::Misplaced, || format!("{}, elsewhere at place {}", what(), known.0));
            }
            open.shown.get_or_insert(sight.seq);
        }
        true
    }

    /// Everything there was: what is missing now is missing for good.
    pub(super) fn close(self, verdict: &mut Verdict) {
        for (user, writer) in &self.writers {
            verdict.sent += writer.count;
            for (number, open) in &writer.open {
                let what = format!("message {number} of {}", user.as_str());
                let Some(seq) = open.acked else {
                    verdict.find(Damage::Unacknowledged, || what);
                    continue;
                };
                for (device, place) in &self.places {
                    let view = &writer.views[*place];
                    let is_missing = *number > view.latest || view.holes.contains(number);
                    if is_missing && owes(device, user, self.echoes) {
                        verdict.find(Damage::Lost, || match device.is_archive() {
                            false => format!("{what}, acknowledged at place {}, never shown to {device}", seq.0),
                            true => format!("{what}, acknowledged at place {}, not kept by the server", seq.0),
                        });
                    }
                }
            }
        }
    }
}

/// Whether a device is owed what this user writes.
fn owes(device: &Device, writer: &UserId, echoes: bool) -> bool {
    device.user != *writer || device.is_archive() || (echoes && device.number != 1)
}

impl Sight<'_> {
    fn describe(&self) -> String {
        let number = self.number.map_or_else(|| "that nobody wrote".to_owned(), |number| number.to_string());
        format!("message {number} of {} on {} at place {}", self.from.as_str(), self.device, self.seq.0)
    }
}
