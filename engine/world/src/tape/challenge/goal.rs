//! What can be achieved: tests over a world, each written as a line of words.
//!
//! ```text
//! test   = "not" test | "either" test "or else" test | count compare number | holds
//! count  = "mailbox" address mailbox | "screen" device | "queue" server | "tried" server | "delivered" server
//!        | "deferred" server | "failed" server | "connections" port | "octets" device | "replies" word | "strikes" | "cuts"
//! holds  = "message" address "contains" text | "reads" address ["by" encoding] "contains" text | "said" ("client"|"server") text
//!        | "typed" text | "agreed" text | "state" name | "reached" name | "overheard" text | "sealed" device
//! compare = "==" | ">=" | "<="
//! ```
//!
//! `message` looks into stored octets, `reads` into what a person would see of them; `by` counts those alone whose text came
//! in this transfer encoding. `said` and `typed` look for lines
//! that begin so, without regard to case; a text that begins with `*` may stand anywhere in the line. `overheard` looks so
//! at lines that went in the clear while somebody listened. `reached` is a state of a server to whom somebody types.
//! `agreed` is a typed line to which the server then said +OK or a 2yz. `replies` counts a server's lines that begin so.
//! `sealed` looks at the last connection of a device: it came to a good end, and of its secrets none went in the clear.

use pillarbox_engine::trace::Note;

use crate::tape::export::{Spoken, dialogue, secrets};
use crate::world::{Dir, End, EntryId, Fate, NodeId, Phase, Screen, What, WireId, World};

/// Something to achieve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goal {
    /// What it is, for who plays.
    pub text: String,
    /// When it is achieved.
    pub test: Test,
}

/// A test over a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// The other does not hold.
    Not(Box<Test>),
    /// One of these holds, or both.
    Either(Box<Test>, Box<Test>),
    /// So many of them.
    Count(Count, Compare, u64),
    /// A stored message of this address contains this.
    Message(String, String),
    /// What a person would read of one does, and its text came in this transfer encoding, if one is named.
    Reads(String, Option<String>, String),
    /// On some wire this end said a line like this.
    Said(Dir, String),
    /// Somebody typed a line like this.
    Typed(String),
    /// Somebody typed a line like this, and the server did it.
    Agreed(String),
    /// A server's session came to this state.
    State(String),
    /// One did with whose client's end somebody types at.
    Reached(String),
    /// Somebody who listened could read a line like this.
    Overheard(String),
    /// The last connection of this device succeeded, and said its secrets inside TLS alone.
    Sealed(String),
}

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Count {
    /// Messages in a mailbox of an address.
    Mailbox(String, String),
    /// Messages on a device's screen.
    Screen(String),
    /// Messages in a server's queue.
    Queue(String),
    /// Attempts of a server's queue, and how they ended.
    Attempts(String, Ending),
    /// Connections that were opened to a port.
    Connections(u16),
    /// Octets that came to a device.
    Octets(String),
    /// Lines of servers that begin with this word.
    Replies(String),
    /// Faults that struck.
    Strikes,
    /// Wires that were cut.
    Cuts,
}

/// How attempts ended that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// They began.
    Tried,
    /// Somebody has the message.
    Delivered,
    /// It is tried again.
    Deferred,
    /// It will not be.
    Failed,
}

/// How a number is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// It is this one.
    Equal,
    /// At least.
    AtLeast,
    /// At most.
    AtMost,
}

impl Test {
    /// Reads a line of words.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("no test is written like this: {text}");
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        let contains = |rest: &str| {
            let (address, wanted) = rest.split_once(" contains ").ok_or_else(wrong)?;
            Ok::<_, String>((address.to_owned(), wanted.to_owned()))
        };
        match verb {
            "not" => Ok(Self::Not(Box::new(Self::parse(rest)?))),
            "either" => {
                let (one, other) = rest.split_once(" or else ").ok_or_else(wrong)?;
                Ok(Self::Either(Box::new(Self::parse(one)?), Box::new(Self::parse(other)?)))
            }
            "message" => contains(rest).map(|(address, wanted)| Self::Message(address, wanted)),
            "reads" => contains(rest).map(|(address, wanted)| match address.split_once(" by ") {
                Some((address, by)) => Self::Reads(address.into(), Some(by.into()), wanted),
                None => Self::Reads(address, None, wanted),
            }),
            "said" => match rest.split_once(' ').ok_or_else(wrong)? {
                ("client", wanted) => Ok(Self::Said(Dir::ToServer, wanted.to_owned())),
                ("server", wanted) => Ok(Self::Said(Dir::ToClient, wanted.to_owned())),
                _ => Err(wrong()),
            },
            "typed" => Ok(Self::Typed(rest.to_owned())),
            "agreed" => Ok(Self::Agreed(rest.to_owned())),
            "state" => Ok(Self::State(rest.to_owned())),
            "reached" => Ok(Self::Reached(rest.to_owned())),
            "overheard" => Ok(Self::Overheard(rest.to_owned())),
            "sealed" => Ok(Self::Sealed(rest.to_owned())),
            _ => {
                let mut words: Vec<&str> = text.split(' ').collect();
                let number = words.pop().and_then(|word| word.parse().ok()).ok_or_else(wrong)?;
                let compare = match words.pop() {
                    Some("==") => Compare::Equal,
                    Some(">=") => Compare::AtLeast,
                    Some("<=") => Compare::AtMost,
                    _ => return Err(wrong()),
                };
                let count = count(&words).ok_or_else(wrong)?;
                Ok(Self::Count(count, compare, number))
            }
        }
    }

    /// Whether it holds now.
    #[must_use]
    pub fn holds(&self, world: &World) -> bool {
        match self {
            Self::Not(other) => !other.holds(world),
            Self::Either(one, other) => one.holds(world) || other.holds(world),
            Self::Count(count, compare, wanted) => {
                let number = count.of(world);
                match compare {
                    Compare::Equal => number == *wanted,
                    Compare::AtLeast => number >= *wanted,
                    Compare::AtMost => number <= *wanted,
                }
            }
            Self::Message(address, wanted) => {
                let wanted = wanted.replace("\\r\\n", "\r\n");
                let has = |octets: &[u8]| {
                    octets.windows(wanted.len().max(1)).any(|part| part == wanted.as_bytes())
                };
                messages_of(world, address).iter().any(|octets| has(octets))
            }
            Self::Reads(address, by, wanted) => messages_of(world, address).iter().any(|octets| {
                let view = pillarbox_mime::view(octets).unwrap_or_default();
                let text = view.text.is_some_and(|text| text.contains(wanted));
                match by {
                    None => text || view.subject.contains(wanted),
                    Some(by) => text && has_text_by(octets, by),
                }
            }),
            Self::Said(dir, wanted) => {
                world.wires().iter().any(|wire| said(world, wire.id, *dir, wanted))
            }
            Self::Typed(wanted) => world.wires().iter().any(|wire| {
                let ends = [End::Client, End::Server].into_iter().zip(wire.typed);
                ends.filter(|(_, typed)| *typed)
                    .any(|(end, _)| said(world, wire.id, Dir::sent_by(end), wanted))
            }),
            Self::Agreed(wanted) => world
                .wires()
                .iter()
                .any(|wire| wire.typed[0] && is_agreed(&dialogue(world, wire.id, true), wanted)),
            Self::State(name) => world.entries(EntryId(0)).iter().any(|entry| {
                matches!(&entry.what, What::State { end: End::Server, to, .. } if to == name)
            }),
            Self::Reached(name) => world.wires().iter().filter(|wire| wire.typed[0]).any(|wire| {
                let notes = world.all_notes(wire.id, End::Server).iter();
                let mut states = notes.filter_map(|noted| match noted.note {
                    Note::State { to, .. } => Some(to),
                    _ => None,
                });
                states.any(|to| to == name)
            }),
            Self::Overheard(wanted) => {
                world.wires().iter().any(|wire| overheard(world, wire.id, wanted))
            }
            Self::Sealed(device) => is_sealed(world, device),
        }
    }
}

fn count(words: &[&str]) -> Option<Count> {
    Some(match words {
        ["mailbox", address, mailbox] => Count::Mailbox((*address).into(), (*mailbox).into()),
        ["screen", device] => Count::Screen((*device).into()),
        ["queue", server] => Count::Queue((*server).into()),
        ["tried", server] => Count::Attempts((*server).into(), Ending::Tried),
        ["delivered", server] => Count::Attempts((*server).into(), Ending::Delivered),
        ["deferred", server] => Count::Attempts((*server).into(), Ending::Deferred),
        ["failed", server] => Count::Attempts((*server).into(), Ending::Failed),
        ["connections", port] => Count::Connections(port.parse().ok()?),
        ["octets", device] => Count::Octets((*device).into()),
        ["replies", word] => Count::Replies((*word).into()),
        ["strikes"] => Count::Strikes,
        ["cuts"] => Count::Cuts,
        _ => return None,
    })
}

impl Count {
    fn of(&self, world: &World) -> u64 {
        let entries = world.entries(EntryId(0));
        let count = |test: &dyn Fn(&What) -> bool| {
            entries.iter().filter(|entry| test(&entry.what)).count() as u64
        };
        match self {
            Self::Mailbox(address, mailbox) => {
                let nodes = world.nodes().into_iter();
                let all = nodes.flat_map(|node| world.mailboxes(node.id));
                let mut own = all.filter(|row| row.account == *address && row.name == *mailbox);
                own.next().map_or(0, |row| row.count)
            }
            Self::Screen(device) => {
                node(world, device).map_or(0, |id| world.screen(id).len() as u64)
            }
            Self::Queue(server) => {
                let nodes = world.nodes().into_iter();
                let mut own = nodes.filter(|node| node.name == *server);
                own.next().map_or(0, |node| node.queue_length)
            }
            Self::Attempts(server, ending) => {
                let id = node(world, server);
                let own = entries.iter().filter(|entry| entry.node == id);
                own.filter(|entry| match &entry.what {
                    What::Queue(queue) => ending.is(&queue.fate),
                    _ => false,
                })
                .count() as u64
            }
            Self::Connections(port) => {
                let wires = world.wires();
                wires.iter().filter(|wire| wire.port == *port).count() as u64
            }
            Self::Octets(device) => {
                let id = node(world, device);
                let wires = world.wires().into_iter();
                let own = wires.filter(|wire| Some(wire.client) == id);
                own.map(|wire| wire.octets[1]).sum()
            }
            Self::Replies(word) => {
                let wires = world.wires().into_iter();
                let all = wires.flat_map(|wire| dialogue(world, wire.id, true));
                all.filter(|line| line.dir == Dir::ToClient && is_like(line, word)).count() as u64
            }
            Self::Strikes => count(&|what| matches!(what, What::FaultFired { .. })),
            Self::Cuts => count(&|what| matches!(what, What::Closed { cut: true, .. })),
        }
    }
}

impl Ending {
    fn is(self, fate: &Fate) -> bool {
        match self {
            Self::Tried => matches!(fate, Fate::Tried),
            Self::Delivered => matches!(fate, Fate::Delivered { .. }),
            Self::Deferred => matches!(fate, Fate::Deferred { .. }),
            Self::Failed => matches!(fate, Fate::Failed { .. } | Fate::Expired { .. }),
        }
    }
}

fn node(world: &World, name: &str) -> Option<NodeId> {
    world.nodes().into_iter().find(|node| node.name == name).map(|node| node.id)
}

fn messages_of(world: &World, address: &str) -> Vec<Vec<u8>> {
    let nodes = world.nodes().into_iter();
    let all = nodes.flat_map(|node| world.stored(node.id));
    all.filter(|row| row.account == address).map(|row| row.octets).collect()
}

/// Whether a text of a message is in this transfer encoding.
fn has_text_by(octets: &[u8], encoding: &str) -> bool {
    let index = pillarbox_mime::index(octets, octets.len() as u64);
    index.parts.iter().any(|part| {
        part.media_type.eq_ignore_ascii_case(b"text")
            && part.encoding.eq_ignore_ascii_case(encoding.as_bytes())
    })
}

fn said(world: &World, wire: WireId, dir: Dir, wanted: &str) -> bool {
    dialogue(world, wire, true).iter().any(|line| line.dir == dir && is_like(line, wanted))
}

/// Whether the server agreed to a line of the client's: its next line is +OK or a 2yz.
fn is_agreed(lines: &[Spoken], wanted: &str) -> bool {
    let mut asked = false;
    for line in lines {
        if line.dir == Dir::ToServer {
            asked = is_like(line, wanted);
        } else if asked {
            if is_like(line, "+OK") || is_like(line, "2") {
                return true;
            }
            asked = false;
        }
    }
    false
}

fn is_like(line: &Spoken, wanted: &str) -> bool {
    let text = String::from_utf8_lossy(&line.octets).to_lowercase();
    let wanted = wanted.to_lowercase();
    match wanted.strip_prefix('*') {
        Some(part) => text.contains(part),
        None => text.starts_with(&wanted),
    }
}

/// Whether such a line went in the clear, all of it while somebody listened.
fn overheard(world: &World, wire: WireId, wanted: &str) -> bool {
    dialogue(world, wire, true).iter().any(|line| {
        let end = line.start + line.octets.len() as u64;
        let heard = world.overheard(wire, line.dir).iter();
        let mut whole = heard.filter(|range| range.start <= line.start && end <= range.end);
        whole.next().is_some() && is_like(line, wanted)
    })
}

/// Whether a device's last connection succeeded, and of its secrets, of which there were some, none went in the clear.
fn is_sealed(world: &World, device: &str) -> bool {
    let Some(device) = node(world, device) else { return false };
    let wires = world.wires();
    let Some(last) = wires.iter().rev().find(|wire| wire.client == device) else { return false };
    let mut after = world.entries(EntryId(0)).iter().filter(|entry| entry.at >= last.opened);
    let failed = after.any(|entry| {
        let told =
            matches!(entry.what, What::Screen(Screen::Failed { .. } | Screen::NotSent { .. }));
        told && entry.node == Some(device)
    });
    let all = Dir::BOTH.map(|dir| {
        let sealed = last.tls_from[usize::from(dir == Dir::ToClient)].unwrap_or(u64::MAX);
        let secrets = secrets(world, last.id, dir);
        (secrets.len(), secrets.iter().all(|span| span.start >= sealed))
    });
    let some = all.iter().any(|(count, _)| *count > 0);
    last.phase == Phase::Closed && !failed && some && all.iter().all(|(_, sealed)| *sealed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::{Scenario, Tape};
    use crate::world::{Action, Check, LinkSetup, Time, Way};

    fn holds(tape: &Tape, test: &str) -> bool {
        Test::parse(test).expect("it is a test").holds(tape.world())
    }

    fn act(tape: &mut Tape, action: Action) {
        tape.act(action).expect("the sandbox has these nodes");
        let until = tape.now().after(5_000);
        tape.run_to(until);
    }

    fn check(tape: &mut Tape, device: &str) {
        act(tape, Action::Check(Check { device: device.to_owned(), way: Way::PopKeep }));
    }

    fn listen(tape: &mut Tape, tapped: bool) {
        act(
            tape,
            Action::Link(LinkSetup {
                a: "bob-laptop".to_owned(),
                b: "hamburger.edu".to_owned(),
                latency_ms: 5,
                octets_per_s: None,
                chunk: None,
                tapped,
                seven_bit: false,
            }),
        );
    }

    fn secure(tape: &mut Tape, on: bool) {
        act(tape, Action::Secure { device: "bob-laptop".to_owned(), on });
    }

    fn by_hand(tape: &mut Tape, script: &[&str]) {
        let (from, host) = ("crepes.fr".to_owned(), "hamburger.edu".to_owned());
        let script = script.iter().map(|line| (*line).to_owned()).collect();
        act(tape, Action::Connect { from, host, port: 110, script });
    }

    fn start() -> Tape {
        let scenario = Scenario::find("passwords").expect("it is there");
        let mut tape =
            Tape::new(Scenario { script: Vec::new(), ..scenario }, 1).expect("it begins");
        tape.run_to(Time(1));
        tape
    }

    #[test]
    fn only_what_went_in_the_clear_while_somebody_listened_is_overheard() {
        let login = "overheard AUTH PLAIN AGJvYkBoYW1idXJnZXIuZWR1AGh1bmdyeQ==";
        let mut tape = start();
        listen(&mut tape, false);
        check(&mut tape, "bob-laptop");
        assert!(!holds(&tape, login), "nobody listened");
        assert!(holds(&tape, "said client AUTH PLAIN"));
        listen(&mut tape, true);
        secure(&mut tape, true);
        check(&mut tape, "bob-laptop");
        assert!(!holds(&tape, login), "it was inside TLS");
        assert!(!holds(&tape, "overheard *OK"), "answers were too");
        secure(&mut tape, false);
        check(&mut tape, "bob-laptop");
        assert!(holds(&tape, login));
        assert!(!holds(&tape, "overheard AUTH PLAIN zzz"));
    }

    #[test]
    fn a_device_is_sealed_by_its_last_connection() {
        let mut tape = start();
        assert!(!holds(&tape, "sealed bob-laptop"), "there was none");
        assert!(!holds(&tape, "sealed nobody"));
        check(&mut tape, "bob-laptop");
        assert!(!holds(&tape, "sealed bob-laptop"), "its login went in the clear");
        secure(&mut tape, true);
        check(&mut tape, "bob-laptop");
        assert!(holds(&tape, "sealed bob-laptop"));
        // Whoever is logged in has the maildrop alone (RFC 1939 §4).
        by_hand(&mut tape, &["S: +OK", "C: USER bob", "S: +OK", "C: PASS hungry"]);
        check(&mut tape, "bob-laptop");
        assert!(!holds(&tape, "sealed bob-laptop"), "it came to no good end");
    }

    #[test]
    fn a_state_is_reached_only_by_who_types() {
        let mut tape = start();
        check(&mut tape, "bob-laptop");
        assert!(holds(&tape, "state TRANSACTION") && !holds(&tape, "reached TRANSACTION"));
        by_hand(&mut tape, &["S: +OK", "C: USER bob", "S: +OK", "C: PASS hungry", "S: +OK"]);
        assert!(holds(&tape, "reached TRANSACTION") && !holds(&tape, "reached nowhere"));
    }
}
