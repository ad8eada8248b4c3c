//! What came of a run: for people on the screen, as Markdown and as a page; for programs as JSON.

mod bench;
mod chart;
mod compare;
pub(crate) mod costs;
mod html;
mod machine;
mod merge;
mod results;
mod scale;
mod slope;
mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::ArgMatches;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use switchboard::model::{Clock, SystemClock};

pub(crate) use bench::document;
pub(crate) use compare::compare;
pub(crate) use costs::Costs;
pub(crate) use machine::Machine;
pub(crate) use merge::merge;
pub(crate) use results::Results;
pub(crate) use slope::Bounds;
pub(crate) use table::Table;

use crate::Fault;
use crate::distribution::Distribution;
use crate::judge::{Damage, Verdict};
use crate::latency::Span;
use crate::options::Common;
use crate::watch::{Seen, Timeline, Usage};
use crate::world::World;

/// Of its threads' time, this tool may need so much; beyond, it is probably what was measured.
const BUSY_SHARE_MAX: f64 = 0.85;
/// Of all processors of a machine, so much may be busy; beyond, whoever shares them waits for one another.
const MACHINE_SHARE_MAX: f64 = 0.95;
/// A message that is begun later than this after it was due waited for this tool.
const BEGUN_MS_MAX: f64 = 20.0;

/// Where to write reports.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outputs {
    json: Option<PathBuf>,
    html: Option<PathBuf>,
    markdown: Option<PathBuf>,
}

impl Outputs {
    pub(crate) fn of(matches: &ArgMatches) -> Self {
        let path = |name: &str| matches.get_one::<PathBuf>(name).cloned();
        Self { json: path("json"), html: path("html"), markdown: path("markdown") }
    }
}

/// What a scenario found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Why it failed; it passed if there is no reason.
    pub(crate) reasons: Vec<String>,
    pub(crate) verdict: Option<Verdict>,
    /// What it wants to say before the usual rows.
    pub(crate) table: Table,
    pub(crate) details: Value,
    /// How much may grow in an hour, if that is looked at.
    pub(crate) growth: Option<Bounds>,
}

/// Everything about a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) title: String,
    pub(crate) scenario: String,
    pub(crate) version: String,
    /// Milliseconds since 1970.
    pub(crate) ended: u64,
    pub(crate) seconds: f64,
    pub(crate) arguments: Vec<String>,
    pub(crate) targets: Vec<String>,
    pub(crate) door: String,
    pub(crate) seed: u64,
    /// Of this tool.
    #[serde(default)]
    pub(crate) threads: usize,
    pub(crate) machine: Machine,
    pub(crate) passed: bool,
    pub(crate) reasons: Vec<String>,
    pub(crate) warnings: Vec<String>,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) latencies: BTreeMap<String, Distribution>,
    pub(crate) table: Table,
    /// This tool first.
    pub(crate) processes: Vec<Process>,
    pub(crate) machine_busy: Option<f64>,
    pub(crate) timeline: Timeline,
    pub(crate) details: Value,
}

/// What a process cost.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) name: String,
    pub(crate) cpu_seconds: f64,
    /// Of processor time, for each message that was shown; none if there was none.
    pub(crate) cpu_micros_per_message: Option<f64>,
    pub(crate) resident_bytes: u64,
    pub(crate) files: u64,
}

impl Findings {
    /// Demands something; what it says otherwise is a reason to fail.
    pub(crate) fn demand(&mut self, is_so: bool, otherwise: impl Into<String>) {
        if !is_so {
            self.reasons.push(otherwise.into());
        }
    }

    /// What the judge says, in the first rows.
    pub(crate) fn judged(verdict: Verdict) -> Self {
        let mut findings = Self::default();
        let Verdict { sent, acked, received, .. } = &verdict;
        findings.table.row("sent", sent).row("acknowledged", acked).row("received", received);
        for damage in Damage::ALL {
            let is_grave = matches!(damage, Damage::Lost | Damage::Doubled | Damage::OutOfOrder);
            let name = if is_grave { format!("**{}**", damage.name()) } else { damage.name().to_owned() };
            findings.table.row(name, verdict.count(damage));
        }
        for damage in Damage::ALL.into_iter().filter(|damage| verdict.count(*damage) > 0) {
            findings.reasons.push(format!("{} {}", verdict.count(damage), damage.name()));
        }
        findings.verdict = Some(verdict);
        findings
    }
}

impl Report {
    pub(crate) fn new(common: &Common, world: &World, seen: Seen, findings: Findings) -> Self {
        let mut latencies = BTreeMap::new();
        for span in Span::ALL {
            let distribution = world.latencies.of(span);
            if distribution.count > 0 {
                latencies.insert(span.name().to_owned(), distribution);
            }
        }
        let shown = all_shown(findings.verdict.as_ref(), &latencies);
        let silent = seen.usage.iter().filter(|(_, before, after)| before.is_none() || after.is_none());
        let silent: Vec<_> = silent.map(|(name, ..)| format!("{name} did not say what it used")).collect();
        let process = |(name, before, after)| Process::between(name, before, after, shown);
        let mut report = Self {
            title: common.title.clone(),
            scenario: common.scenario.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ended: SystemClock.now().0,
            seconds: seen.seconds,
            arguments: std::env::args().skip(1).collect(),
            targets: world.targets.iter().map(ToString::to_string).collect(),
            door: world.door.to_string(),
            seed: common.seed,
            threads: common.threads,
            machine: Machine::here(),
            passed: findings.reasons.is_empty(),
            reasons: findings.reasons,
            warnings: silent,
            verdict: findings.verdict,
            latencies,
            table: findings.table,
            processes: seen.usage.into_iter().map(process).collect(),
            machine_busy: seen.machine_busy,
            timeline: seen.timeline,
            details: findings.details,
        };
        report.warn();
        report.add_usual_rows();
        if let Some(bounds) = findings.growth {
            report.judge_slopes(bounds);
        }
        report
    }

    /// Says when this tool was what was measured.
    fn warn(&mut self) {
        #[expect(clippy::cast_precision_loss, reason = "a handful of threads")]
        let threads = self.threads as f64;
        let own = self.processes.first().map_or(0.0, |own| own.cpu_seconds / self.seconds.max(0.001));
        if own > threads * BUSY_SHARE_MAX {
            let said = format!("this tool used {own:.1} processors with {threads} threads: it was the bottleneck");
            self.warnings.push(said);
        }
        if let Some(begun) = self.latencies.get(Span::Begun.name()).filter(|begun| begun.p99_ms > BEGUN_MS_MAX) {
            let late = begun.p99_ms;
            self.warnings
                .push(format!("of 100 messages one was begun {late:.0} ms late or more: this tool was held up"));
        }
        if let Some(busy) = self.machine_busy.filter(|busy| *busy > MACHINE_SHARE_MAX) {
            let percent = busy * 100.0;
            self.warnings.push(format!("{percent:.0} % of this machine was busy: whoever shares it waited for others"));
        }
    }

    /// What was measured, in the usual order.
    fn spans(&self) -> impl Iterator<Item = (&str, &Distribution)> {
        Span::ALL.into_iter().filter_map(|span| Some((span.name(), self.latencies.get(span.name())?)))
    }

    /// For how long messages were sent.
    fn active_seconds(&self) -> f64 {
        let active = self.timeline.points.iter().filter(|point| point.sent > 0).count() as u64;
        #[expect(clippy::cast_precision_loss, reason = "seconds are far below 2^52")]
        let seconds = (active * self.timeline.seconds_each) as f64;
        if active > 0 { seconds } else { self.seconds.max(0.001) }
    }

    fn add_usual_rows(&mut self) {
        let mut rows = Table::default();
        for (name, distribution) in self.spans() {
            let Distribution { p50_ms, p90_ms, p99_ms, p999_ms, max_ms, .. } = distribution;
            let is_whole = name == Span::Shown.name();
            let quantiles = [("50", p50_ms), ("90", p90_ms), ("99", p99_ms), ("99.9", p999_ms), ("100", max_ms)];
            for (percent, ms) in quantiles.into_iter().filter(|(percent, _)| is_whole || *percent == "99") {
                rows.row(format!("{name}, {percent} %, ms"), format!("{ms:.1}"));
            }
        }
        for process in &self.processes {
            if let Some(micros) = process.cpu_micros_per_message {
                rows.row(format!("{}: CPU per message, µs", process.name), format!("{micros:.0}"));
            }
        }
        self.table.0.append(&mut rows.0);
    }

    /// Shows it, and writes it where it was asked for.
    pub(crate) fn publish(&self, outputs: &Outputs) -> Result<(), Fault> {
        println!("\n{}\n{}", self.title, self.table.text());
        self.say_what_is_wrong();
        println!("{} {}", if self.passed { "PASS" } else { "FAIL" }, self.title);
        if let Some(path) = &outputs.markdown {
            std::fs::write(path, self.table.markdown(&self.title))?;
        }
        if let Some(path) = &outputs.json {
            std::fs::write(path, serde_json::to_vec_pretty(self)?)?;
        }
        if let Some(path) = &outputs.html {
            std::fs::write(path, html::page(self))?;
            println!("report: {}", path.display());
        }
        Ok(())
    }

    fn say_what_is_wrong(&self) {
        for example in self.verdict.iter().flat_map(|verdict| &verdict.examples) {
            println!("  {}: {}", example.damage.name(), example.what);
        }
        self.reasons.iter().for_each(|reason| println!("  failed: {reason}"));
        self.warnings.iter().for_each(|warning| println!("  WARNING: {warning}"));
    }
}

/// How often a message was shown in all of a run: also those of a warm-up, whose latencies do not count.
fn all_shown(verdict: Option<&Verdict>, latencies: &BTreeMap<String, Distribution>) -> u64 {
    let shown = || latencies.get(Span::Shown.name()).map_or(0, |shown| shown.count);
    verdict.map_or_else(shown, |verdict| verdict.received)
}

impl Process {
    fn between(name: String, before: Option<Usage>, after: Option<Usage>, messages: u64) -> Self {
        let is_known = before.is_some() && after.is_some();
        let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
        let cpu_seconds = (after.cpu_seconds - before.cpu_seconds).max(0.0);
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let cpu_micros_per_message = (is_known && messages > 0).then(|| cpu_seconds * 1e6 / messages as f64);
        let Usage { resident_bytes, files, .. } = after;
        Self { name, cpu_seconds, cpu_micros_per_message, resident_bytes, files }
    }
}

/// Reads a report that was written as JSON.
fn read(path: &std::path::Path) -> Result<Report, Fault> {
    let bytes = std::fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{} is no report: {error}", path.display()).into())
}
