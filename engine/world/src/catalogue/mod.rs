//! The words that readers are shown: for every label, command, state, code, ask, queue state, fault and grade what it is
//! and why it is so, with the RFC section. The texts are data, in files beside this one; views have no words of their own.

mod entries;
mod happening;
#[cfg(test)]
mod tests;
mod traps;

use pillarbox_engine::trace::Rule;

use entries::entry;
pub use happening::happening;
pub use traps::trap;

/// Which protocol a session speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// SMTP, submission and LMTP.
    Smtp,
    /// POP3.
    Pop3,
    /// IMAP.
    Imap,
    /// HTTP, for comparison.
    Http,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Smtp, Self::Pop3, Self::Imap, Self::Http];

    /// Its key in the catalogue.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Pop3 => "pop3",
            Self::Imap => "imap",
            Self::Http => "http",
        }
    }

    /// Its name for a reader.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Smtp => "SMTP",
            Self::Pop3 => "POP3",
            Self::Imap => "IMAP",
            Self::Http => "HTTP",
        }
    }
}

/// Which part somebody plays in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Party {
    /// Who listens.
    Server,
    /// Who connects.
    Client,
}

impl Party {
    /// Its key in the catalogue.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}

/// What a reader is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gloss {
    /// The section that it follows, such as `RFC 5321 §4.1.1.3`.
    pub law: Option<&'static str>,
    /// One line: what it is.
    pub what: &'static str,
    /// A paragraph, perhaps over several lines of text: why it is so.
    pub why: &'static str,
}

impl Gloss {
    /// The law as the RFC's number and its section.
    #[must_use]
    pub fn citation(&self) -> Option<(u16, &'static str)> {
        let (number, section) = self.law?.strip_prefix("RFC ")?.split_once(" §")?;
        Some((number.parse().ok()?, section))
    }
}

/// What a label of the annotations means.
#[must_use]
pub fn label(protocol: Protocol, label: &str) -> Option<Gloss> {
    let protocol = protocol.key();
    ["label", "line"]
        .iter()
        .find_map(|kind| entry(&[kind, protocol, label]).or_else(|| entry(&[kind, "*", label])))
}

/// What a label means inside a message (header and MIME structure).
#[must_use]
pub fn message(label: &str) -> Option<Gloss> {
    entry(&["label", "message", label])
}

/// What these very octets mean under their label: a command, an extension, a parameter, a status, a reply code, an
/// enhanced code. `None` if they are nothing with a meaning of its own; then the label says it all.
#[must_use]
pub fn word(protocol: Protocol, label: &str, octets: &[u8]) -> Option<Gloss> {
    let text = std::str::from_utf8(octets).ok()?.trim();
    match label {
        "reply code" => reply_code(text.get(..3)?.parse().ok()?),
        "enhanced code" => status(text),
        "verb" | "command" | "ehlo keyword" | "parameter keyword" | "capability" | "status"
        | "method" | "status-code" | "response name" | "response code" | "resp-text-code"
        | "data item" | "status item" => {
            let text = text.trim_start_matches('[');
            let ends = |letter: char| matches!(letter, ' ' | '=' | ']' | '[');
            let word = text.split(ends).next()?.to_ascii_uppercase();
            entry(&["word", protocol.key(), &word])
        }
        _ => None,
    }
}

/// What a header field of a message means, by its name.
#[must_use]
pub fn field(name: &str) -> Option<Gloss> {
    let find = |(key, gloss): (&'static str, Gloss)| {
        key.strip_prefix("word message ")?.eq_ignore_ascii_case(name).then_some(gloss)
    };
    entries::all().find_map(find)
}

/// What a command means, by its name.
#[must_use]
pub fn command(protocol: Protocol, verb: &str) -> Option<Gloss> {
    entry(&["word", protocol.key(), &verb.to_ascii_uppercase()])
}

/// What a reply code of SMTP means; of one without words of its own its first digit.
#[must_use]
pub fn reply_code(code: u16) -> Option<Gloss> {
    let class = match code / 100 {
        2 => "2yz",
        3 => "3yz",
        4 => "4yz",
        5 => "5yz",
        _ => return None,
    };
    entry(&["code", &code.to_string()]).or_else(|| entry(&["code", class]))
}

/// What an enhanced status code means; of one without words of its own the subject, such as `5.1.0`, or the class.
#[must_use]
pub fn status(code: &str) -> Option<Gloss> {
    let mut numbers = code.split('.');
    let (class, subject) = (numbers.next()?, numbers.next()?);
    entry(&["status", code])
        .or_else(|| entry(&["status", &format!("{class}.{subject}.0")]))
        .or_else(|| entry(&["status", &format!("{class}.0.0")]))
}

/// Why a server's words differ from those of the book's dialogue, by what it replies to (`greeting`, a verb, `end` of the
/// message), or what a `line` of the book does that a rule does not allow.
#[must_use]
pub fn difference(of: &str) -> Option<Gloss> {
    entry(&["difference", "smtp", of])
}

/// What a session's state means.
#[must_use]
pub fn state(protocol: Protocol, party: Party, name: &str) -> Option<Gloss> {
    entry(&["state", protocol.key(), party.key(), name])
}

/// What a session wants of its host, by the ask's name in the contract, such as `commit`.
#[must_use]
pub fn ask(protocol: Protocol, name: &str) -> Option<Gloss> {
    entry(&["ask", protocol.key(), name]).or_else(|| entry(&["ask", "*", name]))
}

/// What a session tells its host, by the event's name in the contract, such as `defect`.
#[must_use]
pub fn event(protocol: Protocol, name: &str) -> Option<Gloss> {
    entry(&["event", protocol.key(), name]).or_else(|| entry(&["event", "*", name]))
}

/// What becomes of a queued message: `waiting`, `trying`, `delivered`, `failed`, `expired`, `delayed`, `held`,
/// `uncertain`, `bounce`.
#[must_use]
pub fn queue(name: &str) -> Option<Gloss> {
    entry(&["queue", name])
}

/// What DNS said: `mx`, `implicit`, `null-mx`, `nxdomain`, `servfail`, `no-address`, `ours`.
#[must_use]
pub fn dns(name: &str) -> Option<Gloss> {
    entry(&["dns", name])
}

/// Why no server could be reached, by the name in the contract, such as `timed-out`.
#[must_use]
pub fn unreached(name: &str) -> Option<Gloss> {
    entry(&["route", name])
}

/// What goes wrong on purpose, by the word of the fault's text, such as `drop`.
#[must_use]
pub fn fault(name: &str) -> Option<Gloss> {
    entry(&["fault", name])
}

/// How well something went, by the grade's name in lower case.
#[must_use]
pub fn grade(name: &str) -> Option<Gloss> {
    entry(&["grade", "*", name])
}

/// What a rule means where it was broken or decided something. Most rules speak for themselves by their gist; of those
/// this gives the gist, and no paragraph.
#[must_use]
pub fn rule(rule: &'static Rule) -> Gloss {
    let own = entry(&["rule", &rule.rfc.to_string(), rule.section]);
    own.unwrap_or(Gloss { law: None, what: rule.gist, why: "" })
}
