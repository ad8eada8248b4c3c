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
pub(super) const ASSETS: [Asset; 44] = [
    asset!("ask.js", SCRIPT),
    asset!("avatar.js", SCRIPT),
    asset!("back.js", SCRIPT),
    asset!("banner.js", SCRIPT),
    asset!("base.css", STYLE),
    asset!("bubbles.js", SCRIPT),
    asset!("chat.js", SCRIPT),
    asset!("client.js", SCRIPT),
    asset!("composer.js", SCRIPT),
    asset!("connection.js", SCRIPT),
    asset!("deliveries.js", SCRIPT),
    asset!("desk.js", SCRIPT),
    asset!("details.css", STYLE),
    asset!("details.js", SCRIPT),
    asset!("events.js", SCRIPT),
    asset!("format.js", SCRIPT),
    asset!("frame.css", STYLE),
    asset!("heading.js", SCRIPT),
    asset!("icon.svg", IMAGE),
    asset!("ids.js", SCRIPT),
    asset!("keep.js", SCRIPT),
    asset!("links.js", SCRIPT),
    asset!("list.css", STYLE),
    asset!("list.js", SCRIPT),
    asset!("main.js", SCRIPT),
    asset!("me.js", SCRIPT),
    asset!("members.js", SCRIPT),
    asset!("note.js", SCRIPT),
    asset!("outbox.js", SCRIPT),
    asset!("pending.js", SCRIPT),
    asset!("people.js", SCRIPT),
    asset!("places.js", SCRIPT),
    asset!("requests.js", SCRIPT),
    asset!("row.js", SCRIPT),
    asset!("rows.js", SCRIPT),
    asset!("scroller.js", SCRIPT),
    asset!("shortcuts.js", SCRIPT),
    asset!("sign-in.js", SCRIPT),
    asset!("start.js", SCRIPT),
    asset!("thread.css", STYLE),
    asset!("thread.js", SCRIPT),
    asset!("ticks.js", SCRIPT),
    asset!("typers.js", SCRIPT),
    asset!("view.js", SCRIPT),
];
