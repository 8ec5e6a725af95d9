//! Words for the lines of a world's log: for every one there are some.

use super::entries::entry;
use super::{Gloss, Protocol, ask, dns, event, fault, queue, rule, state};
use crate::catalogue::Party;
use crate::world::{DnsAnswer, End, Fate, Said, Screen, What};

/// What a line of the log means. `protocol` is that of the line's wire.
#[must_use]
pub fn happening(what: &What, protocol: Option<Protocol>) -> Option<Gloss> {
    let key = match what {
        What::Dns(question) => return dns_words(question.answer.as_ref()),
        What::Connect { .. } => "connect",
        What::Connected => "connected",
        What::Refused { .. } => "refused",
        What::Octets { .. } => "octets",
        What::Closed { cut: true, .. } => "cut",
        What::Closed { .. } => "closed",
        What::Secured => "secured",
        What::State { end, to, .. } => {
            let party = if *end == End::Server { Party::Server } else { Party::Client };
            return protocol
                .and_then(|protocol| state(protocol, party, to))
                .or_else(|| entry(&["log", "state"]));
        }
        What::Defect { rule: broken, .. } => return Some(rule(broken)),
        What::Ask(said) => return protocol.and_then(|protocol| ask(protocol, said.kind)),
        What::Event(said) => {
            let own = protocol.and_then(|protocol| event(protocol, said.kind));
            return own.or_else(|| entry(&["event", "*", "*"]));
        }
        What::Answer(said) => return said_words("answer", protocol, said),
        What::Call(said) => return said_words("call", protocol, said),
        What::Misuse(_) => "misuse",
        What::Queue(what) => {
            return queue(match what.fate {
                Fate::Queued | Fate::Deferred { .. } => "waiting",
                Fate::Tried => "trying",
                Fate::Delivered { .. } => "delivered",
                Fate::Failed { .. } => "failed",
                Fate::Expired { .. } => "expired",
            });
        }
        What::Mailbox(mailbox) => match mailbox.count.cmp(&mailbox.before) {
            std::cmp::Ordering::Greater => "mailbox more",
            std::cmp::Ordering::Less => "mailbox fewer",
            std::cmp::Ordering::Equal => "mailbox same",
        },
        What::Screen(screen) => match screen {
            Screen::Sending { .. } => "screen sending",
            Screen::Sent { .. } => "screen sent",
            Screen::NotSent { .. } => "screen not-sent",
            Screen::Got { .. } => "screen got",
            Screen::Changed { .. } => "screen changed",
            Screen::Failed { .. } => "screen failed",
        },
        What::FaultFired { rule, .. } => return fault_words(rule),
        What::Acted(_) => "acted",
        What::Power(true) => "power on",
        What::Power(false) => "power off",
        What::Lost { .. } => "lost",
    };
    entry(&["log", key])
}

fn dns_words(answer: Option<&DnsAnswer>) -> Option<Gloss> {
    match answer {
        None => entry(&["log", "dns asked"]),
        Some(DnsAnswer::Exchanges(hosts)) if hosts.iter().all(|(_, name)| is_null(name)) => {
            dns("null-mx")
        }
        Some(DnsAnswer::Exchanges(_)) => entry(&["log", "dns exchanges"]),
        Some(DnsAnswer::Addresses(_)) => entry(&["log", "dns addresses"]),
        Some(DnsAnswer::NoRecords) => entry(&["log", "dns no-records"]),
        Some(DnsAnswer::NoName) => dns("nxdomain"),
        Some(DnsAnswer::Failed) => dns("servfail"),
    }
}

/// RFC 7505: the exchange of a domain that takes no mail.
fn is_null(name: &str) -> bool {
    matches!(name, "" | ".")
}

fn said_words(kind: &str, protocol: Option<Protocol>, said: &Said) -> Option<Gloss> {
    let own = protocol.and_then(|protocol| entry(&[kind, protocol.key(), said.kind]));
    own.or_else(|| entry(&[kind, "*", said.kind])).or_else(|| entry(&[kind, "*", "*"]))
}

/// By the last part of a fault's text, `where/when/what`.
fn fault_words(text: &str) -> Option<Gloss> {
    let what = text.rsplit('/').find_map(|part| {
        let mut words = part.split(['=', ' ']);
        let (word, value) = (words.next()?, words.next());
        if word == "dns" { fault(value?) } else { fault(word) }
    });
    what.or_else(|| entry(&["fault", "reply"]))
}
