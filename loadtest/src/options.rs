//! The command line.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::Fault;
use crate::client::{Counters, World};
use crate::latency::Latencies;
use crate::token::Issuer;

/// What all scenarios take.
#[derive(Debug, Clone)]
pub(crate) struct Common {
    targets: Vec<String>,
    secret_file: PathBuf,
    pub(crate) title: String,
    pub(crate) json: Option<PathBuf>,
    pub(crate) markdown: Option<PathBuf>,
}

/// The whole command line.
pub(crate) fn command() -> Command {
    Command::new("switchboard-loadtest")
        .about("Plays many Switchboard clients and judges what was lost, doubled or reordered.")
        .subcommand_required(true)
        .subcommand(chat())
        .subcommand(outage())
        .subcommand(slow_reader())
        .subcommand(idle())
}

fn chat() -> Command {
    scenario("chat", "Pairs who talk across nodes, each message judged")
        .arg(number("pairs", "60", "How many pairs; each two of a pair begin on different nodes"))
        .arg(number("messages", "10000", "How many messages in all"))
        .arg(number("rate", "500", "Messages that are due per second, whatever becomes of those before"))
        .arg(number("at-least", "0", "Messages acknowledged per second; less is a failure"))
        .arg(number("cuts", "0", "Clients per second that lose their connection and come back"))
        .arg(number("patience", "90", "Seconds without any progress after which what is missing counts as missing"))
        .arg(flag("needs-in-flight", "Fail if no send was in flight whenever a connection was lost"))
        .arg(
            Arg::new("at")
                .long("at")
                .value_name("PERCENT:COMMAND")
                .action(ArgAction::Append)
                .help("Run COMMAND by the shell once so much of the messages is sent; may be repeated"),
        )
}

fn outage() -> Command {
    scenario("outage", "Pairs who talk across nodes while something is away; how long each message takes")
        .arg(number("pairs", "60", "How many pairs; each two of a pair are on different nodes"))
        .arg(number("rate", "200", "Messages that are due per second"))
        .arg(number("away", "120", "Seconds from the beginning of --break to that of --mend"))
        .arg(number("settle", "5", "Seconds after the end of --mend until all must be as before"))
        .arg(number("within-ms", "5000", "From when a message was due until it is shown; more is a failure"))
        .arg(number("settled-ms", "1000", "The same for what is due once all has settled"))
        .arg(command_line("break", "The shell's command that begins the outage"))
        .arg(command_line("mend", "The shell's command that ends it"))
}

fn command_line(name: &'static str, about: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("COMMAND").default_value("true").help(about)
}

fn slow_reader() -> Command {
    scenario("slow-reader", "A client that stops reading, and reads again later")
        .arg(number(
            "messages",
            "50000",
            "How many messages arrive while it does not read; as many before, as the control",
        ))
        .arg(number("senders", "40", "How many write to it"))
        .arg(number("rate", "800", "Messages that are due per second"))
        .arg(number("warm-up", "20000", "Messages that it reads before"))
        .arg(number("growth-kib", "1024", "KiB of growth of the node that are a failure"))
        .arg(node_pid())
}

fn idle() -> Command {
    scenario("idle", "Many idle connections, and the memory that each costs")
        .arg(number("connections", "10000", "How many in all"))
        .arg(number("baseline", "1000", "How many before memory is first measured"))
        .arg(number("per-second", "400", "How many connect in a second"))
        .arg(number("settle", "20", "Seconds of rest before each measurement"))
        .arg(number("bytes-each", "8192", "Bytes of growth per connection; more is a failure"))
        .arg(number("run", "1", "Names the users: the same number means the same users"))
        .arg(flag("seed", "Only make the conversations, and end"))
        .arg(node_pid())
}

fn scenario(name: &'static str, about: &'static str) -> Command {
    let path = |name: &'static str, about: &'static str| {
        Arg::new(name).long(name).value_name("FILE").value_parser(value_parser!(PathBuf)).help(about)
    };
    Command::new(name)
        .about(about)
        .arg(
            Arg::new("targets")
                .long("targets")
                .value_name("URLS")
                .value_delimiter(',')
                .required(true)
                .help("Where nodes listen: ws://127.0.0.1:3001,ws://127.0.0.1:3002"),
        )
        .arg(path("secret-file", "The secret that signs tokens").required(true))
        .arg(path("json", "Where to write the figures as JSON"))
        .arg(path("markdown", "Where to write the figures as Markdown"))
        .arg(Arg::new("title").long("title").default_value(name).help("The heading above the figures"))
}

fn number(name: &'static str, default: &'static str, about: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("N").default_value(default).value_parser(value_parser!(u64)).help(about)
}

fn flag(name: &'static str, about: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(about)
}

fn node_pid() -> Arg {
    Arg::new("pid").long("pid").value_parser(value_parser!(u32)).required(true).help("The process of the node")
}

/// A number of the command line.
pub(crate) fn get(matches: &ArgMatches, name: &str) -> u64 {
    matches.get_one(name).copied().unwrap_or_default()
}

impl Common {
    pub(crate) fn of(matches: &ArgMatches) -> Result<Self, Fault> {
        let path = |name: &str| matches.get_one::<PathBuf>(name).cloned();
        Ok(Self {
            targets: matches.get_many("targets").into_iter().flatten().cloned().collect(),
            secret_file: path("secret-file").ok_or("name a --secret-file")?,
            title: matches.get_one::<String>("title").cloned().unwrap_or_default(),
            json: path("json"),
            markdown: path("markdown"),
        })
    }

    /// What the clients of one run share.
    pub(crate) fn world(&self) -> Result<Arc<World>, Fault> {
        let secret = std::fs::read_to_string(&self.secret_file)
            .map_err(|error| format!("{} cannot be read: {error}", self.secret_file.display()))?;
        Ok(Arc::new(World {
            targets: self.targets.clone(),
            issuer: Issuer::new(&secret),
            counters: Counters::default(),
            latencies: Latencies::begin()?,
        }))
    }
}
