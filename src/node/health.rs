//! Does the node on this machine live? Asked from outside its process, where there is no shell and no curl.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::StartError;

/// How long the node may take to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(3);
/// What an answer that counts begins with.
const GOOD: &[u8] = b"HTTP/1.1 200 ";

/// Asks for `/livez` on the operators' address.
///
/// # Errors
/// If nobody answers there, or anything but 200.
pub async fn health(ops_listen: SocketAddr) -> Result<(), StartError> {
    let address = reachable(ops_listen);
    match timeout(ANSWER_WAIT, ask(address)).await {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => Err(StartError::new(format!("what listens on {address} does not say that it lives"))),
        Ok(Err(error)) => Err(StartError::new(format!("no node answers on {address}: {error}"))),
        Err(_) => Err(StartError::new(format!("no node answers on {address} within {ANSWER_WAIT:?}"))),
    }
}

/// Where a listener on every address can be reached from here.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

async fn ask(address: SocketAddr) -> std::io::Result<bool> {
    let mut line = TcpStream::connect(address).await?;
    let request = format!("GET /livez HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    line.write_all(request.as_bytes()).await?;
    let mut start = [0; GOOD.len()];
    line.read_exact(&mut start).await?;
    Ok(start == GOOD)
}
