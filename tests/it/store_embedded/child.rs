//! A process that works on a store and can be killed: this test binary, started once more.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{crash, disk};
use crate::support::process::{Process, installed};

/// In the environment: what the child is to do.
const TASK: &str = "SWITCHBOARD_TEST_TASK";

/// In the environment: where.
const DIRECTORY: &str = "SWITCHBOARD_TEST_DIRECTORY";

/// Starts a child. `before` is what its command line begins with, such as a tracer.
pub(super) fn spawn(before: &[OsString], task: &str, directory: &Path, log: &Path) -> Process {
    let mut arguments: Vec<OsString> = before.to_vec();
    let environment = [(TASK, OsString::from(task)), (DIRECTORY, directory.into())];
    arguments.push(installed("env").into());
    arguments.extend(environment.map(|(name, value)| [OsString::from(name), value].join(&OsString::from("="))));
    arguments.push(std::env::current_exe().unwrap().into());
    arguments.extend(
        ["--exact", "store_embedded::child::child", "--include-ignored", "--nocapture", "--test-threads=1"]
            .map(OsString::from),
    );
    let program = PathBuf::from(arguments.remove(0));
    Process::spawn(&program, &arguments, log)
}

/// Says something to the parent, at once and in one piece.
pub(super) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the tests beside it, as a process of its own; without a task it has nothing to do"]
async fn child() {
    let Some(task) = std::env::var_os(TASK) else { return };
    let directory = PathBuf::from(std::env::var_os(DIRECTORY).unwrap());
    // Ends the line on which the test's name stands.
    say("");
    match task.to_str().unwrap().split_once(' ') {
        Some(("hammer", round)) => crash::hammer(&directory, round).await,
        Some(("fill", _)) => disk::fill(&directory).await,
        Some(("send", count)) => disk::send(&directory, count.parse().unwrap()).await,
        _ => panic!("unknown task {task:?}"),
    }
}
