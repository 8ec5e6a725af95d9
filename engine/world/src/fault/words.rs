//! A fault in words, for a reader: what goes wrong, where and when.

use super::clock::{print_duration, print_time_of_day};
use super::rule::{Action, DnsLie, Place, Point, Rule, Span, When};

impl Rule {
    /// What goes wrong, where and when, as the end of a sentence: `the connection to hamburger.edu is cut, once a message
    /// is stored and before its client is told (the first time)`.
    #[must_use]
    pub fn in_words(&self) -> String {
        let what = self.action.in_words(&self.place);
        let point = self.when.point.in_words(&self.action);
        let more = self.when.in_words();
        let more = if more.is_empty() { String::new() } else { format!(" ({more})") };
        if point.is_empty() { format!("{what}{more}") } else { format!("{what}, {point}{more}") }
    }
}

impl Place {
    fn in_words(&self) -> String {
        match self {
            Self::Any => "any server".to_owned(),
            Self::Service(service) => format!("any {service} server"),
            Self::Node(node) => node.clone(),
            Self::Link(a, b) => format!("the line between {a} and {b}"),
            Self::Wire(number) => format!("connection {number}"),
        }
    }

    /// The connection that a fault of it is about.
    fn connection(&self) -> String {
        match self {
            Self::Any => "the connection".to_owned(),
            Self::Link(a, b) => format!("the connection between {a} and {b}"),
            Self::Wire(number) => format!("connection {number}"),
            Self::Service(_) | Self::Node(_) => format!("the connection to {}", self.in_words()),
        }
    }
}

impl Action {
    fn in_words(&self, place: &Place) -> String {
        let (server, connection) = (place.in_words(), place.connection());
        match self {
            Self::Down => format!("{server} takes no connections"),
            Self::Refuse => format!("{server} says that it is not available, and closes"),
            Self::Drop => format!("{connection} is cut"),
            Self::Delay(ms) => format!("{server} waits {}", print_duration(*ms)),
            Self::Reply(code, text) => format!("{server} says {} instead", said(*code, text)),
            Self::Rate(rate) => format!("{connection} carries {rate} octets a second"),
            Self::Chunk(1) => format!("octets come one by one over {connection}"),
            Self::Chunk(size) => format!("octets come in pieces of {size} over {connection}"),
            Self::Corrupt(octet) => format!("a bit of octet {octet} is flipped on {connection}"),
            Self::LfOnly => format!("{server} ends its lines with LF alone"),
            Self::Full => format!("the mailbox at {server} is full"),
            Self::UidValidity => {
                format!("the mailbox that is opened at {server} has another UIDVALIDITY")
            }
            Self::Greylist(ms) => {
                format!("{server} puts off whoever is new for {}", print_duration(*ms))
            }
            Self::Hide(keywords) => format!("{server} does not list {}", keywords.join(", ")),
            Self::Tap => format!("somebody listens to {connection}"),
            Self::Clock(ms) => {
                let how = if *ms < 0 { "slow" } else { "fast" };
                format!("the clock of {server} is {} {how}", print_duration(ms.unsigned_abs()))
            }
            Self::StripEighth => format!("every octet loses its eighth bit on {connection}"),
            Self::Dns(lie) => {
                let name = match place {
                    Place::Node(name) => name.clone(),
                    _ => "every name".to_owned(),
                };
                match lie {
                    DnsLie::NoMx => format!("DNS has no MX record of {name}"),
                    DnsLie::NullMx => format!("DNS says that {name} takes no mail"),
                    DnsLie::NxDomain => format!("DNS says that there is no {name}"),
                    DnsLie::ServFail => format!("DNS cannot say anything of {name}"),
                }
            }
        }
    }
}

fn said(code: u16, text: &str) -> String {
    if text.is_empty() { code.to_string() } else { format!("“{code} {text}”") }
}

impl Point {
    fn in_words(&self, action: &Action) -> String {
        match self {
            // That a connection is where it begins goes without saying.
            Self::Connect => String::new(),
            // So does the command at which these are seen.
            Self::Verb(_)
                if matches!(
                    action,
                    Action::Hide(_) | Action::Full | Action::Greylist(_) | Action::UidValidity
                ) =>
            {
                String::new()
            }
            Self::Verb(verb) => format!("at {verb}"),
            Self::AnyVerb => "at every command".to_owned(),
            Self::Login => "at the login".to_owned(),
            Self::Octet(0 | 1) => "as soon as the text of a message comes".to_owned(),
            Self::Octet(octets) => format!("after {octets} octets of a message"),
            Self::EndOfData => "once a message is whole and before it is stored".to_owned(),
            Self::Commit => "once a message is stored and before its client is told".to_owned(),
            Self::Label(label) => format!("after octets that are “{label}”"),
        }
    }
}

impl When {
    fn in_words(&self) -> String {
        let mut parts = Vec::new();
        if let Some(sender) = &self.sender {
            parts.push(format!("from {sender}"));
        }
        if let Some(to) = &self.to {
            parts.push(format!("for {to}"));
        }
        if let Some(nth) = self.nth {
            parts.push(times(nth));
        }
        if let Some(ppm) = self.probability_ppm {
            parts.push(match ppm % 10_000 {
                0 => format!("in {} of 100 cases", ppm / 10_000),
                _ => format!("in {ppm} of a million cases"),
            });
        }
        if let Some((count, ms)) = self.over {
            parts.push(format!("beyond {count} in {}", print_duration(ms)));
        }
        if let Some(from) = self.from_ms {
            parts.push(format!("from {}", print_time_of_day(from)));
        }
        if let Some(until) = self.until_ms {
            parts.push(format!("until {}", print_time_of_day(until)));
        }
        parts.join(", ")
    }
}

fn times(nth: Span) -> String {
    match nth {
        Span { first: 1, last: Some(1) } => "the first time".to_owned(),
        Span { first, last: Some(last) } if first == last => format!("time {first}"),
        Span { first: 1, last: Some(last) } => format!("the first {last} times"),
        Span { first, last: Some(last) } => format!("times {first} to {last}"),
        Span { first, last: None } => format!("from time {first} on"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_said_without_their_grammar() {
        let said = [
            (
                "node:hamburger.edu/until=09:50/down",
                "hamburger.edu takes no connections (until 09:50)",
            ),
            (
                "node:hamburger.edu/after=commit,nth=1/drop",
                "the connection to hamburger.edu is cut, once a message is stored and before its client is told \
                 (the first time)",
            ),
            (
                "any/verb=RCPT,to=bob@*,nth=1..2/reply=451 4.7.1 greylisted",
                "any server says “451 4.7.1 greylisted” instead, at RCPT (for bob@*, the first 2 times)",
            ),
            (
                "node:hamburger.edu/octet=200,nth=1/drop",
                "the connection to hamburger.edu is cut, after 200 octets of a message (the first time)",
            ),
            ("node:hamburger.edu/always/full", "the mailbox at hamburger.edu is full"),
            ("node:x.example/always/dns=nxdomain", "DNS says that there is no x.example"),
            (
                "node:hamburger.edu/after=connect/chunk=1",
                "octets come one by one over the connection to hamburger.edu",
            ),
            ("any/always/strip-starttls", "any server does not list STARTTLS"),
            (
                "node:hamburger.edu/nth=2/uidvalidity",
                "the mailbox that is opened at hamburger.edu has another UIDVALIDITY (time 2)",
            ),
            (
                "node:hamburger.edu/after=reply-code,nth=3/drop",
                "the connection to hamburger.edu is cut, after octets that are “reply code” (time 3)",
            ),
        ];
        for (text, words) in said {
            let rule: Rule = text.parse().expect("it is a rule");
            assert_eq!(rule.in_words(), words, "{text}");
        }
    }
}
