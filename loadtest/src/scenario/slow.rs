use clap::ArgMatches;

use crate::Fault;

pub(crate) struct Options;

impl Options {
    pub(crate) fn of(_matches: &ArgMatches) -> Result<Self, Fault> {
        Ok(Self)
    }
}

pub(crate) async fn run(_options: &Options) -> Result<bool, Fault> {
    Ok(true)
}
