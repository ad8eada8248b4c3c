//! How far a run has come: one line that is always true on a terminal, a plain line now and then elsewhere.

use std::io::{IsTerminal, Write, stderr};

use super::timeline::Point;
use crate::world::{World, get};

/// Seconds between two plain lines.
const PLAIN_PERIOD: u64 = 5;
/// Goes to the beginning of the line and empties it.
const CLEAR: &str = "\r\x1b[2K";

pub(super) struct Progress {
    on_terminal: bool,
    seconds: u64,
}

impl Progress {
    pub(super) fn begin() -> Self {
        Self { on_terminal: stderr().is_terminal(), seconds: 0 }
    }

    /// A second has passed.
    pub(super) fn show(&mut self, world: &World, point: &Point) {
        self.seconds += 1;
        let line = describe(self.seconds, world, point);
        // Whoever closed the terminal does not want to read it.
        if self.on_terminal {
            let _ = write!(stderr(), "{CLEAR}{line}").and_then(|()| stderr().flush());
        } else if self.seconds.is_multiple_of(PLAIN_PERIOD) {
            let _ = writeln!(stderr(), "{line}");
        }
    }

    pub(super) fn end(&self) {
        if self.on_terminal {
            let _ = write!(stderr(), "{CLEAR}");
        }
    }
}

/// A line of its own, above the one that shows progress.
pub(crate) fn say(text: &str) {
    let clear = if stderr().is_terminal() { CLEAR } else { "" };
    let _ = writeln!(stderr(), "{clear}{text}");
}

fn describe(seconds: u64, world: &World, point: &Point) -> String {
    let counters = &world.counters;
    let mut line = format!("{seconds:>5} s  {:>6} connected", point.connected);
    let expected = get(&counters.expected);
    if expected > 0 {
        line += &format!(" of {expected}");
    }
    let ordered = get(&counters.ordered);
    if ordered > 0 {
        line += &format!("  {:>6}/s sent  {:>6}/s shown  {:>5} in flight", point.sent, point.shown, point.in_flight);
    }
    if point.latency.count > 0 {
        line += &format!("  p50 {:.1}  p99 {:.1} ms", point.latency.p50_ms, point.latency.p99_ms);
    }
    let (refused, lost) = (get(&counters.refused), get(&counters.lost));
    line += &format!("  {refused} refused  {lost} cut off  {} damaged", world.witness.damages());
    let left = get(&counters.planned).saturating_sub(ordered);
    if ordered > 0 && left > 0 && point.sent > 0 {
        line += &format!("  {} s left", left / point.sent);
    }
    line
}
