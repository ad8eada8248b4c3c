//! REST and sockets on one node: what comes in by one door goes out by the other.

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::cluster::{Cluster, token};

#[tokio::test]
async fn what_is_sent_and_read_over_rest_is_shown_on_sockets() {
    let cluster = Cluster::local(2).await;
    let mut bob = Client::hello(cluster.nodes[1].address(), "bob").await;
    let base = format!("http://{}/api/v1", cluster.nodes[0].address());
    let http = reqwest::Client::new();
    let post = async |path: String, body: Value| {
        let request = http.post(format!("{base}{path}")).bearer_auth(token("ann"));
        let answer = request.header("content-type", "application/json").body(body.to_string()).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str::<Value>(&answer.text().await.unwrap()).unwrap())
    };
    let (status, sent) = post("/messages".to_owned(), json!({ "to": "bob", "text": "from a script" })).await;
    assert_eq!(status, 201);
    let mut message = bob.expect("message").await;
    message.as_object_mut().unwrap().remove("type");
    assert_eq!(message, sent, "the same fields on both doors");
    bob.tell("ann", "k", "received").await;
    let talk = sent["conversation"].as_str().unwrap();
    let (status, cursor) = post(format!("/conversations/{talk}/read"), json!({ "seq": 2 })).await;
    assert_eq!((status, &cursor["read"]), (200, &json!(2)));
    let receipt = bob.expect("receipt").await;
    assert_eq!((&receipt["user"], &receipt["read"]), (&json!("ann"), &json!(2)));
    let (status, refused) = post("/messages".to_owned(), json!({ "to": "bob", "text": "x".repeat(70_000) })).await;
    assert_eq!((status, &refused["code"]), (413, &json!("invalid")), "the listener says it as the route does");
    let nowhere = http.get(format!("http://{}/nowhere", cluster.nodes[0].address())).send().await.unwrap();
    assert_eq!(nowhere.status().as_u16(), 404);
    let said: Value = serde_json::from_str(&nowhere.text().await.unwrap()).unwrap();
    assert_eq!(said["code"], "not_found");
}
