use super::model::{Load, Machines, Plan};
use super::*;
use crate::report::costs::{Costs, Door, Rated, Spent};

fn spent(gateways: f64, redis: f64, mongodb: f64) -> Spent {
    Spent { gateways, redis, mongodb }
}

/// Round figures, of no machine.
fn costs() -> Costs {
    let rated = |per_second, gateways| Rated { per_second, spent: spent(gateways, 10.0, 40.0) };
    Costs {
        commit: "abc".to_owned(),
        messages: vec![rated(1_000.0, 200.0), rated(5_000.0, 100.0)],
        fan_out: Some(spent(10.0, 5.0, 0.0)),
        doors: vec![Door {
            name: "native-json".to_owned(),
            connections: 15_000,
            gateway_bytes: 10_000.0,
            redis_bytes: 500.0,
            resting: spent(1.0, 0.0, 0.0),
            handshake: spent(100.0, 20.0, 50.0),
            handshakes_per_second: 2_000.0,
        }],
        ..Costs::default()
    }
}

fn load() -> Load {
    Load {
        door: "native-json".to_owned(),
        messages_per_hour: 36.0,
        comings_per_hour: 3.6,
        fan_out: 1.0,
        text_bytes: 80,
    }
}

fn machines() -> Machines {
    Machines {
        busy: 0.5,
        node_cores: 4.0,
        node_gib: 8.0,
        node_connections: 50_000.0,
        mongodb_cores: 16.0,
        network_gbit: 10.0,
    }
}

#[track_caller]
fn near(one: f64, other: f64) {
    assert!((one - other).abs() < 0.001 * other.abs().max(1.0), "{one} is not {other}");
}

#[test]
fn what_is_needed_is_the_sum_of_what_was_measured() {
    let plan = Plan::of(&costs(), &load(), &machines(), 100_000.0).unwrap();
    near(plan.messages, 1_000.0);
    near(plan.comings, 100.0);
    // Connections ask for four nodes; 250 messages a second on each cost as much as the slowest rate that was measured.
    assert_eq!((plan.nodes, plan.nodes_for[2]), (4.0, ("connections", 4.0)));
    near(plan.node_cores, (1_000.0 * 200.0 + 100_000.0 + 100.0 * 100.0) / 1e6);
    near(plan.redis_cores, (1_000.0 * 10.0 + 100.0 * 20.0) / 1e6);
    near(plan.mongodb_cores, (1_000.0 * 40.0 + 100.0 * 50.0) / 1e6);
    near(plan.seconds_after_a_loss, 25_000.0 / 6_000.0);
}

#[test]
fn groups_cost_what_each_member_more_costs() {
    let crowded = Plan::of(&costs(), &Load { fan_out: 21.0, ..load() }, &machines(), 100_000.0).unwrap();
    near(crowded.deliveries, 21_000.0);
    near(crowded.redis_cores, (1_000.0 * (10.0 + 20.0 * 5.0) + 2_000.0) / 1e6);
}

#[test]
fn costs_between_two_rates_are_between_theirs() {
    let busy = Load { messages_per_hour: 3_600.0 * 3_000.0 / 100_000.0, comings_per_hour: 0.0, ..load() };
    let one = Machines { node_connections: 1e9, node_cores: 100.0, ..machines() };
    let plan = Plan::of(&costs(), &busy, &one, 100_000.0).unwrap();
    assert_eq!(plan.nodes, 2.0);
    near(plan.each.gateways, 150.0);
}

#[test]
fn the_nearest_wall_comes_first_and_moves_with_what_it_is_made_of() {
    let plan = Plan::of(&costs(), &load(), &machines(), 100_000.0).unwrap();
    let walls = plan.walls(&machines());
    assert!(walls[0].what.contains("one Redis"), "{walls:?}");
    near(walls[0].connections, 100_000.0 * 0.5 / 0.012);
    let small = Machines { mongodb_cores: 1.0, ..machines() };
    let walls = plan.walls(&small);
    assert!(walls[0].what.contains("MongoDB"), "{walls:?}");
    near(walls[0].connections, 100_000.0 * 0.5 / 0.045);
}

#[test]
fn what_was_not_measured_is_asked_for() {
    let refused = |costs: Costs| Plan::of(&costs, &load(), &machines(), 1.0).unwrap_err().to_string();
    assert!(refused(Costs { fan_out: None, ..costs() }).contains("loadtest/bench fanout-1000"));
    assert!(refused(Costs { doors: Vec::new(), ..costs() }).contains("handshakes-native-json"));
    assert!(refused(Costs { messages: Vec::new(), ..costs() }).contains("rate-1000"));
}

#[test]
fn a_document_has_a_column_for_each_size_and_names_what_is_in_the_way() {
    let text = document(&costs(), &load(), machines(), &SIZES).unwrap();
    assert!(text.contains("| connections | 100,000 | 1,000,000 | 10,000,000 |"), "{text}");
    assert!(text.contains("100,000 connections: nothing of this is in the way."), "{text}");
    assert!(text.contains("\n10,000,000 connections: in the way: one Redis: it works on one processor"), "{text}");
    assert!(text.contains("commit abc"));
}
