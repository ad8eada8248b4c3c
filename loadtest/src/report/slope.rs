//! What grew over a run, by a straight line through its points: only a long run says something.

use super::{Findings, Report};
use crate::watch::Point;

/// The share of a run, at its beginning, in which caches fill: it is left out.
const WARM_UP_SHARE: f64 = 0.2;
/// Fewer points say nothing.
const POINTS_MIN: usize = 10;

/// Bounds of growth in an hour; 0 is none.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bounds {
    pub(crate) memory_kib: u64,
    pub(crate) files: u64,
}

impl Report {
    /// Says what grew, and fails if a watched process grew too much.
    pub(crate) fn judge_slopes(&mut self, bounds: Bounds) {
        let mut found = Findings::default();
        if let Some(ms) = self.slope(|point| (point.latency.count > 0).then_some(point.latency.p99_ms)) {
            found.table.row("latency, 99 %: ms more in an hour", format!("{ms:+.1}"));
        }
        for (index, process) in self.processes.iter().enumerate() {
            let usage = |point: &Point| point.usage.get(index).copied().flatten();
            #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
            let memory = self.slope(|point| usage(point).map(|usage| usage.resident_bytes as f64 / 1_024.0));
            #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
            let files = self.slope(|point| usage(point).map(|usage| usage.files as f64));
            let all = [("KiB of memory", memory, bounds.memory_kib), ("open files", files, bounds.files)];
            for (what, slope, bound) in all {
                let Some(slope) = slope else { continue };
                found.table.row(format!("{}: {what} more in an hour", process.name), format!("{slope:+.0}"));
                // This tool keeps what it has seen: it is not judged.
                #[expect(clippy::cast_precision_loss, reason = "a bound is far below 2^52")]
                let is_within = index == 0 || bound == 0 || slope <= bound as f64;
                found
                    .demand(is_within, format!("{}: {slope:.0} {what} more in an hour, and not {bound}", process.name));
            }
        }
        self.table.0.append(&mut found.table.0);
        self.passed &= found.reasons.is_empty();
        self.reasons.append(&mut found.reasons);
    }

    /// Growth in an hour, of what a point says.
    fn slope(&self, value: impl Fn(&Point) -> Option<f64>) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let (each, count) = (self.timeline.seconds_each as f64, self.timeline.points.len() as f64);
        let warm = count * WARM_UP_SHARE;
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let points = self.timeline.points.iter().enumerate().filter_map(|(index, point)| {
            let index = index as f64;
            (index >= warm).then_some((index * each / 3_600.0, value(point)?))
        });
        line_through(&points.collect::<Vec<_>>())
    }
}

/// The slope of the straight line that is nearest to all points.
fn line_through(points: &[(f64, f64)]) -> Option<f64> {
    if points.len() < POINTS_MIN {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let count = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let (mut over, mut under) = (0.0, 0.0);
    for (x, y) in points {
        over += (x - mean_x) * (y - mean_y);
        under += (x - mean_x).powi(2);
    }
    (under > 0.0).then(|| over / under)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_is_what_grows_in_an_hour() {
        let noisy = |index: u32| 100.0 + 3.0 * f64::from(index) + if index.is_multiple_of(2) { 5.0 } else { -5.0 };
        let points: Vec<_> = (0..200).map(|index| (f64::from(index), noisy(index))).collect();
        let slope = line_through(&points).unwrap();
        assert!((slope - 3.0).abs() < 0.05, "{slope}");
        assert_eq!(line_through(&points[..9]), None);
    }

    #[test]
    fn a_process_that_grows_is_a_reason_to_fail() {
        use crate::watch::{Timeline, Usage};
        let mut report = Report { passed: true, timeline: Timeline::new(), ..Report::default() };
        report.processes = vec![super::super::Process::default(), super::super::Process::default()];
        for second in 0..300_u64 {
            let usage = Usage { resident_bytes: second * 4_096, ..Usage::default() };
            report.timeline.push(Point { usage: vec![Some(usage), Some(usage)], ..Point::default() });
        }
        report.judge_slopes(Bounds { memory_kib: 20_000, files: 1 });
        assert!(report.passed, "{:?}", report.reasons);
        report.judge_slopes(Bounds { memory_kib: 10_000, files: 1 });
        assert_eq!(report.reasons.len(), 1, "only the watched one: {:?}", report.reasons);
        assert!(!report.passed);
    }
}
