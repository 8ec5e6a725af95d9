//! From what a server did to a verdict. Pure: the same answer always gets the same one.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Protocol;
use super::script::{Judge, Word};
use crate::smtp::probe::Verdict;
use crate::types::TlsFacts;

/// Octets of the server's words that are shown.
const SHOWN_MAX: usize = 72;

/// What was seen of a server in one step, and before it.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) greeting: Vec<u8>,
    /// Lines of this step's answer.
    pub(super) lines: Vec<Vec<u8>>,
    /// The server has closed the connection.
    pub(super) closed: bool,
    /// It did not answer in time.
    pub(super) late: bool,
    /// A line broke the rules of lines.
    pub(super) faulty: bool,
    /// What it offered last, in upper case.
    pub(super) offers: Vec<Vec<u8>>,
    pub(super) tls: Option<TlsFacts>,
}

impl Seen {
    /// Whether this is offered; of several words the first counts.
    pub(super) fn offers(&self, name: &str) -> bool {
        self.offers.iter().any(|offer| {
            let first = offer.split(|octet| *octet == b' ').next().unwrap_or_default();
            first == name.as_bytes()
        })
    }
}

/// What is offered, in upper case: IMAP's names, POP3's lines.
pub(super) fn offered(protocol: Protocol, lines: &[Vec<u8>]) -> Vec<Vec<u8>> {
    match protocol {
        Protocol::Imap => {
            let list = lines.iter().find_map(|line| {
                let line = line.to_ascii_uppercase();
                line.strip_prefix(b"* CAPABILITY ").map(<[u8]>::to_vec)
            });
            let list = list.unwrap_or_default();
            let names = list.split(|octet| *octet == b' ').filter(|name| !name.is_empty());
            names.map(<[u8]>::to_vec).collect()
        }
        Protocol::Pop3 if lines.first().is_some_and(|line| line.starts_with(b"+OK")) => {
            let names = lines.iter().skip(1).filter(|line| &line[..] != b".");
            names.map(|line| line.to_ascii_uppercase()).collect()
        }
        Protocol::Pop3 => Vec::new(),
    }
}

/// Whether the answer says that it went well.
pub(super) fn is_ok(protocol: Protocol, seen: &Seen, tag: u32) -> bool {
    word(protocol, seen, tag) == Some(Word::Ok)
}

/// What the last line says.
fn word(protocol: Protocol, seen: &Seen, _tag: u32) -> Option<Word> {
    let line = match protocol {
        Protocol::Imap => seen.lines.last(),
        Protocol::Pop3 => seen.lines.first(),
    };
    let Some(line) = line else { return seen.closed.then_some(Word::Closed) };
    let is = |text: &[u8], wanted: &str| {
        text.get(..wanted.len()).is_some_and(|t| t.eq_ignore_ascii_case(wanted.as_bytes()))
    };
    match protocol {
        Protocol::Pop3 if is(line, "+OK") => Some(Word::Ok),
        Protocol::Pop3 if is(line, "-ERR") => Some(Word::Bad),
        Protocol::Pop3 if line.starts_with(b"+") => Some(Word::Go),
        Protocol::Pop3 => None,
        Protocol::Imap if line.starts_with(b"+") => Some(Word::Go),
        Protocol::Imap if is(line, "* BYE") => Some(Word::Closed),
        Protocol::Imap => {
            let space = line.iter().position(|octet| *octet == b' ')?;
            let rest = &line[space + 1..];
            [("OK", Word::Ok), ("NO", Word::No), ("BAD", Word::Bad)]
                .into_iter()
                .find(|(text, _)| is(rest, text))
                .map(|(_, word)| word)
        }
    }
}

/// Judges what was seen; the words say what that was.
pub(super) fn judge(protocol: Protocol, seen: &Seen, judge: Judge, tag: u32) -> (Verdict, String) {
    match judge {
        Judge::Words { good, weak } => by_word(protocol, seen, good, weak, tag),
        Judge::Greeting => greeting(protocol, seen),
        Judge::Capabilities => capabilities(protocol, seen, tag),
        Judge::Offers(names) => offers(seen, names),
        Judge::ClearLogin => clear_login(protocol, seen),
        Judge::Farewell => farewell(protocol, seen),
        Judge::Tls | Judge::Certificate => tls(seen),
        Judge::NoStartTls => no_start_tls(seen),
        Judge::NotInjected => not_injected(protocol, seen),
        Judge::AtMost(most) => at_most(protocol, seen, most),
        Judge::Closes(most) => closes(seen, most),
    }
}

fn by_word(
    protocol: Protocol,
    seen: &Seen,
    good: &[Word],
    weak: &[Word],
    tag: u32,
) -> (Verdict, String) {
    let words = last(protocol, seen);
    let verdict = match word(protocol, seen, tag) {
        Some(word) if good.contains(&word) => Verdict::Good,
        Some(word) if weak.contains(&word) => Verdict::Weak,
        _ => Verdict::Bad,
    };
    (verdict, words)
}

/// The line that decides, or why there is none.
fn last(protocol: Protocol, seen: &Seen) -> String {
    let line = match protocol {
        Protocol::Imap => seen.lines.last(),
        Protocol::Pop3 => seen.lines.first(),
    };
    line.map_or_else(|| silence(seen), |line| shown(line))
}

fn silence(seen: &Seen) -> String {
    let words = if seen.closed { "closed the connection" } else { "no answer in time" };
    words.to_string()
}

fn greeting(protocol: Protocol, seen: &Seen) -> (Verdict, String) {
    let line = &seen.greeting;
    if line.is_empty() {
        return (Verdict::Bad, silence(seen));
    }
    let upper = line.to_ascii_uppercase();
    let begins = |all: &[&str]| all.iter().any(|text| upper.starts_with(text.as_bytes()));
    let verdict = match protocol {
        Protocol::Imap if begins(&["* OK", "* PREAUTH"]) => Verdict::Good,
        Protocol::Pop3 if line.starts_with(b"+OK") => Verdict::Good,
        // It serves nobody now, and says so.
        Protocol::Imap if begins(&["* BYE"]) => Verdict::Unknown,
        Protocol::Pop3 if begins(&["-ERR"]) => Verdict::Unknown,
        _ => Verdict::Bad,
    };
    (verdict, shown(line))
}

fn capabilities(protocol: Protocol, seen: &Seen, tag: u32) -> (Verdict, String) {
    let names = offered(protocol, &seen.lines);
    if names.is_empty() || word(protocol, seen, tag) != Some(Word::Ok) {
        // RFC 2449 §5: it is an extension, and older servers do not know it.
        let verdict = if protocol == Protocol::Pop3 { Verdict::Weak } else { Verdict::Bad };
        return (verdict, last(protocol, seen));
    }
    let known = |name: &Vec<u8>| matches!(&name[..], b"IMAP4REV1" | b"IMAP4REV2");
    let right = protocol == Protocol::Pop3 || names.iter().any(known);
    let verdict = if right { Verdict::Good } else { Verdict::Bad };
    (verdict, format!("{} capabilities", names.len()))
}

fn offers(seen: &Seen, names: &[&str]) -> (Verdict, String) {
    if seen.offers.is_empty() {
        return (Verdict::Unknown, "nothing is listed".to_string());
    }
    let for_tls = names.iter().any(|name| matches!(*name, "STARTTLS" | "STLS"));
    if for_tls && seen.tls.is_some() {
        return (Verdict::Good, "this is TLS".to_string());
    }
    match names.iter().find(|name| seen.offers(name)) {
        Some(name) => (Verdict::Good, format!("{name} is offered")),
        None => (Verdict::Weak, "not offered".to_string()),
    }
}

/// Whether somebody could log in by saying a password in the clear.
fn clear_login(protocol: Protocol, seen: &Seen) -> (Verdict, String) {
    if seen.tls.is_some() {
        return (Verdict::Good, "this is TLS".to_string());
    }
    if seen.offers.is_empty() {
        return (Verdict::Unknown, "nothing is listed".to_string());
    }
    let sasl = |offer: &Vec<u8>, name: &str| {
        let mut words = offer.split(|octet| *octet == b' ');
        words.next() == Some(&b"SASL"[..]) && words.any(|word| word == name.as_bytes())
    };
    let (login, plain) = match protocol {
        Protocol::Imap => {
            (!seen.offers("LOGINDISABLED"), seen.offers("AUTH=PLAIN") || seen.offers("AUTH=LOGIN"))
        }
        Protocol::Pop3 => (
            seen.offers("USER"),
            seen.offers.iter().any(|offer| sasl(offer, "PLAIN") || sasl(offer, "LOGIN")),
        ),
    };
    match (login, plain) {
        (false, false) => (Verdict::Good, "not offered".to_string()),
        (true, false) => (Verdict::Weak, "a password may be said".to_string()),
        (_, true) => (Verdict::Weak, "a password may be said, by PLAIN too".to_string()),
    }
}

fn farewell(protocol: Protocol, seen: &Seen) -> (Verdict, String) {
    let begins = |line: &Vec<u8>, text: &str| {
        line.get(..text.len()).is_some_and(|t| t.eq_ignore_ascii_case(text.as_bytes()))
    };
    let right = match protocol {
        Protocol::Imap => {
            let bye = seen.lines.iter().position(|line| begins(line, "* BYE"));
            let ok = seen.lines.iter().position(|line| {
                !line.starts_with(b"* ") && line.windows(4).any(|w| w.eq_ignore_ascii_case(b" OK "))
                    || line.ends_with(b" OK")
            });
            bye.is_some_and(|bye| ok.is_some_and(|ok| bye < ok))
        }
        Protocol::Pop3 => seen.lines.first().is_some_and(|line| line.starts_with(b"+OK")),
    };
    let words = seen.lines.first().map_or_else(|| silence(seen), |line| shown(line));
    match (right, seen.closed) {
        (true, true) => (Verdict::Good, words),
        (true, false) => (Verdict::Weak, format!("{words}, but stays open")),
        (false, _) => (Verdict::Bad, words),
    }
}

fn tls(seen: &Seen) -> (Verdict, String) {
    match &seen.tls {
        Some(facts) => {
            (Verdict::Good, format!("{} {}", printable(&facts.version), printable(&facts.cipher)))
        }
        None => {
            let words = seen.lines.last().map_or_else(|| silence(seen), |line| shown(line));
            (Verdict::Bad, words)
        }
    }
}

fn no_start_tls(seen: &Seen) -> (Verdict, String) {
    match (&seen.tls, seen.offers("STARTTLS") || seen.offers("STLS")) {
        (None, _) => (Verdict::Unknown, "no TLS".to_string()),
        (Some(_), true) => (Verdict::Bad, "offered".to_string()),
        (Some(_), false) => (Verdict::Good, "not offered".to_string()),
    }
}

fn not_injected(protocol: Protocol, seen: &Seen) -> (Verdict, String) {
    // Without a handshake nothing that was sent before it can count after it.
    if seen.tls.is_none() {
        let words = seen.lines.first().map_or_else(|| silence(seen), |line| shown(line));
        return (Verdict::Good, format!("{words}, no TLS"));
    }
    let obeyed = match protocol {
        Protocol::Imap => seen.lines.iter().any(|line| line.starts_with(b"EVIL")),
        // What was sent then gets -ERR in this state; what is sent now does not.
        Protocol::Pop3 => seen.lines.first().is_some_and(|line| !line.starts_with(b"+OK")),
    };
    match (obeyed, seen.lines.first()) {
        (true, Some(line)) => (Verdict::Bad, format!("obeyed: {}", shown(line))),
        (_, None) => (Verdict::Good, silence(seen)),
        (false, _) => (Verdict::Good, "not obeyed".to_string()),
    }
}

/// How many commands went well.
fn at_most(protocol: Protocol, seen: &Seen, most: usize) -> (Verdict, String) {
    let is_done = |line: &Vec<u8>| match protocol {
        Protocol::Imap => {
            let mut words = line.split(|octet| *octet == b' ');
            words.next() != Some(b"*") && words.next() == Some(b"OK")
        }
        Protocol::Pop3 => line.starts_with(b"+OK"),
    };
    let count = seen.lines.iter().filter(|line| is_done(line)).count();
    let verdict = if count <= most { Verdict::Good } else { Verdict::Weak };
    let words = match seen.lines.len() {
        0 => silence(seen),
        _ if count > most => format!("{count} commands were obeyed"),
        _ => seen.lines.first().map_or_else(String::new, |line| shown(line)),
    };
    (verdict, words)
}

fn closes(seen: &Seen, most: usize) -> (Verdict, String) {
    let count = seen.lines.len();
    let good = seen.closed && count <= most;
    let words = match seen.closed {
        true => format!("closed after {count} answers"),
        false => format!("{count} answers, and stays open"),
    };
    (if good { Verdict::Good } else { Verdict::Weak }, words)
}

/// A line, cut.
fn shown(line: &[u8]) -> String {
    let cut = &line[..line.len().min(SHOWN_MAX)];
    let more = if cut.len() < line.len() { "…" } else { "" };
    format!("{}{more}", printable(cut))
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
