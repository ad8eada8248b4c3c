//! Whose turn it is to show a sign of life, without a clock of its own.

use std::time::Duration;

use tokio::time::Instant;

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// The server's ping.
    Ping,
    /// The end: the client did not answer.
    Death,
}

/// Between two pings, or between a ping and its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heartbeat {
    interval: Duration,
    timeout: Duration,
    at: Instant,
    is_asked: bool,
}

impl Heartbeat {
    pub(super) fn new(interval: Duration, timeout: Duration, now: Instant) -> Self {
        Self { interval, timeout, at: now + interval, is_asked: false }
    }

    /// When something is due next.
    pub(super) fn at(&self) -> Instant {
        self.at
    }

    /// What is due now. A ping is asked for once.
    pub(super) fn due(&mut self, now: Instant) -> Option<Due> {
        if now < self.at {
            return None;
        }
        if self.is_asked {
            return Some(Due::Death);
        }
        self.is_asked = true;
        // From the time at which it was due: nobody gets longer because we were late.
        self.at += self.timeout;
        if now >= self.at {
            self.at = now + self.timeout;
        }
        Some(Due::Ping)
    }

    /// Whether the client owes an answer for too long.
    pub(super) fn is_dead(&self, now: Instant) -> bool {
        self.is_asked && now >= self.at
    }

    /// The client answered. An answer that nobody asked for changes nothing.
    pub(super) fn pong(&mut self, now: Instant) {
        if self.is_asked {
            self.is_asked = false;
            self.at = now + self.interval;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pings_alternate_with_answers_or_end_it() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut beat = Heartbeat::new(Duration::from_millis(300), Duration::from_millis(200), start);
        beat.pong(at(10));
        assert_eq!((beat.due(at(299)), beat.due(at(301)), beat.due(at(301))), (None, Some(Due::Ping), None));
        assert_eq!(beat.at(), at(500), "counted from when it was due");
        beat.pong(at(350));
        assert_eq!((beat.at(), beat.due(at(500))), (at(650), None));
        assert_eq!(beat.due(at(900)), Some(Due::Ping));
        assert!(!beat.is_dead(at(1_099)), "a late ping still leaves time to answer");
        assert!(beat.is_dead(at(1_100)) && beat.due(at(1_100)) == Some(Due::Death));
    }
}
