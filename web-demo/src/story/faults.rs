//! Faults that can be had by a click, in the world's text form. The names of places are the story's own.

use pillarbox_engine::text::date::timestamp;
use pillarbox_world::fault::{Place, Rule};
use pillarbox_world::world::{Action, Dir, NodeId, What, WireId};

use super::Story;
use super::layout::Kind;
use super::octets::CONTENT;
use super::seen::Focus;

/// Something that can go wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// What it is called.
    pub words: String,
    /// What to see then.
    pub see: &'static str,
    /// What makes it so.
    pub action: Action,
    /// After how many entries; none: where the reader is.
    pub at: Option<usize>,
}

impl Template {
    fn of((words, see, text): &Words, name: &str, place: &str) -> Self {
        let words = words.replace("{}", name);
        Self { words, see, action: Action::AddFault(text.replace("{}", place)), at: None }
    }
}

/// What each is called, what to see then, and its text; `{}` stands for the server, or for its place.
type Words = (&'static str, &'static str, &'static str);

/// A thing that can be asked what may go wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// A host.
    Node(NodeId),
    /// The line between two.
    Line(NodeId, NodeId),
    /// An entry of the log, by its index: a connection that is asked for, or octets on their way.
    Entry(usize),
}

/// What may go wrong with a thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chances {
    /// What thing it is.
    pub title: String,
    /// Its octets, to be looked at.
    pub fields: Option<Focus>,
    /// What may go wrong.
    pub all: Vec<Template>,
}

impl Story {
    /// Faults that make sense after so many entries: at the server that is looked at, else at one to which mail goes.
    #[must_use]
    pub fn templates(&self, at: Option<NodeId>, cursor: usize) -> Vec<Template> {
        let servers: Vec<&str> = self
            .nodes()
            .iter()
            .filter(|node| node.kind == Kind::Server)
            .map(|node| node.name.as_str())
            .collect();
        let looked_at = self.nodes().iter().find(|node| Some(node.id) == at);
        let looked_at = looked_at.map(|node| node.name.as_str());
        let looked_at = servers.iter().find(|name| Some(**name) == looked_at);
        let chosen = looked_at.or_else(|| servers.get(1)).or_else(|| servers.first());
        let Some(last) = chosen else { return Vec::new() };
        let place = format!("node:{last}");
        let template = |words: &Words| Template::of(words, last, &place);
        let now_ms = self.start_unix_ms() + self.time(cursor).0;
        let mut all: Vec<Template> = TEMPLATES.iter().map(template).collect();
        for template in &mut all {
            if let Action::AddFault(text) = &mut template.action {
                *text = text.replace(FOR_NOW, &for_now(now_ms));
            }
        }
        all.extend(self.has_web().then(|| template(&OF_THE_WEB)));
        all
    }
}

impl Story {
    /// The host at which a thing goes wrong.
    #[must_use]
    pub fn host_of(&self, spot: Spot) -> Option<NodeId> {
        match spot {
            Spot::Node(node) => Some(node),
            Spot::Line(a, b) => {
                let nodes = self.nodes().iter();
                let mut servers = nodes.filter(|node| node.kind == Kind::Server);
                servers.rfind(|node| node.id == a || node.id == b).map(|node| node.id)
            }
            Spot::Entry(at) => {
                let entry = self.entries.get(at)?;
                entry.wire.and_then(|wire| self.server_of(wire)).or(entry.node)
            }
        }
    }

    /// What may go wrong with a thing; none: what goes wrong at its host.
    #[must_use]
    pub fn chances(&self, spot: Spot) -> Option<Chances> {
        match spot {
            Spot::Node(_) => None,
            Spot::Line(a, b) => self.chances_of_line(a, b),
            Spot::Entry(at) => self.chances_of_entry(at),
        }
    }

    fn chances_of_line(&self, a: NodeId, b: NodeId) -> Option<Chances> {
        let node = |id| self.nodes().iter().find(|node| node.id == id);
        let (one, other) = (node(a)?, node(b)?);
        let place = format!("link:{}~{}", one.name, other.name);
        let is_dns = [one, other].iter().any(|node| node.kind == Kind::Dns);
        let words = if is_dns { &OF_NAMES[..] } else { &OF_A_LINE[..] };
        Some(Chances {
            title: format!("The line between {} and {}", one.title, other.title),
            fields: None,
            all: words.iter().map(|words| Template::of(words, "", &place)).collect(),
        })
    }

    fn chances_of_entry(&self, at: usize) -> Option<Chances> {
        let entry = self.entries.get(at)?;
        let wire = entry.wire?;
        let talk = self.whole.wires.get(&wire)?;
        let (client, server) = (self.name(talk.client), self.name(talk.server));
        let asked = self.entries.iter().position(|entry| {
            entry.wire == Some(wire) && matches!(entry.what, What::Connect { .. })
        })?;
        let template = |words: &Words, moment: &str, at: usize| Template {
            at: Some(at + 1),
            ..Template::of(words, "", &format!("wire:{}/{moment}", wire.0))
        };
        let (dir, start, end) = match entry.what {
            What::Octets { dir, start, end, .. } => (dir, start, end),
            What::Connect { .. } | What::Connected | What::Refused { .. } => {
                let all = OF_A_CONNECTION.iter();
                return Some(Chances {
                    title: format!("The connection from {client} to {server}"),
                    fields: None,
                    all: all.map(|words| template(words, GREETING, asked)).collect(),
                });
            }
            _ => return None,
        };
        // A fault meets the server before it does what it is asked, so that of an answer is the fault of what it answers.
        let said = |at: &usize| {
            let entry = &self.entries[*at];
            let to_server = matches!(entry.what, What::Octets { dir: Dir::ToServer, .. });
            entry.wire == Some(wire) && to_server
        };
        let (cause, moment) = match (asked..=at).rev().find(said) {
            None => (asked, GREETING),
            Some(cause) if self.is_content(cause) => (cause, "after=end-of-data,nth=1"),
            Some(cause) => (cause, "verb=any,nth=1"),
        };
        let (who, words) = match dir {
            Dir::ToServer => (format!("What {client} says to {server}"), &OF_A_REQUEST),
            Dir::ToClient => (format!("What {server} answers to {client}"), &OF_AN_ANSWER),
        };
        let lost = Template {
            words: "It never arrives: the line breaks while it travels".to_owned(),
            see: "Who sent it does not know what became of it.",
            action: Action::Cut { wire: wire.0 },
            at: Some(at + 1),
        };
        let rest = words.iter().map(|words| template(words, moment, cause));
        Some(Chances {
            title: format!("{who}, at {}", self.clock(at + 1)),
            fields: Some(Focus::Octets { wire, dir, start, end }),
            all: std::iter::once(lost).chain(rest).collect(),
        })
    }

    /// Whether what was said there is a message's text.
    fn is_content(&self, at: usize) -> bool {
        let entry = &self.entries[at];
        let (What::Octets { dir, start, end, .. }, Some(wire)) = (&entry.what, entry.wire) else {
            return false;
        };
        let annotated = self.source.annotations(wire, *dir);
        annotated.all().iter().any(|a| a.label == CONTENT && a.at.start < *end && a.at.end > *start)
    }

    /// The entry that sent octets.
    #[must_use]
    pub fn entry_of(&self, wire: WireId, dir: Dir, octet: u64) -> Option<usize> {
        self.entries.iter().position(|entry| match entry.what {
            What::Octets { dir: own, start, end, .. } => {
                entry.wire == Some(wire) && own == dir && (start..end).contains(&octet)
            }
            _ => false,
        })
    }

    /// The server of a connection.
    #[must_use]
    pub fn server_of(&self, wire: WireId) -> Option<NodeId> {
        self.whole.wires.get(&wire).map(|talk| talk.server)
    }
}

/// The flags with which a real server does the same; none: only a simulated world can. One server knows no other hosts and
/// no connections of a story, so there it strikes everywhere. A time of day is one of the world's day, so what strikes by
/// it needs the world's clock, which began then.
#[must_use]
pub fn flag(fault: &str, start_unix_ms: u64) -> Option<String> {
    let mut rule: Rule = fault.parse().ok()?;
    if rule.action.needs_world() || rule.is_of_web() {
        return None;
    }
    if matches!(rule.place, Place::Node(_) | Place::Link(..) | Place::Wire(_)) {
        rule.place = Place::Any;
    }
    let flag = format!("--fault '{}'", rule.to_string().replace('\'', "'\\''"));
    let has_time = rule.when.from_ms.or(rule.when.until_ms).is_some();
    Some(match has_time {
        true => format!("--clock virtual={} {flag}", timestamp(start_unix_ms)),
        false => flag,
    })
}

/// Where a fault of the list lasts so long from when it is added.
const FOR_NOW: &str = "/now/";
const FOR_NOW_MS: u64 = 50 * 60_000;

/// From now on, for a while, as a rule says it.
fn for_now(now_ms: u64) -> String {
    let time = |ms: u64| {
        let seconds = ms / 1000 % 86_400;
        format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    };
    format!("/from={},until={}/", time(now_ms), time(now_ms + FOR_NOW_MS))
}

/// Before a connection's first words.
const GREETING: &str = "after=connect";

const OF_NAMES: [Words; 3] = [
    (
        "No answer comes",
        "A failure for now: whoever asked tries again later.",
        "any/always/dns=servfail",
    ),
    (
        "It says that there is no such name",
        "A failure for good: the sender is told.",
        "any/always/dns=nxdomain",
    ),
    ("It knows of no MX", "Mail goes to the address of the name itself.", "any/always/dns=nomx"),
];

const OF_A_LINE: [Words; 6] = [
    (
        "Nobody gets through",
        "New connections are refused for as long as this is on.",
        "{}/always/down",
    ),
    (
        "The next connection is dropped",
        "It ends before a word is said; a later one is taken.",
        "{}/after=connect,nth=1/drop",
    ),
    (
        "New connections wait for ten seconds",
        "Deadlines come nearer, and all goes well.",
        "{}/after=connect/delay=10s",
    ),
    (
        "A bit of each greeting flips",
        "Whoever reads it finds that it makes no sense.",
        "{}/after=connect/corrupt=1",
    ),
    (
        "It carries a hundred octets a second",
        "Everything takes its time.",
        "{}/after=connect/rate=100",
    ),
    ("Somebody listens on it", "What is in the clear is read.", "{}/always/tap"),
];

const OF_A_CONNECTION: [Words; 4] = [
    ("Nobody takes it", "It is refused, and tried again later.", "{}/down"),
    ("It is dropped before the greeting", "Nothing was said, so nothing is lost.", "{}/drop"),
    ("The greeting comes a minute late", "Whoever connects has to wait as long.", "{}/delay=1m"),
    (
        "A bit of the greeting flips",
        "Whoever reads it finds that it makes no sense.",
        "{}/corrupt=1",
    ),
];

const OF_A_REQUEST: [Words; 3] = [
    (
        "The server takes a minute over it",
        "The client waits, if its deadline lets it.",
        "{}/delay=1m",
    ),
    ("The server is not available for it, and closes", "The client has to come back.", "{}/refuse"),
    ("A bit of its answer flips", "The client reads something else than was said.", "{}/corrupt=1"),
];

const OF_AN_ANSWER: [Words; 3] = [
    ("It comes a minute late", "The client waits, if its deadline lets it.", "{}/delay=1m"),
    ("The server closes in its place", "The client has to come back.", "{}/refuse"),
    (
        "A bit of its first octet flips",
        "The client reads something else than was said.",
        "{}/corrupt=1",
    ),
];

const TEMPLATES: [Words; 17] = [
    ("{} is down for fifty minutes", "The queue keeps the message and tries again.", "{}/now/down"),
    (
        "{} is down for good",
        "After five days the queue gives up, and the sender gets a report.",
        "{}/always/down",
    ),
    (
        "The line is cut in the middle of a message",
        "What was half there is thrown away; it is sent again, and there is one copy.",
        "{}/octet=100,nth=1/drop",
    ),
    (
        "The line is cut after the final dot",
        "Both sides did right, and there are two copies.",
        "{}/after=commit,nth=1/drop",
    ),
    (
        "The first recipient is told to come back later",
        "Greylisting: a second attempt succeeds.",
        "{}/verb=RCPT,nth=1/reply=451 4.7.1 Greylisted, please try again",
    ),
    (
        "The mailbox is full for now",
        "452 means later: in fifty minutes there is room, and a later attempt succeeds.",
        "{}/now/full",
    ),
    (
        "The mailbox is full for good",
        "552 means never: the sender gets a report at once.",
        "{}/verb=RCPT/reply=552 5.2.2 The mailbox is full",
    ),
    (
        "The mailbox has another UIDVALIDITY",
        "What IMAP clients and POP3 readers remember of it counts for nothing.",
        "{}/verb=SELECT,nth=1/uidvalidity",
    ),
    (
        "{} says that it closes",
        "421 may come at any time; the client comes back later.",
        "{}/verb=MAIL,nth=1/reply=421 4.3.2 Closing for a moment",
    ),
    (
        "Octets arrive one by one",
        "A connection is a stream: nothing else changes.",
        "{}/after=connect/chunk=1",
    ),
    (
        "A hundred octets a second",
        "Everything takes its time, and deadlines come nearer.",
        "{}/after=connect/rate=100",
    ),
    (
        "The eighth bit is lost",
        "Raw text breaks; quoted-printable and base64 survive.",
        "{}/after=connect/strip8",
    ),
    ("DNS does not answer", "A failure for now: the message waits.", "{}/always/dns=servfail"),
    (
        "DNS says that the domain takes no mail",
        "A null MX (RFC 7505): the sender gets a report at once.",
        "{}/always/dns=nullmx",
    ),
    (
        "Eve listens",
        "She reads what is in the clear, and of TLS only that it is there.",
        "{}/always/tap",
    ),
    (
        "Eve takes STARTTLS out of the list",
        "Who would have encrypted if it were offered goes on in the clear.",
        "{}/always/strip-starttls",
    ),
    (
        "The clock of {} is a day fast",
        "The dates that it writes are wrong; mail goes all the same.",
        "{}/always/clock=+1d",
    ),
];

const OF_THE_WEB: Words = (
    "The answer to a browser's letter is lost",
    "The server has it, and the sender is told that it was not sent.",
    "http/after=commit,nth=1/drop",
);

#[cfg(test)]
mod tests {
    use super::*;

    /// The story with something gone wrong, told to its end.
    fn with(scenario: &str, template: &Template) -> Story {
        let mut story = Story::scenario(scenario).expect("it exists");
        let at = template.at.unwrap_or(0);
        story.act(|source| {
            source
                .act_at(at, template.action.clone())
                .unwrap_or_else(|why| panic!("{template:?}: {why}"));
            source.tell_all();
        });
        story
    }

    #[test]
    fn what_goes_wrong_with_a_thing_strikes_that_thing() {
        let mut tried = 0;
        for scenario in ["alice-to-bob", "pop-phases"] {
            let story = Story::scenario(scenario).expect("it exists");
            // The last words of a conversation have no answer to be late.
            for (at, entry) in story.entries().iter().enumerate() {
                let Some(chances) = story.chances(Spot::Entry(at)) else { continue };
                for template in &chances.all {
                    let place = format!("{scenario}, entry {at} {:?}: {template:?}", entry.what);
                    let other = with(scenario, template);
                    let cursor = template.at.expect("an entry has its time");
                    assert_eq!(other.entries()[..cursor], story.entries()[..cursor], "{place}");
                    let struck =
                        other.entries()[cursor..].iter().find_map(|entry| match entry.what {
                            What::FaultFired { .. } | What::Closed { cut: true, .. } => {
                                Some(entry.wire)
                            }
                            _ => None,
                        });
                    assert_eq!(struck, Some(entry.wire), "{place}");
                    tried += 1;
                }
            }
        }
        assert!(tried > 100, "{tried}");
    }

    #[test]
    fn what_lasts_for_a_while_begins_when_it_is_added() {
        let story = Story::scenario("asleep").expect("it exists");
        let late = story.entries().len();
        let text = |cursor: usize, words: &str| {
            let all = story.templates(None, cursor);
            let found = all.into_iter().find(|template| template.words.contains(words));
            match found.expect("it is offered").action {
                Action::AddFault(text) => text,
                other => panic!("{other:?}"),
            }
        };
        let first = text(0, "is down for fifty minutes");
        assert!(first.contains("/from=09:00:00,until=09:50:00/down"), "{first}");
        assert_ne!(text(late, "is down for fifty minutes"), first);
        let full = text(0, "is full for now");
        assert!(full.contains("/from=09:00:00,until=09:50:00/full"), "{full}");
        for template in story.templates(None, late) {
            let Action::AddFault(text) = template.action else { continue };
            assert!(text.parse::<Rule>().is_ok(), "{text}");
        }
        let midnight = for_now(86_400_000 - 60_000);
        assert_eq!(midnight, "/from=23:59:00,until=00:49:00/");
    }

    #[test]
    fn a_fault_at_nobody_is_refused_with_the_names_that_there_are() {
        let mut story = Story::scenario("sandbox").expect("it exists");
        let why = story.perform(Action::AddFault("node:nobody.example/always/down".to_owned()));
        let why = why.expect_err("there is no such host");
        assert!(why.contains("there is no host nobody.example; there are"), "{why}");
        assert!(why.contains("hamburger.edu"), "{why}");
    }

    #[test]
    fn a_fault_is_a_flag_where_one_server_can_do_it() {
        let all = [
            (
                "node:b.example/until=09:50/down",
                Some(
                    "--clock virtual=2026-01-05T09:00:00Z --fault 'any/after=connect,until=09:50/down'",
                ),
            ),
            ("link:a~b/after=connect,nth=1/drop", Some("--fault 'any/after=connect,nth=1/drop'")),
            ("wire:3/verb=any,nth=1/delay=1m", Some("--fault 'any/verb=any,nth=1/delay=1m'")),
            ("pop3/after=login/drop", Some("--fault 'pop3/after=login/drop'")),
            (
                "any/verb=MAIL/reply=451 4.3.0 it's late",
                Some("--fault 'any/verb=MAIL/reply=451 4.3.0 it'\\''s late'"),
            ),
            ("any/always/tap", None),
            ("node:b.example/always/dns=nxdomain", None),
            ("http/after=commit,nth=1/drop", None),
            ("no fault", None),
        ];
        let story = Story::scenario("alice-to-bob").expect("it exists");
        let start = story.start_unix_ms();
        for (fault, wanted) in all {
            assert_eq!(flag(fault, start).as_deref(), wanted, "{fault}");
        }
    }

    #[test]
    fn what_goes_wrong_on_a_line_strikes_there() {
        let story = Story::scenario("alice-to-bob").expect("it exists");
        let mut fired = 0;
        for (a, b) in story.links().to_vec() {
            let chances = story.chances(Spot::Line(a, b)).expect("a line is a thing");
            assert!(chances.title.starts_with("The line between "), "{}", chances.title);
            for template in &chances.all {
                let other = with("alice-to-bob", template);
                fired += other.source().faults().iter().filter(|(.., hits)| *hits > 0).count();
            }
        }
        assert!(fired >= 15, "{fired}");
    }
}
