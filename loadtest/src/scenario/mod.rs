//! What the clients do, and what is expected of the nodes.

mod archive;
pub(crate) mod chat;
pub(crate) mod check;
pub(crate) mod connect;
pub(crate) mod fanout;
mod groups;
pub(crate) mod history;
pub(crate) mod idle;
pub(crate) mod outage;
mod pairs;
pub(crate) mod presence;
mod read_back;
pub(crate) mod slow;
pub(crate) mod slow_reader;
pub(crate) mod soak;
pub(crate) mod storm;
mod talk;
mod talks;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::Fault;

/// Waits until a counter is at `least`; an error if it does not move for `patience`.
async fn reach(what: &str, counter: &AtomicU64, least: u64, patience: Duration) -> Result<(), Fault> {
    let (mut highest, mut moved) = (0, Instant::now());
    loop {
        let now = counter.load(Ordering::Relaxed);
        if now >= least {
            return Ok(());
        }
        if now > highest {
            (highest, moved) = (now, Instant::now());
        }
        if moved.elapsed() > patience {
            return Err(format!("{now} of {least} {what}, and no more after {} s", patience.as_secs()).into());
        }
        sleep(Duration::from_millis(50)).await;
    }
}
