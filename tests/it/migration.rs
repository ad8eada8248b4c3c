//! Moving over, with the files of deploy/migration as they are: what is the chat's goes to the nodes, everything else to the
//! backend that stays.

use axum::Router;
use axum::http::Uri;
use tokio::net::TcpListener;

use crate::frontend::play_at;
use crate::support::cluster::{Cluster, token};
use crate::support::site::Site;

/// The old backend: it says which path it was asked for.
async fn backend() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().fallback(async |uri: Uri| format!("old {uri}"));
    tokio::spawn(async { axum::serve(listener, app).await });
    address
}

/// Where each path goes, and a whole page over both transports and the upgrade from one to the other.
async fn all_paths_lead_where_they_should(site: &Site) {
    let client = reqwest::Client::new();
    let url = |path: &str| format!("http://{}{path}", site.address());
    for path in ["/", "/login", "/api/products?x=1", "/api/chatter", "/api/chat", "/healthy", "/socket.io.js"] {
        let answer = client.get(url(path)).send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), format!("old {path}"));
    }
    let bearer = format!("Bearer {}", token("user-1"));
    for (path, status, says) in [
        ("/health", 200, "\"status\""),
        ("/socket.io/", 400, "Transport unknown"),
        ("/socket.io", 400, "Transport unknown"),
        ("/socket.io/?EIO=4&transport=polling", 200, "pingInterval"),
        ("/api/chat/unread-count", 200, "\"count\""),
    ] {
        let answer = client.get(url(path)).header("authorization", &bearer).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        let body = answer.text().await.unwrap();
        assert!(body.contains(says), "{path}: {body}");
    }
    // A page of the site's own address is let in, whatever port that has.
    let own = client.get(url("/socket.io/?EIO=4&transport=polling")).header("origin", url("")).send().await.unwrap();
    assert_eq!(own.status(), 200);
    for transports in ["websocket", "polling", "polling,websocket"] {
        play_at(site.address(), transports).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_haproxy() {
    let cluster = Cluster::local(3).await;
    let nodes: Vec<_> = cluster.nodes.iter().map(|node| node.address()).collect();
    all_paths_lead_where_they_should(&Site::haproxy(&nodes, backend().await).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_nginx() {
    let cluster = Cluster::local(3).await;
    let nodes: Vec<_> = cluster.nodes.iter().map(|node| node.address()).collect();
    all_paths_lead_where_they_should(&Site::nginx(&nodes, backend().await).await).await;
}
