//! Faults that can be had by a click, in the world's text form. The names of places are the story's own.

use pillarbox_world::world::{NodeId, WireId};

use super::Story;
use super::layout::Kind;

/// Something that can go wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// What it is called.
    pub words: String,
    /// What to see then.
    pub see: &'static str,
    /// Its text.
    pub text: String,
}

impl Story {
    /// Faults that make sense here: at the server that is looked at, else at one to which mail goes.
    #[must_use]
    pub fn templates(&self, at: Option<NodeId>) -> Vec<Template> {
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
        let template = |(words, see, text): &(&'static str, &'static str, &'static str)| Template {
            words: words.replace("{}", last),
            see,
            text: text.replace("{}", &place),
        };
        let mut all: Vec<Template> = TEMPLATES.iter().map(template).collect();
        all.extend(self.has_web().then(|| template(&OF_THE_WEB)));
        all
    }
}

impl Story {
    /// The server of a connection.
    #[must_use]
    pub fn server_of(&self, wire: WireId) -> Option<NodeId> {
        self.whole.wires.get(&wire).map(|talk| talk.server)
    }
}

/// What each is called, what to see then, and its text; `{}` stands for the server, or for its place.
const TEMPLATES: [(&str, &str, &str); 16] = [
    (
        "{} is down for fifty minutes",
        "The queue keeps the message and tries again.",
        "{}/until=09:50/down",
    ),
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
        "452 means later: the message waits, as long as it must.",
        "{}/always/full",
    ),
    (
        "The mailbox is full for good",
        "552 means never: the sender gets a report at once.",
        "{}/verb=RCPT/reply=552 5.2.2 The mailbox is full",
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

const OF_THE_WEB: (&str, &str, &str) = (
    "The answer to a browser's letter is lost",
    "The server has it, and the sender is told that it was not sent.",
    "http/after=commit,nth=1/drop",
);
