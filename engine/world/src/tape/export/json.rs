//! Lines of JSON (RFC 8259): the log, and what was said, for other programs.

use std::fmt::Write as _;

use super::dialogue::dialogue;
use crate::world::{Dir, DnsAnswer, End, Entry, EntryId, Fate, NodeId, Said, Screen, What, World};

/// One object a line: every entry of the log, then every line that was said on each wire.
#[must_use]
pub fn jsonl(world: &World, secrets: bool) -> String {
    let names: Vec<String> = world.nodes().into_iter().map(|node| node.name).collect();
    let name = |node: NodeId| names.get(usize::from(node.0)).map_or("", |name| &name[..]);
    let mut out = String::new();
    for entry in world.entries(EntryId(0)) {
        let mut object = Object::begin("entry");
        object.number("id", u64::from(entry.id.0));
        object.number("at_ms", entry.at.0);
        object.number("unix_ms", world.unix_ms(entry.at));
        if let Some(node) = entry.node {
            object.text("node", name(node));
        }
        if let Some(wire) = entry.wire {
            object.number("wire", u64::from(wire.0));
        }
        what(&mut object, entry, &name);
        if let Some(cause) = entry.causes.first() {
            object.number("cause", u64::from(cause.0));
        }
        out.push_str(&object.end());
    }
    for wire in world.wires() {
        for said in dialogue(world, wire.id, secrets) {
            let mut object = Object::begin("line");
            object.number("wire", u64::from(wire.id.0));
            object.number("at_ms", said.at.0);
            object.text("by", by(said.dir));
            object.number("offset", said.start);
            object.text("text", &String::from_utf8_lossy(&said.octets));
            out.push_str(&object.end());
        }
    }
    out
}

fn by(dir: Dir) -> &'static str {
    if dir == Dir::ToServer { "client" } else { "server" }
}

fn end_name(end: End) -> &'static str {
    if end == End::Client { "client" } else { "server" }
}

fn what<'a>(object: &mut Object, entry: &Entry, name: &dyn Fn(NodeId) -> &'a str) {
    match &entry.what {
        What::Dns(dns) => {
            object.text("what", "dns");
            object.text("record", dns.record);
            object.text("name", &dns.name);
            if let Some(answer) = &dns.answer {
                object.text("answer", &answer_words(answer));
            }
        }
        What::Connect { to, port, protocol } => {
            object.text("what", "connect");
            object.text("to", name(*to));
            object.number("port", u64::from(*port));
            object.text("protocol", protocol.name());
        }
        What::Connected => object.text("what", "connected"),
        What::Refused { port, why, .. } => {
            object.text("what", "refused");
            object.number("port", u64::from(*port));
            object.text("why", why);
        }
        What::Octets { dir, start, end, arrives } => {
            object.text("what", "octets");
            object.text("by", by(*dir));
            object.number("start", *start);
            object.number("end", *end);
            object.number("arrives_ms", arrives.0);
        }
        What::Closed { by, cut } => {
            object.text("what", if *cut { "cut" } else { "closed" });
            object.text("by", end_name(*by));
        }
        What::Secured => object.text("what", "secured"),
        What::State { end, from, to } => {
            object.text("what", "state");
            object.text("of", end_name(*end));
            object.text("from", from);
            object.text("to", to);
        }
        What::Defect { end, rule } => {
            object.text("what", "defect");
            object.text("found_by", end_name(*end));
            object.text("law", &format!("RFC {} §{}", rule.rfc, rule.section));
            object.text("rule", rule.gist);
        }
        What::Ask(said) => told(object, "ask", said),
        What::Answer(said) => told(object, "answer", said),
        What::Call(said) => told(object, "call", said),
        What::Event(said) => told(object, "event", said),
        What::Misuse(text) => {
            object.text("what", "misuse");
            object.text("about", text);
        }
        What::Queue(queue) => {
            object.text("what", "queue");
            object.number("message", queue.message);
            object.text("destination", &queue.destination);
            object.number("length", queue.length);
            fate(object, &queue.fate);
        }
        What::Mailbox(mailbox) => {
            object.text("what", "mailbox");
            object.text("account", &mailbox.account);
            object.text("mailbox", &mailbox.name);
            object.number("count", mailbox.count);
            object.number("unseen", mailbox.unseen);
        }
        What::Screen(screen) => {
            object.text("what", "screen");
            object.text("shows", &screen_words(screen));
        }
        What::FaultFired { number, rule } => {
            object.text("what", "fault");
            object.number("number", *number);
            object.text("rule", rule);
        }
        What::Acted(words) => {
            object.text("what", "acted");
            object.text("about", words);
        }
        What::Lost { writes } => {
            object.text("what", "lost");
            object.number("writes", *writes);
        }
        What::Power(on) => object.text("what", if *on { "on" } else { "off" }),
    }
}

fn told(object: &mut Object, what: &str, said: &Said) {
    object.text("what", what);
    object.text("of", end_name(said.end));
    object.text("name", said.kind);
    object.text("about", &said.about);
}

fn fate(object: &mut Object, fate: &Fate) {
    let (word, why) = match fate {
        Fate::Queued => ("queued", ""),
        Fate::Tried => ("tried", ""),
        Fate::Deferred { next, why } => {
            object.number("next_ms", next.0);
            ("deferred", &why[..])
        }
        Fate::Delivered { why } => ("delivered", &why[..]),
        Fate::Failed { why } => ("failed", &why[..]),
        Fate::Expired { why } => ("expired", &why[..]),
    };
    object.text("fate", word);
    if !why.is_empty() {
        object.text("why", why);
    }
}

/// An answer of DNS in a line.
pub(super) fn answer_words(answer: &DnsAnswer) -> String {
    match answer {
        DnsAnswer::Exchanges(found) => {
            let each = found.iter().map(|(preference, name)| format!("{preference} {name}"));
            each.collect::<Vec<_>>().join(", ")
        }
        DnsAnswer::Addresses(found) => found.join(", "),
        DnsAnswer::NoRecords => "no such records".to_owned(),
        DnsAnswer::NoName => "no such name".to_owned(),
        DnsAnswer::Failed => "DNS failed".to_owned(),
    }
}

/// What a person sees, in a line.
pub(super) fn screen_words(screen: &Screen) -> String {
    match screen {
        Screen::Sending { subject } => format!("sending: {subject}"),
        Screen::Sent { reply } => format!("sent: {reply}"),
        Screen::NotSent { why } => format!("not sent: {why}"),
        Screen::Got { new, shown } => format!("{new} new, {shown} shown"),
        Screen::Changed { how } => how.clone(),
        Screen::Failed { why } => format!("failed: {why}"),
    }
}

/// An object that is being written.
struct Object(String);

impl Object {
    fn begin(kind: &str) -> Self {
        let mut object = Self("{".to_owned());
        object.text("kind", kind);
        object
    }

    fn key(&mut self, key: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(key);
        self.0.push_str("\":");
    }

    fn number(&mut self, key: &str, number: u64) {
        self.key(key);
        self.0.push_str(&number.to_string());
    }

    fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        self.0.push('"');
        for character in text.chars() {
            match character {
                '"' => self.0.push_str("\\\""),
                '\\' => self.0.push_str("\\\\"),
                '\n' => self.0.push_str("\\n"),
                '\r' => self.0.push_str("\\r"),
                '\t' => self.0.push_str("\\t"),
                other if u32::from(other) < 0x20 || other == '\u{7f}' => {
                    write!(self.0, "\\u{:04x}", u32::from(other)).expect("a string takes it");
                }
                other => self.0.push(other),
            }
        }
        self.0.push('"');
    }

    fn end(mut self) -> String {
        self.0.push_str("}\n");
        self.0
    }
}
