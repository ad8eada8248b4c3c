//! A run's figures: on the screen, as Markdown and as JSON.

use std::fmt::Write as _;

use serde::Serialize;

use crate::Fault;
use crate::options::Common;

/// Rows of a table: what, and how much.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<(String, String)>);

impl Table {
    pub(crate) fn row(&mut self, what: impl Into<String>, value: impl ToString) -> &mut Self {
        self.0.push((what.into(), value.to_string()));
        self
    }

    fn text(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, (what, value)| {
            let _ = writeln!(text, "  {what:<46} {value:>14}");
            text
        })
    }

    fn markdown(&self, title: &str) -> String {
        self.0.iter().fold(format!("## {title}\n\n| | |\n|---|---:|\n"), |mut text, (what, value)| {
            let _ = writeln!(text, "| {what} | {value} |");
            text
        })
    }
}

/// Shows the figures and writes them where they were asked for.
pub(crate) fn publish(common: &Common, table: &Table, json: &impl Serialize, passed: bool) -> Result<(), Fault> {
    println!("\n{}\n{}", common.title, table.text());
    println!("{} {}", if passed { "PASS" } else { "FAIL" }, common.title);
    if let Some(path) = &common.markdown {
        std::fs::write(path, table.markdown(&common.title))?;
    }
    if let Some(path) = &common.json {
        std::fs::write(path, serde_json::to_vec_pretty(json)?)?;
    }
    Ok(())
}
