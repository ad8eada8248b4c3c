//! Back-ups, restores, purges and erasures of whole stores, of both kinds, and beside nodes that serve.

mod clients;
mod commands;
mod copies;
mod damage;
mod purges;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use switchboard::model::{SystemChance, SystemClock};
use switchboard::store::embedded::{EmbeddedOriginal, EmbeddedStore, EmbeddedVessel};
use switchboard::store::mongo::{MongoOptions, MongoOriginal, MongoStore, MongoVessel};
use switchboard::store::{Archive, Original, Record, Vessel};
use tokio::sync::mpsc;

use crate::store_mongo::shared;
use crate::support::services::Mongo;

/// Where a store is.
#[derive(Clone)]
#[expect(dead_code, reason = "servers are kept alive, not read")]
enum Place {
    File(PathBuf),
    /// The database, and its server as long as it is needed.
    Mongo(String, Option<Arc<Mongo>>),
}

impl Place {
    /// A database of its own on the server that tests share.
    async fn database(name: &str) -> Self {
        let server = shared().await;
        Self::Mongo(server.uri().replace("/?", &format!("/{name}?")), Some(server))
    }

    async fn open(&self) -> Arc<dyn Archive> {
        match self {
            Self::File(directory) => {
                Arc::new(EmbeddedStore::open(directory, Arc::new(SystemClock), &SystemChance).unwrap())
            }
            Self::Mongo(uri, _) => {
                Arc::new(MongoStore::connect(uri, MongoOptions::default(), &SystemChance).await.unwrap())
            }
        }
    }

    async fn original(&self) -> Box<dyn Original> {
        match self {
            Self::File(directory) => Box::new(EmbeddedOriginal::open(directory).unwrap()),
            Self::Mongo(uri, _) => Box::new(MongoOriginal::connect(uri, MongoOptions::default()).await.unwrap()),
        }
    }

    /// A vessel, or why there is none.
    async fn vessel(&self) -> Result<Box<dyn Vessel>, String> {
        match self {
            Self::File(directory) => match EmbeddedVessel::begin(directory, &SystemClock, &SystemChance) {
                Ok(vessel) => Ok(Box::new(vessel)),
                Err(error) => Err(error.to_string()),
            },
            Self::Mongo(uri, _) => match MongoVessel::begin(uri, MongoOptions::default(), &SystemChance).await {
                Ok(vessel) => Ok(Box::new(vessel)),
                Err(error) => Err(error.to_string()),
            },
        }
    }

    /// Everything in it.
    async fn records(&self) -> Vec<Record> {
        let (sender, mut receiver) = mpsc::channel(1);
        let original = self.original().await;
        let dump = tokio::spawn(original.dump(sender));
        let mut all = Vec::new();
        while let Some(record) = receiver.recv().await {
            all.push(record);
        }
        dump.await.unwrap().unwrap();
        all
    }

    /// Runs a command on it; answers how it ended and what it said.
    fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        self.run_with(arguments, &[])
    }

    fn run_with(&self, arguments: &[&str], settings: &[(&str, &str)]) -> (Option<i32>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        command.args(arguments).envs(settings.iter().copied());
        match self {
            Self::File(directory) => command.env("SWITCHBOARD_DATA_DIR", directory),
            Self::Mongo(uri, _) => command.env("SWITCHBOARD_MONGODB_URI", uri),
        };
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (output.status.code(), text)
    }
}

async fn back_up(place: &Place, to: &Path) -> switchboard::upkeep::Contents {
    switchboard::upkeep::back_up(place.original().await, to, &SystemClock, |_| {}).await.unwrap()
}

async fn restore(file: &Path, place: &Place) -> switchboard::model::Generation {
    switchboard::upkeep::examine(file).await.unwrap();
    switchboard::upkeep::restore(file, place.vessel().await.unwrap(), |_| {}).await.unwrap()
}
