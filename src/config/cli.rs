//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, value_parser};

use super::Stop;
use super::raw::Flags;
use super::settings::{SETTINGS, Setting, Sort};
use crate::model::limits::{EMAIL_BYTES_MAX, NAME_BYTES_MAX, PURGE_AGE_MIN};
use crate::model::{Role, UserId};

/// What the process is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Run a node.
    Serve,
    /// Say whether everything is reachable and safe.
    Check,
    /// Ask the node of this configuration whether it lives.
    Health,
    /// Mint a token.
    Token(TokenRequest),
    /// Copy the old app's messages and users into the store.
    Import,
    /// Write everything that the store holds into this new file.
    Backup(PathBuf),
    /// Make an empty store of a back-up.
    Restore(Restoration),
    /// Erase somebody, or only count what that would do.
    Erase {
        /// Whom.
        user: UserId,
        /// Only count.
        dry: bool,
    },
    /// Delete what is old, or only count it.
    Purge {
        /// Older than this.
        age: Duration,
        /// Only count.
        dry: bool,
    },
}

/// What a store is restored from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restoration {
    /// A file that `backup` wrote.
    From(PathBuf),
    /// It was restored by other means: it only has to become another history.
    InPlace,
}

impl Command {
    /// Whether it works on the store and lets nobody in: then it needs no keys.
    #[must_use]
    pub const fn is_on_store(&self) -> bool {
        matches!(self, Self::Import | Self::Backup(_) | Self::Restore(_) | Self::Erase { .. } | Self::Purge { .. })
    }
}

/// The token that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// Whose.
    pub user: UserId,
    /// What they may be.
    pub role: Role,
    /// Display name.
    pub name: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// How long it counts: a second at least.
    pub ttl: Duration,
}

/// The command, and the settings among its flags.
pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<(Command, Flags), Stop> {
    let matches = command().try_get_matches_from(arguments).map_err(|error| stop(&error))?;
    let command = match matches.subcommand() {
        Some(("token", given)) => Command::Token(token_request(given).ok_or_else(incomplete)?),
        Some(("check", _)) => Command::Check,
        Some(("health", _)) => Command::Health,
        Some(("import", _)) => Command::Import,
        Some(("backup", given)) => Command::Backup(file(given).ok_or_else(incomplete)?),
        Some(("restore", given)) => Command::Restore(file(given).map_or(Restoration::InPlace, Restoration::From)),
        Some(("erase", given)) => {
            let user = given.get_one::<UserId>("user").ok_or_else(incomplete)?.clone();
            Command::Erase { user, dry: given.get_flag("dry-run") }
        }
        Some(("purge", given)) => {
            let age = *given.get_one("older-than").ok_or_else(incomplete)?;
            Command::Purge { age, dry: given.get_flag("dry-run") }
        }
        _ => Command::Serve,
    };
    let leaf = matches.subcommand().map_or(&matches, |(_, leaf)| leaf);
    let names = SETTINGS.iter().flat_map(flag_names);
    let flags = names.filter_map(|name| Some((name.clone(), leaf.get_one::<String>(&name)?.clone()))).collect();
    Ok((command, flags))
}

fn stop(error: &clap::Error) -> Stop {
    let is_asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    Stop { status: if is_asked_for { 0 } else { 2 }, text: error.to_string() }
}

/// What clap has made sure never happens.
fn incomplete() -> Stop {
    Stop { status: 2, text: "switchboard: the command lacks what it needs: see --help\n".to_owned() }
}

fn flag_names(setting: &Setting) -> impl Iterator<Item = String> + use<> {
    let file = setting.may_come_from_file().then(|| format!("{}-file", setting.flag()));
    std::iter::once(setting.flag()).chain(file)
}

fn command() -> clap::Command {
    clap::Command::new("switchboard")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A chat cluster. With nothing set: one whole node on this machine.")
        .after_help(
            "Every setting is a flag, an environment variable, or a key of the file that --config names; the first of \
             these wins.",
        )
        .subcommand(clap::Command::new("serve").about("Run a node (what happens without a command)"))
        .subcommand(clap::Command::new("check").about("Say whether everything is reachable and safe"))
        .subcommand(
            clap::Command::new("health")
                .about("Ask the node that runs with these settings whether it lives, for containers without a shell"),
        )
        .subcommand(token_command())
        .subcommand(
            clap::Command::new("import")
                .about("Copy the messages and users of the old app, which --from names, into the store"),
        )
        .subcommands([backup_command(), restore_command(), erase_command(), purge_command()])
        .args(SETTINGS.iter().flat_map(arguments))
}

fn arguments(setting: &Setting) -> Vec<Arg> {
    let default = setting.default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
    let help = format!("{} [env: {}]{default}", setting.doc, setting.variable());
    let value = global(setting.flag(), setting.hint).help(help);
    let value = match setting.sort {
        Sort::Switch => value.num_args(0..=1).require_equals(true).default_missing_value("true"),
        Sort::Plain | Sort::Document | Sort::Secret => value,
    };
    let file = setting.may_come_from_file().then(|| {
        let help = format!("A file that holds it [env: {}_FILE]", setting.variable());
        global(format!("{}-file", setting.flag()), "FILE").help(help)
    });
    std::iter::once(value).chain(file).collect()
}

fn global(flag: String, hint: &'static str) -> Arg {
    Arg::new(flag.clone()).long(flag).value_name(hint).global(true).help_heading("Settings")
}

fn token_command() -> clap::Command {
    let option = |name: &'static str, hint: &'static str| Arg::new(name).long(name).value_name(hint);
    clap::Command::new("token")
        .about("Mint a token with the configured secret, or with the one of development logins")
        .arg(option("user", "ID").required(true).value_parser(value_parser!(UserId)).help("Whose"))
        .arg(option("role", "ROLE").default_value("user").value_parser(role).help("user, admin or service"))
        .arg(option("name", "TEXT").value_parser(at_most::<NAME_BYTES_MAX>).help("Display name"))
        .arg(option("email", "TEXT").value_parser(at_most::<EMAIL_BYTES_MAX>).help("E-mail address"))
        .arg(
            option("ttl", "TIME").default_value("24h").value_parser(span).help("How long it counts: 90s, 15m, 24h, 7d"),
        )
}

fn backup_command() -> clap::Command {
    clap::Command::new("backup")
        .about("Write everything that the store holds at one moment into a new file, while nodes serve")
        .arg(file_argument().required(true).help("Where to; there must be no such file"))
}

fn restore_command() -> clap::Command {
    let in_place = Arg::new("in-place").long("in-place").action(ArgAction::SetTrue).conflicts_with(FILE);
    clap::Command::new("restore")
        .about("Make the store, which must be empty, of a back-up; clients are told that it is another history")
        .arg(file_argument().required_unless_present("in-place").help("What `backup` wrote"))
        .arg(in_place.help("Only make the store another history: it was restored by other means, such as mongorestore"))
}

fn erase_command() -> clap::Command {
    let user = Arg::new("user").long("user").value_name("ID").required(true).value_parser(value_parser!(UserId));
    clap::Command::new("erase")
        .about("Erase somebody: they leave their groups, what they wrote is emptied, nothing is known of them any more")
        .arg(user.help("Whom"))
        .arg(dry_run())
}

fn purge_command() -> clap::Command {
    let age = Arg::new("older-than").long("older-than").value_name("TIME").required(true).value_parser(age);
    clap::Command::new("purge")
        .about("Delete the messages that are older than this, from the beginning of each conversation on")
        .arg(age.help("How old: 365d, at least 1d"))
        .arg(dry_run())
}

const FILE: &str = "file";

fn file_argument() -> Arg {
    Arg::new(FILE).value_name("FILE").value_parser(value_parser!(PathBuf))
}

fn file(given: &ArgMatches) -> Option<PathBuf> {
    given.get_one::<PathBuf>(FILE).cloned()
}

fn dry_run() -> Arg {
    Arg::new("dry-run").long("dry-run").action(ArgAction::SetTrue).help("Only count")
}

fn age(text: &str) -> Result<Duration, String> {
    let age = span(text)?;
    if age < PURGE_AGE_MIN { Err("at least 1d".to_owned()) } else { Ok(age) }
}

fn token_request(given: &ArgMatches) -> Option<TokenRequest> {
    Some(TokenRequest {
        user: given.get_one::<UserId>("user")?.clone(),
        role: *given.get_one("role")?,
        name: given.get_one("name").cloned(),
        email: given.get_one("email").cloned(),
        ttl: *given.get_one("ttl")?,
    })
}

fn role(text: &str) -> Result<Role, String> {
    match text {
        "user" => Ok(Role::User),
        "admin" => Ok(Role::Admin),
        "service" => Ok(Role::Service),
        _ => Err("a role is user, admin or service".to_owned()),
    }
}

fn at_most<const BYTES: usize>(text: &str) -> Result<String, String> {
    if text.len() > BYTES || text.chars().any(char::is_control) {
        return Err(format!("at most {BYTES} bytes, and no control characters"));
    }
    Ok(text.to_owned())
}

/// A time of at least a second and at most ten years.
fn span(text: &str) -> Result<Duration, String> {
    let parse = || {
        let unit = text.chars().last()?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 60 * 60,
            'd' => 24 * 60 * 60,
            _ => return None,
        };
        let seconds = text[..text.len() - 1].parse::<u64>().ok()?.checked_mul(seconds)?;
        (1..=10 * 365 * 24 * 60 * 60).contains(&seconds).then(|| Duration::from_secs(seconds))
    };
    parse().ok_or_else(|| "a time is a whole number and s, m, h or d, such as 24h, and at most 3650d".to_owned())
}
