//! What sessions count.

use metrics::{Counter, Histogram, counter, describe_counter};

use super::Entrance;
use crate::delivery::Way;
use crate::model::{Code, Timestamp};
use crate::wire::Close;

/// On which paths messages come to sockets: to a session that was not there when it was accepted; from the bus; from the
/// store, because the bus did not bring it, or not in its turn; and to who sent it.
const PATHS: [&str; 4] = ["resumed", "bus", "store", "sender"];
/// How greetings end: well, with a refusal, or with a connection that is lost.
const OUTCOMES: [&str; 3] = ["welcomed", "refused", "lost"];

/// Kept handles.
#[derive(Clone)]
pub struct Metrics {
    refusals: [Counter; Code::ALL.len()],
    closes: [Counter; Close::ALL.len()],
    written: [Histogram; PATHS.len()],
    handshakes: [[Counter; OUTCOMES.len()]; Entrance::ALL.len()],
    /// Sessions that were authenticated.
    pub(super) welcomed: Counter,
    /// Of those, the ones that continued an earlier session.
    pub(super) resumed: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Registers them, so that each exists from the start.
    #[must_use]
    pub fn new() -> Self {
        describe_counter!("switchboard_refusals_total", "Requests that were refused, by code");
        describe_counter!(
            "switchboard_handshakes_total",
            "Sessions that were to begin, by door and by what came of it"
        );
        describe_counter!("switchboard_closes_total", "Connections that this node closed, by close code");
        describe_counter!(
            "switchboard_welcomes_total",
            "Sessions that were authenticated, by whether they continued one"
        );
        Self {
            refusals: Code::ALL.map(|code| counter!("switchboard_refusals_total", "code" => code.name())),
            closes: Close::ALL.map(|close| counter!("switchboard_closes_total", "code" => close.code().to_string())),
            written: PATHS
                .map(|path| metrics::histogram!("switchboard_stage_seconds", "stage" => "written", "path" => path)),
            handshakes: Entrance::ALL.map(|entrance| {
                OUTCOMES.map(
                    |outcome| counter!("switchboard_handshakes_total", "door" => entrance.name(), "outcome" => outcome),
                )
            }),
            welcomed: counter!("switchboard_welcomes_total", "resumed" => "no"),
            resumed: counter!("switchboard_welcomes_total", "resumed" => "yes"),
        }
    }

    /// A request was refused.
    pub fn refused(&self, code: Code) {
        if let Some(index) = Code::ALL.iter().position(|each| *each == code) {
            self.refusals[index].increment(1);
        }
    }

    /// A connection is being closed.
    pub fn closed(&self, close: Close) {
        if let Some(index) = Close::ALL.iter().position(|each| *each == close) {
            self.closes[index].increment(1);
        }
    }

    /// A session was, or was not, authenticated at this door; in the second case, how the connection ends.
    pub(super) fn shook_hands(&self, entrance: Entrance, refused: Option<&Option<Close>>) {
        let outcome = match refused {
            None => 0,
            Some(Some(_)) => 1,
            Some(None) => 2,
        };
        self.handshakes[entrance as usize][outcome].increment(1);
    }

    /// A frame that carries a message was handed to the socket of a session that began then. As true as the two nodes'
    /// clocks.
    pub(super) fn written(&self, (accepted, way): (Timestamp, Way), began: Timestamp, now: Timestamp) {
        let path = match way {
            _ if accepted < began => 0,
            Way::Bus => 1,
            Way::Store => 2,
            Way::Answer => 3,
        };
        self.written[path].record(std::time::Duration::from_millis(now.0.saturating_sub(accepted.0)));
    }
}
