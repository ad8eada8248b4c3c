//! What the channels are called.

use crate::bus::channel::Channel;
use crate::model::NodeId;

/// What the name of every user's channel begins with. Nodes of all versions agree on it.
const USER: &str = "switchboard:u:";
/// What the name of every node's channel begins with.
const NODE: &str = "switchboard:n:";
/// What the name of the channel begins with on which a node hears itself.
const CANARY: &str = "switchboard:c:";
/// The name of the channel that every node hears.
const EVERYONE: &str = "switchboard:all";

/// The name of a channel.
pub(super) fn name(channel: &Channel) -> String {
    match channel {
        Channel::User(user) => format!("{USER}{user}"),
        Channel::Node(node) => format!("{NODE}{node}"),
        Channel::Canary(node) => format!("{CANARY}{node}"),
        Channel::Everyone => EVERYONE.to_owned(),
    }
}

/// Which channel this is. None when it is not one of ours.
pub(super) fn parse(name: &str) -> Option<Channel> {
    if let Some(user) = name.strip_prefix(USER) {
        return user.parse().ok().map(Channel::User);
    }
    if name == EVERYONE {
        return Some(Channel::Everyone);
    }
    let canary = name.strip_prefix(CANARY).and_then(node).map(Channel::Canary);
    canary.or_else(|| name.strip_prefix(NODE).and_then(node).map(Channel::Node))
}

/// The node of this name, spelt as we spell it.
fn node(digits: &str) -> Option<NodeId> {
    let node = u64::from_str_radix(digits, 16).map(NodeId).ok()?;
    (node.to_string() == digits).then_some(node)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_survives_its_name() {
        let (ann, node) = (Channel::User("ann|1@x".parse().unwrap()), Channel::Node(NodeId(0xabc)));
        assert_eq!(name(&ann), "switchboard:u:ann|1@x");
        assert_eq!(name(&node), "switchboard:n:0000000000000abc");
        assert_eq!(name(&Channel::Everyone), "switchboard:all");
        let canary = Channel::Canary(NodeId(0xabc));
        assert_eq!(name(&canary), "switchboard:c:0000000000000abc");
        for channel in [ann, node, canary, Channel::Everyone] {
            assert_eq!(parse(&name(&channel)), Some(channel));
        }
        let others = [
            "",
            "ann",
            "switchboard:u:",
            "switchboard:n:ann",
            "switchboard:all:",
            "switchboard:u:a b",
            "switchboard:n:abc",
        ];
        for other in others.into_iter().chain(["switchboard:n:+000000000000abc", "switchboard:n:0000000000000ABC"]) {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
