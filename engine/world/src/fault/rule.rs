//! A fault as a value: where, when, what. `Display` gives the text form back.

use std::fmt;

use super::clock::{print_duration, print_time_of_day};
use super::pattern::Pattern;

/// One fault.
///
/// A text without `verb`, `after` and `octet` means: with `hide` and `strip-starttls` EHLO; with `greylist`, `full` or
/// a `to=` RCPT; with a `sender=` MAIL; with `uidvalidity` SELECT; otherwise the moment before the greeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Where it strikes.
    pub place: Place,
    /// When.
    pub when: When,
    /// What goes wrong.
    pub action: Action,
}

/// Where a fault strikes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Everywhere.
    Any,
    /// At connections of one service: `smtp`, `submission`, `lmtp`, `pop3`, `imap`, `http`.
    Service(String),
    /// At the server of this name.
    Node(String),
    /// Between these two servers.
    Link(String, String),
    /// At the connection of this number.
    Wire(u64),
}

/// When a fault strikes: all of it has to be so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When {
    /// At which moment of a session.
    pub point: Point,
    /// The reverse path; `<>` is the null path.
    pub sender: Option<Pattern>,
    /// A recipient: at RCPT this one, afterwards any that was accepted.
    pub to: Option<Pattern>,
    /// Which of the moments that are as the clauses above say, counted over all connections.
    pub nth: Option<Span>,
    /// Of these, in so many of a million, drawn from the seed.
    pub probability_ppm: Option<u32>,
    /// Of these, those beyond so many in so many milliseconds.
    pub over: Option<(u32, u64)>,
    /// Not before this time of day (UTC), in milliseconds since midnight.
    pub from_ms: Option<u64>,
    /// Not from this time of day on; one before `from_ms` is that of the next day.
    pub until_ms: Option<u64>,
}

/// A moment of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Point {
    /// Before the greeting.
    Connect,
    /// Before anything is done about this command, in upper case.
    Verb(String),
    /// The same for every command.
    AnyVerb,
    /// Credentials were given, and not judged.
    Login,
    /// So many octets of a message's text have come.
    Octet(u64),
    /// A message is whole, and not stored.
    EndOfData,
    /// A message is stored, and its client was not told.
    Commit,
    /// The server has read or said octets with this label, and has done what follows from them at once.
    Label(&'static str),
}

impl Point {
    /// A label as the text form has it: `end of data` is `end-of-data`.
    pub(super) fn word(label: &str) -> String {
        label.trim_end_matches(':').to_ascii_lowercase().replace(' ', "-")
    }
}

/// Numbers from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// At least 1.
    pub first: u64,
    /// At least `first`; none: without end.
    pub last: Option<u64>,
}

impl Span {
    /// Whether the number is one of these.
    #[must_use]
    pub fn has(self, number: u64) -> bool {
        self.first <= number && self.last.is_none_or(|last| number <= last)
    }
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nobody is there: the connection ends without a greeting.
    Down,
    /// The server says that it is not available, and closes.
    Refuse,
    /// The connection is cut; what was said before is still sent.
    Drop,
    /// Everything waits so many milliseconds.
    Delay(u64),
    /// This reply in place of the right one; 421 also closes.
    Reply(u16, String),
    /// From here on so many octets a second, in both directions.
    Rate(u64),
    /// From here on what is sent comes in pieces of so many octets.
    Chunk(u32),
    /// The lowest bit of one octet is flipped: of those sent from here on the one with this number, from 1.
    Corrupt(u64),
    /// From here on lines are sent with LF alone.
    LfOnly,
    /// The mailbox is full.
    Full,
    /// The mailbox that is opened has another UIDVALIDITY from here on, as if it were lost and made again with the same
    /// messages: what clients remember of its UIDs counts for nothing (RFC 9051 §2.3.1.1).
    UidValidity,
    /// Each client, sender and recipient is put off until so many milliseconds after it came first.
    Greylist(u64),
    /// EHLO lists none of these keywords, in upper case.
    Hide(Vec<String>),
    /// From here on every octet that is sent or received loses its highest bit; in simulated worlds alone.
    StripEighth,
    /// DNS says this of a name in place of the truth: of `node:`'s, or of every one; in simulated worlds alone.
    Dns(DnsLie),
    /// From here on somebody listens, in both directions; in simulated worlds alone.
    Tap,
    /// The clock of `node:`, or everybody's, is so many milliseconds fast, or slow if negative; in simulated worlds alone.
    Clock(i64),
}

/// What DNS says in place of the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsLie {
    /// There are no MX records.
    NoMx,
    /// RFC 7505: the name takes no mail.
    NullMx,
    /// There is no such name.
    NxDomain,
    /// The servers fail.
    ServFail,
}

impl DnsLie {
    /// All of them, each with its word in the text form.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("nomx", Self::NoMx),
        ("nullmx", Self::NullMx),
        ("nxdomain", Self::NxDomain),
        ("servfail", Self::ServFail),
    ];
}

impl Action {
    /// Whether only a simulated world can do it: one server has neither the network nor DNS in its hands.
    #[must_use]
    pub fn needs_world(&self) -> bool {
        matches!(self, Self::StripEighth | Self::Dns(_) | Self::Tap | Self::Clock(_))
    }
}

impl Rule {
    /// Whether it is about requests of the web alone, which only simulated worlds answer.
    #[must_use]
    pub fn is_of_web(&self) -> bool {
        let by_method =
            matches!(&self.when.point, Point::Verb(verb) if WEB_VERBS.contains(&&verb[..]));
        by_method || matches!(&self.place, Place::Service(service) if service == "http")
    }
}

/// Methods of HTTP at which a fault may strike.
pub(super) const WEB_VERBS: [&str; 3] = ["GET", "HEAD", "POST"];

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.place, self.when, self.action)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Service(name) => f.write_str(name),
            Self::Node(name) => write!(f, "node:{name}"),
            Self::Link(one, other) => write!(f, "link:{one}~{other}"),
            Self::Wire(number) => write!(f, "wire:{number}"),
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.point)?;
        let Self { point: _, sender, to, nth, probability_ppm, over, from_ms, until_ms } = self;
        if let Some(pattern) = sender {
            write!(f, ",sender={pattern}")?;
        }
        if let Some(pattern) = to {
            write!(f, ",to={pattern}")?;
        }
        if let Some(span) = nth {
            write!(f, ",nth={span}")?;
        }
        if let Some(ppm) = probability_ppm {
            write!(f, ",p={}", Share(*ppm))?;
        }
        if let Some((count, per_ms)) = over {
            write!(f, ",over={count}per{}", print_duration(*per_ms))?;
        }
        if let Some(ms) = from_ms {
            write!(f, ",from={}", print_time_of_day(*ms))?;
        }
        if let Some(ms) = until_ms {
            write!(f, ",until={}", print_time_of_day(*ms))?;
        }
        Ok(())
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("after=connect"),
            Self::Verb(verb) => write!(f, "verb={verb}"),
            Self::AnyVerb => f.write_str("verb=any"),
            Self::Login => f.write_str("after=login"),
            Self::Octet(number) => write!(f, "octet={number}"),
            Self::EndOfData => f.write_str("after=end-of-data"),
            Self::Commit => f.write_str("after=commit"),
            Self::Label(label) => write!(f, "after={}", Self::word(label)),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.last {
            Some(last) if last == self.first => write!(f, "{last}"),
            Some(last) => write!(f, "{}..{last}", self.first),
            None => write!(f, "{}..", self.first),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down => f.write_str("down"),
            Self::Refuse => f.write_str("refuse"),
            Self::Drop => f.write_str("drop"),
            Self::Delay(ms) => write!(f, "delay={}", print_duration(*ms)),
            Self::Reply(code, text) => write!(f, "reply={code} {text}"),
            Self::Rate(octets) => write!(f, "rate={octets}"),
            Self::Chunk(octets) => write!(f, "chunk={octets}"),
            Self::Corrupt(octet) => write!(f, "corrupt={octet}"),
            Self::LfOnly => f.write_str("lf-only"),
            Self::Full => f.write_str("full"),
            Self::UidValidity => f.write_str("uidvalidity"),
            Self::Greylist(ms) => write!(f, "greylist={}", print_duration(*ms)),
            Self::Hide(words) if words.len() == 1 && words[0] == "STARTTLS" => {
                f.write_str("strip-starttls")
            }
            Self::Hide(words) => write!(f, "hide={}", words.join(",")),
            Self::StripEighth => f.write_str("strip8"),
            Self::Tap => f.write_str("tap"),
            Self::Clock(ms) => {
                let sign = if *ms < 0 { '-' } else { '+' };
                write!(f, "clock={sign}{}", print_duration(ms.unsigned_abs()))
            }
            Self::Dns(lie) => {
                let word = DnsLie::WORDS.iter().find(|(_, own)| own == lie);
                write!(f, "dns={}", word.map_or("", |(word, _)| word))
            }
        }
    }
}

/// Millionths as a share of one, in as few digits as say it.
struct Share(u32);

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 1_000_000, self.0 % 1_000_000);
        match rest {
            0 => write!(f, "{whole}"),
            rest => f.write_str(format!("{whole}.{rest:06}").trim_end_matches('0')),
        }
    }
}
