//! The team: people write to it as to one person, every agent reads along on any node, and only agents speak for it.

use serde_json::{Value, json};
use switchboard::model::Role;

use crate::support::client::Client;
use crate::support::cluster::{Cluster, token, token_as};

async fn come(cluster: &Cluster, node: usize, token: String) -> Client {
    let mut client = Client::silent(cluster.nodes[node].address()).await;
    client.say(json!({ "type": "hello", "token": token })).await;
    client.expect("welcome").await;
    client
}

async fn send(client: &mut Client, frame: Value) -> Value {
    client.say(frame).await;
    client.expect("sent").await
}

#[tokio::test]
async fn people_and_agents_talk_through_the_team() {
    let cluster = Cluster::local(3).await;
    let mut ann = come(&cluster, 0, token("ann")).await;
    let mut sue = come(&cluster, 1, token_as("sue", Role::Admin)).await;
    let mut tom = come(&cluster, 2, token_as("tom", Role::Admin)).await;

    let asked = send(&mut ann, json!({ "type": "send", "to": "team", "key": "k1", "text": "Help" })).await;
    let talk = asked["conversation"].clone();
    for agent in [&mut sue, &mut tom] {
        let heard = agent.expect("message").await;
        assert_eq!((&heard["from"], &heard["conversation"], &heard["text"]), (&json!("ann"), &talk, &json!("Help")));
    }
    let answer = json!({ "type": "send", "to": "ann", "for_team": true, "key": "k2", "text": "What is it?" });
    assert_eq!(send(&mut sue, answer).await["conversation"], talk);
    for other in [&mut ann, &mut tom] {
        let heard = other.expect("message").await;
        assert_eq!((&heard["from"], &heard["text"]), (&json!("sue"), &json!("What is it?")));
    }
    // Who answers for the team has read for it.
    let receipt = ann.expect("receipt").await;
    assert_eq!((&receipt["user"], &receipt["read"]), (&json!("team"), &json!(2)));

    tom.say(json!({ "type": "history", "conversation": talk })).await;
    let history = tom.expect("history").await;
    assert_eq!(history["messages"].as_array().map(Vec::len), Some(2));
    tom.say(json!({ "type": "read", "conversation": talk })).await;
    assert_eq!(tom.expect("receipt").await["user"], "team");
}

#[tokio::test]
async fn only_agents_speak_for_the_team_and_strangers_learn_nothing() {
    let cluster = Cluster::local(2).await;
    let mut ann = come(&cluster, 0, token("ann")).await;
    let mut eve = come(&cluster, 1, token("eve")).await;
    let talk =
        send(&mut ann, json!({ "type": "send", "to": "team", "key": "k1", "text": "Help" })).await["conversation"]
            .clone();
    for frame in [
        json!({ "type": "send", "to": "ann", "for_team": true, "key": "k2", "text": "I am the team" }),
        json!({ "type": "send", "conversation": talk, "key": "k3", "text": "Me too" }),
        json!({ "type": "history", "conversation": talk }),
        json!({ "type": "read", "conversation": talk }),
        json!({ "type": "typing", "conversation": talk, "active": true }),
        json!({ "type": "typing", "to": "ann", "for_team": true, "active": true }),
    ] {
        eve.say(frame.clone()).await;
        assert_eq!(eve.expect("error").await["code"], "forbidden", "{frame}");
    }
    let mut nobody = Client::silent(cluster.nodes[0].address()).await;
    nobody.say(json!({ "type": "hello", "token": token("team") })).await;
    assert_eq!(nobody.expect("error").await["code"], "unauthorized", "the team is no person");
}

#[tokio::test]
async fn what_an_agent_has_not_read_counts_their_own_talks_with_the_team() {
    let cluster = Cluster::local(2).await;
    let mut sue = come(&cluster, 0, token_as("sue", Role::Admin)).await;
    let mut other_device = come(&cluster, 1, token_as("sue", Role::Admin)).await;
    let mut tom = come(&cluster, 1, token_as("tom", Role::Admin)).await;
    let mut talks = Vec::new();
    for user in ["ann", "bob"] {
        let mut user = come(&cluster, 1, token(user)).await;
        for key in ["k1", "k2"] {
            let asked = send(&mut user, json!({ "type": "send", "to": "team", "key": key, "text": "Help" })).await;
            talks.push(asked["conversation"].as_str().unwrap().to_owned());
        }
        send(&mut user, json!({ "type": "send", "to": "sue", "key": "k", "text": "Psst" })).await;
    }
    let unread = async |agent: &mut Client| {
        agent.say(json!({ "type": "unread" })).await;
        let counted = agent.expect("unread").await;
        (counted["total"].as_u64().unwrap(), counted["conversations"].as_object().unwrap().clone())
    };
    assert_eq!(unread(&mut sue).await.0, 2, "what waits for nobody in particular is in the inbox");
    sue.say(json!({ "type": "claim", "action": "claim", "conversation": talks[0] })).await;
    sue.expect("assignment").await;
    for device in [&mut sue, &mut other_device] {
        let (total, conversations) = unread(device).await;
        assert_eq!((total, &conversations[&talks[0]]), (4, &json!(2)));
        assert!(!conversations.contains_key(&talks[2]), "nor is it hers");
    }
    assert_eq!(unread(&mut tom).await.0, 0, "it is hers, not his");
    sue.say(json!({ "type": "read", "conversation": talks[0] })).await;
    sue.expect("receipt").await;
    for device in [&mut sue, &mut other_device] {
        assert_eq!(unread(device).await.0, 2);
    }
}

#[tokio::test]
async fn an_agent_who_comes_back_is_shown_what_the_team_missed() {
    let cluster = Cluster::local(2).await;
    let mut sue = Client::silent(cluster.nodes[0].address()).await;
    sue.say(json!({ "type": "hello", "token": token_as("sue", Role::Admin) })).await;
    let as_of = sue.expect("welcome").await["as_of"].clone();
    drop(sue);
    let mut ann = come(&cluster, 1, token("ann")).await;
    for number in 0..3 {
        let frame = json!({ "type": "send", "to": "team", "key": format!("k{number}"), "text": number.to_string() });
        send(&mut ann, frame).await;
    }
    let mut sue = Client::silent(cluster.nodes[1].address()).await;
    sue.say(json!({ "type": "hello", "token": token_as("sue", Role::Admin), "resume": { "as_of": as_of } })).await;
    sue.expect("welcome").await;
    for number in 0..3 {
        assert_eq!(sue.expect("message").await["text"], number.to_string());
    }
}

#[tokio::test]
async fn whoever_writes_is_seen_writing_on_another_node_even_before_the_first_message() {
    let cluster = Cluster::local(2).await;
    let mut ann = come(&cluster, 0, token("ann")).await;
    let mut bob = come(&cluster, 1, token("bob")).await;
    for _ in 0..5 {
        ann.say(json!({ "type": "typing", "to": "bob", "active": true })).await;
    }
    ann.say(json!({ "type": "typing", "to": "bob", "active": false })).await;
    let began = bob.expect("typing").await;
    assert_eq!((&began["user"], &began["active"]), (&json!("ann"), &json!(true)));
    assert!(began["expires_ms"].as_u64().is_some_and(|ms| (1_000..60_000).contains(&ms)));
    assert_eq!(bob.expect("typing").await["active"], false, "said once, though five times typed");
    bob.say(json!({ "type": "typing", "active": true })).await;
    assert_eq!(bob.expect("error").await["code"], "invalid");
}
