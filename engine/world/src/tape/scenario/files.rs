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

/// Worlds that have no place in the list: one in which what was recorded is said again, those of the page's labs, where
/// somebody types in one, and in the other reads one mailbox in many ways, and one for what comes from outside.
pub(super) const WORLDS: &[File] =
    files!["scenarios": "base/recorded", "base/by-hand", "base/access", "base/live"];

/// The text of one of those.
pub(super) fn world(name: &str) -> Option<&'static str> {
    WORLDS.iter().find(|file| file.name.strip_prefix("base/") == Some(name))?.text()
}

/// What several scenarios build on.
const TOWNS: &str = include_str!("../../../scenarios/base/towns.toml");

/// The text of what several scenarios build on.
pub(super) fn base(name: &str) -> Option<&'static str> {
    (name == "towns").then_some(TOWNS)
}
