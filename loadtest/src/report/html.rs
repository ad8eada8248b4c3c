//! The page: one file, which asks for nothing from anywhere and runs nothing.

use std::fmt::Write as _;

use super::chart::{Below, Chart, Line};
use super::scale::short;
use super::{Process, Report};
use crate::distribution::Distribution;
use crate::judge::Damage;
use crate::latency::Span;

/// Colours that lines have.
const LINES_MAX: usize = 6;

/// A run as a page.
pub(super) fn page(report: &Report) -> String {
    let title = escape(&report.title);
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
         <title>{title}</title><style>{}</style><main><header><h1>{title}</h1><p>{}</p></header>",
        include_str!("style.css"),
        escape(&subtitle(report))
    );
    verdict(report, &mut page);
    figures(report, &mut page);
    page += &latency_over_time(report).svg();
    page += &percentile_curves(report).svg();
    page += &throughput(report).svg();
    page += &processors(report).svg();
    page += &memory(report).svg();
    tables(report, &mut page);
    let arguments = report.arguments.join(" ");
    let _ = write!(
        page,
        "<footer><code>switchboard-loadtest {}</code><br>Version {} · seed {} · {}</footer></main></html>",
        escape(&arguments),
        report.version,
        report.seed,
        escape(&report.machine.line())
    );
    page
}

/// Text in HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&#39;").replace('"', "&quot;")
}

fn subtitle(report: &Report) -> String {
    let targets = match report.targets.as_slice() {
        [one] => one.clone(),
        many => format!("{} targets", many.len()),
    };
    format!("{} · {} · {targets} · {:.0} s · {}", report.scenario, report.door, report.seconds, date(report.ended))
}

fn verdict(report: &Report, page: &mut String) {
    let (class, mark, said) = if report.passed { ("pass", "✓", "Passed") } else { ("fail", "✗", "Failed") };
    let _ = write!(page, "<section class='verdict {class}'><div class=mark>{mark}</div><div><b>{said}</b>");
    match &report.verdict {
        Some(verdict) if verdict.is_clean() => {
            let _ = write!(
                page,
                "<p>{} messages acknowledged, each shown once, whole and in order: nothing lost, doubled, \
                 out of order or late.</p>",
                verdict.acked
            );
        }
        _ => {}
    }
    if !report.reasons.is_empty() {
        let reasons = report.reasons.iter().map(|reason| format!("<li>{}</li>", escape(reason)));
        let _ = write!(page, "<ul>{}</ul>", reasons.collect::<String>());
    }
    *page += "</div></section>";
    if !report.warnings.is_empty() {
        let warnings = report.warnings.iter().map(|warning| format!("<p>{}</p>", escape(warning)));
        let all = warnings.collect::<String>();
        let _ = write!(page, "<section class='verdict warn'><div class=mark>!</div><div>{all}</div></section>");
    }
}

fn figures(report: &Report, page: &mut String) {
    *page += "<section class=figures>";
    let mut card = |name: &str, value: String, unit: &str| {
        let _ = write!(page, "<div class=card><span>{name}</span><b>{value}</b><small>{unit}</small></div>");
    };
    if let Some(verdict) = &report.verdict {
        card("Messages sent", verdict.sent.to_string(), "");
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let rate = verdict.received as f64 / report.active_seconds();
        card("Delivered", short(rate), "per second");
        card("Damaged", verdict.damages().to_string(), "");
    }
    let main = [Span::Shown, Span::Came, Span::Back, Span::Page, Span::Welcomed];
    if let Some((span, latency)) = main.iter().find_map(|span| Some((span, report.latencies.get(span.name())?))) {
        card(&format!("50 %, {}", span.name()), short(latency.p50_ms), "ms");
        card("99 %", short(latency.p99_ms), "ms");
        card("The slowest", short(latency.max_ms), "ms");
    }
    *page += "</section>";
}

#[expect(clippy::cast_precision_loss, reason = "seconds and counts are far below 2^52")]
fn over_time(report: &Report, value: impl Fn(&crate::watch::Point) -> Option<f64>) -> Vec<(f64, f64)> {
    let each = report.timeline.seconds_each as f64;
    let points = report.timeline.points.iter().enumerate();
    points.filter_map(|(index, point)| Some((index as f64 * each, value(point)?))).collect()
}

fn latency_over_time(report: &Report) -> Chart {
    let of = |name: &str, value: fn(&Distribution) -> f64| Line {
        name: name.to_owned(),
        points: over_time(report, |point| (point.latency.count > 0).then(|| value(&point.latency))),
    };
    Chart {
        title: "Latency over time",
        about: "From when each message was due until it was shown, by the second in which it was shown.",
        unit: "ms",
        below: Below::Seconds,
        is_logarithmic: true,
        is_wide: true,
        lines: vec![
            of("50 %", |latency| latency.p50_ms),
            of("99 %", |latency| latency.p99_ms),
            of("the slowest", |latency| latency.max_ms),
        ],
    }
}

fn percentile_curves(report: &Report) -> Chart {
    let shares = [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 0.99999];
    let line = |(name, latency): (&str, &Distribution)| {
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let known = |share: &&f64| latency.count as f64 * (1.0 - **share) >= 1.0;
        let points = shares.iter().filter(known).map(|share| (*share, latency.at(*share))).collect();
        Line { name: name.to_owned(), points }
    };
    Chart {
        title: "How many were faster than what",
        about: "The share of all that took at most so long. Each step to the right is ten times as rare.",
        unit: "ms",
        below: Below::Shares,
        is_logarithmic: true,
        is_wide: false,
        lines: report.spans().map(line).take(LINES_MAX).collect(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn throughput(report: &Report) -> Chart {
    let each = report.timeline.seconds_each as f64;
    let of = |name: &str, value: fn(&crate::watch::Point) -> u64| Line {
        name: name.to_owned(),
        points: over_time(report, |point| Some(value(point) as f64 / each)),
    };
    let lines = if report.verdict.is_some() {
        vec![of("sent", |point| point.sent), of("acknowledged", |point| point.acked), of("shown", |point| point.shown)]
    } else {
        let connected = over_time(report, |point| Some(point.connected as f64));
        vec![Line { name: "connected".to_owned(), points: connected }]
    };
    Chart {
        title: "Throughput",
        about: "What was due was sent, whatever became of what was before it.",
        unit: if report.verdict.is_some() { "per second" } else { "connections" },
        below: Below::Seconds,
        is_logarithmic: false,
        is_wide: false,
        lines,
    }
}

fn processors(report: &Report) -> Chart {
    #[expect(clippy::cast_precision_loss, reason = "seconds are far below 2^52")]
    let each = report.timeline.seconds_each as f64;
    let line = |(index, process): (usize, &Process)| {
        let used = over_time(report, |point| point.usage.get(index).copied().flatten().map(|usage| usage.cpu_seconds));
        let share = |pair: &[(f64, f64)]| (pair[1].0, ((pair[1].1 - pair[0].1) * 100.0 / each).max(0.0));
        Line { name: process.name.clone(), points: used.windows(2).map(share).collect() }
    };
    Chart {
        title: "Processor",
        about: "Of one processor; this tool is shown beside what it measured.",
        unit: "%",
        below: Below::Seconds,
        is_logarithmic: false,
        is_wide: false,
        lines: report.processes.iter().enumerate().map(line).take(LINES_MAX).collect(),
    }
}

fn memory(report: &Report) -> Chart {
    let line = |(index, process): (usize, &Process)| {
        #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
        let mib =
            |point: &crate::watch::Point| Some(point.usage.get(index)?.as_ref()?.resident_bytes as f64 / 1_048_576.0);
        Line { name: process.name.clone(), points: over_time(report, mib) }
    };
    Chart {
        title: "Memory",
        about: "Resident, by the account of the kernel or of the process.",
        unit: "MiB",
        below: Below::Seconds,
        is_logarithmic: false,
        is_wide: false,
        lines: report.processes.iter().enumerate().map(line).take(LINES_MAX).collect(),
    }
}

fn tables(report: &Report, page: &mut String) {
    *page += "<section class=card><h2>Figures</h2><div class=columns><table>";
    for (what, value) in &report.table.0 {
        let class = if what.starts_with("**") { " class=grave" } else { "" };
        let name = escape(what.trim_matches('*'));
        let _ = write!(page, "<tr{class}><td>{name}</td><td class=n>{}</td></tr>", escape(value));
    }
    *page += "</table></div></section><section class=card><h2>Processes</h2><table><tr><th>process</th>\
              <th class=n>CPU, s</th><th class=n>µs a message</th><th class=n>MiB</th><th class=n>files</th></tr>";
    for process in &report.processes {
        let micros = process.cpu_micros_per_message.map_or_else(|| "–".to_owned(), |micros| format!("{micros:.0}"));
        let _ = write!(
            page,
            "<tr><td>{}</td><td class=n>{:.1}</td><td class=n>{micros}</td><td class=n>{}</td><td class=n>{}</td></tr>",
            escape(&process.name),
            process.cpu_seconds,
            process.resident_bytes / 1_048_576,
            process.files
        );
    }
    *page += "</table>";
    examples(report, page);
    *page += "</section>";
}

fn examples(report: &Report, page: &mut String) {
    let Some(verdict) = report.verdict.as_ref().filter(|verdict| !verdict.examples.is_empty()) else { return };
    *page += "<h2 style='margin-top:1.2rem'>Damage, by example</h2><table>";
    for damage in Damage::ALL {
        for example in verdict.examples.iter().filter(|example| example.damage == damage) {
            let _ = write!(page, "<tr><th>{}</th><td><code>{}</code></td></tr>", damage.name(), escape(&example.what));
        }
    }
    *page += "</table>";
}

/// A day and a time, in UTC.
pub(super) fn date(millis: u64) -> String {
    let (days, seconds) = (millis / 86_400_000, millis / 1_000 % 86_400);
    // Days of the civil calendar, counted from 1 March of year 0, so that leap days are last.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * from_march + 2) / 5 + 1, (from_march + 2) % 12 + 1);
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02} {:02}:{:02} UTC", seconds / 3_600, seconds / 60 % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01 00:00 UTC");
        assert_eq!(date(951_782_399_000), "2000-02-28 23:59 UTC");
        assert_eq!(date(951_782_400_000), "2000-02-29 00:00 UTC");
        assert_eq!(date(1_790_000_000_000), "2026-09-21 14:13 UTC");
    }

    #[test]
    fn a_page_fetches_nothing_and_shows_no_text_as_markup() {
        let title = "<b>'x'&".to_owned();
        let page = page(&Report { title, ..Report::default() });
        assert!(page.contains("&lt;b&gt;&#39;x&#39;&amp;") && !page.contains("<b>'x'"));
        for outside in ["http://", "https://", "<script", "url(", "@import", "src="] {
            assert!(!page.contains(outside), "{outside}");
        }
    }
}
