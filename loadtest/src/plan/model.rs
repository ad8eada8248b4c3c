//! The model: sums of costs, and how many machines these are.

use clap::ArgMatches;
use serde::Serialize;
use switchboard::model::{ClientKey, ConversationId, MessageId, Seq, Timestamp, UserId};
use switchboard::wire::Encoding;
use switchboard::wire::envelope::Envelope;

use crate::Fault;
use crate::report::costs::{Costs, Door, Rated, Spent};

/// Rounds until the cost of a message, which depends on how many nodes share the rate, and their number agree.
const ROUNDS: usize = 20;
/// Nodes below which there are none, so that one may be lost.
const NODES_MIN: f64 = 2.0;
/// Bytes of TCP, IP and Ethernet around what is sent.
const PACKET_BYTES: f64 = 66.0;

/// What people do.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) door: String,
    /// Of each who is connected.
    pub(crate) messages_per_hour: f64,
    pub(crate) comings_per_hour: f64,
    /// Devices to which each message is shown.
    pub(crate) fan_out: f64,
    pub(crate) text_bytes: usize,
}

/// What it runs on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machines {
    /// Of what there is, so much is used: the rest is for peaks, and for those who are missing.
    pub(crate) busy: f64,
    pub(crate) node_cores: f64,
    pub(crate) node_gib: f64,
    pub(crate) node_connections: f64,
    pub(crate) mongodb_cores: f64,
    pub(crate) network_gbit: f64,
}

/// What is needed.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) connections: f64,
    pub(crate) messages: f64,
    pub(crate) deliveries: f64,
    pub(crate) comings: f64,
    /// Nodes, and how many each of their bounds alone asks for: processors, memory, connections.
    pub(crate) nodes: f64,
    pub(crate) nodes_for: [(&'static str, f64); 3],
    /// Processors that are busy.
    pub(crate) node_cores: f64,
    pub(crate) redis_cores: f64,
    pub(crate) mongodb_cores: f64,
    /// Of one message, in the end.
    pub(crate) each: Spent,
    pub(crate) redis_gib: f64,
    pub(crate) node_mbit: f64,
    pub(crate) redis_mbit: f64,
    /// Until all who were on a lost node are let in by the others.
    pub(crate) seconds_after_a_loss: f64,
}

/// What cannot be had by adding nodes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wall {
    pub(crate) what: &'static str,
    /// Connections at which it stands.
    pub(crate) connections: f64,
    pub(crate) moved_by: &'static str,
}

impl Load {
    pub(super) fn of(matches: &ArgMatches) -> Self {
        let number = |name: &str| matches.get_one::<f64>(name).copied().unwrap_or_default();
        Self {
            door: matches.get_one::<String>("door").cloned().unwrap_or_default(),
            messages_per_hour: number("messages-per-hour"),
            comings_per_hour: number("comings-per-hour"),
            fan_out: number("fan-out").max(1.0),
            text_bytes: matches.get_one::<u64>("text-bytes").map_or(0, |bytes| usize::try_from(*bytes).unwrap_or(0)),
        }
    }
}

impl Machines {
    pub(super) fn of(matches: &ArgMatches) -> Self {
        let number = |name: &str| matches.get_one::<f64>(name).copied().unwrap_or_default().max(1.0);
        Self {
            busy: number("busy-percent").min(100.0) / 100.0,
            node_cores: number("node-cores"),
            node_gib: number("node-gib"),
            node_connections: number("node-connections"),
            mongodb_cores: number("mongodb-cores"),
            network_gbit: number("network-gbit"),
        }
    }
}

impl Plan {
    /// # Errors
    /// If a cost that is needed was not measured.
    pub(crate) fn of(costs: &Costs, load: &Load, machines: &Machines, connections: f64) -> Result<Self, Fault> {
        let missing = |cell: &str| format!("there is no figure for this: play loadtest/bench {cell}");
        let door = costs.doors.iter().find(|door| door.name == load.door);
        let door = door.ok_or_else(|| missing(&format!("idle-{0}-… handshakes-{0}", load.door)))?;
        let more = costs.fan_out.ok_or_else(|| missing("fanout-1000"))?;
        if costs.messages.is_empty() {
            return Err(missing("rate-1000").into());
        }
        let messages = connections * load.messages_per_hour / 3_600.0;
        let comings = connections * load.comings_per_hour / 3_600.0;
        let (mut nodes, mut masters, mut plan) = (NODES_MIN, 1.0_f64, None);
        for _ in 0..ROUNDS {
            // The benchmark's rates are those of two gateways, and of one Redis and one MongoDB.
            let each = Spent {
                gateways: at(&costs.messages, messages / nodes * 2.0, |spent| spent.gateways),
                redis: at(&costs.messages, messages / masters, |spent| spent.redis),
                mongodb: at(&costs.messages, messages, |spent| spent.mongodb),
            };
            let sum = |of: fn(&Spent) -> f64| {
                let said = messages * (of(&each) + (load.fan_out - 1.0) * of(&more));
                (said + connections * of(&door.resting) + comings * of(&door.handshake)) / 1e6
            };
            let found = Self::with(load, machines, door, connections, messages, comings, each, sum);
            masters = (found.redis_cores / machines.busy).ceil().max(1.0);
            nodes = found.nodes;
            plan = Some(found);
        }
        plan.ok_or_else(|| "no round was made".into())
    }

    #[expect(clippy::too_many_arguments, reason = "what it is made of, each once")]
    fn with(
        load: &Load,
        machines: &Machines,
        door: &Door,
        connections: f64,
        messages: f64,
        comings: f64,
        each: Spent,
        sum: impl Fn(fn(&Spent) -> f64) -> f64,
    ) -> Self {
        let gib = |bytes: f64| bytes / f64::from(1 << 30);
        let node_cores = sum(|spent| spent.gateways);
        let nodes_for = [
            ("processors", node_cores / (machines.node_cores * machines.busy)),
            ("memory", gib(connections * door.gateway_bytes) / (machines.node_gib * machines.busy)),
            ("connections", connections / (machines.node_connections * machines.busy)),
        ]
        .map(|(why, count)| (why, count.ceil()));
        let nodes = nodes_for.iter().fold(NODES_MIN, |most, (_, count)| most.max(*count));
        let deliveries = messages * load.fan_out;
        let sizes = Sizes::of(load.text_bytes);
        let mbit = |bytes: f64| bytes * 8.0 / 1e6;
        Self {
            connections,
            messages,
            deliveries,
            comings,
            nodes,
            nodes_for,
            node_cores,
            redis_cores: sum(|spent| spent.redis),
            mongodb_cores: sum(|spent| spent.mongodb),
            each,
            redis_gib: gib(connections * door.redis_bytes),
            node_mbit: mbit(messages * sizes.asked + deliveries * (sizes.told + 2.0 * sizes.published)) / nodes,
            // In from one node, out to another.
            redis_mbit: mbit(2.0 * deliveries * sizes.published),
            seconds_after_a_loss: connections / nodes / (door.handshakes_per_second * (nodes - 1.0)).max(1e-9),
        }
    }

    /// What cannot be had by adding nodes, the nearest first.
    pub(crate) fn walls(&self, machines: &Machines) -> Vec<Wall> {
        let until = |used: f64, there_is: f64| self.connections * there_is / used.max(1e-12);
        let mut walls = vec![
            Wall {
                what: "one Redis: it works on one processor",
                connections: until(self.redis_cores, machines.busy),
                moved_by: "a Redis Cluster: channels are sharded over its masters, so that each takes its part",
            },
            Wall {
                what: "the processors of MongoDB's primary",
                connections: until(self.mongodb_cores, machines.mongodb_cores * machines.busy),
                moved_by: "a larger machine; behind that, several replica sets with conversations spread over them, \
                           which Switchboard cannot do yet (it refuses a sharded cluster)",
            },
            Wall {
                what: "the network of one Redis",
                connections: until(self.redis_mbit, machines.network_gbit * 1_000.0 * machines.busy),
                moved_by: "a Redis Cluster, too",
            },
        ];
        walls.sort_by(|one, other| one.connections.total_cmp(&other.connections));
        walls
    }
}

/// The cost at a rate, between those that were measured; beyond them, that of the nearest, since nobody knows better.
fn at(measured: &[Rated], per_second: f64, cost: fn(&Spent) -> f64) -> f64 {
    let behind = measured.partition_point(|rated| rated.per_second < per_second);
    match (behind.checked_sub(1).and_then(|before| measured.get(before)), measured.get(behind)) {
        (Some(before), Some(next)) => {
            let share = (per_second - before.per_second) / (next.per_second - before.per_second).max(1e-9);
            cost(&before.spent) + (cost(&next.spent) - cost(&before.spent)) * share
        }
        (Some(nearest), None) | (None, Some(nearest)) => cost(&nearest.spent),
        (None, None) => 0.0,
    }
}

/// How long things are on the wire, by writing one down.
struct Sizes {
    /// A message as it is sent, with its answer.
    asked: f64,
    /// A message as it is shown.
    told: f64,
    /// A message as nodes tell each other.
    published: f64,
}

#[derive(Serialize)]
struct Asked<'a> {
    r#type: &'static str,
    to: &'a UserId,
    key: &'a ClientKey,
    text: &'a str,
}

impl Sizes {
    fn of(text_bytes: usize) -> Self {
        let text = "x".repeat(text_bytes);
        let texts = ("a-user-of-20-letters", "0123456789abcdef0123456789abcdef0123");
        let (Ok(user), Ok(key)) = (texts.0.parse(), texts.1.parse()) else {
            return Self { asked: 0.0, told: 0.0, published: 0.0 };
        };
        let asked = Encoding::Json.encode(&Asked { r#type: "send", to: &user, key: &key, text: &text });
        let message = switchboard::model::Message {
            conversation: ConversationId::from_bytes([7; 16]),
            seq: Seq(1_000),
            id: MessageId::from_bytes([7; 12]),
            sender: user,
            key,
            at: Timestamp(1_790_000_000_000),
            text,
            event: None,
        };
        let told = Encoding::Json.encode(&message);
        let envelope = Envelope::Message { message: message.into(), predecessor: None, group: false };
        let published = envelope.encode();
        #[expect(clippy::cast_precision_loss, reason = "sizes are small")]
        let packet = |bytes: usize| bytes as f64 + PACKET_BYTES;
        // The answer to a send says all of it but the text.
        let answer = told.len().saturating_sub(text_bytes);
        Self {
            asked: packet(asked.len()) + packet(answer),
            told: packet(told.len()),
            published: packet(published.len()),
        }
    }
}
