//! One sentence for each entry of the log, for the list of what happened and for a screen reader.
//! Names, numbers and replies in it come from the entry; the sentence adds who did what to whom.

use pillarbox_world::fault::Rule;
use pillarbox_world::world::{DnsAnswer, Entry, Fate, NodeId, Screen, Time, What, WireId};

use super::scene::{Scene, is_useful};

/// How a sentence is marked, beside its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Nothing special.
    Plain,
    /// Something was reached.
    Good,
    /// Something waits, or is not as it should be.
    Warn,
    /// Something failed.
    Bad,
}

/// A sentence about an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// The words.
    pub text: String,
    /// How it is marked.
    pub mark: Mark,
}

/// The time of day, from the world's start in Unix milliseconds; from the second day on, which day it is.
#[must_use]
pub fn clock(start_unix_ms: u64, at: Time) -> String {
    let seconds = (start_unix_ms + at.0) / 1000;
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    let time = format!("{hours:02}:{minutes:02}:{:02}", seconds % 60);
    let days = |ms: u64| ms / 86_400_000;
    match days(start_unix_ms + at.0).saturating_sub(days(start_unix_ms)) {
        0 => time,
        later => format!("day {}, {time}", later + 1),
    }
}

/// How long something took or takes.
#[must_use]
pub fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1000, ms / 100 % 10),
        60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms / 1000 % 60),
        3_600_000..86_400_000 => format!("{} h {} min", ms / 3_600_000, ms / 60_000 % 60),
        _ => format!("{} d {} h", ms / 86_400_000, ms / 3_600_000 % 24),
    }
}

/// How long after what came before.
#[must_use]
pub fn delta(ms: u64) -> String {
    if ms < 60_000 {
        format!("+{}.{:03}", ms / 1000, ms % 1000)
    } else {
        format!("+{}", duration(ms))
    }
}

/// What an entry tells, if it tells a reader anything. The scene is the one after it.
#[must_use]
pub fn sentence(
    entry: &Entry,
    scene: &Scene,
    name: &dyn Fn(NodeId) -> String,
    start_unix_ms: u64,
) -> Option<Sentence> {
    let who = entry.node.map_or_else(String::new, name);
    let other = |wire: Option<WireId>, from: Option<NodeId>| {
        let talk = scene.wires.get(&wire?)?;
        Some(name(if Some(talk.client) == from { talk.server } else { talk.client }))
    };
    let peer = || other(entry.wire, entry.node).unwrap_or_default();
    let (text, mark) = match &entry.what {
        What::Dns(asked) => match &asked.answer {
            None => (format!("{who} asks DNS for {} of {}", asked.record, asked.name), Mark::Plain),
            Some(answer) => {
                let mark = if is_useful(answer) { Mark::Plain } else { Mark::Warn };
                (format!("DNS: {}", answered(answer, &asked.name, asked.record)), mark)
            }
        },
        What::Connect { to, port, .. } => {
            (format!("{who} opens a connection to {}, port {port}", name(*to)), Mark::Plain)
        }
        What::Connected => {
            (format!("{} takes the connection", peer_of_open(entry, scene, name)), Mark::Good)
        }
        What::Refused { to, port, why } => {
            let to = to.map_or_else(|| "nobody".to_owned(), name);
            (format!("{to} does not take a connection to port {port}: {why}"), Mark::Bad)
        }
        What::Closed { cut: true, .. } => ("The connection is cut".to_owned(), Mark::Bad),
        What::Closed { .. } => (format!("{who} ends the connection with {}", peer()), Mark::Plain),
        What::Secured => {
            ("TLS is up: from here on others see only sealed records".to_owned(), Mark::Good)
        }
        What::Defect { rule, .. } => {
            (format!("{who} finds a broken rule: {}", rule.gist), Mark::Warn)
        }
        What::Misuse(what) => (format!("The world made a mistake: {what}"), Mark::Bad),
        What::Queue(queue) => {
            let message = format!("message {} for {}", queue.message, queue.destination);
            fate(&queue.fate, &who, &message, start_unix_ms)
        }
        What::Mailbox(mailbox) => {
            let (count, before) = (mailbox.count, mailbox.before);
            let account = &mailbox.account;
            let mark = if count > before { Mark::Good } else { Mark::Plain };
            (format!("{account}'s {} holds {count} (before: {before})", mailbox.name), mark)
        }
        What::Screen(screen) => on_screen(screen, &who),
        What::FaultFired { rule, .. } => (format!("A fault strikes: {}", fault(rule)), Mark::Warn),
        What::Acted(what) => (what.to_string(), Mark::Plain),
        What::Power(true) => (format!("{who} is up again"), Mark::Good),
        What::Power(false) => (format!("{who} is down"), Mark::Bad),
        What::Lost { writes } => {
            (format!("{who} loses {writes} writes that its disk did not have yet"), Mark::Bad)
        }
        What::Octets { .. } | What::State { .. } => return None,
        What::Ask(_) | What::Answer(_) | What::Call(_) | What::Event(_) => return None,
    };
    Some(Sentence { text, mark })
}

/// A fault in words; one that cannot be read, as it is written.
#[must_use]
pub fn fault(text: &str) -> String {
    text.parse::<Rule>().map_or_else(|_| text.to_owned(), |rule| rule.in_words())
}

/// Who took a connection, whichever node the entry names.
fn peer_of_open(entry: &Entry, scene: &Scene, name: &dyn Fn(NodeId) -> String) -> String {
    let talk = entry.wire.and_then(|wire| scene.wires.get(&wire));
    talk.map_or_else(String::new, |talk| name(talk.server))
}

fn answered(answer: &DnsAnswer, name: &str, record: &str) -> String {
    match answer {
        DnsAnswer::Exchanges(list) => {
            let list: Vec<_> =
                list.iter().map(|(preference, host)| format!("{host} ({preference})")).collect();
            format!("mail for {name} goes to {}", list.join(", then "))
        }
        DnsAnswer::Addresses(list) => format!("{name} is at {}", list.join(", ")),
        DnsAnswer::NoRecords => format!("{name} has no {record} record"),
        DnsAnswer::NoName => format!("there is no {name}"),
        DnsAnswer::Failed => "no answer now; later there may be one".to_owned(),
    }
}

fn fate(fate: &Fate, who: &str, message: &str, start_unix_ms: u64) -> (String, Mark) {
    match fate {
        Fate::Queued => (format!("{who} puts {message} into its queue"), Mark::Plain),
        Fate::Tried => (format!("{who} tries to deliver {message}"), Mark::Plain),
        Fate::Deferred { next, why } => {
            let next = clock(start_unix_ms, *next);
            (format!("{who} keeps {message} until {next}: {why}"), Mark::Warn)
        }
        Fate::Delivered { why } => (format!("{who} is rid of {message}: {why}"), Mark::Good),
        Fate::Failed { why } => (format!("{who} gives up {message}: {why}"), Mark::Bad),
        Fate::Expired { why } => {
            (format!("{who} has tried {message} for long enough: {why}"), Mark::Bad)
        }
    }
}

fn on_screen(screen: &Screen, who: &str) -> (String, Mark) {
    match screen {
        Screen::Sending { subject } => (format!("{who} sends “{subject}”"), Mark::Plain),
        Screen::Sent { reply } => (format!("{who} is told: {reply}"), Mark::Good),
        Screen::NotSent { why } => (format!("{who} could not send: {why}"), Mark::Bad),
        Screen::Got { new, shown } => {
            (format!("{who} shows {shown}, {new} of them new"), Mark::Good)
        }
        Screen::Changed { how } => (format!("{who}: {how}"), Mark::Plain),
        Screen::Failed { why } => (format!("{who} could not read: {why}"), Mark::Bad),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_says_which_day_it_is_after_the_first() {
        let start = 1_767_603_600_000; // 2026-01-05 09:00 UTC
        let hours = |hours: u64| clock(start, Time(hours * 3_600_000));
        assert_eq!(hours(0), "09:00:00");
        assert_eq!(hours(14), "23:00:00");
        assert_eq!(hours(15), "day 2, 00:00:00");
        assert_eq!(hours(5 * 24), "day 6, 09:00:00");
    }
}
