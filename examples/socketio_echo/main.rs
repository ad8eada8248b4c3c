//! A server that says back what it hears, for the official test suites of the Engine.IO and Socket.IO protocols: on the
//! same doors as the chat.
//!
//! ```text
//! cargo run --example socketio_echo -- --port 3000
//! ```
//!
//! `/engine.io/` says every message back. `/socket.io/` has the namespaces `/` and `/custom`: on connection it emits
//! `auth` with what the client said there, `message` is answered by `message-back` with the same arguments, and
//! `message-with-ack` is acknowledged with them.

#![expect(clippy::print_stdout, reason = "it says where it listens")]

mod engine;
mod socket;

use std::sync::Arc;
use std::time::Duration;

use clap::{Arg, ArgMatches, Command, value_parser};
use switchboard::door::budget::Budget;
use switchboard::door::engineio::{EngineIo, Layer, Sessions, Settings, routes};
use switchboard::door::listener::{ListenerSettings, serve};
use switchboard::door::origin::Origins;
use switchboard::model::{Chance, NodeId, SystemChance};
use switchboard::telemetry::Memory;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = command().get_matches();
    let number = |name: &str| arguments.get_one::<u64>(name).copied().unwrap_or_default();
    let max_payload = usize::try_from(number("max-payload"))?;
    let settings = Settings {
        ping_interval: Duration::from_millis(number("ping-interval")),
        ping_timeout: Duration::from_millis(number("ping-timeout")),
        max_payload,
        first_payload_max: max_payload,
        ..Settings::default()
    };
    let echo = socket::Echo {
        connect_wait: Duration::from_millis(number("connect-timeout")),
        attachment_bytes_max: max_payload,
        chance: Arc::new(SystemChance),
    };
    let node = NodeId(SystemChance.bits());
    let door = |layer: Arc<dyn Layer>| EngineIo {
        node,
        chance: Arc::new(SystemChance),
        settings,
        sessions: Sessions::new(settings.sessions_max, settings.guests_per_address_max),
        origins: Arc::new(Origins::default()),
        memory: Memory::boundless(),
        tasks: TaskTracker::new(),
        layer,
        relay: None,
    };
    let router = routes("/engine.io/", door(Arc::new(engine::Echo))).merge(routes("/socket.io/", door(Arc::new(echo))));
    let listener = TcpListener::bind((address(&arguments), u16::try_from(number("port"))?)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    serve(listener, router, house(max_payload), CancellationToken::new()).await;
    Ok(())
}

fn command() -> Command {
    let number = |name: &'static str, default: &'static str, help: &'static str| {
        Arg::new(name).long(name).default_value(default).value_parser(value_parser!(u64)).help(help)
    };
    Command::new("socketio_echo").about("Says back what it hears over Engine.IO and Socket.IO").args([
        Arg::new("address").long("address").default_value("127.0.0.1").help("The address to listen on"),
        number("port", "3000", "The port to listen on; 0 for any"),
        number("ping-interval", "300", "How often clients are pinged, in milliseconds"),
        number("ping-timeout", "200", "How long they have to answer, in milliseconds"),
        number("connect-timeout", "1000", "How long they have to join a namespace, in milliseconds"),
        number("max-payload", "1000000", "Bytes of one message or one body of polling"),
    ])
}

fn address(arguments: &ArgMatches) -> &str {
    arguments.get_one::<String>("address").map_or("127.0.0.1", String::as_str)
}

/// Nobody is a stranger here, and nobody is slowed down.
fn house(max_payload: usize) -> ListenerSettings {
    let budget = Budget {
        frames_per_second: 100_000,
        bytes_per_second: 100_000_000,
        bytes_burst: 100_000_000,
        ..Budget::default()
    };
    ListenerSettings {
        body_bytes_max: max_payload,
        message_bytes_max: max_payload,
        hello_bytes_max: max_payload,
        budget,
        ..ListenerSettings::default()
    }
}
