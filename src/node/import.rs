//! `switchboard import`: opens what the configuration names, and says how it goes.

use std::sync::Arc;

use tokio::time::Instant;

use super::open::{StartError, open_store};
use crate::config::Config;
use crate::import::{self, Count, Progress};
use crate::model::{SystemChance, SystemClock};
use crate::store::mongo::classic::ClassicApp;

/// Copies the old app's messages and users into the configured store. `say` is given lines for the operator.
///
/// # Errors
/// Whatever cannot be opened, and what cut the import short, said so that it can be mended. What was copied stays; run
/// again, it goes on from there.
pub async fn import(config: &Config, say: impl Fn(String)) -> Result<Count, StartError> {
    let from = config.from.as_ref().ok_or_else(|| StartError::new("an import needs SWITCHBOARD_FROM"))?;
    let app = ClassicApp::connect(from.expose()).await.map_err(StartError::of)?;
    let store = open_store(&config.storage, &(Arc::new(SystemClock) as _), &SystemChance).await?;
    let began = Instant::now();
    let done = import::run(&app, store.clone(), |progress| say(line(progress, began))).await;
    store.close().await;
    let count = done.map_err(|error| StartError::new(format!("{error}; what was imported stays, run it again")))?;
    say(format!("{count}\ndone in {:.1} s", began.elapsed().as_secs_f64()));
    Ok(count)
}

fn line(Progress { count, of }: Progress, began: Instant) -> String {
    let rate = count.messages() as f64 / began.elapsed().as_secs_f64().max(0.001);
    format!(
        "{} users; {} of about {of} messages ({rate:.0}/s): {} imported, {} there before, {} skipped; {} conversations \
         refused",
        count.people,
        count.messages(),
        count.imported,
        count.already_there,
        count.skipped_messages(),
        count.refused_conversations
    )
}
