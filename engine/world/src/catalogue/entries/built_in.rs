//! The texts, in English, as they are built in.

/// Words for single rules come last.
const TEXTS: [&str; 11] = [
    include_str!("../en/shared.txt"),
    include_str!("../en/smtp.txt"),
    include_str!("../en/pop3.txt"),
    include_str!("../en/imap.txt"),
    include_str!("../en/states.txt"),
    include_str!("../en/codes.txt"),
    include_str!("../en/message.txt"),
    include_str!("../en/world.txt"),
    include_str!("../en/happening.txt"),
    include_str!("../en/http.txt"),
    include_str!("../en/rules.txt"),
];

/// All of them: whoever has them built in has them from the start.
#[allow(clippy::unnecessary_wraps, reason = "where texts are given there may be none yet")]
pub(super) fn texts() -> Option<&'static [&'static str]> {
    Some(&TEXTS)
}
