//! Reports of the processes that shared one run, as one.

use std::path::PathBuf;

use super::{Report, read};
use crate::Fault;

/// Adds reports up: counts and histograms exactly.
///
/// # Errors
/// If one cannot be read, or is of another run.
pub(crate) fn merge(paths: &[PathBuf]) -> Result<Report, Fault> {
    let mut reports = paths.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?.into_iter();
    let mut sum = reports.next().ok_or("name the reports to merge")?;
    for report in reports {
        if (&report.scenario, report.seed) != (&sum.scenario, sum.seed) {
            return Err("these reports are not of one run: another scenario, or another --seed".into());
        }
        sum.add(report);
    }
    sum.table.0.clear();
    if let Some(verdict) = &sum.verdict {
        sum.table = super::Findings::judged(verdict.clone()).table;
    }
    sum.add_usual_rows();
    Ok(sum)
}

impl Report {
    fn add(&mut self, other: Self) {
        self.passed &= other.passed;
        self.ended = self.ended.max(other.ended);
        self.seconds = self.seconds.max(other.seconds);
        self.reasons.extend(other.reasons);
        self.warnings.extend(other.warnings);
        match (&mut self.verdict, other.verdict) {
            (Some(verdict), Some(other)) => verdict.add(other),
            (own, other) => *own = own.take().or(other),
        }
        for (name, distribution) in other.latencies {
            self.latencies.entry(name).or_default().add(&distribution);
        }
        let shown = super::all_shown(self.verdict.as_ref(), &self.latencies);
        if let (Some(own), Some(other)) = (self.processes.first_mut(), other.processes.first()) {
            own.cpu_seconds += other.cpu_seconds;
            own.resident_bytes += other.resident_bytes;
            own.files += other.files;
        }
        for process in &mut self.processes {
            #[expect(clippy::cast_precision_loss, reason = "figures for people")]
            let per_message = (shown > 0).then(|| process.cpu_seconds * 1e6 / shown as f64);
            process.cpu_micros_per_message = per_message;
        }
        self.timeline.add(other.timeline);
    }
}
