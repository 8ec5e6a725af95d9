//! The world's log: what happened, where, when, and because of what.
//! It says what the engine and the network did, in data; words for a reader are left to the catalogue.

use std::sync::Arc;

use pillarbox_engine::trace::Rule;

use super::ids::{Dir, End, EntryId, NodeId, Protocol, Time, WireId};

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number; they count from 0.
    pub id: EntryId,
    /// When.
    pub at: Time,
    /// At which node, if it happened at one.
    pub node: Option<NodeId>,
    /// On which wire, if on one.
    pub wire: Option<WireId>,
    /// What.
    pub what: What,
    /// Because of what: entries before this one.
    pub causes: Vec<EntryId>,
}

/// What an entry tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A question to DNS, and its answer when it is there.
    Dns(Dns),
    /// A node opens a connection.
    Connect {
        /// To whom.
        to: NodeId,
        /// To which port.
        port: u16,
        /// What will be spoken.
        protocol: Protocol,
    },
    /// The connection is open.
    Connected,
    /// Nobody took the connection.
    Refused {
        /// To whom it should have led, if the name has an address.
        to: Option<NodeId>,
        /// To which port.
        port: u16,
        /// Why.
        why: &'static str,
    },
    /// Octets leave; they arrive at the time told, unless the wire is cut before.
    Octets {
        /// In which direction.
        dir: Dir,
        /// The first, counted from the wire's first.
        start: u64,
        /// One past the last.
        end: u64,
        /// When they arrive.
        arrives: Time,
    },
    /// One end says nothing more; or both, if the wire was cut.
    Closed {
        /// Who ended it.
        by: End,
        /// Whether it was cut rather than ended.
        cut: bool,
    },
    /// TLS is up: from here on others see records that they cannot read.
    Secured,
    /// A session went from one state to another.
    State {
        /// Whose session.
        end: End,
        /// Before.
        from: &'static str,
        /// After.
        to: &'static str,
    },
    /// The peer of this session broke a rule.
    Defect {
        /// Who found it.
        end: End,
        /// The rule.
        rule: &'static Rule,
    },
    /// A session needs something of its host.
    Ask(Said),
    /// The host's answer.
    Answer(Said),
    /// An application wants something of a session.
    Call(Said),
    /// A session tells its host a fact.
    Event(Said),
    /// The host broke the session's contract: a fault of the world itself, never of who plays with it.
    Misuse(String),
    /// A server's queue changed.
    Queue(Queue),
    /// A mailbox changed.
    Mailbox(Mailbox),
    /// What a person sees changed.
    Screen(Screen),
    /// A fault struck.
    FaultFired {
        /// Its number.
        number: u64,
        /// Its text.
        rule: Arc<str>,
    },
    /// Somebody did something to the world.
    Acted(Arc<str>),
    /// A node is gone, with all that it had not made durable; or it is back.
    Power(bool),
    /// What a node had written when it went, and its disk had not synced: none of it was promised to anybody.
    Lost {
        /// Writes.
        writes: u64,
    },
}

/// What a session and its host say to each other, in words for a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Which end's session.
    pub end: End,
    /// The kind, by its name in the contract.
    pub kind: &'static str,
    /// What it is about; secrets are masked.
    pub about: String,
}

/// A question to DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns {
    /// `MX` or `A`.
    pub record: &'static str,
    /// The name asked for.
    pub name: String,
    /// The answer; none: the question has just been asked.
    pub answer: Option<DnsAnswer>,
}

/// What DNS says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsAnswer {
    /// Exchanges with their preferences.
    Exchanges(Vec<(u16, String)>),
    /// Addresses.
    Addresses(Vec<String>),
    /// The name exists, and has no such record.
    NoRecords,
    /// There is no such name.
    NoName,
    /// DNS failed; later it may not.
    Failed,
}

/// What happened in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// The message, by the server's own number.
    pub message: u64,
    /// Where it goes.
    pub destination: String,
    /// What became of it.
    pub fate: Fate,
    /// Messages in the queue now.
    pub length: u64,
}

/// What became of a message at one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It waits.
    Queued,
    /// It is tried now.
    Tried,
    /// It is tried again then.
    Deferred {
        /// When.
        next: Time,
        /// Why.
        why: String,
    },
    /// Another server, or a mailbox, has it.
    Delivered {
        /// Its words.
        why: String,
    },
    /// It will never be taken.
    Failed {
        /// Why.
        why: String,
    },
    /// It was tried for long enough.
    Expired {
        /// Why the last attempt did not do.
        why: String,
    },
}

/// What a mailbox holds now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// Whose.
    pub account: String,
    /// Its name.
    pub name: String,
    /// Messages.
    pub count: u64,
    /// Of these unread.
    pub unseen: u64,
    /// Messages before.
    pub before: u64,
}

/// What a person sees, as far as it is new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Screen {
    /// A message is being sent.
    Sending {
        /// Its subject.
        subject: String,
    },
    /// Their server has it.
    Sent {
        /// The server's words.
        reply: String,
    },
    /// It could not be sent.
    NotSent {
        /// Why.
        why: String,
    },
    /// New messages are on the screen.
    Got {
        /// How many.
        new: u64,
        /// How many are shown now.
        shown: u64,
    },
    /// What is shown changed otherwise.
    Changed {
        /// How.
        how: String,
    },
    /// It could not be read.
    Failed {
        /// Why.
        why: String,
    },
}

impl What {
    /// Whether a reader who jumps from one interesting moment to the next stops here.
    #[must_use]
    pub fn is_interesting(&self) -> bool {
        match self {
            Self::Connected
            | Self::Refused { .. }
            | Self::Defect { .. }
            | Self::Misuse(_)
            | Self::Queue(_)
            | Self::Mailbox(_)
            | Self::Screen(_)
            | Self::FaultFired { .. }
            | Self::Acted(_)
            | Self::Power(_)
            | Self::Lost { .. }
            | Self::Secured
            | Self::Closed { cut: true, .. } => true,
            Self::Dns(dns) => dns.answer.is_some(),
            Self::Connect { .. }
            | Self::Octets { .. }
            | Self::Closed { .. }
            | Self::State { .. }
            | Self::Ask(_)
            | Self::Answer(_)
            | Self::Call(_)
            | Self::Event(_) => false,
        }
    }
}
