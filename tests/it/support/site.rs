//! One address for nodes, perhaps with a backend that stays, as deploy/ has it: a real HAProxy, or a real nginx.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::ports::free_port;
use super::process::{Process, installed};

/// How long a proxy may take to listen, or a check of its configuration.
const START_WAIT: Duration = Duration::from_secs(30);

/// The proxy, until it is dropped.
pub(crate) struct Site {
    address: SocketAddr,
    _process: Process,
    _directory: TempDir,
}

impl Site {
    /// HAProxy with its file of deploy/migration as it is, checked before.
    pub(crate) async fn haproxy(nodes: &[SocketAddr], backend: SocketAddr) -> Self {
        let mut words = vec![format!("BACKEND={backend}")];
        words.extend((1..).zip(nodes).map(|(n, node)| format!("GATEWAY_{n}={node}")));
        Self::haproxy_of("deploy/migration/haproxy.cfg", "SITE_ADDRESS", words).await
    }

    /// HAProxy before gateways alone, with deploy/haproxy.cfg as it is: where clients come to each of them, and operators.
    pub(crate) async fn before(gateways: &[(SocketAddr, SocketAddr)]) -> Self {
        let words = (1..)
            .zip(gateways)
            .flat_map(|(n, (node, ops))| [format!("GATEWAY_{n}={node}"), format!("OPS_PORT_{n}={}", ops.port())]);
        Self::haproxy_of("deploy/haproxy.cfg", "CHAT_ADDRESS", words.collect()).await
    }

    /// HAProxy with this file, which calls its own address by this name, and is told these others.
    async fn haproxy_of(file: &str, own: &str, mut words: Vec<String>) -> Self {
        let (directory, address) = place();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        words.extend([format!("{own}={address}"), installed("haproxy").display().to_string()]);
        let command = |mode: &str| {
            let last = [mode.to_owned(), "-f".to_owned(), file.display().to_string()];
            words.iter().cloned().chain(last).collect::<Vec<_>>()
        };
        check(&command("-c"));
        Self::start(&command("-db"), address, directory).await
    }

    /// nginx with its file of deploy/migration, its words replaced as the file says.
    pub(crate) async fn nginx(nodes: &[SocketAddr], backend: SocketAddr) -> Self {
        let (directory, address) = place();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/migration/nginx.conf");
        let mut text = std::fs::read_to_string(file).unwrap();
        text = text.replace("SITE_ADDRESS", &address.to_string()).replace("BACKEND", &backend.to_string());
        for (n, node) in (1..).zip(nodes) {
            text = text.replace(&format!("GATEWAY_{n}"), &node.to_string());
        }
        // Nothing of it outside its directory, whoever runs the test.
        let own = directory.path().display();
        let paths =
            ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|of| format!("{of}_temp_path {own}/{of};"));
        text = text.replace("http {", &format!("http {{ access_log off; {}", paths.join(" ")));
        let file = directory.path().join("nginx.conf");
        std::fs::write(&file, text).unwrap();
        let command = |last: &[&str]| {
            let mut words = vec![installed("nginx").display().to_string(), "-c".to_owned(), file.display().to_string()];
            words.extend(["-g".to_owned(), format!("daemon off; pid {own}/pid; error_log stderr;")]);
            words.extend(last.iter().map(|&word| word.to_owned()));
            words
        };
        check(&command(&["-t"]));
        Self::start(&command(&[]), address, directory).await
    }

    async fn start(command: &[String], address: SocketAddr, directory: TempDir) -> Self {
        let mut process = Process::spawn(Path::new("/usr/bin/env"), command, &directory.path().join("log"));
        let deadline = Instant::now() + START_WAIT;
        while TcpStream::connect(address).await.is_err() {
            assert!(process.is_running() && Instant::now() < deadline, "it does not listen:\n{}", process.log());
            sleep(Duration::from_millis(10)).await;
        }
        Self { address, _process: process, _directory: directory }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

fn place() -> (TempDir, SocketAddr) {
    let directory = tempfile::Builder::new().prefix("site-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    (directory, ([127, 0, 0, 1], free_port()).into())
}

fn check(command: &[String]) {
    let checked = std::process::Command::new("/usr/bin/env").args(command).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}
