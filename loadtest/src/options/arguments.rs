//! What arguments are made of, and what all scenarios take.

use std::path::PathBuf;

use clap::{Arg, ArgAction, Command, value_parser};

use crate::door::Door;

/// One that must be named.
pub(super) fn file(name: &'static str, about: &'static str) -> Arg {
    Arg::new(name).required(true).value_parser(value_parser!(PathBuf)).help(about)
}

/// Several of them.
pub(super) fn files(about: &'static str) -> Arg {
    file("files", about).num_args(1..)
}

pub(super) fn outputs() -> [Arg; 4] {
    [
        path("json", "Where to write the figures as JSON"),
        path("html", "Where to write the report as a page"),
        path("markdown", "Where to write the figures as Markdown"),
        Arg::new("title").long("title").help("The heading above the figures"),
    ]
}

/// A scenario, by itself, with what all of them take. `late` is how many milliseconds a message may take.
pub(super) fn scenario(name: &'static str, about: &'static str, late: &'static str) -> Command {
    let targets = Arg::new("targets")
        .long("targets")
        .value_name("URLS")
        .value_delimiter(',')
        .default_value("ws://127.0.0.1:3000")
        .help("Where nodes listen, comma-separated: ws://127.0.0.1:3001, or wss://chat.example.com");
    let door = text("door", "native-json", "How clients speak").value_parser(Door::NAMES);
    let seed = Arg::new("random-seed").long("random-seed").value_name("N").value_parser(value_parser!(u64));
    let watch = Arg::new("watch").long("watch").value_name("NAME=PID|URL").action(ArgAction::Append);
    Command::new(name)
        .about(about)
        .arg(targets)
        .arg(door)
        .arg(path("secret-file", "The secret that signs tokens. Without it, a node without keys is asked for them"))
        .arg(path("token-file", "Tokens instead: a line is USER TOKEN").conflicts_with("secret-file"))
        .arg(path("ca-file", "Certificates, in PEM, that are trusted besides this machine's"))
        .arg(seed.help("Draws the same arrivals, sizes and people again"))
        .arg(
            Arg::new("name")
                .long("name")
                .help("What all users' names begin with; another one in each run if not given"),
        )
        .arg(text("shard", "1/1", "Which part of a run this process plays: 1/3, 2/3, 3/3, with one --random-seed"))
        .arg(number(
            "threads",
            "0",
            "Threads that play; 0: half of the processors, since whoever is measured needs some too",
        ))
        .arg(number("connecting", "64", "How many connect at the same time; others wait"))
        .arg(number("late-ms", late, "From when a message was due until it is shown; more is late, and a failure"))
        .arg(watch.help("A process whose CPU and memory is shown: its id, or its /metrics; may be repeated"))
        .arg(path("history", "Where to keep what happened, a JSON line for each event, to be judged again by check"))
        .args(outputs())
        .mut_arg("title", |title| title.default_value(name))
}

/// What those take in which people talk.
pub(super) fn talking(command: Command, pairs: &'static str, rate: &'static str) -> Command {
    saying(command, rate)
        .arg(number("pairs", pairs, "How many pairs"))
        .arg(text("placement", "across", "Which targets the two of a pair use").value_parser(["across", "same", "any"]))
}

/// What those take in which something is said.
pub(super) fn saying(command: Command, rate: &'static str) -> Command {
    command
        .arg(number("rate", rate, "Messages that are due per second, whatever becomes of those before"))
        .arg(
            text("arrivals", "chance", "How they are spread: as people come, or one every so often")
                .value_parser(["chance", "even"]),
        )
        .arg(text("size", "80", "Bytes of a text: 100, or 20-500, or sizes with weights: 40*20,200*70,4000*10"))
}

/// Commands at chosen moments.
pub(super) fn commands(about: &'static str) -> Arg {
    Arg::new("at").long("at").value_name("PERCENT:COMMAND").action(ArgAction::Append).help(about)
}

pub(super) fn text(name: &'static str, default: &'static str, about: &'static str) -> Arg {
    Arg::new(name).long(name).default_value(default).help(about)
}

pub(super) fn path(name: &'static str, about: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("FILE").value_parser(value_parser!(PathBuf)).help(about)
}

pub(super) fn number(name: &'static str, default: &'static str, about: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("N").default_value(default).value_parser(value_parser!(u64)).help(about)
}

/// A number that need not be whole.
pub(super) fn share(name: &'static str, about: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("N").value_parser(value_parser!(f64)).help(about)
}

pub(super) fn flag(name: &'static str, about: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(about)
}

pub(super) fn node_pid() -> Arg {
    Arg::new("pid").long("pid").value_parser(value_parser!(u32)).required(true).help("The process of the node")
}
