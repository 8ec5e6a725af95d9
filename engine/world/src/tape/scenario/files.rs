//! The files of all scenarios, in their order.

use crate::tape::file::{File, files};

/// Every scenario's file. The page begins with one of them.
pub(super) const SCENARIOS: &[File] = files![
    "scenarios":
    "the-big-picture",
    "alice-to-bob",
    "crepes-hamburger",
    "asleep",
    "no-middlemen",
    "ways-to-the-mailbox",
    "pop-phases",
    "delete-or-keep",
    "pop-cut",
    "imap-folders",
    "imap-parts",
    "seven-bits",
    "mime-by-hand",
    "http-and-smtp",
    "smime",
    "web-mail",
    "passwords",
    "ports",
    "weird-shelf",
    "sandbox",
    "greylisting",
    "after-the-dot",
    "the-bounce",
    "full-mailbox",
    "open-relay",
    "starttls",
    "mail-loop",
    "before-the-disk",
];

/// The world in which what was recorded is said again.
pub(super) const RECORDED: (&str, &str) =
    ("recorded", include_str!("../../../scenarios/base/recorded.toml"));

/// The worlds of the page's labs: somebody types in one, and in the other reads one mailbox in many ways.
pub(super) const LABS: [&str; 2] = [
    include_str!("../../../scenarios/base/by-hand.toml"),
    include_str!("../../../scenarios/base/access.toml"),
];

/// What several scenarios build on.
const TOWNS: &str = include_str!("../../../scenarios/base/towns.toml");

/// The text of what several scenarios build on.
pub(super) fn base(name: &str) -> Option<&'static str> {
    (name == "towns").then_some(TOWNS)
}
