//! The command line: what every scenario takes, and what is made of it.

mod arguments;
mod commands;

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use clap::ArgMatches;
use switchboard::model::{Chance, SystemChance};
use tokio::sync::Semaphore;

pub(crate) use commands::command;

use crate::Fault;
use crate::chance::Dice;
use crate::door::{Dialer, Door, Target};
use crate::judge::{Record, Witness};
use crate::latency::Latencies;
use crate::people::People;
use crate::report::Outputs;
use crate::watch::Watched;
use crate::world::{Counters, World};

/// What all scenarios take.
#[derive(Debug, Clone)]
pub(crate) struct Common {
    pub(crate) scenario: String,
    targets: Vec<Target>,
    pub(crate) door: Door,
    secret_file: Option<PathBuf>,
    token_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    pub(crate) seed: u64,
    run: String,
    pub(crate) shard: Shard,
    connecting: usize,
    /// That play; with one alone, nobody waits for another thread to wake up.
    pub(crate) threads: usize,
    late: Duration,
    pub(crate) watched: Vec<Watched>,
    pub(crate) title: String,
    pub(crate) history: Option<PathBuf>,
    pub(crate) outputs: Outputs,
}

/// Which part of a run this process plays: the `index`th of `of`, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard {
    index: u64,
    of: u64,
}

impl std::str::FromStr for Shard {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "--shard takes I/N: 1/3, 2/3 and 3/3 are the three parts of one run";
        let (part, of) = text.split_once('/').ok_or(FORM)?;
        let (part, of): (u64, u64) = (part.parse().map_err(|_| FORM)?, of.parse().map_err(|_| FORM)?);
        if (1..=of).contains(&part) { Ok(Self { index: part - 1, of }) } else { Err(FORM) }
    }
}

impl Shard {
    /// Whether something is of this part.
    pub(crate) fn has(self, index: u64) -> bool {
        index % self.of == self.index
    }

    /// The `index`th of this part's people, counted among all.
    pub(crate) fn person(self, index: u64) -> Result<u64, Fault> {
        Ok(index.checked_mul(self.of).and_then(|index| index.checked_add(self.index)).ok_or("too many people")?)
    }

    /// This part of a sum: the parts add up to it.
    pub(crate) fn part(self, sum: u64) -> u64 {
        sum / self.of + u64::from(self.index < sum % self.of)
    }

    #[expect(clippy::cast_precision_loss, reason = "a handful of processes")]
    pub(crate) fn rate(self, per_second: u64) -> f64 {
        per_second as f64 / self.of as f64
    }
}

/// A number of the command line.
pub(crate) fn get(matches: &ArgMatches, name: &str) -> u64 {
    matches.get_one(name).copied().unwrap_or_default()
}

/// A text of the command line, read as something.
pub(crate) fn read<T: std::str::FromStr<Err = &'static str>>(matches: &ArgMatches, name: &str) -> Result<T, Fault> {
    Ok(matches.get_one::<String>(name).map_or("", String::as_str).parse()?)
}

/// Texts of the command line, each read as something.
pub(crate) fn read_all<T>(matches: &ArgMatches, name: &str) -> Result<Vec<T>, Fault>
where
    T: std::str::FromStr<Err = &'static str>,
{
    let texts = matches.get_many::<String>(name).into_iter().flatten();
    texts.map(|text| Ok(text.parse()?)).collect()
}

impl Common {
    pub(crate) fn of(scenario: &str, matches: &ArgMatches) -> Result<Self, Fault> {
        let path = |name: &str| matches.get_one::<PathBuf>(name).cloned();
        let text = |name: &str| matches.get_one::<String>(name).cloned();
        let seed = matches.get_one("random-seed").copied().unwrap_or_else(|| SystemChance.bits() >> 32);
        Ok(Self {
            scenario: scenario.to_owned(),
            targets: read_all(matches, "targets")?,
            door: read(matches, "door")?,
            secret_file: path("secret-file"),
            token_file: path("token-file"),
            ca_file: path("ca-file"),
            seed,
            run: text("name").unwrap_or_else(|| format!("{:08x}", SystemChance.bits() >> 32)),
            shard: read(matches, "shard")?,
            connecting: usize::try_from(get(matches, "connecting"))?.clamp(1, Semaphore::MAX_PERMITS),
            threads: match usize::try_from(get(matches, "threads"))? {
                0 => (std::thread::available_parallelism().map_or(1, NonZero::get) / 2).max(1),
                some => some,
            },
            late: Duration::from_millis(get(matches, "late-ms")),
            watched: read_all(matches, "watch")?,
            title: text("title").unwrap_or_default(),
            history: path("history"),
            outputs: Outputs::of(matches),
        })
    }

    /// Dice for one purpose, other ones in each part of a run.
    pub(crate) fn dice(&self, purpose: u64) -> Dice {
        Dice::new(self.seed, purpose ^ (self.shard.index << 32))
    }

    /// What the clients of one run share.
    ///
    /// # Errors
    /// If a file that is named cannot be read or written.
    pub(crate) fn world(&self) -> Result<Arc<World>, Fault> {
        let witness = Witness::new(self.history.as_deref())?;
        let late_micros = u64::try_from(self.late.as_micros()).unwrap_or(u64::MAX);
        witness.note(&Record::Run { title: self.title.clone(), seed: self.seed, late_micros });
        Ok(Arc::new(World {
            run: u32::try_from(SystemChance.bits() >> 32)?,
            targets: self.targets.clone(),
            door: self.door,
            dialer: Dialer::new(self.ca_file.as_deref())?,
            people: People::new(&self.run, self.secret_file.as_ref(), self.token_file.as_ref())?,
            witness,
            counters: Counters::default(),
            latencies: Latencies::begin()?,
            doorway: Semaphore::new(self.connecting),
            listener: OnceLock::new(),
            spread: OnceLock::new(),
            whereabouts: OnceLock::new(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_run_are_the_run() {
        let parts: Vec<Shard> = ["1/3", "2/3", "3/3"].into_iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(parts.iter().map(|part| part.part(1_000)).sum::<u64>(), 1_000);
        for index in 0..10 {
            assert_eq!(parts.iter().filter(|part| part.has(index)).count(), 1);
        }
        for wrong in ["", "0/3", "4/3", "1", "1/0", "a/b"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }
}
