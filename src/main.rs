//! The `switchboard` binary: a node, and the commands around it.

use std::net::SocketAddr;
use std::process::ExitCode;

use switchboard::auth::Minter;
use switchboard::config::{self, Command, Config, Process, TokenRequest};
use switchboard::model::limits::ACCEPT_BACKLOG;
use switchboard::model::{Clock, SystemChance, SystemClock};
use switchboard::node::{self, Node, StartError, Verdict};
use switchboard::telemetry::{Recorder, start_logs};
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};

/// See `docs/decisions/0019-what-is-shipped.md`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let loaded = match config::load(std::env::args_os(), &Process) {
        Ok(loaded) => loaded,
        Err(stop) if stop.status == 0 => {
            print!("{}", stop.text);
            return ExitCode::SUCCESS;
        }
        Err(stop) => {
            eprint!("{}", stop.text);
            return ExitCode::from(stop.status);
        }
    };
    start_logs(&loaded.config.log);
    loaded.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let config = &loaded.config;
    let done = match &loaded.command {
        Command::Serve => run(config, serve(config)),
        Command::Check => run(config, check(config)),
        Command::Health => run(config, health(config)),
        Command::Token(request) => print_token(config, request),
        Command::Import => run(config, import(config)),
        Command::Backup(to) => run(config, upkeep(node::back_up(config, to, say))),
        Command::Restore(from) => run(config, upkeep(node::restore(config, from, say))),
        Command::Erase { user, dry } => run(config, upkeep(node::erase(config, user, *dry, say))),
        Command::Purge { age, dry } => run(config, upkeep(node::purge(config, *age, *dry, say))),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("switchboard: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(config: &Config, work: impl Future<Output = Result<ExitCode, StartError>>) -> Result<ExitCode, StartError> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(workers) = config.workers {
        runtime.worker_threads(workers);
    }
    runtime.enable_all().build()?.block_on(work)
}

async fn serve(config: &Config) -> Result<ExitCode, StartError> {
    let recorder = Recorder::install().map_err(|error| std::io::Error::other(error.to_string()))?;
    let listener = bind(config.listen, "SWITCHBOARD_LISTEN")?;
    let ops = bind(config.ops_listen, "SWITCHBOARD_OPS_LISTEN")?;
    let parts = node::open(config, Some(recorder)).await?;
    let store = parts.store.clone();
    let mut stop = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let node = Node::start(parts, node::settings(config), listener, ops).await?;
    announce(config, node.address(), node.ops_address());
    tokio::select! {
        _ = stop.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("leaving: a second signal stops at once");
    tokio::select! {
        whole = node.drain() => {
            store.close().await;
            Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        _ = stop.recv() => Ok(ExitCode::FAILURE),
        _ = interrupt.recv() => Ok(ExitCode::FAILURE),
    }
}

fn bind(address: SocketAddr, setting: &str) -> Result<TcpListener, StartError> {
    let bound = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(ACCEPT_BACKLOG)
    };
    Ok(bound().map_err(|error| std::io::Error::other(format!("cannot listen on {address}: {error}; set {setting}")))?)
}

/// Two lines: what it is doing, and where to look.
fn announce(config: &Config, address: SocketAddr, ops: SocketAddr) {
    let what = match (&config.storage, &config.bus) {
        (config::Storage::Embedded { dir }, _) => format!("one whole chat, kept in {}", dir.display()),
        (_, config::BusKind::Local) => "one node, kept in MongoDB".to_owned(),
        (_, config::BusKind::Redis { .. }) => "a node of a cluster, over Redis and MongoDB".to_owned(),
    };
    println!("Switchboard {}: {what}.", env!("CARGO_PKG_VERSION"));
    println!("Open http://{address}/ to chat; metrics and health are at http://{ops}/metrics and /readyz.");
}

/// A line for each part, bound and risky setting; fails if a part does.
async fn check(config: &Config) -> Result<ExitCode, StartError> {
    let findings = node::check(config).await;
    findings.iter().for_each(|finding| println!("{finding}"));
    let good = findings.iter().all(|finding| finding.verdict != Verdict::Failed);
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Silent when all is well: whoever asks does so every few seconds.
async fn health(config: &Config) -> Result<ExitCode, StartError> {
    node::health(config.ops_listen).await?;
    Ok(ExitCode::SUCCESS)
}

/// Fails also where a conversation was refused: then not everything was copied.
async fn import(config: &Config) -> Result<ExitCode, StartError> {
    let count = node::import(config, |line| println!("{line}")).await?;
    Ok(if count.refused_conversations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is done to the store, and said meanwhile.
async fn upkeep(work: impl Future<Output = Result<(), StartError>>) -> Result<ExitCode, StartError> {
    work.await.map(|()| ExitCode::SUCCESS)
}

fn say(line: String) {
    println!("{line}");
}

fn print_token(config: &Config, request: &TokenRequest) -> Result<ExitCode, StartError> {
    let mint = || Minter::open(&config.auth, &SystemChance)?.mint(request, SystemClock.now());
    let token = mint().map_err(|error| std::io::Error::other(error.to_string()))?;
    println!("{token}");
    Ok(ExitCode::SUCCESS)
}
