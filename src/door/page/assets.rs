//! The page's files, part of the program.

/// One of them.
#[derive(Clone, Copy)]
pub(super) struct Asset {
    pub(super) path: &'static str,
    pub(super) kind: &'static str,
    pub(super) text: &'static str,
}

pub(super) const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const IMAGE: &str = "image/svg+xml";

/// The page itself; `{{sign-in}}` stands for how one signs in.
pub(super) const INDEX: &str = include_str!("assets/index.html");

/// A file, by its name and kind.
macro_rules! asset {
    ($name:literal, $kind:expr) => {
        Asset { path: concat!("/assets/", $name), kind: $kind, text: include_str!(concat!("assets/", $name)) }
    };
}

/// Everything that the page loads.
pub(super) const ASSETS: [Asset; 12] = [
    asset!("chat.js", SCRIPT),
    asset!("client.js", SCRIPT),
    asset!("icon.svg", IMAGE),
    asset!("keep.js", SCRIPT),
    asset!("main.js", SCRIPT),
    asset!("outbox.js", SCRIPT),
    asset!("places.js", SCRIPT),
    asset!("requests.js", SCRIPT),
    asset!("sign-in.js", SCRIPT),
    asset!("style.css", STYLE),
    asset!("thread.js", SCRIPT),
    asset!("view.js", SCRIPT),
];
