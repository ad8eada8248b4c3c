//! Plays many Switchboard clients against real nodes, and judges what was lost, doubled or reordered.
//!
//! Exit code 0: nothing was; 1: something was, or a limit was passed; 2: the run could not be made.

mod client;
mod events;
mod frames;
mod judge;
mod latency;
mod options;
mod report;
mod saying;
mod scenario;
mod token;

use std::process::ExitCode;

use scenario::{chat, idle, outage, slow};

/// Why a run could not be made or went wrong: one sentence.
type Fault = Box<dyn std::error::Error + Send + Sync>;

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

/// Runs what was asked for; answers whether it passed.
fn run(matches: &clap::ArgMatches) -> Result<bool, Fault> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match matches.subcommand() {
            Some(("chat", options)) => chat::run(&chat::Options::of(options)?).await,
            Some(("outage", options)) => outage::run(&outage::Options::of(options)?).await,
            Some(("slow-reader", options)) => slow::run(&slow::Options::of(options)?).await,
            Some(("idle", options)) => idle::run(&idle::Options::of(options)?).await,
            _ => Err("there is no such scenario: see --help".into()),
        }
    })
}
