//! Runs one seed and says how it went.

use std::cell::Cell;
use std::sync::{Arc, Once};
use std::time::Duration;

use tokio::time::Instant;

use super::defects::Defect;
use super::journal::Failure;
use super::judge::{judge, judge_promptness};
use super::trace::Trace;
use super::world::World;

/// Lines of a trace that are printed.
const LINES_MAX: usize = 4_000;

/// How a run went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Well,
    Failed(Vec<String>),
}

pub struct Run {
    pub outcome: Outcome,
    failures: Vec<Failure>,
    /// Everything that happened, if it was asked for.
    pub trace: Vec<String>,
    trace_of: Arc<Trace>,
    /// Messages that were stored.
    pub messages: usize,
}

thread_local! {
    /// Panics of this thread. A task's panic ends only that task, and must not be missed.
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// Runs a seed from beginning to end.
pub fn run(seed: u64, defect: Option<Defect>, traced: bool) -> Run {
    count_panics();
    PANICS.set(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let (failures, trace, messages) = runtime.block_on(async {
        let trace = Arc::new(Trace::new(traced));
        let world = World::new(seed, trace.clone(), defect);
        world.run(at_rest, judge).await;
        let messages = world.store.lock().entries.values().map(|entry| entry.messages.len()).sum();
        (world.journal.failures(), trace, messages)
    });
    drop(runtime);
    let mut told: Vec<String> = failures.iter().map(|failure| failure.what.clone()).collect();
    if PANICS.get() > 0 {
        told.push(format!("{} tasks panicked", PANICS.get()));
    }
    let outcome = if told.is_empty() { Outcome::Well } else { Outcome::Failed(told) };
    Run { outcome, failures, trace: trace.about(&[String::new()]), trace_of: trace, messages }
}

fn at_rest(world: &World) {
    if world.sky.climate.bus.ends_in_doubt {
        let now = Instant::now();
        judge_promptness(world, now - Duration::from_secs(20), now - Duration::from_secs(4));
    }
}

/// Runs a seed again, prints what happened, and fails if it fails.
pub fn replay(seed: u64, defect: Option<Defect>) {
    let run = run(seed, defect, true);
    let Outcome::Failed(failures) = run.outcome else { return };
    let about: Vec<String> = match run.failures.first() {
        Some(failure) => failure.about.iter().cloned().chain(["FAILURE", "node", "bus:", "calm"].map(str::to_owned)),
        None => return print_and_fail(seed, &failures, &run.trace),
    }
    .collect();
    print_and_fail(seed, &failures, &run.trace_of.about(&about));
}

fn print_and_fail(seed: u64, failures: &[String], trace: &[String]) {
    let first = trace.iter().position(|line| line.contains("FAILURE")).unwrap_or(trace.len());
    let until = (first + 40).min(trace.len());
    trace[until.saturating_sub(LINES_MAX)..until].iter().for_each(|line| println!("{line}"));
    panic!("seed {seed} fails (replay it with SIM_SEED={seed}): {failures:#?}");
}

/// A number from the environment.
#[expect(clippy::disallowed_methods, reason = "a test is set by whoever runs it")]
pub fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

fn count_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.set(PANICS.get() + 1);
            usual(info);
        }));
    });
}
