//! An issuer's server, as small as it can be: one answer a connection, changed and counted by the test.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use crate::config::Url;

pub(super) struct Server {
    pub(super) url: Url,
    answer: Arc<Mutex<Vec<u8>>>,
    requests: Arc<AtomicUsize>,
    _task: AbortOnDropHandle<()>,
}

impl Server {
    /// A server that answers with `keys` (members of a JSON list).
    pub(super) async fn start(keys: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap()).parse().unwrap();
        let answer = Arc::new(Mutex::new(ok(&document(keys))));
        let requests = Arc::new(AtomicUsize::new(0));
        let serving = serve(listener, Arc::clone(&answer), Arc::clone(&requests));
        Self { url, answer, requests, _task: AbortOnDropHandle::new(tokio::spawn(serving)) }
    }

    /// From now on, `keys`.
    pub(super) fn publish(&self, keys: &[&str]) {
        self.answer(&ok(&document(keys)));
    }

    /// From now on, these very bytes; none at all: the connection stays open and silent.
    pub(super) fn answer(&self, bytes: &[u8]) {
        *self.answer.lock().unwrap() = bytes.to_vec();
    }

    /// How many requests came in.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

pub(super) fn document(keys: &[&str]) -> String {
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

pub(super) fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

async fn serve(listener: TcpListener, answer: Arc<Mutex<Vec<u8>>>, requests: Arc<AtomicUsize>) {
    let mut silent = Vec::new();
    loop {
        let (mut socket, _) = listener.accept().await.unwrap();
        if !read_head(&mut socket).await {
            continue;
        }
        requests.fetch_add(1, Ordering::SeqCst);
        let bytes = answer.lock().unwrap().clone();
        if bytes.is_empty() {
            silent.push(socket);
        } else {
            let _ = socket.write_all(&bytes).await;
        }
    }
}

async fn read_head(socket: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if socket.read_buf(&mut head).await.is_ok_and(|read| read > 0) {
            continue;
        }
        return false;
    }
    true
}
