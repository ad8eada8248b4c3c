//! TLS in front of a node.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Who signed the certificate.
pub(crate) fn authority() -> String {
    fixture("ca.pem").to_str().unwrap().to_owned()
}

/// Listens with TLS, and passes everything on to the node.
pub(crate) async fn in_front_of(node: &str) -> (String, AbortOnDropHandle<()>) {
    let chain = CertificateDer::pem_file_iter(fixture("leaf.pem")).unwrap().collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(fixture("leaf.key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let node = node.to_owned();
    let task = tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (acceptor, node) = (acceptor.clone(), node.clone());
            tokio::spawn(async move {
                let Ok(mut client) = acceptor.accept(client).await else { return };
                let Ok(mut node) = TcpStream::connect(node).await else { return };
                let _ = copy_bidirectional(&mut client, &mut node).await;
            });
        }
    });
    (format!("wss://localhost:{port}"), AbortOnDropHandle::new(task))
}
