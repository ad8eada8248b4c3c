//! Groups for scenarios that need them.

use std::time::Duration;

use switchboard::model::{ClientKey, ConversationId, UserId};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use crate::Fault;
use crate::client::{Client, Order};
use crate::door::Door;
use crate::options::Common;

/// How long a group may take to be made, refusals for now and all.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long one attempt may take.
const ANSWER_WAIT: Duration = Duration::from_secs(15);
/// Between two of them.
const PAUSE: Duration = Duration::from_millis(500);

/// Groups, and who is there, are of the native door.
pub(super) fn demand_native_door(common: &Common) -> Result<(), Fault> {
    match common.door {
        Door::Native(_) => Ok(()),
        _ => Err("this is played by the native door: --door native-json or native-msgpack".into()),
    }
}

/// A group of a client's user with these people. It has a key, so that asking again makes no second one.
pub(super) async fn found(client: &Client, key: &str, members: &[UserId]) -> Result<ConversationId, Fault> {
    let (key, began): (ClientKey, _) = (key.parse()?, Instant::now());
    while began.elapsed() < PATIENCE {
        let (to, answer) = oneshot::channel();
        client.order(Order::Found { key: key.clone(), members: members.to_vec(), to }).await;
        if let Ok(Ok(conversation)) = timeout(ANSWER_WAIT, answer).await {
            return Ok(conversation);
        }
        sleep(PAUSE).await;
    }
    let (many, seconds) = (members.len(), PATIENCE.as_secs());
    Err(format!("a group of {many} was not made in {seconds} s: may users make groups there?").into())
}
