//! The results of `loadtest/bench` as a document.

use std::fmt::Write as _;
use std::path::Path;

use super::{Process, Report, read};
use crate::Fault;
use crate::distribution::Distribution;
use crate::latency::Span;

/// A document of all reports in a directory.
///
/// # Errors
/// If one cannot be read, or there is none.
pub(crate) fn document(directory: &Path, commit: &str) -> Result<String, Fault> {
    let mut reports = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            reports.push(read(&path)?);
        }
    }
    let newest = reports.iter().max_by_key(|report| report.ended).ok_or("there is no result yet")?;
    let mut text = format!(
        "# Benchmarks\n\nWritten by `loadtest/bench`; not edited by hand. Figures of one machine, to be compared with its \
         own of another day.\n\n- commit: {commit}\n- date: {}\n- machine: {}\n",
        &super::html::date(newest.ended)[..10],
        newest.machine.line()
    );
    let of = |prefix: &str| {
        let mut chosen: Vec<&Report> = reports.iter().filter(|report| report.title.starts_with(prefix)).collect();
        chosen.sort_by_key(|report| (words(&report.title), number(&report.title)));
        chosen
    };
    talks(&mut text, "Messages between two gateways", &of("rate-"));
    highest(&mut text, &of("next"));
    talks(&mut text, "The same load on one, two and three gateways", &of("nodes-"));
    connections(&mut text, "Idle connections", &of("idle-"));
    connections(&mut text, "Being let in, as fast as it goes", &of("handshakes-"));
    histories(&mut text, &of("history"));
    warnings(&mut text, &reports);
    Ok(text)
}

/// The number at the end of a cell's name, and what is before it.
fn number(title: &str) -> u64 {
    title.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn words(title: &str) -> &str {
    title.trim_end_matches(|c: char| c.is_ascii_digit())
}

fn shown(report: &Report) -> Distribution {
    report.latencies.get(Span::Shown.name()).cloned().unwrap_or_default()
}

/// Microseconds of processor time for each message, of all processes whose names begin so.
fn micros(report: &Report, name: &str) -> f64 {
    let of_name = |process: &&Process| process.name.starts_with(name);
    report.processes.iter().filter(of_name).filter_map(|process| process.cpu_micros_per_message).sum()
}

fn talks(text: &mut String, heading: &str, reports: &[&Report]) {
    if reports.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "\n## {heading}\n\n| | delivered per second | 50 %, ms | 99 %, ms | damaged | gateways, µs | Redis, µs | MongoDB, µs \
         | this tool, µs | |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---|"
    );
    for report in reports {
        let latency = shown(report);
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let rate = latency.count as f64 / f64::max(seconds_of_talk(report), 0.001);
        let _ = writeln!(
            text,
            "| {} | {rate:.0} | {:.1} | {:.1} | {} | {:.0} | {:.0} | {:.0} | {:.0} | {} |",
            report.title,
            latency.p50_ms,
            latency.p99_ms,
            report.verdict.as_ref().map_or(0, crate::judge::Verdict::damages),
            micros(report, "gateway"),
            micros(report, "Redis"),
            micros(report, "MongoDB"),
            micros(report, "this tool"),
            if report.warnings.is_empty() { "" } else { "disturbed" }
        );
    }
    text.push_str("\nµs are of processor time, for each message that was shown.\n");
}

fn seconds_of_talk(report: &Report) -> f64 {
    report.details["seconds"].as_f64().unwrap_or(report.seconds)
}

fn highest(text: &mut String, reports: &[&Report]) {
    for report in reports {
        let rate = report.details["acked_per_second"].as_f64().unwrap_or(0.0);
        let _ = writeln!(
            text,
            "\n**The highest rate of those tried at which 99 of 100 messages were shown within 100 ms: {rate:.0} per second** \
             (99 %: {:.1} ms).",
            shown(report).p99_ms
        );
    }
}

fn connections(text: &mut String, heading: &str, reports: &[&Report]) {
    if reports.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "\n## {heading}\n\n| | connected | per second | let in, 99 %, ms | bytes each | gateway, CPU µs each | failed attempts | |\n\
         |---|---:|---:|---:|---:|---:|---:|---|"
    );
    for report in reports {
        let details = &report.details;
        let connected = details["connected"].as_u64().unwrap_or(0);
        let gateways = report.processes.iter().filter(|process| process.name.starts_with("gateway"));
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let micros = gateways.map(|gateway| gateway.cpu_seconds).sum::<f64>() * 1e6 / connected.max(1) as f64;
        let _ = writeln!(
            text,
            "| {} | {connected} | {:.0} | {:.1} | {} | {micros:.0} | {} | {} |",
            report.title,
            details["per_second"].as_f64().unwrap_or(0.0),
            report.latencies.get(Span::Arrived.name()).map_or(0.0, |arrived| arrived.p99_ms),
            details["bytes_each"][0][1].as_u64().unwrap_or(0),
            details["failed"].as_u64().unwrap_or(0),
            if report.warnings.is_empty() { "" } else { "disturbed" }
        );
    }
}

fn histories(text: &mut String, reports: &[&Report]) {
    for report in reports {
        let page = report.latencies.get(Span::Page.name()).cloned().unwrap_or_default();
        let _ = writeln!(
            text,
            "\n## A long conversation\n\nOf {} messages, a page of 100 anywhere in it: {:.1} ms (50 %), {:.1} ms (99 %). \
             Coming back behind: {:.2} s.",
            report.details["messages"],
            page.p50_ms,
            page.p99_ms,
            report.details["seconds_to_come_back"].as_f64().unwrap_or(0.0)
        );
    }
}

fn warnings(text: &mut String, reports: &[Report]) {
    let mut all: Vec<String> = reports
        .iter()
        .flat_map(|report| report.warnings.iter().map(move |warning| format!("- {}: {warning}", report.title)))
        .collect();
    all.sort();
    if !all.is_empty() {
        let _ = writeln!(text, "\n## What disturbed these figures\n\n{}", all.join("\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_in_the_order_of_their_numbers() {
        let directory = std::env::temp_dir().join(format!("switchboard-bench-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        for title in ["rate-5000", "rate-500", "rate-1000"] {
            let report = Report { title: title.to_owned(), ended: 1_790_000_000_000, ..Report::default() };
            std::fs::write(directory.join(format!("{title}.json")), serde_json::to_vec(&report).unwrap()).unwrap();
        }
        let text = document(&directory, "abc").unwrap();
        let places: Vec<_> =
            ["| rate-500 |", "| rate-1000 |", "| rate-5000 |"].map(|row| text.find(row).unwrap()).to_vec();
        assert!(places.is_sorted(), "{text}");
        assert!(text.contains("- date: 2026-09-21") && text.contains("- commit: abc"));
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
