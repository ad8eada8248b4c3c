//! The table of settings as documentation.

use super::settings::{SETTINGS, Setting};

/// The settings as a Markdown table, for the README.
#[must_use]
pub fn markdown() -> String {
    let head = "| Variable | Default | What it is |\n|---|---|---|\n";
    SETTINGS.iter().map(row).fold(head.to_owned(), |table, row| table + &row)
}

fn row(setting: &Setting) -> String {
    let file = if setting.may_come_from_file() { ", or `…_FILE`" } else { "" };
    let default = setting.default.map(|default| format!("`{default}`")).unwrap_or_default();
    format!("| `{}`{file} | {default} | {} |\n", setting.variable(), setting.doc)
}
