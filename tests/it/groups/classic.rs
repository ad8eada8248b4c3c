//! Pages of the Socket.IO door know of no groups, and are not harmed by being in one.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use super::{add, change, create, remove, write};
use crate::support::client::Client;
use crate::support::cluster::{Cluster, token};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_leaves_groups_aside() {
    let cluster = Cluster::local(1).await;
    let address = cluster.nodes[0].address();
    let (mut page, _) = connect_async(format!("ws://{address}/socket.io/?EIO=4&transport=websocket")).await.unwrap();
    page.send(Message::text(format!("40{}", json!({ "token": token("pat") })))).await.unwrap();
    let mut heard = Vec::new();
    let mut next = async || loop {
        let message =
            tokio::time::timeout(Duration::from_secs(30), page.next()).await.expect("something ought to come");
        let text = message.unwrap().unwrap().into_text().unwrap().to_string();
        if text == "2" {
            page.send(Message::text("3")).await.unwrap();
        } else {
            return text;
        }
    };
    while !next().await.contains("authenticated") {}

    let mut ann = Client::hello(address, "ann").await;
    let group = create(&mut ann, &["pat"], true).await;
    write(&mut ann, &group, "to-the-group").await;
    ann.say(json!({ "type": "typing", "conversation": group, "active": true })).await;
    ann.say(json!({ "type": "read", "conversation": group })).await;
    change(&mut ann, "out", remove(&group, "pat")).await;
    change(&mut ann, "in", add(&group, "pat")).await;
    write(&mut ann, &group, "to-the-group-again").await;
    ann.tell("pat", "direct", "to pat alone").await;
    loop {
        let text = next().await;
        let is_last = text.contains("to pat alone");
        heard.push(text);
        if is_last {
            break;
        }
    }
    assert!(!heard.iter().any(|text| text.contains("to-the-group") || text.contains(&group)), "{heard:?}");
    let asked = reqwest::Client::new().get(format!("http://{address}/api/chat/unread-count")).bearer_auth(token("pat"));
    let count: Value = serde_json::from_str(&asked.send().await.unwrap().text().await.unwrap()).unwrap();
    assert_eq!(count["count"], 1, "what it cannot show is not counted");
}
