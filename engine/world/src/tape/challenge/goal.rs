//! What can be achieved: tests over a world, each written as a line of words.
//!
//! ```text
//! test   = "not" test | count compare number | holds
//! count  = "mailbox" address mailbox | "screen" device | "queue" server | "tried" server | "delivered" server
//!        | "deferred" server | "failed" server | "connections" port | "octets" device | "strikes" | "cuts"
//! holds  = "message" address "contains" text | "reads" address "contains" text | "said" ("client"|"server") text
//!        | "typed" text | "state" name
//! compare = "==" | ">=" | "<="
//! ```
//!
//! `message` looks into stored octets, `reads` into what a person would see of them. `said` and `typed` look for lines
//! that begin so, without regard to case; a text that begins with `*` may stand anywhere in the line.

use crate::tape::export::dialogue;
use crate::world::{Dir, End, EntryId, Fate, NodeId, What, World};

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
    /// So many of them.
    Count(Count, Compare, u64),
    /// A stored message of this address contains this.
    Message(String, String),
    /// What a person would read of one does.
    Reads(String, String),
    /// On some wire this end said a line like this.
    Said(Dir, String),
    /// Somebody typed a line like this.
    Typed(String),
    /// A server's session came to this state.
    State(String),
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
            "message" => contains(rest).map(|(address, wanted)| Self::Message(address, wanted)),
            "reads" => contains(rest).map(|(address, wanted)| Self::Reads(address, wanted)),
            "said" => match rest.split_once(' ').ok_or_else(wrong)? {
                ("client", wanted) => Ok(Self::Said(Dir::ToServer, wanted.to_owned())),
                ("server", wanted) => Ok(Self::Said(Dir::ToClient, wanted.to_owned())),
                _ => Err(wrong()),
            },
            "typed" => Ok(Self::Typed(rest.to_owned())),
            "state" => Ok(Self::State(rest.to_owned())),
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
            Self::Reads(address, wanted) => messages_of(world, address).iter().any(|octets| {
                let view = pillarbox_mime::view(octets).unwrap_or_default();
                view.subject.contains(wanted) || view.text.is_some_and(|text| text.contains(wanted))
            }),
            Self::Said(dir, wanted) => {
                world.wires().iter().any(|wire| said(world, wire.id, *dir, wanted))
            }
            Self::Typed(wanted) => world.wires().iter().any(|wire| {
                let ends = [End::Client, End::Server].into_iter().zip(wire.typed);
                ends.filter(|(_, typed)| *typed)
                    .any(|(end, _)| said(world, wire.id, Dir::sent_by(end), wanted))
            }),
            Self::State(name) => world.entries(EntryId(0)).iter().any(|entry| {
                matches!(&entry.what, What::State { end: End::Server, to, .. } if to == name)
            }),
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

fn said(world: &World, wire: crate::world::WireId, dir: Dir, wanted: &str) -> bool {
    let wanted = wanted.to_lowercase();
    dialogue(world, wire, true).iter().filter(|line| line.dir == dir).any(|line| {
        let text = String::from_utf8_lossy(&line.octets).to_lowercase();
        match wanted.strip_prefix('*') {
            Some(part) => text.contains(part),
            None => text.starts_with(&wanted),
        }
    })
}
