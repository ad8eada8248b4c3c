//! Makes a long conversation over REST, whose answers cost less than sockets that are shown everything.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use switchboard::model::UserId;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::Fault;
use crate::arrivals::Pace;
use crate::saying::Saying;
use crate::watch::say;
use crate::world::World;

/// How long one message may take, refusals and all.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long one request may take.
const REQUEST_WAIT: Duration = Duration::from_secs(15);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(250);
/// How often it says how far it has come, in messages.
const SAY_EVERY: u64 = 10_000;

/// Who writes it.
#[derive(Debug, Clone)]
pub(super) struct Archivist {
    pub(super) writer: UserId,
    pub(super) other: UserId,
}

impl Archivist {
    /// Writes so many messages behind those that are there, so many at the same time.
    pub(super) async fn make(
        self,
        world: &Arc<World>,
        present: u64,
        messages: u64,
        rate: u64,
        at_once: u64,
    ) -> Result<(), Fault> {
        let target = world.targets[0].clone();
        let token = world.people.token(&self.writer, &world.dialer, &target).await.ok_or("no token is to be had")?;
        let (url, token) = (target.http("/api/v1/messages"), format!("Bearer {token}"));
        let room = Arc::new(Semaphore::new(usize::try_from(at_once)?));
        let mut pace = Pace::even(rate);
        let mut requests = JoinSet::new();
        for number in present + 1..=present + messages {
            pace.wait().await;
            let turn = room.clone().acquire_owned().await?;
            let request = self.request(number);
            let (http, url, token) = (world.dialer.http.clone(), url.clone(), token.clone());
            requests.spawn(async move {
                let _turn = turn;
                post(&http, &url, &token, request).await
            });
            while let Some(done) = requests.try_join_next() {
                done??;
            }
            if number.is_multiple_of(SAY_EVERY) {
                say(&format!("{number} messages are in the conversation"));
            }
        }
        while let Some(done) = requests.join_next().await {
            done??;
        }
        Ok(())
    }

    fn request(&self, number: u64) -> String {
        let saying = Saying { run: 0, sender: self.writer.clone(), number, due_micros: 0, noise: number };
        json!({ "to": self.other, "key": format!("archive-{number}"), "text": saying.text(80) }).to_string()
    }
}

/// Posts it until it is stored: it has a key, so that it may be repeated.
async fn post(http: &reqwest::Client, url: &str, token: &str, body: String) -> Result<(), Fault> {
    let began = Instant::now();
    loop {
        let request = http.post(url).header("authorization", token).header("content-type", "application/json");
        let answer = request.body(body.clone()).timeout(REQUEST_WAIT).send().await;
        let status = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
        match status {
            201 => return Ok(()),
            // Too fast, or away for now.
            0 | 429 | 500.. if began.elapsed() < PATIENCE => sleep(PAUSE).await,
            _ => return Err(format!("a message of the conversation was refused: status {status}").into()),
        }
    }
}
