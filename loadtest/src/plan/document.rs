//! A plan in words.

use std::fmt::Write as _;

use super::model::{Load, Machines, Plan};
use crate::Fault;
use crate::report::Costs;

/// What so many connections need, each in a column, and what stands in the way.
///
/// # Errors
/// If a cost that is needed was not measured.
pub(crate) fn document(costs: &Costs, load: &Load, machines: Machines, sizes: &[f64]) -> Result<String, Fault> {
    let plans = sizes.iter().map(|size| Plan::of(costs, load, &machines, *size)).collect::<Result<Vec<_>, _>>()?;
    let mut text = String::from("# Capacity\n\n");
    basis(&mut text, costs, load, &machines);
    needs(&mut text, &plans, &machines);
    if let Some(largest) = plans.last() {
        walls(&mut text, largest, &plans, &machines);
    }
    unknown(&mut text, costs);
    Ok(text)
}

fn basis(text: &mut String, costs: &Costs, load: &Load, machines: &Machines) {
    let Costs { commit, date, machine, .. } = costs;
    let Load { door, messages_per_hour, comings_per_hour, fan_out, text_bytes } = load;
    let Machines { busy, node_cores, node_gib, node_connections, mongodb_cores, network_gbit } = machines;
    let _ = writeln!(
        text,
        "Made by `switchboard-loadtest plan` from what the benchmark measured (commit {commit}, {date}, {}); not edited \
         by hand. For other numbers than these, run it: `switchboard-loadtest plan --help`.\n\n\
         - Everybody who is connected ({door}) writes {messages_per_hour} messages an hour of {text_bytes} bytes, each \
         of which is shown on {fan_out} devices, and connects {comings_per_hour} times an hour.\n\
         - A node has {node_cores} processors, {node_gib} GiB and at most {node_connections:.0} connections; MongoDB's \
         primary has {mongodb_cores} processors; a network carries {network_gbit} Gbit/s. Of all that {:.0} % are \
         used: the rest is for peaks and for those who are missing.\n\
         - A processor is one of those that were measured on.\n",
        machine.line(),
        busy * 100.0
    );
}

fn needs(text: &mut String, plans: &[Plan], machines: &Machines) {
    let mut row = |what: &str, value: &dyn Fn(&Plan) -> String| {
        let values: Vec<_> = plans.iter().map(value).collect();
        let _ = writeln!(text, "| {what} | {} |", values.join(" | "));
    };
    row("connections", &|plan| thousands(plan.connections));
    row("---", &|_| "---:".to_owned());
    row("messages per second", &|plan| thousands(plan.messages));
    row("deliveries per second", &|plan| thousands(plan.deliveries));
    row("connected anew per second", &|plan| thousands(plan.comings));
    row("**nodes**", &|plan| format!("**{}**", thousands(plan.nodes)));
    for index in 0..3 {
        let why = plans.first().map_or("", |plan| plan.nodes_for[index].0);
        row(&format!("for their {why} alone"), &|plan| thousands(plan.nodes_for[index].1));
    }
    row("processors busy in all nodes", &|plan| format!("{:.1}", plan.node_cores));
    row("**processors busy in Redis**", &|plan| format!("**{:.2}**", plan.redis_cores));
    row("masters of a Redis Cluster", &|plan| thousands((plan.redis_cores / machines.busy).ceil().max(1.0)));
    row("memory in Redis, GiB", &|plan| format!("{:.1}", plan.redis_gib));
    row("**processors busy in MongoDB's primary**", &|plan| format!("**{:.1}**", plan.mongodb_cores));
    row("network of a node, Mbit/s", &|plan| format!("{:.1}", plan.node_mbit));
    row("network of Redis in all, Mbit/s", &|plan| format!("{:.1}", plan.redis_mbit));
    row("seconds until those of a lost node are let in", &|plan| format!("{:.1}", plan.seconds_after_a_loss));
    row("CPU of a message, µs: gateways, Redis, MongoDB", &|plan| {
        format!("{:.0}, {:.0}, {:.0}", plan.each.gateways, plan.each.redis, plan.each.mongodb)
    });
}

fn walls(text: &mut String, largest: &Plan, plans: &[Plan], machines: &Machines) {
    *text += "\n## Walls\n\nNodes are added when there are more people. What is not had so, the nearest first:\n\n\
              | at connections | what | what moves it |\n|---:|---|---|\n";
    for wall in largest.walls(machines) {
        let _ = writeln!(text, "| {} | {} | {} |", thousands(round(wall.connections)), wall.what, wall.moved_by);
    }
    for plan in plans {
        let walls = plan.walls(machines);
        let behind: Vec<_> = walls.iter().filter(|wall| wall.connections < plan.connections).collect();
        let said = match behind.as_slice() {
            [] => "nothing of this is in the way".to_owned(),
            some => format!("in the way: {}", some.iter().map(|wall| wall.what).collect::<Vec<_>>().join("; ")),
        };
        let _ = writeln!(text, "\n{} connections: {said}.", thousands(plan.connections));
    }
}

fn unknown(text: &mut String, costs: &Costs) {
    *text += "\n## What this does not know\n\n\
              - Costs of a message fall with the rate, because more of them share a write; beyond the rates that were \
              measured they are taken to stay as they are.\n\
              - All messages are taken to go to another node, and all costs to grow with what is done and not with \
              the number of nodes";
    match costs.growth.as_slice() {
        [one, .., last] if *one > 0.0 => {
            let _ = writeln!(
                text,
                "; measured: a message cost the gateways {:.2} times as much on {} nodes as on one.",
                last / one,
                costs.growth.len()
            );
        }
        _ => *text += ".\n",
    }
    *text += "- Who watches whom: every coming and going is told to every node. It is in the cost of letting somebody in, \
              for as many nodes as were measured.\n\
              - What MongoDB writes to disk, and how old messages leave its memory. A page of history costs what \
              [benchmarks.md](benchmarks.md) says.\n\
              - TLS, which ends in front of the nodes.\n";
    if !costs.disturbed.is_empty() {
        let _ = writeln!(
            text,
            "- These were measured while the machine or the load generator was the bottleneck, and cost less \
             elsewhere: {}.",
            costs.disturbed.join(", ")
        );
    }
}

/// Two digits that say something.
fn round(number: f64) -> f64 {
    if !number.is_finite() || number < 100.0 {
        return number;
    }
    let unit = 10_f64.powf(number.log10().floor() - 1.0);
    (number / unit).round() * unit
}

/// A number with its thousands set off.
fn thousands(number: f64) -> String {
    if number > 1e15 {
        return "never".to_owned();
    }
    if number < 10.0 && number.fract() > 0.0 {
        return format!("{number:.1}");
    }
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_people() {
        assert_eq!(
            [0.0, 1.5, 7.0, 999.0, 1_000.0, 1_234_567.0, 1e30].map(thousands),
            ["0", "1.5", "7", "999", "1,000", "1,234,567", "never"]
        );
        assert_eq!([12.0, 1_234.0, 987_654.0].map(round), [12.0, 1_200.0, 990_000.0]);
    }
}
