//! Keeps the shape of the project: the arrow points one way, and each outside crate is named only where it belongs.
//! The ranks are read from `src/lib.rs`, so that the map and the rule cannot drift apart.

#![expect(clippy::unwrap_used, reason = "the files of the project are there, or the test has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Outside crates that only some places may name, so that replacing one of them changes only those.
const PLACES: [(&str, &[&str]); 10] = [
    ("fred", &["src/redis/", "src/bus/redis/", "src/presence/redis/"]),
    ("mongodb", &["src/store/mongo/"]),
    ("rusqlite", &["src/store/embedded/"]),
    ("axum", &["src/door/", "src/node/"]),
    ("hyper", &["src/door/"]),
    ("tokio_tungstenite", &["src/door/"]),
    ("jsonwebtoken", &["src/auth/", "src/config/"]),
    ("opentelemetry", &["src/telemetry/traces/"]),
    ("opentelemetry_sdk", &["src/telemetry/traces/"]),
    ("opentelemetry_otlp", &["src/telemetry/traces/"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every source file, with its path from the root, and without its inline tests.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") && !name.contains("/tests") {
                let text = fs::read_to_string(path).unwrap();
                let production = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
                found.push((name, production));
            }
        }
    }
    assert!(found.len() > 50, "the sources were not found");
    found
}

/// Module → rank, as the comments in `src/lib.rs` say.
fn ranks() -> BTreeMap<String, usize> {
    let mut ranks = BTreeMap::new();
    let mut rank = None;
    for line in fs::read_to_string(root().join("src/lib.rs")).unwrap().lines() {
        if let Some(text) = line.strip_prefix("// rank ") {
            rank = text.split(':').next().and_then(|number| number.parse().ok());
        } else if let Some(module) = line.strip_prefix("pub mod ") {
            ranks.insert(module.trim_end_matches(';').to_owned(), rank.unwrap());
        }
    }
    assert!(ranks.len() >= 12, "the ranks were not found: {ranks:?}");
    ranks
}

/// The words that follow `crate::` in a text, those inside braces included.
fn used_modules(text: &str) -> Vec<String> {
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect();
    let mut used = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let items = rest.strip_prefix('{').and_then(|inner| inner.split('}').next()).unwrap_or(rest);
        for item in items.split(',') {
            let word: String = item.trim().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            used.push(word);
            if !rest.starts_with('{') {
                break;
            }
        }
    }
    used
}

#[test]
fn every_module_uses_only_modules_of_lower_rank() {
    let ranks = ranks();
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let Some(own) = file.strip_prefix("src/").and_then(|path| path.split(['/', '.']).next()) else { continue };
        let Some(own_rank) = ranks.get(own) else { continue };
        for used in used_modules(&text) {
            let Some(rank) = ranks.get(&used) else { continue };
            if used != own && rank >= own_rank {
                wrong.push(format!("{file}: `{own}` (rank {own_rank}) uses `{used}` (rank {rank})"));
            }
        }
    }
    assert!(wrong.is_empty(), "move what is shared down, or the user up:\n{}", wrong.join("\n"));
}

#[test]
fn outside_crates_are_named_only_where_they_belong() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        for (name, places) in PLACES {
            let is_named = text.lines().filter(|line| !line.trim_start().starts_with("//")).any(|line| {
                line.match_indices(&format!("{name}::")).any(|(at, _)| {
                    at == 0 || !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':')
                })
            });
            if is_named && !places.iter().any(|place| file.starts_with(place)) {
                wrong.push(format!("{file} names `{name}`, which belongs to {places:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "hide it behind a port:\n{}", wrong.join("\n"));
}

#[test]
fn the_reader_of_uses_sees_what_it_must() {
    let text = "use crate::model::Seq;\nuse crate::{bus::Bus, wire};\n// use crate::door;\nlet x = crate::auth::f();";
    assert_eq!(used_modules(text), ["model", "bus", "wire", "auth"]);
}
