//! The embedded store: what every store promises, and what only a file on a disk has to.

mod child;
mod crash;
mod damage;
mod disk;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use switchboard::model::{ConversationId, limits::PAGE_MESSAGES_MAX};
use switchboard::model::{Message, Seq, SystemChance, SystemClock};
use switchboard::store::embedded::EmbeddedStore;
use switchboard::store::{Archive, Messages, Span};
use tempfile::TempDir;

use crate::store_contract::Fixture;

struct OnDisk {
    directory: TempDir,
    store: Arc<EmbeddedStore>,
}

async fn fixture() -> OnDisk {
    on_disk(tempfile::tempdir().unwrap())
}

fn on_disk(directory: TempDir) -> OnDisk {
    let store = Arc::new(open(directory.path()));
    OnDisk { directory, store }
}

#[async_trait]
impl Fixture for OnDisk {
    fn store(&self) -> Arc<dyn Archive> {
        Arc::<EmbeddedStore>::clone(&self.store)
    }

    async fn reopen(self) -> Self {
        self.store.close().await;
        on_disk(self.directory)
    }
}

mod contract {
    crate::store_contract::store_contract!(super::fixture);
}

fn open(directory: &Path) -> EmbeddedStore {
    EmbeddedStore::open(&directory.join("data"), Arc::new(SystemClock), &SystemChance).unwrap()
}

/// All messages of a conversation, which a page refuses to give if there is a hole among them.
async fn everything(store: &EmbeddedStore, conversation: ConversationId) -> Vec<Message> {
    let mut all: Vec<Message> = Vec::new();
    loop {
        let last = all.last().map_or(Seq::ZERO, |message| message.seq);
        let page = store.page(conversation, Span::After(last), PAGE_MESSAGES_MAX).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}
