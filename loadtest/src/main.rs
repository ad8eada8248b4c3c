//! Plays many Switchboard clients against real nodes, and judges what was lost, doubled or reordered.
//!
//! Exit code 0: nothing was; 1: something was, or a limit was passed; 2: the run could not be made.
//!
//! Of the server's code it uses the wire: ids and encodings. What it knows of the protocols it has from their documents.

mod arrivals;
mod chance;
mod client;
mod distribution;
mod door;
mod events;
mod frames;
mod judge;
mod latency;
mod options;
mod people;
mod plan;
mod report;
mod saying;
mod scenario;
mod sizes;
mod spread;
mod watch;
mod whereabouts;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::ArgMatches;
use tokio::runtime::{Builder, Runtime};

use options::Common;
use report::{Findings, Report};
use scenario::{chat, connect, fanout, history, idle, outage, presence, slow, slow_reader, soak, storm};
use watch::Watch;
use world::World;

/// Why a run could not be made or went wrong: one sentence.
type Fault = Box<dyn std::error::Error + Send + Sync>;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let matches = options::command().get_matches();
    match run(&matches) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("switchboard-loadtest: {fault}");
            ExitCode::from(2)
        }
    }
}

/// Does what was asked for; answers whether it passed.
fn run(matches: &ArgMatches) -> Result<bool, Fault> {
    let path = |matches: &ArgMatches, name: &str| matches.get_one::<PathBuf>(name).cloned().unwrap_or_default();
    match matches.subcommand() {
        Some(("check", options)) => scenario::check::run(&path(options, "file"), options.get_one("late-ms").copied()),
        Some(("table", options)) => {
            let commit = options.get_one::<String>("commit").map_or("unknown", String::as_str);
            let results = report::Results::read(&path(options, "directory"))?;
            print!("{}", report::document(&results, commit));
            if let Some(path) = options.get_one::<PathBuf>("costs") {
                std::fs::write(path, serde_json::to_string_pretty(&report::Costs::of(&results, commit))? + "\n")?;
            }
            Ok(true)
        }
        Some(("plan", options)) => {
            print!("{}", plan::run(options)?);
            Ok(true)
        }
        Some(("compare", options)) => {
            print!("{}", report::compare(&path(options, "first"), &path(options, "second"))?);
            Ok(true)
        }
        Some(("merge", options)) => {
            let files: Vec<_> = options.get_many::<PathBuf>("files").into_iter().flatten().cloned().collect();
            let mut merged = report::merge(&files)?;
            if let Some(title) = options.get_one::<String>("title") {
                merged.title.clone_from(title);
            }
            merged.publish(&report::Outputs::of(options))?;
            Ok(merged.passed)
        }
        Some((scenario, options)) => {
            let common = Common::of(scenario, options)?;
            runtime(common.threads)?.block_on(play(&common, options))
        }
        None => Err("name a scenario: see --help".into()),
    }
}

/// What everything runs on. A single thread is woken once for whatever is to be done then.
fn runtime(threads: usize) -> std::io::Result<Runtime> {
    match threads {
        1 => Builder::new_current_thread().enable_all().build(),
        several => Builder::new_multi_thread().worker_threads(several).enable_all().build(),
    }
}

/// Plays a scenario while somebody watches, and reports.
async fn play(common: &Common, matches: &ArgMatches) -> Result<bool, Fault> {
    let world = common.world()?;
    let watch = Watch::begin(world.clone(), common.watched.clone());
    let findings = perform(common, matches, world.clone()).await;
    let seen = watch.end().await;
    let report = Report::new(common, &world, seen, findings?);
    report.publish(&common.outputs)?;
    Ok(report.passed)
}

async fn perform(common: &Common, matches: &ArgMatches, world: Arc<World>) -> Result<Findings, Fault> {
    match common.scenario.as_str() {
        "chat" => chat::run(&chat::Options::of(common, matches)?, world).await,
        "connect" => connect::run(&connect::Options::of(common, matches)?, world).await,
        "storm" => storm::run(&storm::Options::of(common, matches)?, world).await,
        "slow" => slow::run(&slow::Options::of(common, matches)?, world).await,
        "soak" => soak::run(&soak::Options::of(common, matches)?, world).await,
        "history" => history::run(&history::Options::of(common, matches)?, world).await,
        "fanout" => fanout::run(&fanout::Options::of(common, matches)?, world).await,
        "presence" => presence::run(&presence::Options::of(common, matches)?, world).await,
        "outage" => outage::run(&outage::Options::of(common, matches)?, world).await,
        "slow-reader" => slow_reader::run(&slow_reader::Options::of(matches)?, world).await,
        "idle" => idle::run(&idle::Options::of(matches)?, world).await,
        other => Err(format!("there is no scenario {other}: see --help").into()),
    }
}
