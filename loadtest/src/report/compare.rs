//! Two runs, as ratios: machines are noisy, and what counts is what changed.

use std::fmt::Write as _;
use std::path::Path;

use super::{Report, read};
use crate::Fault;

/// The figures of two reports beside each other, and the second over the first.
///
/// # Errors
/// If one cannot be read.
pub(crate) fn compare(one: &Path, other: &Path) -> Result<String, Fault> {
    let (one, other) = (read(one)?, read(other)?);
    let mut text = format!("{:<46} {:>12} {:>12} {:>8}\n", "", "first", "second", "ratio");
    let second: Vec<_> = figures(&other);
    for (name, before) in figures(&one) {
        let Some((_, after)) = second.iter().find(|(of, _)| *of == name) else { continue };
        let ratio = if before > 0.0 { format!("{:.2}", after / before) } else { "–".to_owned() };
        let _ = writeln!(text, "{name:<46} {before:>12.1} {after:>12.1} {ratio:>8}");
    }
    let said = |report: &Report| if report.passed { "PASS" } else { "FAIL" };
    let _ = writeln!(text, "{:<46} {:>12} {:>12}", "verdict", said(&one), said(&other));
    if one.machine != other.machine {
        let _ = writeln!(text, "\nNot the same machine: {} and {}", one.machine.line(), other.machine.line());
    }
    if (&one.scenario, &one.door) != (&other.scenario, &other.door) {
        let names = [&one.scenario, &one.door, &other.scenario, &other.door];
        let _ =
            writeln!(text, "\nNot the same load: {} over {}, and {} over {}", names[0], names[1], names[2], names[3]);
    }
    Ok(text)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn figures(report: &Report) -> Vec<(String, f64)> {
    let mut figures = Vec::new();
    if let Some(verdict) = &report.verdict {
        figures.push(("received per second".to_owned(), verdict.received as f64 / report.active_seconds()));
        figures.push(("damaged".to_owned(), verdict.damages() as f64));
    }
    for (name, distribution) in report.spans() {
        figures.push((format!("{name}, 50 %, ms"), distribution.p50_ms));
        figures.push((format!("{name}, 99 %, ms"), distribution.p99_ms));
        figures.push((format!("{name}, the slowest, ms"), distribution.max_ms));
    }
    for process in &report.processes {
        if let Some(micros) = process.cpu_micros_per_message {
            figures.push((format!("{}: CPU per message, µs", process.name), micros));
        }
        figures.push((format!("{}: memory, MiB", process.name), process.resident_bytes as f64 / 1_048_576.0));
    }
    figures
}
