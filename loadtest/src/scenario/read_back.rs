//! What the server has kept, read back over REST and judged like a device that was shown everything: so a store that
//! acknowledged what it did not write is found, however well everything was delivered.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use switchboard::model::{ConversationId, Seq, UserId};
use tokio::time::sleep;

use super::pairs::Gathered;
use crate::Fault;
use crate::frames::{Heard, Page};
use crate::judge::{Device, Record};
use crate::saying::Saying;
use crate::world::World;

/// Conversations that are read at the same time.
const AT_ONCE: usize = 8;
/// How long one request may take.
const REQUEST_WAIT: Duration = Duration::from_secs(15);
/// Times that a page is asked for; then it is read message by message, since it may be one of them that is in the way.
const ATTEMPTS_MAX: u32 = 12;
/// Between two of them.
const PAUSE: Duration = Duration::from_millis(250);
/// Messages in a page.
const PAGE: u64 = 100;

/// Conversations, each with somebody who may read it.
#[derive(Debug, Default)]
pub(super) struct Archive(Vec<(ConversationId, UserId)>);

impl Archive {
    /// Everything that these people say to each other.
    pub(super) fn of(all: &Gathered) -> Self {
        Self(all.conversations().map(|(conversation, reader, _)| (conversation, reader.clone())).collect())
    }

    /// Reads all of it, and tells the judge.
    pub(super) async fn read(&self, world: &World) -> Result<(), Fault> {
        let readings = self.0.iter().map(|(conversation, reader)| read(world, *conversation, reader));
        stream::iter(readings).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await.map(drop)
    }
}

async fn read(world: &World, conversation: ConversationId, reader: &UserId) -> Result<(), Fault> {
    let target = &world.targets[0];
    let token = world.people.token(reader, &world.dialer, target).await.ok_or("no token is to be had")?;
    let url = |after: Seq, limit: u64| {
        target.http(&format!("/api/v1/conversations/{conversation}/messages?after={}&limit={limit}", after.0))
    };
    let (mut after, mut limit) = (Seq::ZERO, PAGE);
    loop {
        let page = match ask(world, &url(after, limit), &token).await {
            // The server itself may see that something is missing, and refuse each page that it is missing from.
            Err(_) if limit > 1 => {
                limit = 1;
                continue;
            }
            answer => answer?,
        };
        for message in &page.messages {
            note(world, reader, message);
        }
        match page.messages.last() {
            Some(last) if page.more => after = last.seq,
            _ => return Ok(()),
        }
    }
}

fn note(world: &World, reader: &UserId, message: &Heard) {
    let saying = Saying::read(&message.text).filter(|saying| saying.sender == message.from);
    // What was said before this run is not judged.
    if message.event.is_none() && saying.as_ref().is_none_or(|saying| saying.run == world.run) {
        world.witness.note(&Record::Shown {
            device: Device::archive(reader.clone()),
            conversation: message.conversation,
            seq: message.seq,
            from: message.from.clone(),
            number: saying.map(|saying| saying.number),
            took: 0,
            at: world.latencies.micros(tokio::time::Instant::now()),
        });
    }
}

async fn ask(world: &World, url: &str, token: &str) -> Result<Page, Fault> {
    let mut refused = String::new();
    for _ in 0..ATTEMPTS_MAX {
        let request = world.dialer.http.get(url).bearer_auth(token).timeout(REQUEST_WAIT);
        match request.send().await {
            Ok(answer) if answer.status().is_success() => return Ok(serde_json::from_slice(&answer.bytes().await?)?),
            Ok(answer) => refused = format!("{url} is refused: status {}", answer.status().as_u16()),
            Err(error) => refused = format!("{url} is not answered: {error}"),
        }
        sleep(PAUSE).await;
    }
    Err(refused.into())
}
