//! Engine.IO over HTTP: one request that waits for what is said, others that say something.

use std::time::Duration;

use switchboard::wire::engineio::payload;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::socketio::Opening;
use crate::door::{Dialer, Target};

/// How long a request that says something may take.
const POST_WAIT: Duration = Duration::from_secs(20);
/// How long one that waits may take: longer than a server's pings are apart.
const POLL_WAIT: Duration = Duration::from_secs(60);
/// Payloads that were polled and not read yet; beyond, nothing is polled.
const PAYLOADS_MAX: usize = 4;
/// Packets that wait to be posted; beyond, whoever writes waits.
const PACKETS_WAITING_MAX: usize = 64;
/// Packets in one request: fewer than a server takes.
const PACKETS_MAX: usize = 16;

/// A polled connection.
pub(super) struct Polling {
    to_post: mpsc::Sender<String>,
    polled: mpsc::Receiver<String>,
    /// Packets of the payload that is being read, the next one last.
    heard: Vec<String>,
    _tasks: [AbortOnDropHandle<()>; 2],
}

impl Polling {
    pub(super) async fn open(dialer: &Dialer, target: &Target) -> Option<(Self, Opening)> {
        let http = dialer.http.clone();
        let first = get(&http, &target.http("/socket.io/?EIO=4&transport=polling")).await?;
        let mut heard = split(&first);
        let opening = Opening::read(&heard.pop()?)?;
        let url = target.http(&format!("/socket.io/?EIO=4&transport=polling&sid={}", opening.sid));
        let (to_reader, polled) = mpsc::channel(PAYLOADS_MAX);
        let (to_post, posts) = mpsc::channel(PACKETS_WAITING_MAX);
        let poller = AbortOnDropHandle::new(tokio::spawn(poll(http.clone(), url.clone(), to_reader)));
        let poster = AbortOnDropHandle::new(tokio::spawn(post(http, url, posts)));
        Some((Self { to_post, polled, heard, _tasks: [poller, poster] }, opening))
    }

    /// Says a packet, soon.
    pub(super) async fn write(&mut self, packet: &str) -> Option<()> {
        let room = timeout(POST_WAIT, self.to_post.reserve()).await.ok()?.ok()?;
        room.send(packet.to_owned());
        Some(())
    }

    /// The next packet. May be dropped while it waits.
    pub(super) async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(packet) = self.heard.pop() {
                return Some(packet);
            }
            self.heard = split(&self.polled.recv().await?);
        }
    }
}

/// The packets of a payload, the first one last.
fn split(payload: &str) -> Vec<String> {
    let mut packets: Vec<_> = payload::split(payload).filter_map(Result::ok).map(str::to_owned).collect();
    packets.reverse();
    packets
}

async fn get(http: &reqwest::Client, url: &str) -> Option<String> {
    let answer = http.get(url).timeout(POLL_WAIT).send().await.ok()?;
    answer.error_for_status().ok()?.text().await.ok()
}

/// Polls until there is nothing any more.
async fn poll(http: reqwest::Client, url: String, to: mpsc::Sender<String>) {
    while let Some(payload) = get(&http, &url).await {
        if to.send(payload).await.is_err() {
            return;
        }
    }
}

/// Posts what is said, one request at a time, so that it arrives in its order.
async fn post(http: reqwest::Client, url: String, mut posts: mpsc::Receiver<String>) {
    let mut packets = Vec::new();
    while posts.recv_many(&mut packets, PACKETS_MAX).await > 0 {
        let mut body = String::new();
        packets.drain(..).for_each(|packet: String| payload::push_text(&mut body, &packet));
        let request = http.post(&url).header("content-type", "text/plain;charset=UTF-8").body(body);
        let Ok(answer) = request.timeout(POST_WAIT).send().await else { return };
        let Ok(answer) = answer.error_for_status() else { return };
        if answer.bytes().await.is_err() {
            return;
        }
    }
}
