//! What may be written on the command line.

use std::path::PathBuf;

use clap::{Arg, ArgAction, Command, value_parser};

use crate::door::Door;

/// The whole command line.
pub(crate) fn command() -> Command {
    Command::new("switchboard-loadtest")
        .about("Plays many Switchboard clients and judges what was lost, doubled or reordered.")
        .version(env!("CARGO_PKG_VERSION"))
        .after_help(
            "Exit code 0: nothing was damaged; 1: something was, or a limit was passed; 2: the run could not be made.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([chat(), connect(), storm(), slow(), soak(), history(), outage(), slow_reader(), idle()])
        .subcommands([check(), merge(), compare(), table()])
}

fn chat() -> Command {
    talking(scenario("chat", "Pairs who talk across nodes, each message judged", "30000"), "60", "500")
        .arg(number("messages", "10000", "How many messages in all, answers not counted"))
        .arg(number("seconds", "0", "For how long, instead of --messages"))
        .arg(number("answers", "0", "Of 100 messages that are shown, so many are answered"))
        .arg(text("think-ms", "500-3000", "How long somebody thinks before they answer"))
        .arg(number("devices", "1", "Devices of each; all must show what the others write"))
        .arg(number("at-least", "0", "Messages acknowledged per second; less is a failure"))
        .arg(number("within-ms", "0", "99 of 100 are shown within so long, or it is a failure; 0: no matter"))
        .arg(number("cuts", "0", "Clients per second that lose their connection and come back"))
        .arg(number("patience", "90", "Seconds without any progress after which what is missing counts as missing"))
        .arg(number(
            "aftermath",
            "5",
            "Seconds that clients go on after the last message, so that one shown twice is seen",
        ))
        .arg(flag("needs-in-flight", "Fail if no send was in flight whenever a connection was lost"))
        .arg(
            Arg::new("at")
                .long("at")
                .value_name("PERCENT:COMMAND")
                .action(ArgAction::Append)
                .help("Run COMMAND by the shell once so much of the messages is sent; may be repeated"),
        )
}

fn connect() -> Command {
    scenario("connect", "Connections at a steady rate up to a number, then rest", "30000")
        .arg(number("connections", "1000", "How many in all"))
        .arg(number("baseline", "100", "How many before memory is first measured"))
        .arg(number("per-second", "100", "How many connect in a second"))
        .arg(number("rest", "10", "Seconds of rest before each measurement"))
        .arg(number(
            "patience",
            "60",
            "Seconds without any progress after which those who are missing count as missing",
        ))
}

fn storm() -> Command {
    talking(
        scenario("storm", "All lose their connections at once, and come back, while they talk", "60000"),
        "250",
        "100",
    )
    .arg(number("storms", "3", "How often"))
    .arg(number("calm", "10", "Seconds before each, and after the last"))
    .mut_arg("connecting", |connecting| connecting.default_value("100000"))
    .arg(number("back-within", "60", "Seconds until all are back and caught up; more is a failure"))
}

fn slow() -> Command {
    talking(scenario("slow", "Pairs of whom some read slowly, or not at all for a while", "600000"), "100", "300")
        .arg(number("seconds", "30", "For how long they talk"))
        .arg(number("slow", "20", "Of 100 clients, so many read slowly"))
        .arg(number("rest-ms", "500", "How long they rest after each frame"))
        .arg(number("stopped", "5", "Of 100 clients, so many read nothing until the others have finished"))
        .arg(number(
            "within-ms",
            "1000",
            "99 of 100 messages for the others are shown within so long; more is a failure",
        ))
}

fn soak() -> Command {
    talking(scenario("soak", "All of it for a long time, and what grows meanwhile", "60000"), "100", "100")
        .arg(number("seconds", "3600", "For how long"))
        .arg(number("cuts", "1", "Clients per second that lose their connection and come back"))
        .arg(number("storm-every", "600", "Seconds between two losses of all connections; 0: none"))
        .arg(number("slow", "5", "Of 100 clients, so many read slowly"))
        .arg(number("memory-kib-per-hour", "0", "Growth of a watched process that is a failure; 0: no matter"))
        .arg(number("files-per-hour", "0", "The same for its open files"))
}

fn history() -> Command {
    scenario("history", "A long conversation: every page of it, and coming back behind", "600000")
        .arg(number("messages", "10000", "How many messages the conversation has"))
        .arg(number("rate", "200", "Messages that are written per second while it is made"))
        .arg(number("writers", "20", "Connections that write it"))
        .arg(number("pages", "500", "How many pages are read, spread over all of it"))
        .arg(number("page", "100", "Messages in a page"))
        .arg(number("readers", "4", "Connections that read pages at the same time"))
        .arg(number("behind", "300", "How many messages a client missed that comes back"))
}

fn outage() -> Command {
    let about = "Pairs who talk across nodes while something is away; how long each message takes";
    talking(scenario("outage", about, "600000"), "60", "200")
        .arg(number("away", "120", "Seconds from the beginning of --break to that of --mend"))
        .arg(number("settle", "5", "Seconds after the end of --mend until all must be as before"))
        .arg(number("within-ms", "5000", "From when a message was due until it is shown; more is a failure"))
        .arg(number("settled-ms", "1000", "The same for what is due once all has settled"))
        .arg(text("break", "true", "The shell's command that begins the outage"))
        .arg(text("mend", "true", "The shell's command that ends it"))
}

fn slow_reader() -> Command {
    scenario("slow-reader", "One client that stops reading, and the memory that this costs its node", "600000")
        .arg(number("messages", "50000", "How many arrive while it does not read; as many before, as the control"))
        .arg(number("senders", "40", "How many write to it"))
        .arg(number("rate", "800", "Messages that are due per second"))
        .arg(number("warm-up", "20000", "Messages that it reads before"))
        .arg(number("growth-kib", "1024", "KiB of growth of the node that are a failure"))
        .arg(node_pid())
}

fn idle() -> Command {
    scenario("idle", "Idle connections with conversations of their own, and the memory that each costs", "30000")
        .arg(number("connections", "10000", "How many in all"))
        .arg(number("baseline", "1000", "How many before memory is first measured"))
        .arg(number("per-second", "400", "How many connect in a second"))
        .arg(number("settle", "20", "Seconds of rest before each measurement"))
        .arg(number("bytes-each", "8192", "Bytes of growth per connection; more is a failure"))
        .arg(number("run", "1", "Names the users: the same number means the same users"))
        .arg(flag("seed", "Only make the conversations, and end"))
        .arg(node_pid())
}

fn check() -> Command {
    Command::new("check")
        .about("Judges a history file once more")
        .arg(Arg::new("file").required(true).value_parser(value_parser!(PathBuf)).help("What --history wrote"))
        .arg(
            Arg::new("late-ms")
                .long("late-ms")
                .value_name("N")
                .value_parser(value_parser!(u64))
                .help("From when a message was due until it is shown; more is late, whatever the run said"),
        )
}

fn merge() -> Command {
    Command::new("merge")
        .about("Adds up the reports of processes that shared one run (--shard)")
        .arg(files("What --json wrote in each of them"))
        .args(outputs())
}

fn compare() -> Command {
    let one = |name: &'static str, about: &'static str| {
        Arg::new(name).required(true).value_parser(value_parser!(PathBuf)).help(about)
    };
    Command::new("compare")
        .about("Two runs beside each other, the second over the first")
        .arg(one("first", "What --json wrote"))
        .arg(one("second", "The same of another run"))
}

fn table() -> Command {
    Command::new("table")
        .about("The results of loadtest/bench as a document")
        .arg(Arg::new("directory").required(true).value_parser(value_parser!(PathBuf)).help("Where they are"))
        .arg(Arg::new("commit").long("commit").help("Which commit was measured"))
}

fn files(about: &'static str) -> Arg {
    Arg::new("files").required(true).num_args(1..).value_parser(value_parser!(PathBuf)).help(about)
}

fn outputs() -> [Arg; 4] {
    [
        path("json", "Where to write the figures as JSON"),
        path("html", "Where to write the report as a page"),
        path("markdown", "Where to write the figures as Markdown"),
        Arg::new("title").long("title").help("The heading above the figures"),
    ]
}

/// A scenario, by itself, with what all of them take. `late` is how many milliseconds a message may take.
fn scenario(name: &'static str, about: &'static str, late: &'static str) -> Command {
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
        .arg(number("connecting", "64", "How many connect at the same time; others wait"))
        .arg(number("late-ms", late, "From when a message was due until it is shown; more is late, and a failure"))
        .arg(watch.help("A process whose CPU and memory is shown: its id, or its /metrics; may be repeated"))
        .arg(path("history", "Where to keep what happened, a JSON line for each event, to be judged again by check"))
        .args(outputs())
        .mut_arg("title", |title| title.default_value(name))
}

/// What those take in which people talk.
fn talking(command: Command, pairs: &'static str, rate: &'static str) -> Command {
    command
        .arg(number("pairs", pairs, "How many pairs"))
        .arg(number("rate", rate, "Messages that are due per second, whatever becomes of those before"))
        .arg(
            text("arrivals", "chance", "How they are spread: as people come, or one every so often")
                .value_parser(["chance", "even"]),
        )
        .arg(text("size", "80", "Bytes of a text: 100, or 20-500, or sizes with weights: 40*20,200*70,4000*10"))
        .arg(text("placement", "across", "Which targets the two of a pair use").value_parser(["across", "same", "any"]))
}

fn text(name: &'static str, default: &'static str, about: &'static str) -> Arg {
    Arg::new(name).long(name).default_value(default).help(about)
}

fn path(name: &'static str, about: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("FILE").value_parser(value_parser!(PathBuf)).help(about)
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
