//! What happens to the cluster in the middle of a run: commands of the shell, each at a share of the messages.

use std::process::Stdio;
use std::str::FromStr;

use serde::Serialize;
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::watch::say;

/// A command and when to run it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    percent: u64,
    command: String,
}

/// What became of one.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Event {
    pub(crate) percent: u64,
    command: String,
    /// Sends without an acknowledgement when it began.
    unacknowledged: u64,
    seconds: f64,
    pub(crate) succeeded: bool,
}

/// The commands of a run.
pub(crate) struct Plan {
    /// The next one last.
    planned: Vec<Planned>,
    begun: Vec<JoinHandle<Event>>,
}

impl FromStr for Planned {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "--at takes PERCENT:COMMAND";
        let (percent, command) = text.split_once(':').ok_or(FORM)?;
        Ok(Self { percent: percent.parse().map_err(|_| FORM)?, command: command.to_owned() })
    }
}

impl Plan {
    pub(crate) fn new(mut planned: Vec<Planned>) -> Self {
        planned.sort_by_key(|planned| std::cmp::Reverse(planned.percent));
        Self { planned, begun: Vec::new() }
    }

    /// Begins what is due now that `percent` of the messages are sent.
    pub(crate) fn pass(&mut self, percent: u64, unacknowledged: u64) {
        while let Some(due) = self.planned.pop_if(|next| next.percent <= percent) {
            let Planned { percent, command } = &due;
            say(&format!("at {percent} %, with {unacknowledged} sends without an answer: {command}"));
            self.begun.push(tokio::spawn(run(due, unacknowledged)));
        }
    }

    /// Waits for all that began.
    pub(crate) async fn finish(self) -> Vec<Event> {
        let mut events = Vec::new();
        for begun in self.begun {
            events.extend(begun.await);
        }
        events
    }
}

async fn run(Planned { percent, command }: Planned, unacknowledged: u64) -> Event {
    let began = Instant::now();
    let succeeded = shell(&command).await;
    Event { percent, command, unacknowledged, seconds: began.elapsed().as_secs_f64(), succeeded }
}

/// Runs a command; answers whether it succeeded.
pub(crate) async fn shell(command: &str) -> bool {
    let status = Command::new("sh").args(["-c", command]).stdin(Stdio::null()).status().await;
    status.is_ok_and(|status| status.success())
}
