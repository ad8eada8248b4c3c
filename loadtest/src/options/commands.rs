//! What may be written on the command line.

use clap::{Arg, Command, value_parser};

use super::arguments::{
    commands, file, files, flag, node_pid, number, outputs, path, saying, scenario, share, talking, text,
};
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
        .subcommands([chat(), connect(), fanout(), presence(), storm(), slow(), soak(), history(), outage()])
        .subcommands([slow_reader(), idle()])
        .subcommands([check(), merge(), compare(), table(), plan()])
}

fn chat() -> Command {
    talking(scenario("chat", "Pairs who talk across nodes, each message judged", "30000"), "60", "500")
        .arg(number("messages", "10000", "How many messages in all, answers not counted"))
        .arg(number("seconds", "0", "For how long, instead of --messages"))
        .arg(number("warm-up", "0", "Seconds at first whose messages are judged, while their latencies do not count"))
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
        .arg(number("conversations", "0", "Spread what is said over so many; 0: one for each pair"))
        .arg(flag("in-turn", "Visit each conversation in its turn, and not by chance"))
        .arg(flag("read-back", "In the end, read from the server what it has kept, and judge that as well"))
        .arg(flag("needs-in-flight", "Fail if no send was in flight whenever a connection was lost"))
        .arg(commands("Run COMMAND by the shell once so much of the messages is sent; may be repeated"))
}

fn fanout() -> Command {
    let about = "Groups: what one writes, all others are shown; how many in a second, and how far apart";
    saying(scenario("fanout", about, "30000"), "10")
        .arg(number("groups", "1", "How many groups"))
        .arg(number("members", "100", "How many are in each, of whom neighbours are on different nodes"))
        .arg(number("writers", "0", "How many of them write; 0: all"))
        .arg(number("seconds", "30", "For how long"))
        .arg(number("at-least", "0", "Deliveries per second; less is a failure"))
        .arg(number(
            "within-ms",
            "0",
            "99 of 100 messages are shown to all within so long; more is a failure; 0: no matter",
        ))
}

fn presence() -> Command {
    scenario("presence", "People come and go while others watch them on every node", "30000")
        .arg(number("people", "200", "How many come and go"))
        .arg(number("watchers", "1", "Connections on each target that watch each of them"))
        .arg(number("rate", "10", "Comings and goings per second"))
        .arg(number("seconds", "30", "For how long"))
        .arg(number("reloads", "20", "Of 100 who are there, so many are back at once instead of going"))
        .arg(number("grace-ms", "5000", "For so long the nodes wait before somebody without a connection is gone"))
        .arg(number("within-ms", "2000", "99 of 100 who come are shown everywhere within so long; more is a failure"))
        .arg(number("gone-within-ms", "10000", "The same for those who go"))
        .arg(commands("Run COMMAND by the shell once so many of them came and went; may be repeated"))
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
    Command::new("check").about("Judges a history file once more").arg(file("file", "What --history wrote")).arg(
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
    Command::new("compare")
        .about("Two runs beside each other, the second over the first")
        .arg(file("first", "What --json wrote"))
        .arg(file("second", "The same of another run"))
}

fn table() -> Command {
    Command::new("table")
        .about("The results of loadtest/bench as a document")
        .arg(file("directory", "Where they are"))
        .arg(Arg::new("commit").long("commit").help("Which commit was measured"))
        .arg(path("costs", "Where to write the few figures that plan is made from"))
}

fn plan() -> Command {
    Command::new("plan")
        .about("What so many people need, by what the benchmark measured, and where the first wall is")
        .arg(path("costs", "What was measured").default_value("docs/benchmarks.json"))
        .arg(share("connections", "How many are connected; the three sizes of docs/capacity.md without it"))
        .arg(text("door", "native-json", "How clients speak").value_parser(Door::NAMES))
        .arg(share("messages-per-hour", "Messages that each writes in an hour").default_value("12"))
        .arg(share("comings-per-hour", "Times that each connects in an hour").default_value("2"))
        .arg(share("fan-out", "Devices that are shown each message").default_value("1.5"))
        .arg(number("text-bytes", "80", "Bytes of a text"))
        .arg(share("busy-percent", "Of everything, so much is used").default_value("60"))
        .arg(share("node-cores", "Processors of a node").default_value("4"))
        .arg(share("node-gib", "Memory of a node").default_value("8"))
        .arg(share("node-connections", "Connections that a node may open").default_value("100000"))
        .arg(share("mongodb-cores", "Processors of MongoDB's primary").default_value("16"))
        .arg(share("network-gbit", "What the network of one machine carries").default_value("10"))
}
