//! What may go wrong with the next connection to a service of the real server, and then no more.

use pillarbox_world::fault::Rule;

use super::{LMTP, SERVICES};
use crate::story::protocol_name;

/// A fault: what it is called, and its text behind the service.
type Fault = (&'static str, &'static str);

/// With every connection.
const OF_ANY: [Fault; 6] = [
    ("it is refused", "after=connect,nth=1/refuse"),
    ("it is cut before the greeting", "after=connect,nth=1/drop"),
    ("the greeting comes ten seconds late", "after=connect,nth=1/delay=10s"),
    ("octets come one by one", "after=connect,nth=1/chunk=1"),
    ("it carries a hundred octets a second", "after=connect,nth=1/rate=100"),
    ("a bit of the greeting flips", "after=connect,nth=1/corrupt=1"),
];
/// Where mail is taken.
const OF_MAIL: [Fault; 4] = [
    (
        "a recipient is told to come back later",
        "verb=RCPT,nth=1/reply=451 4.7.1 Greylisted, please try again",
    ),
    ("a mailbox is full", "verb=RCPT,nth=1/reply=452 4.2.2 The mailbox is full"),
    ("the line is cut in the middle of a message", "octet=100,nth=1/drop"),
    ("the line is cut after the final dot", "after=commit,nth=1/drop"),
];
/// Where mail is read.
const OF_READING: [Fault; 1] = [("the line is cut at the login", "after=login,nth=1/drop")];

/// Services whose next connection may have a fault: names and words.
#[must_use]
pub fn services() -> Vec<(String, String)> {
    let service = |(name, port): &(&str, u16)| {
        let spoken = pillarbox_world::world::Protocol::of_port(*port);
        let spoken = spoken.map_or("", |(protocol, _)| protocol_name(protocol));
        let words = match *name {
            "submission" => format!("{spoken}, submission"),
            _ => spoken.to_owned(),
        };
        ((*name).to_owned(), words)
    };
    // Nobody connects to what is between the parts of one server.
    SERVICES.iter().filter(|(name, _)| *name != LMTP).map(service).collect()
}

/// Faults of a service: their texts and words.
#[must_use]
pub fn faults(service: &str) -> Vec<(String, String)> {
    let takes_mail = matches!(service, "smtp" | "submission");
    let more = if takes_mail { &OF_MAIL[..] } else { &OF_READING };
    let fault = |(words, text): &Fault| (format!("{service}/{text}"), (*words).to_owned());
    OF_ANY.iter().chain(more).map(fault).collect()
}

/// What a fault of these is called, with its service; none: it is another one.
#[must_use]
pub fn words(rule: &str) -> Option<String> {
    let same = |text: &str| text.parse::<Rule>().is_ok_and(|known| known.to_string() == rule);
    services().into_iter().find_map(|(service, name)| {
        let found = faults(&service).into_iter().find(|(text, _)| same(text));
        found.map(|(_, words)| format!("the next connection to {name}: {words}"))
    })
}

/// A fault of the server's, as far as it matters here.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its number; later ones have higher ones.
    pub number: u32,
    /// Its text.
    pub rule: String,
    /// How often it has struck.
    pub hits: u32,
}

/// The fault that was just set, with its words, and the numbers of those of this kind that have struck before it.
#[must_use]
pub fn set(all: &[Listed]) -> (Option<(u32, String)>, Vec<u32>) {
    let Some((newest, before)) = all.split_last() else { return (None, Vec::new()) };
    let struck = before.iter().filter(|one| one.hits > 0 && words(&one.rule).is_some());
    let newest = words(&newest.rule).map(|words| (newest.number, words));
    (newest, struck.map(|one| one.number).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_struck_goes_when_another_is_set() {
        let listed = |number, rule: &str, hits| Listed { number, rule: rule.to_owned(), hits };
        let all = [
            listed(1, "smtp/after=connect,nth=1/delay=10s", 1),
            listed(2, "any/always/drop", 4),
            listed(3, "imap/after=connect,nth=1/refuse", 0),
            listed(4, "smtp/after=connect,nth=1/delay=10s", 0),
        ];
        let (newest, struck) = set(&all);
        assert_eq!(newest.map(|one| one.0), Some(4));
        assert_eq!(struck, [1], "others' faults stay, and so does what waits");
    }

    #[test]
    fn every_fault_is_one_and_strikes_one_connection_of_its_service() {
        let mut all = 0;
        for (service, name) in services() {
            for (text, what) in faults(&service) {
                let rule: Rule = text.parse().unwrap_or_else(|why| panic!("{text}: {why}"));
                assert!(!rule.action.needs_world() && !rule.is_of_web(), "{text}");
                assert_eq!(rule.place.to_string(), service);
                assert!(rule.when.nth.is_some_and(|nth| nth.has(1) && !nth.has(2)), "{text}");
                let told = words(&rule.to_string()).expect("it is one of these");
                assert_eq!(told, format!("the next connection to {name}: {what}"));
                all += 1;
            }
        }
        assert!(all > 30, "{all}");
        assert_eq!(words("any/always/drop"), None);
    }
}
