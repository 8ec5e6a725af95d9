//! What people get wrong when they speak a protocol by hand, told by the line that they typed. It judges nothing: the
//! server has refused the line already, and this only guesses what was meant.

use super::entries::entry;
use super::{Gloss, Protocol};

/// Fields that people type where a command is due.
const FIELDS: [&str; 6] = ["SUBJECT:", "FROM:", "TO:", "DATE:", "CC:", "REPLY-TO:"];
/// Commands of SMTP: of these it is known what was meant.
const COMMANDS: [&str; 16] = [
    "AUTH", "BDAT", "DATA", "EHLO", "ETRN", "EXPN", "HELO", "HELP", "MAIL", "NOOP", "QUIT", "RCPT",
    "RSET", "STARTTLS", "VRFY", "XCLIENT",
];
/// IMAP's commands that people type without a tag.
const UNTAGGED: [&str; 12] = [
    "LOGIN",
    "SELECT",
    "LIST",
    "FETCH",
    "LOGOUT",
    "CAPABILITY",
    "NOOP",
    "STATUS",
    "SEARCH",
    "STORE",
    "EXAMINE",
    "UID",
];

/// What was likely meant by a line that the server refused; `None` if nothing comes to mind.
#[must_use]
pub fn trap(protocol: Protocol, line: &[u8]) -> Option<Gloss> {
    let key = shared(line).or_else(|| {
        let text = String::from_utf8_lossy(line).trim_ascii_end().to_ascii_uppercase();
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        match protocol {
            Protocol::Smtp => smtp(&text, &words),
            Protocol::Pop3 => pop3(&words),
            Protocol::Imap => imap(&text, &words),
            Protocol::Http => None,
        }
    })?;
    entry(&["trap", protocol.key(), key]).or_else(|| entry(&["trap", "*", key]))
}

fn shared(line: &[u8]) -> Option<&'static str> {
    if line.iter().any(|octet| matches!(octet, 8 | 127)) {
        Some("backspace")
    } else if line.windows(2).any(|two| two == b"\x1b[") {
        Some("arrow")
    } else if line.trim_ascii().is_empty() || line.first().is_some_and(u8::is_ascii_whitespace) {
        Some("blank")
    } else {
        None
    }
}

fn smtp(text: &str, words: &[&str]) -> Option<&'static str> {
    let first = *words.first()?;
    let path = |word: &str, direction: &str| {
        if text.starts_with(word) && !text.contains(&format!("{direction}:")) {
            Some("colon")
        } else if text.starts_with(word) && !text.contains('<') {
            Some("brackets")
        } else {
            None
        }
    };
    match first {
        "HELLO" | "HALLO" | "HELLO," | "EHELO" | "EHLLO" | "HEHLO" | "HI" => Some("hello"),
        "HELO" | "EHLO" if words.len() == 1 => Some("hello-alone"),
        "." => Some("dot"),
        "SEND" => Some("send"),
        "MAIL" => path("MAIL", "FROM"),
        "RCPT" => path("RCPT", "TO"),
        _ if text.contains("HTTP/1") || text.contains("HTTP/2") => Some("http"),
        _ if (first.starts_with("FROM:") || first.starts_with("TO:")) && text.contains('<') => {
            Some("from-alone")
        }
        _ if FIELDS.iter().any(|field| first.starts_with(field)) => Some("header"),
        _ if COMMANDS.contains(&first) => None,
        _ if words.len() >= 3 => Some("message"),
        _ => Some("unknown"),
    }
}

fn pop3(words: &[&str]) -> Option<&'static str> {
    match (*words.first()?, words.len()) {
        ("LOGIN" | "PASSWORD" | "USERNAME", _) => Some("login"),
        ("RETR" | "DELE" | "TOP", 1) => Some("number"),
        _ => None,
    }
}

fn imap(text: &str, words: &[&str]) -> Option<&'static str> {
    if UNTAGGED.contains(words.first()?) {
        Some("tag")
    } else if words.get(1) == Some(&"UID") && words.len() < 4 {
        Some("uid")
    } else if text.matches('"').count() % 2 == 1 {
        Some("quotes")
    } else {
        None
    }
}
