//! From what a server did to a verdict. Pure: the same answer always gets the same one.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::script::Judge;
use super::types::Verdict;
use crate::smtp::client::types::Reply;
use crate::smtp::grammar::parse_domain;
use crate::types::TlsFacts;

/// Octets of the server's words that are shown.
const SHOWN_MAX: usize = 72;

/// What was seen of a server in one step, and before it.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Replies to this step.
    pub(super) replies: Vec<Reply>,
    /// The server has closed the connection.
    pub(super) closed: bool,
    /// It did not answer in time.
    pub(super) late: bool,
    /// It wants a login, or TLS, before it does what was asked for.
    pub(super) wants_login: bool,
    /// What it offered last, its own name left out.
    pub(super) offers: Vec<Vec<u8>>,
    pub(super) tls: Option<TlsFacts>,
    /// The first reply that should have had an enhanced code and had none.
    pub(super) without_status: Option<Reply>,
}

impl Seen {
    /// Whether this keyword was offered.
    pub(super) fn offers(&self, keyword: &str) -> bool {
        self.parameter(keyword).is_some()
    }

    /// What stands after a keyword that was offered.
    pub(super) fn parameter(&self, keyword: &str) -> Option<&[u8]> {
        self.offers.iter().find_map(|line| {
            let (name, rest) = line.split_at_checked(keyword.len())?;
            let ends = rest.first().is_none_or(|octet| matches!(octet, b' ' | b'\t'));
            (ends && name.eq_ignore_ascii_case(keyword.as_bytes())).then_some(rest.trim_ascii())
        })
    }
}

/// Judges what was seen; the words say what that was.
pub(super) fn judge(seen: &Seen, judge: Judge) -> (Verdict, String) {
    match judge {
        Judge::Codes { good, weak } => by_code(seen, good, weak, Verdict::Bad),
        Judge::CodesOrClosed { good } => by_code(seen, good, &[], Verdict::Good),
        Judge::Greeting => greeting(seen),
        Judge::OneLine => one_line(seen),
        Judge::Keywords => keywords(seen),
        Judge::AtMost(max) => at_most(seen, max),
        Judge::All(count) => all(seen, count),
        Judge::Farewell => farewell(seen),
        Judge::Tls | Judge::Certificate => tls(seen),
        Judge::NoStartTls => no_start_tls(seen),
        Judge::NotInjected => not_injected(seen),
        Judge::Status => status(seen),
        Judge::Closes(most) => closes(seen, most),
    }
}

fn by_code(seen: &Seen, good: &[&str], weak: &[&str], closed: Verdict) -> (Verdict, String) {
    let Some(reply) = seen.replies.last() else { return (nothing(seen, closed), silence(seen)) };
    let code = reply.code.to_string();
    let is = |list: &[&str]| list.iter().any(|start| code.starts_with(start));
    let verdict = match reply.code {
        _ if is(good) => Verdict::Good,
        _ if is(weak) && !wants_login(reply.code) => Verdict::Weak,
        // Not now; or not without a login or TLS, which says nothing about the test.
        400..=499 => Verdict::Unknown,
        code if wants_login(code) => Verdict::Unknown,
        // After a MAIL that was not done RCPT comes too early.
        503 if seen.wants_login => Verdict::Unknown,
        _ => Verdict::Bad,
    };
    (verdict, shown(reply))
}

/// RFC 4954 §6: it does nothing before a login, or no login before TLS.
pub(super) fn wants_login(code: u16) -> bool {
    matches!(code, 530 | 538)
}

fn nothing(seen: &Seen, closed: Verdict) -> Verdict {
    if seen.closed { closed } else { Verdict::Bad }
}

fn silence(seen: &Seen) -> String {
    let words = if seen.closed { "closed the connection" } else { "no reply in time" };
    words.to_string()
}

fn greeting(seen: &Seen) -> (Verdict, String) {
    let Some(reply) = seen.replies.last() else { return (Verdict::Bad, silence(seen)) };
    let named = greeted_name(reply).is_some();
    let verdict = match reply.code {
        220 if named => Verdict::Good,
        220 => Verdict::Weak,
        // RFC 5321 §3.1: it serves nobody, and says so.
        400..=499 | 554 => Verdict::Unknown,
        _ => Verdict::Bad,
    };
    (verdict, shown(reply))
}

/// The name that a server gives itself.
pub(super) fn greeted_name(reply: &Reply) -> Option<Vec<u8>> {
    let first = reply.lines.first()?;
    parse_domain(first.split(|octet| *octet == b' ').next()?)
}

fn one_line(seen: &Seen) -> (Verdict, String) {
    let (verdict, words) = by_code(seen, &["250"], &[], Verdict::Bad);
    match seen.replies.last() {
        // RFC 5321 §4.1.1.1: several lines are for EHLO alone.
        Some(reply) if verdict == Verdict::Good && reply.lines.len() > 1 => (Verdict::Bad, words),
        _ => (verdict, words),
    }
}

/// `ehlo-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")` (RFC 5321 §4.1.1.1)
fn keywords(seen: &Seen) -> (Verdict, String) {
    let right = |line: &[u8]| {
        let word = line.split(|octet| *octet == b' ').next().unwrap_or_default();
        let good = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-';
        !word.is_empty() && word[0] != b'-' && word.iter().copied().all(good)
    };
    match seen.offers.iter().find(|line| !right(line)) {
        None if seen.offers.is_empty() => (Verdict::Weak, "none".to_string()),
        None => (Verdict::Good, format!("{}", seen.offers.len())),
        Some(wrong) => (Verdict::Weak, printable(wrong)),
    }
}

fn at_most(seen: &Seen, max: usize) -> (Verdict, String) {
    let words = counted(seen);
    // The last one may be to QUIT, which some servers leave without a reply.
    let farewell = seen.replies.last().is_some_and(|reply| reply.code == 221);
    match seen.replies.len() - usize::from(farewell) {
        _ if seen.late => (Verdict::Unknown, format!("{words}, then nothing")),
        count if count <= max => (Verdict::Good, words),
        _ => (Verdict::Bad, words),
    }
}

fn all(seen: &Seen, count: usize) -> (Verdict, String) {
    let words = counted(seen);
    let last = seen.replies.last().map(|reply| reply.code);
    let right = seen.replies.len() == count && last == Some(250);
    (if right { Verdict::Good } else { Verdict::Bad }, words)
}

fn farewell(seen: &Seen) -> (Verdict, String) {
    let Some(reply) = seen.replies.last() else { return (Verdict::Bad, silence(seen)) };
    let words = shown(reply);
    match reply.code {
        221 if seen.closed => (Verdict::Good, words),
        221 => (Verdict::Weak, format!("{words}, but stays open")),
        _ => (Verdict::Bad, words),
    }
}

fn tls(seen: &Seen) -> (Verdict, String) {
    match &seen.tls {
        Some(facts) => {
            (Verdict::Good, format!("{} {}", printable(&facts.version), printable(&facts.cipher)))
        }
        None => by_code(seen, &[], &[], Verdict::Bad),
    }
}

fn no_start_tls(seen: &Seen) -> (Verdict, String) {
    match (&seen.tls, seen.offers("STARTTLS")) {
        (None, _) => (Verdict::Unknown, "no TLS".to_string()),
        (Some(_), true) => (Verdict::Bad, "offered".to_string()),
        (Some(_), false) => (Verdict::Good, "not offered".to_string()),
    }
}

fn not_injected(seen: &Seen) -> (Verdict, String) {
    // Without a handshake nothing that was sent before it can count after it.
    if seen.tls.is_none() {
        return match seen.replies.last() {
            Some(reply) => (Verdict::Good, format!("{}, no TLS", shown(reply))),
            None => (Verdict::Good, silence(seen)),
        };
    }
    match seen.replies.first() {
        Some(reply) if reply.code == 250 => (Verdict::Good, "not obeyed".to_string()),
        Some(reply) => (Verdict::Bad, format!("obeyed: {}", shown(reply))),
        None => (Verdict::Good, silence(seen)),
    }
}

fn status(seen: &Seen) -> (Verdict, String) {
    match &seen.without_status {
        None => (Verdict::Good, "in every reply".to_string()),
        Some(reply) => (Verdict::Bad, format!("not in {}", shown(reply))),
    }
}

fn closes(seen: &Seen, most: usize) -> (Verdict, String) {
    let count = seen.replies.len();
    let good = seen.closed && count <= most;
    let words = if seen.closed { format!("closed after {count} replies") } else { counted(seen) };
    (if good { Verdict::Good } else { Verdict::Weak }, words)
}

/// The codes that came.
fn counted(seen: &Seen) -> String {
    let codes: Vec<String> = seen.replies.iter().map(|reply| reply.code.to_string()).collect();
    if codes.is_empty() { silence(seen) } else { codes.join(" ") }
}

/// A reply's first line.
pub(super) fn shown(reply: &Reply) -> String {
    let status = reply.status.map_or_else(String::new, |status| {
        format!(" {}.{}.{}", status.class, status.subject, status.detail)
    });
    let text = reply.lines.first().map_or(&b""[..], |line| &line[..]);
    let space = if text.is_empty() { "" } else { " " };
    let cut = &text[..text.len().min(SHOWN_MAX)];
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("{}{status}{space}{}{more}", reply.code, printable(cut))
}

/// Octets of a peer as they may be shown.
pub(super) fn printable(octets: &[u8]) -> String {
    let mut out = String::with_capacity(octets.len());
    for &octet in octets {
        match octet {
            b' '..=b'~' => out.push(char::from(octet)),
            _ => out.push_str(&format!("\\x{octet:02x}")),
        }
    }
    out
}
