//! Messages at a steady rate, whatever became of those before: each is due at its own time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use switchboard::model::{Chance, SystemChance, UserId};
use tokio::time::{Instant, sleep_until};

use crate::Fault;
use crate::client::{Client, Order, World};
use crate::saying::Saying;

/// When each message is due.
pub(crate) struct Pace {
    began: Instant,
    per_second: f64,
}

impl Pace {
    pub(crate) fn begin(per_second: u64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a rate is far below 2^52")]
        let per_second = per_second.max(1) as f64;
        Self { began: Instant::now(), per_second }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Waits until the `index`th message is due; answers when that was.
    pub(crate) async fn wait_for(&self, index: u64) -> Instant {
        #[expect(clippy::cast_precision_loss, reason = "an index is far below 2^52")]
        let due = self.began + Duration::from_secs_f64(index as f64 / self.per_second);
        if due > Instant::now() {
            sleep_until(due).await;
        }
        due
    }
}

/// Somebody who writes: their client, and how many messages they wrote.
pub(crate) struct Writer {
    pub(crate) client: Client,
    written: u64,
}

impl Writer {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, written: 0 }
    }

    /// Writes the next message to `to`.
    pub(crate) async fn write(&mut self, world: &Arc<World>, to: &UserId, due: Instant) -> Result<(), Fault> {
        self.written += 1;
        let saying = Saying {
            sender: self.client.user.clone(),
            number: self.written,
            due_micros: world.latencies.micros(due),
            noise: SystemChance.bits(),
        };
        world.counters.ordered.fetch_add(1, Ordering::Relaxed);
        self.client.order(Order::Send { to: to.clone(), key: saying.key()?, text: saying.text() }).await;
        Ok(())
    }
}
