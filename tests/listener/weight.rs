//! What an idle WebSocket weighs. Not part of the usual run: it measures, and needs 10,000 file descriptors twice.
//!
//! `cargo test --release --test listener weight -- --ignored --nocapture`

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::{Raw, frame, start, upgrade_request};

const FEW: usize = 1_000;
const MANY: usize = 9_000;

#[test]
#[ignore = "a measurement"]
fn ten_thousand_idle_websockets() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let served = start(Default::default()).await;
        let crowd = |size: usize| tokio::task::spawn_blocking(move || Crowd::of(size, served.address.to_string()));
        let _few = crowd(FEW).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = resident_bytes();
        let _many = crowd(MANY).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let each = (resident_bytes() - before) / MANY;
        println!("an idle WebSocket takes {each} bytes");
        assert!(each < 8 * 1024);
        let mut raw = Raw::websocket(&served).await;
        raw.send(&frame(0x81, b"still here")).await;
        assert!(raw.frame().await.is_some());
    });
}

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1_024
}

/// Clients in a process of their own, so that they do not weigh on the scales.
struct Crowd(Child);

impl Crowd {
    /// Returns when each of them has said something and got its echo.
    fn of(size: usize, address: String) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "weight::crowd", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "{size} {address}").unwrap();
        let said = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        assert!(said.map_while(Result::ok).any(|line| line.ends_with("all are here")), "the crowd did not come");
        Self(child)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "the crowd of the measurement above"]
fn crowd() {
    let mut order = String::new();
    std::io::stdin().read_line(&mut order).unwrap();
    let Some((size, address)) = order.trim().split_once(' ') else { return };
    let greeting = [frame(0x81, b"authenticate"), frame(0x81, &[b'x'; 100])].concat();
    let crowd: Vec<TcpStream> = (0..size.parse().unwrap())
        .map(|_: usize| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(upgrade_request("").as_bytes()).unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(0);
                stream.read_exact(head.last_mut().map(std::slice::from_mut).unwrap()).unwrap();
            }
            stream.write_all(&greeting).unwrap();
            stream.read_exact(&mut [0; 102]).unwrap();
            stream
        })
        .collect();
    println!("all are here");
    let _ = std::io::stdin().read_line(&mut order); // until the measurement is over
    drop(crowd);
}
