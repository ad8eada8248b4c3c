//! The embedded store: what every store promises, and what only a file on a disk has to.

use std::sync::Arc;

use async_trait::async_trait;
use switchboard::model::{SystemChance, SystemClock};
use switchboard::store::Store;
use switchboard::store::embedded::EmbeddedStore;
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
    let store = EmbeddedStore::open(&directory.path().join("data"), Arc::new(SystemClock), &SystemChance).unwrap();
    OnDisk { directory, store: Arc::new(store) }
}

#[async_trait]
impl Fixture for OnDisk {
    fn store(&self) -> Arc<dyn Store> {
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
