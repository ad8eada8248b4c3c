//! Where the nodes are, and how they are spoken to.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use switchboard::wire::Encoding;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::http::Uri;
use tokio_util::either::Either;

use crate::Fault;

/// How clients speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// The native protocol.
    Native(Encoding),
    /// Socket.IO over a WebSocket.
    SocketIo,
    /// Socket.IO over HTTP requests that wait.
    Polling,
}

/// Where a node, or a balancer in front of nodes, listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    secure: bool,
    authority: String,
}

/// A connection, over TLS or not.
pub(crate) type Stream = Either<TcpStream, TlsStream<TcpStream>>;

/// What connections are made with.
pub(crate) struct Dialer {
    tls: TlsConnector,
    pub(crate) http: reqwest::Client,
}

impl Door {
    pub(crate) const NAMES: [&'static str; 4] = ["native-json", "native-msgpack", "socketio", "socketio-polling"];

    /// Whether other devices of whoever writes are shown it as well. (Pages of the classic profile are not.)
    pub(crate) fn echoes(self) -> bool {
        matches!(self, Self::Native(_))
    }

    /// Whether a client that hears nothing asks for a sign of life. (On the Socket.IO door, the server does.)
    pub(crate) fn pings(self) -> bool {
        matches!(self, Self::Native(_))
    }
}

impl FromStr for Door {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "native-json" => Ok(Self::Native(Encoding::Json)),
            "native-msgpack" => Ok(Self::Native(Encoding::Msgpack)),
            "socketio" => Ok(Self::SocketIo),
            "socketio-polling" => Ok(Self::Polling),
            _ => Err("--door is native-json, native-msgpack, socketio or socketio-polling"),
        }
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native(Encoding::Json) => "native-json",
            Self::Native(Encoding::Msgpack) => "native-msgpack",
            Self::SocketIo => "socketio",
            Self::Polling => "socketio-polling",
        })
    }
}

impl FromStr for Target {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "a target is an address: ws://127.0.0.1:3000, or wss://chat.example.com";
        let (scheme, authority) = text.split_once("://").ok_or(FORM)?;
        let secure = match scheme {
            "ws" | "http" => false,
            "wss" | "https" => true,
            _ => return Err(FORM),
        };
        let authority = authority.trim_end_matches('/');
        let is_sound = !authority.is_empty() && !authority.contains(['/', '?', '#', '@', ' ']);
        if is_sound { Ok(Self { secure, authority: authority.to_owned() }) } else { Err(FORM) }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.secure { "wss" } else { "ws" }, self.authority)
    }
}

impl Target {
    pub(crate) fn websocket(&self, path: &str) -> String {
        format!("{self}{path}")
    }

    pub(crate) fn http(&self, path: &str) -> String {
        format!("{}://{}{path}", if self.secure { "https" } else { "http" }, self.authority)
    }
}

impl Dialer {
    /// Who trusts what this machine trusts, and the authorities of a PEM file as well.
    ///
    /// # Errors
    /// If the file cannot be read, or TLS cannot be set up.
    pub(crate) fn new(authorities: Option<&Path>) -> Result<Self, Fault> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let mut http = reqwest::Client::builder().http1_only().no_proxy().redirect(reqwest::redirect::Policy::none());
        if let Some(path) = authorities {
            let unreadable = |error: &dyn fmt::Display| format!("{} holds no certificates: {error}", path.display());
            let pem = std::fs::read(path).map_err(|error| unreadable(&error))?;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                roots.add(certificate.map_err(|error| unreadable(&error))?)?;
            }
            let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| unreadable(&error))?;
            http = http.tls_certs_merge(certificates);
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: Arc::new(config).into(), http: http.build()? })
    }

    /// A connection to where a `ws` or `wss` address says.
    pub(crate) async fn dial(&self, to: &Uri) -> Option<Stream> {
        // An IPv6 address is in brackets there.
        let host = to.host()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        let secure = to.scheme_str() == Some("wss");
        let stream = TcpStream::connect((&*host, to.port_u16().unwrap_or(if secure { 443 } else { 80 }))).await.ok()?;
        stream.set_nodelay(true).ok()?;
        if !secure {
            return Some(Either::Left(stream));
        }
        let name = ServerName::try_from(host).ok()?;
        Some(Either::Right(self.tls.connect(name, stream).await.ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doors_are_called_what_they_are_called() {
        for name in Door::NAMES {
            assert_eq!(name.parse::<Door>().unwrap().to_string(), name);
        }
        assert!("native".parse::<Door>().is_err());
    }

    #[test]
    fn a_target_is_reached_both_ways() {
        for (text, websocket, http) in [
            ("ws://127.0.0.1:3000", "ws://127.0.0.1:3000/ws", "http://127.0.0.1:3000/x"),
            ("https://chat.example.com/", "wss://chat.example.com/ws", "https://chat.example.com/x"),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!((target.websocket("/ws"), target.http("/x")), (websocket.to_owned(), http.to_owned()));
        }
        for wrong in ["", "127.0.0.1:3000", "ftp://a", "ws://", "ws://a/b", "ws://a b", "ws://me@a"] {
            assert!(wrong.parse::<Target>().is_err(), "{wrong}");
        }
    }
}
