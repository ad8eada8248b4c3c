//! What one WebSocket may ask of the node, counted in frames and in bytes, below the WebSocket layer: there a flood of
//! empty or tiny frames costs a few nanoseconds each, and is pushed back before anybody else hears of it.
//!
//! Nothing here does I/O or reads a clock.

use std::io;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::limits::{BYTES_BURST, BYTES_PER_SECOND, FRAMES_BURST, FRAMES_PER_SECOND, MESSAGE_WAIT};

/// What every WebSocket of a listener may spend. At the bound its socket is not read until it may go on.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Frames a second, in the long run; 0 counts as 1.
    pub frames_per_second: u32,
    /// Frames at once after a rest.
    pub frames_burst: u32,
    /// Bytes a second, in the long run, frame headers included; 0 counts as 1.
    pub bytes_per_second: u32,
    /// Bytes at once after a rest.
    pub bytes_burst: u32,
    /// How long a message may stay incomplete, counted from the first time that the node waited for the rest of it.
    pub message_wait: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            frames_per_second: FRAMES_PER_SECOND,
            frames_burst: FRAMES_BURST,
            bytes_per_second: BYTES_PER_SECOND,
            bytes_burst: BYTES_BURST,
            message_wait: MESSAGE_WAIT,
        }
    }
}

/// Why a WebSocket is not read any further. Reading then fails with an [`io::Error`] that carries this
/// ([`of`](Self::of) finds it).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// A message was declared longer than is allowed so far.
    #[error("a message is longer than allowed")]
    MessageTooBig,
    /// A message was begun, and its end did not come in time.
    #[error("a message was begun and not finished in time")]
    MessageUnfinished,
}

impl BudgetError {
    /// The budget error in an I/O error, if it is one.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl From<BudgetError> for io::Error {
    fn from(error: BudgetError) -> Self {
        Self::other(error)
    }
}

/// A token bucket, kept as the one number that it needs: when all that was spent will have been earned.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    earned_at: Instant,
}

impl Bucket {
    /// Spends `amount` at `rate` a second, and says how long to rest: not at all while no more than `burst` is owed.
    fn spend(&mut self, amount: u64, rate: u32, burst: u32, now: Instant) -> Duration {
        self.earned_at = self.earned_at.max(now) + earning(amount, rate);
        self.earned_at.saturating_duration_since(now).saturating_sub(earning(u64::from(burst), rate))
    }
}

/// How long it takes to earn `amount` at `rate` a second.
fn earning(amount: u64, rate: u32) -> Duration {
    Duration::from_nanos(amount.saturating_mul(1_000_000_000) / u64::from(rate.max(1)))
}

/// What one WebSocket has spent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spent {
    frames: Bucket,
    bytes: Bucket,
}

impl Spent {
    /// Nothing yet.
    pub(super) fn nothing(now: Instant) -> Self {
        let bucket = Bucket { earned_at: now };
        Self { frames: bucket, bytes: bucket }
    }

    /// Spends these, and says how long the socket must not be read.
    pub(super) fn spend(&mut self, frames: u64, bytes: u64, budget: &Budget, now: Instant) -> Duration {
        let for_frames = self.frames.spend(frames, budget.frames_per_second, budget.frames_burst, now);
        let for_bytes = self.bytes.spend(bytes, budget.bytes_per_second, budget.bytes_burst, now);
        for_frames.max(for_bytes)
    }
}

/// The longest part of a frame header that matters here: two bytes and a 64-bit length. The mask is skipped with the
/// payload.
const HEADER_BYTES: usize = 10;
const MASK_BYTES: u64 = 4;

/// Reads the headers of the frames that pass, and nothing else. Frames that break the protocol are left to the
/// WebSocket layer, which gets the same bytes.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: [u8; HEADER_BYTES],
    header_len: u8,
    /// Whether the frame that passes ends its message, and is no control frame.
    ends_message: bool,
    /// Bytes of the frame that passes which are still to come.
    ahead: u64,
    /// Bytes of the message that passes, by what its frames declared so far.
    message: Option<u64>,
}

impl Frames {
    /// The length of the message that passes, as far as it was declared; 0 between two messages.
    pub(super) fn message_bytes(&self) -> u64 {
        self.message.unwrap_or(0)
    }

    /// Whether a frame or a message was begun and has not ended.
    pub(super) fn is_within_message(&self) -> bool {
        self.message.is_some() || self.ahead > 0 || self.header_len > 0
    }

    /// Looks at the bytes that come next, and says how many frames began in them.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) -> u64 {
        let mut frames = 0;
        while let [first, rest @ ..] = bytes {
            if self.ahead > 0 {
                bytes = self.skip(bytes);
                continue;
            }
            self.header[usize::from(self.header_len)] = *first;
            self.header_len += 1;
            bytes = rest;
            if usize::from(self.header_len) == self.header_bytes() {
                self.begin_frame();
                frames += 1;
            }
        }
        frames
    }

    /// Lets bytes of the current frame pass, and returns those behind it.
    fn skip<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let step = usize::try_from(self.ahead).map_or(bytes.len(), |ahead| ahead.min(bytes.len()));
        self.ahead -= step as u64;
        self.end_frame();
        &bytes[step..]
    }

    /// How long the header is that is being read, as far as it is known.
    fn header_bytes(&self) -> usize {
        match (self.header_len, self.header[1] & 0x7f) {
            (0 | 1, _) => 2,
            (_, 127) => 10,
            (_, 126) => 4,
            _ => 2,
        }
    }

    fn begin_frame(&mut self) {
        let (first, second) = (self.header[0], self.header[1]);
        let is_control = first & 0x08 != 0;
        let payload = self.payload_bytes();
        if !is_control {
            self.message = Some(self.message_bytes().saturating_add(payload));
        }
        self.header_len = 0;
        self.ends_message = !is_control && first & 0x80 != 0;
        self.ahead = payload.saturating_add(if second & 0x80 == 0 { 0 } else { MASK_BYTES });
        self.end_frame();
    }

    fn end_frame(&mut self) {
        if self.ahead == 0 && self.ends_message {
            self.message = None;
        }
    }

    fn payload_bytes(&self) -> u64 {
        let [_, short, rest @ ..] = self.header;
        let [a, b, ..] = rest;
        match short & 0x7f {
            127 => u64::from_be_bytes(rest),
            126 => u64::from(u16::from_be_bytes([a, b])),
            short => u64::from(short),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: u8 = 0x81;
    const TEXT_BEGUN: u8 = 0x01;
    const CONTINUED: u8 = 0x00;
    const CONTINUED_END: u8 = 0x80;
    const PING: u8 = 0x89;

    /// A frame as a client sends it, its length written in the shortest way.
    fn frame(first: u8, payload: usize) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload {
            0..126 => bytes.push(0x80 | payload as u8),
            126..65_536 => {
                bytes.push(0x80 | 126);
                bytes.extend((payload as u16).to_be_bytes());
            }
            _ => {
                bytes.push(0x80 | 127);
                bytes.extend((payload as u64).to_be_bytes());
            }
        }
        bytes.extend([0x5a; MASK_BYTES as usize]);
        bytes.extend(std::iter::repeat_n(0xff, payload));
        bytes
    }

    #[test]
    fn frames_are_counted_however_they_are_cut() {
        let frames: Vec<Vec<u8>> =
            [(TEXT, 0), (TEXT, 1), (PING, 125), (TEXT, 126), (TEXT, 4_000), (TEXT_BEGUN, 3), (PING, 0), (CONTINUED, 0)]
                .into_iter()
                .chain([(CONTINUED_END, 70_000), (TEXT, 65_535), (TEXT, 65_536)])
                .map(|(first, payload)| frame(first, payload))
                .collect();
        let stream = frames.concat();
        for step in [1, 2, 3, 5, 7, 13, 1_024, stream.len()] {
            let mut meter = Frames::default();
            let counted: u64 = stream.chunks(step).map(|chunk| meter.pass(chunk)).sum();
            assert_eq!(counted, frames.len() as u64, "cut every {step} bytes");
            assert!(!meter.is_within_message());
        }
    }

    #[test]
    fn a_message_is_open_from_its_first_byte_to_its_last() {
        let mut meter = Frames::default();
        let mut pass = |bytes: &[u8]| {
            meter.pass(bytes);
            meter.is_within_message()
        };
        let whole = frame(TEXT, 5);
        assert!(!pass(&whole));
        assert!(pass(&whole[..1]), "one byte of a header");
        assert!(pass(&whole[1..whole.len() - 1]), "all but one byte");
        assert!(!pass(&whole[whole.len() - 1..]));
        assert!(pass(&frame(TEXT_BEGUN, 0)));
        assert!(pass(&frame(CONTINUED, 0)));
        assert!(pass(&frame(PING, 0)), "a ping inside does not end it");
        assert!(!pass(&frame(CONTINUED_END, 0)));
    }

    #[test]
    fn a_message_is_as_long_as_its_frames_declare() {
        let declared = |payload: u64| [&[TEXT, 0x80 | 127][..], &payload.to_be_bytes()].concat();
        for payload in [1, 65_537, 1 << 32, 1 << 62, u64::MAX] {
            let mut meter = Frames::default();
            meter.pass(&frame(TEXT, 5));
            assert_eq!(meter.message_bytes(), 0);
            meter.pass(&declared(payload));
            assert_eq!(meter.message_bytes(), payload, "known from the header");
        }
        let mut meter = Frames::default();
        meter.pass(&frame(TEXT_BEGUN, 600));
        meter.pass(&frame(PING, 100));
        meter.pass(&frame(CONTINUED, 400));
        assert_eq!(meter.message_bytes(), 1_000);
        meter.pass(&declared(u64::MAX));
        assert_eq!(meter.message_bytes(), u64::MAX, "no sum is too large");
    }

    #[test]
    fn a_bucket_allows_a_burst_and_then_its_rate() {
        let start = Instant::now();
        let mut bucket = Bucket { earned_at: start };
        let mut spend = |amount, at: u64| bucket.spend(amount, 200, 400, start + Duration::from_millis(at)).as_millis();
        assert_eq!(spend(400, 0), 0);
        assert_eq!(spend(1, 0), 5);
        assert_eq!(spend(1, 5), 5);
        assert_eq!(spend(200, 10), 1_000);
        assert_eq!(spend(0, 1_010), 0);
        assert_eq!(spend(400, 60_000), 0, "a long rest earns one burst");
        assert_eq!(spend(400, 60_000), 2_000, "and not two");
    }

    #[test]
    fn no_number_is_too_large_for_a_bucket() {
        let now = Instant::now();
        let mut bucket = Bucket { earned_at: now };
        let rest = bucket.spend(u64::MAX, 0, u32::MAX, now);
        assert!(rest > Duration::ZERO);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived_and_cut_anywhere_mean_the_same(
            bytes in proptest::collection::vec(any::<u8>(), 0..600),
            cut in 0..600_usize,
        ) {
            let mut whole = Frames::default();
            let at_once = whole.pass(&bytes);
            let (left, right) = bytes.split_at(cut.min(bytes.len()));
            let mut halves = Frames::default();
            prop_assert_eq!(at_once, halves.pass(left) + halves.pass(right));
            prop_assert_eq!(whole.message_bytes(), halves.message_bytes());
            prop_assert_eq!(whole.is_within_message(), halves.is_within_message());
        }
    }
}
