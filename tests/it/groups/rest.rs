//! Groups over REST.

use reqwest::Method;
use serde_json::{Value, json};

use super::reach;
use crate::support::client::Client;
use crate::support::cluster::{Cluster, token};

struct Asker {
    base: String,
    http: reqwest::Client,
}

impl Asker {
    async fn ask(&self, who: &str, method: Method, path: &str, key: Option<&str>, body: Value) -> (u16, Value) {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(token(who));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if !body.is_null() {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_are_made_and_changed_over_rest() {
    let cluster = Cluster::local(2).await;
    let asker = Asker { base: format!("http://{}/api/v1", cluster.nodes[0].address()), http: reqwest::Client::new() };
    let mut bob = Client::hello(cluster.nodes[1].address(), "bob").await;
    let new = json!({ "name": "Cooks", "members": ["bob"] });
    let (status, made) = asker.ask("ann", Method::POST, "/groups", Some("k"), new.clone()).await;
    assert_eq!(
        (status, &made["kind"], &made["name"], &made["history"]),
        (201, &json!("group"), &json!("Cooks"), &json!(false)),
        "{made}"
    );
    let (status, again) = asker.ask("ann", Method::POST, "/groups", Some("k"), new).await;
    assert_eq!((status, &again["conversation"]), (201, &made["conversation"]));
    let (status, other) = asker.ask("ann", Method::POST, "/groups", Some("k"), json!({ "name": "Bakers" })).await;
    assert_eq!((status, &other["code"]), (409, &json!("key_reused")));
    let group = made["conversation"].as_str().unwrap();
    reach(&mut bob, group, 1).await;

    let path = |rest: &str| format!("/groups/{group}{rest}");
    let (status, named) = asker.ask("ann", Method::PUT, &path(""), Some("n"), json!({ "name": "Bakers" })).await;
    assert_eq!((status, &named["event"]), (200, &json!({ "kind": "named", "name": "Bakers" })), "{named}");
    let (_, again) = asker.ask("ann", Method::PUT, &path(""), Some("n"), json!({ "name": "Bakers" })).await;
    assert_eq!(again, named, "the same key is answered with the first result");
    let (status, added) = asker.ask("ann", Method::PUT, &path("/members/cyd"), None, Value::Null).await;
    assert_eq!((status, &added["seq"]), (200, &json!(3)));
    let (status, refused) = asker.ask("ann", Method::PUT, &path("/members/cyd"), None, Value::Null).await;
    assert_eq!((status, &refused["code"]), (400, &json!("invalid")));
    let (status, refused) = asker.ask("bob", Method::DELETE, &path("/members/cyd"), None, Value::Null).await;
    assert_eq!((status, &refused["code"]), (403, &json!("forbidden")));
    let role = asker.ask("ann", Method::PUT, &path("/members/bob/role"), None, json!({ "role": "owner" })).await;
    assert_eq!((role.0, &role.1["event"]["role"]), (200, &json!("owner")));
    let (status, removed) = asker.ask("bob", Method::DELETE, &path("/members/cyd"), None, Value::Null).await;
    assert_eq!((status, &removed["event"]), (200, &json!({ "kind": "removed", "user": "cyd" })));
    let (status, left) = asker.ask("bob", Method::DELETE, &path("/members/bob"), None, Value::Null).await;
    assert_eq!((status, &left["event"]), (200, &json!({ "kind": "left", "user": "bob" })));
    reach(&mut bob, group, 6).await;
    assert_eq!(bob.shown[group], [1, 2, 3, 4, 5, 6]);

    let messages = format!("/conversations/{group}/messages");
    let (_, page) = asker.ask("cyd", Method::GET, &messages, None, Value::Null).await;
    let places: Vec<u64> = page["messages"].as_array().unwrap().iter().map(|m| m["seq"].as_u64().unwrap()).collect();
    assert_eq!((places, &page["more"]), (vec![3, 4, 5], &json!(false)), "{page}");
    let (status, _) = asker.ask("eve", Method::GET, &messages, None, Value::Null).await;
    assert_eq!(status, 403);
    let (status, row) = asker.ask("ann", Method::GET, &format!("/conversations/{group}"), None, Value::Null).await;
    assert_eq!((status, &row["member_count"], &row["members"][0]["role"]), (200, &json!(1), &json!("owner")), "{row}");
    for (method, path, body) in [
        (Method::POST, "/groups".to_owned(), json!({ "name": "x", "members": ["a b"] })),
        (Method::POST, "/groups".to_owned(), json!({ "members": [] })),
        (Method::PUT, path("/members/a%20b"), Value::Null),
        (Method::PUT, path("/members/bob/role"), json!({ "role": "king" })),
        (Method::PUT, "/groups/none".to_owned(), json!({ "name": "x" })),
    ] {
        let (status, refused) = asker.ask("ann", method, &path, None, body).await;
        assert_eq!((status, &refused["code"]), (400, &json!("invalid")), "{path}");
    }
}
