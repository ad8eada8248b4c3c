//! A run over time, in at most a few hundred points however long it is: when there are too many, two become one.

use serde::{Deserialize, Serialize};

use super::process::Usage;
use crate::distribution::Distribution;

/// Points of a timeline; at the bound, each two become one.
const POINTS_MAX: usize = 600;

/// A run over time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Timeline {
    /// How long a point is.
    pub(crate) seconds_each: u64,
    pub(crate) points: Vec<Point>,
    /// Points of which the last one is made up so far.
    #[serde(skip)]
    pending: u64,
}

/// What happened in a stretch of time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Point {
    pub(crate) sent: u64,
    pub(crate) acked: u64,
    pub(crate) shown: u64,
    pub(crate) refused: u64,
    pub(crate) lost_connections: u64,
    /// At its end.
    pub(crate) connected: u64,
    pub(crate) in_flight: u64,
    /// What was shown in it.
    pub(crate) latency: Distribution,
    /// At its end, in the order of the report's processes.
    pub(crate) usage: Vec<Option<Usage>>,
}

impl Timeline {
    pub(crate) fn new() -> Self {
        Self { seconds_each: 1, ..Self::default() }
    }

    /// A second more.
    pub(crate) fn push(&mut self, point: Point) {
        if self.pending > 0
            && let Some(last) = self.points.last_mut()
        {
            last.join(point);
        } else {
            self.points.push(point);
        }
        self.pending = (self.pending + 1) % self.seconds_each;
        if self.pending == 0 && self.points.len() >= POINTS_MAX {
            self.halve();
        }
    }

    fn halve(&mut self) {
        let mut halved: Vec<Point> = Vec::new();
        for (index, point) in std::mem::take(&mut self.points).into_iter().enumerate() {
            match halved.last_mut() {
                Some(last) if index % 2 == 1 => last.join(point),
                _ => halved.push(point),
            }
        }
        self.points = halved;
        self.seconds_each *= 2;
    }

    /// Adds what another process of the same run saw.
    pub(crate) fn add(&mut self, mut other: Self) {
        while self.seconds_each < other.seconds_each {
            self.halve();
        }
        while other.seconds_each < self.seconds_each {
            other.halve();
        }
        for (index, point) in other.points.into_iter().enumerate() {
            match self.points.get_mut(index) {
                Some(own) => own.add(&point),
                None => self.points.push(point),
            }
        }
    }
}

impl Point {
    /// The stretch that follows becomes part of this one.
    fn join(&mut self, next: Self) {
        let usage = std::mem::take(&mut self.usage);
        self.add(&next);
        (self.connected, self.in_flight) = (next.connected, next.in_flight);
        self.usage = if next.usage.is_empty() { usage } else { next.usage };
    }

    fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.acked += other.acked;
        self.shown += other.shown;
        self.refused += other.refused;
        self.lost_connections += other.lost_connections;
        self.connected += other.connected;
        self.in_flight += other.in_flight;
        self.latency.add(&other.latency);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_has_few_points_and_loses_nothing() {
        let mut timeline = Timeline::new();
        for second in 0..10_000 {
            timeline.push(Point { sent: 1, connected: second, ..Point::default() });
        }
        assert!(timeline.points.len() < POINTS_MAX, "{}", timeline.points.len());
        assert_eq!(timeline.points.iter().map(|point| point.sent).sum::<u64>(), 10_000);
        assert_eq!(timeline.points.last().unwrap().connected, 9_999);
        assert_eq!(timeline.seconds_each, 32);
        let full = &timeline.points[..timeline.points.len() - 1];
        assert!(full.iter().all(|point| point.sent == 32), "each is as long as the others");
    }

    #[test]
    fn processes_of_one_run_add_up() {
        let second = |sent| Point { sent, connected: 5, ..Point::default() };
        let (mut one, mut other) = (Timeline::new(), Timeline::new());
        one.push(second(1));
        other.push(second(2));
        other.push(second(3));
        one.add(other);
        assert_eq!(one.points.iter().map(|point| (point.sent, point.connected)).collect::<Vec<_>>(), [(3, 10), (3, 5)]);
    }
}
