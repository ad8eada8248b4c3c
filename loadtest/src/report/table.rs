//! Figures in rows: on the screen and as Markdown.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// Rows of a table: what, and how much. What counts most stands between double stars.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Table(pub(crate) Vec<(String, String)>);

impl Table {
    pub(crate) fn row(&mut self, what: impl Into<String>, value: impl ToString) -> &mut Self {
        self.0.push((what.into(), value.to_string()));
        self
    }

    /// For a screen.
    pub(crate) fn text(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, (what, value)| {
            let _ = writeln!(text, "  {:<46} {value:>14}", what.trim_matches('*'));
            text
        })
    }

    pub(crate) fn markdown(&self, title: &str) -> String {
        self.0.iter().fold(format!("## {title}\n\n| | |\n|---|---:|\n"), |mut text, (what, value)| {
            let _ = writeln!(text, "| {what} | {value} |");
            text
        })
    }
}
