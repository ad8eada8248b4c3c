//! The results of `loadtest/bench` as a document.

use std::fmt::Write as _;

use super::results::Results;
use super::{Process, Report, all_shown};
use crate::distribution::Distribution;
use crate::latency::Span;

/// A document of all results.
pub(crate) fn document(results: &Results, commit: &str) -> String {
    let mut text = format!(
        "# Benchmarks\n\nWritten by `loadtest/bench`; not edited by hand. Figures of one machine, to be compared with \
         its own of another day.\n\n- commit: {commit}\n- date: {}\n- machine: {}\n",
        results.day(),
        results.machine().line()
    );
    let of = |prefix: &str| results.of(prefix).collect::<Vec<_>>();
    talks(&mut text, "Messages between two gateways", &of("rate-"));
    highest(&mut text, &of("next"));
    fan_outs(&mut text, &of("fanout-"));
    talks(&mut text, "The same load on one, two and three gateways", &of("nodes-"));
    talks(&mut text, "The same load over so many conversations", &of("conversations-"));
    talks(&mut text, "The same load beside so many messages of before", &of("kept-"));
    connections(&mut text, "Idle connections", &of("idle-"));
    connections(&mut text, "Being let in, as fast as it goes", &of("handshakes-"));
    histories(&mut text, &of("history"));
    warnings(&mut text, results);
    text
}

pub(super) fn shown(report: &Report) -> Distribution {
    report.latencies.get(Span::Shown.name()).cloned().unwrap_or_default()
}

/// Microseconds of processor time for each message, of all processes whose names begin so.
pub(super) fn micros(report: &Report, name: &str) -> f64 {
    let of_name = |process: &&Process| process.name.starts_with(name);
    report.processes.iter().filter(of_name).filter_map(|process| process.cpu_micros_per_message).sum()
}

/// What was lost, doubled and so on; being late is no damage here, it is a result.
fn damaged(report: &Report) -> u64 {
    report.verdict.as_ref().map_or(0, |verdict| verdict.damages() - verdict.late)
}

fn mark(report: &Report) -> &'static str {
    if report.warnings.is_empty() { "" } else { "disturbed" }
}

/// The gateways', Redis's, MongoDB's and this tool's, for each message that was shown; and how much of the machine this
/// tool had.
const CPU_COLUMNS: &str = "gateways, µs | Redis, µs | MongoDB, µs | this tool, µs | |";

fn cpu(report: &Report) -> String {
    let of = |name| micros(report, name);
    let (gateways, redis, mongodb) = (of("gateway"), of("Redis"), of("MongoDB"));
    format!("{gateways:.0} | {redis:.0} | {mongodb:.0} | {:.0} | {} |", of("this tool"), mark(report))
}

fn talks(text: &mut String, heading: &str, reports: &[&Report]) {
    if reports.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "\n## {heading}\n\n| | delivered per second | 50 %, ms | 99 %, ms | damaged | {CPU_COLUMNS}\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---|"
    );
    for report in reports {
        let latency = shown(report);
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let rate =
            all_shown(report.verdict.as_ref(), &report.latencies) as f64 / f64::max(seconds_of_talk(report), 0.001);
        let (p50, p99, damaged) = (latency.p50_ms, latency.p99_ms, damaged(report));
        let _ = writeln!(text, "| {} | {rate:.0} | {p50:.1} | {p99:.1} | {damaged} | {}", report.title, cpu(report));
    }
    text.push_str("\nµs are of processor time, for each message that was shown.\n");
    ratio(text, reports);
}

/// The last over the first: what grows with what the cells differ in.
fn ratio(text: &mut String, reports: &[&Report]) {
    let (Some(first), Some(last)) = (reports.first(), reports.last()) else { return };
    let all = |report: &Report| ["gateway", "Redis", "MongoDB"].map(|name| micros(report, name)).iter().sum::<f64>();
    if first.title != last.title && all(first) > 0.0 {
        let times = all(last) / all(first);
        let _ = writeln!(text, "In all, a message of {} costs {times:.2} times one of {}.", last.title, first.title);
    }
}

fn fan_outs(text: &mut String, reports: &[&Report]) {
    if reports.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "\n## Groups\n\n| | deliveries per second | first to last, 50 %, ms | due to all, 99 %, ms | damaged \
         | {CPU_COLUMNS}\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---|"
    );
    for report in reports {
        let of = |span: Span| report.latencies.get(span.name()).cloned().unwrap_or_default();
        let (spread, all) = (of(Span::Spread).p50_ms, of(Span::Everybody).p99_ms);
        let rate = report.details["deliveries_per_second"].as_f64().unwrap_or(0.0);
        let (title, damaged) = (&report.title, damaged(report));
        let _ = writeln!(text, "| {title} | {rate:.0} | {spread:.1} | {all:.1} | {damaged} | {}", cpu(report));
    }
    text.push_str("\nThe number is that of the members; µs are for each member who was shown a message.\n");
}

pub(super) fn seconds_of_talk(report: &Report) -> f64 {
    report.details["seconds"].as_f64().unwrap_or(report.seconds)
}

fn highest(text: &mut String, reports: &[&Report]) {
    for report in reports {
        let rate = report.details["acked_per_second"].as_f64().unwrap_or(0.0);
        let p99 = shown(report).p99_ms;
        let _ = writeln!(
            text,
            "\n**The highest rate of those tried at which 99 of 100 messages were shown within 100 ms: {rate:.0} per \
             second** (99 %: {p99:.1} ms{}).",
            if report.warnings.is_empty() { "" } else { "; the machine was busy by then" }
        );
    }
}

fn connections(text: &mut String, heading: &str, reports: &[&Report]) {
    if reports.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "\n## {heading}\n\n| | connected | per second | let in, 99 %, ms | gateway, bytes each | Redis, bytes each \
         | gateway, CPU µs each | this tool, CPU µs each | failed attempts | |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---|"
    );
    for report in reports {
        let details = &report.details;
        let connected = details["connected"].as_u64().unwrap_or(0);
        let each = |name: &str| {
            let of_name = report.processes.iter().filter(|process| process.name.starts_with(name));
            #[expect(clippy::cast_precision_loss, reason = "figures for people")]
            let each = of_name.map(|process| process.cpu_seconds).sum::<f64>() * 1e6 / connected.max(1) as f64;
            each
        };
        let bytes = |name| super::costs::named(&details["bytes_each"], name);
        let _ = writeln!(
            text,
            "| {} | {connected} | {:.0} | {:.1} | {:.0} | {:.0} | {:.0} | {:.0} | {} | {} |",
            report.title,
            details["per_second"].as_f64().unwrap_or(0.0),
            report.latencies.get(Span::Arrived.name()).map_or(0.0, |arrived| arrived.p99_ms),
            bytes("gateway"),
            bytes("Redis"),
            each("gateway"),
            each("this tool"),
            details["failed"].as_u64().unwrap_or(0),
            mark(report)
        );
    }
}

fn histories(text: &mut String, reports: &[&Report]) {
    for report in reports {
        let page = report.latencies.get(Span::Page.name()).cloned().unwrap_or_default();
        let _ = writeln!(
            text,
            "\n## A long conversation\n\nOf {} messages, a page of 100 anywhere in it: {:.1} ms (50 %), {:.1} ms \
             (99 %). Coming back behind: {:.2} s.",
            report.details["messages"],
            page.p50_ms,
            page.p99_ms,
            report.details["seconds_to_come_back"].as_f64().unwrap_or(0.0)
        );
    }
}

fn warnings(text: &mut String, results: &Results) {
    let all: Vec<String> = results
        .all()
        .flat_map(|report| report.warnings.iter().map(move |warning| format!("- {}: {warning}", report.title)))
        .collect();
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
        let text = document(&Results::read(&directory).unwrap(), "abc");
        let places: Vec<_> =
            ["| rate-500 |", "| rate-1000 |", "| rate-5000 |"].map(|row| text.find(row).unwrap()).to_vec();
        assert!(places.is_sorted(), "{text}");
        assert!(text.contains("- date: 2026-09-21") && text.contains("- commit: abc"));
        std::fs::remove_dir_all(&directory).unwrap();
        assert!(Results::read(&directory).is_err());
    }
}
