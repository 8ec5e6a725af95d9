//! What a reader may see of a world, as values. They are copied out of it by `read`.

use super::ids::{Dir, NodeId, Protocol, Time, WireId};
use super::setup::Kind;
use super::wire::{Link, Phase};
use crate::web::page::Page;
use pillarbox_engine::types::Persona;

/// Octets on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flight {
    /// Over which wire.
    pub wire: WireId,
    /// In which direction.
    pub dir: Dir,
    /// How many.
    pub octets: u64,
    /// When they left.
    pub sent: Time,
    /// When they arrive.
    pub arrives: Time,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView {
    /// Its number.
    pub id: NodeId,
    /// Its name.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// What it is.
    pub kind: Kind,
    /// Whose words it speaks.
    pub persona: Persona,
    /// Its address.
    pub address: String,
    /// Whether it is on.
    pub up: bool,
    /// Messages in its queue.
    pub queue_length: u64,
    /// Messages in all of its mailboxes, and unread ones.
    pub messages: (u64, u64),
    /// Messages on its screen.
    pub shown: u64,
    /// Ports that it listens on.
    pub ports: Vec<u16>,
}

/// A link with its nodes.
pub type LinkView = Link;

/// What waits in a queue for one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueView {
    /// The message's number.
    pub message: u64,
    /// From whom; empty for the null path.
    pub from: String,
    /// To whom.
    pub to: Vec<String>,
    /// Where to.
    pub destination: String,
    /// Octets.
    pub size: u64,
    /// When it came.
    pub came: Time,
    /// When it is tried next.
    pub next: Time,
    /// Attempts so far.
    pub attempts: u32,
    /// How the last one ended; empty if there was none.
    pub last: String,
    /// Whether it is tried now.
    pub active: bool,
}

/// A mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxView {
    /// Whose.
    pub account: String,
    /// Its name.
    pub name: String,
    /// Messages.
    pub count: u64,
    /// Unread ones.
    pub unseen: u64,
}

/// A message on a screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownView {
    /// When it came onto the screen.
    pub at: Time,
    /// From whom.
    pub from: String,
    /// What it is about.
    pub subject: String,
    /// What it says.
    pub text: String,
    /// The message itself.
    pub octets: Vec<u8>,
    /// Its unique-id (RFC 1939 §7), as far as the server told it.
    pub unique_id: String,
}

/// A mailbox that a device shows where it is, by IMAP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteView {
    /// The wire that it is open over; none: what is shown was seen before.
    pub wire: Option<WireId>,
    /// Its name.
    pub mailbox: String,
    /// Its messages, by their numbers.
    pub rows: Vec<RemoteRow>,
    /// UIDs that a search found last.
    pub found: Vec<u32>,
}

/// What a device knows of a message in a mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteRow {
    /// Its UID.
    pub uid: u32,
    /// Bits of system flags: 1 \Answered, 2 \Flagged, 4 \Deleted, 8 \Seen, 16 \Draft.
    pub flags: u8,
    /// Its octets, all of them.
    pub size: u64,
    /// From whom.
    pub from: String,
    /// What it is about.
    pub subject: String,
    /// What was fetched of it: section, empty for the whole, and octets.
    pub parts: Vec<(String, Vec<u8>)>,
    /// What it is made of, once that was asked for: section, media type and octets.
    pub structure: Vec<(String, String, u64)>,
}

/// What a browser shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrowserView {
    /// Whether it holds a cookie: then somebody is signed in, as far as it knows.
    pub signed_in: bool,
    /// The path of the page that it shows; empty before the first.
    pub path: String,
    /// The page.
    pub page: Page,
    /// The list of messages that it got last, as old as that page is.
    pub list: Page,
}

/// A message in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredView {
    /// Whose mailbox.
    pub account: String,
    /// Its name.
    pub mailbox: String,
    /// The mailbox's UIDVALIDITY.
    pub uid_validity: u32,
    /// The message's UID.
    pub uid: u32,
    /// Bits of system flags, as IMAP has them: 8 is \Seen.
    pub flags: u8,
    /// Its octets.
    pub octets: Vec<u8>,
}

/// A wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireView {
    /// Its number.
    pub id: WireId,
    /// Who opened it.
    pub client: NodeId,
    /// Who took it.
    pub server: NodeId,
    /// The server's port.
    pub port: u16,
    /// What is spoken.
    pub protocol: Protocol,
    /// How far it has come.
    pub phase: Phase,
    /// When it was asked for.
    pub opened: Time,
    /// When it was over.
    pub closed: Option<Time>,
    /// The client's session's state and the server's, by their names in the engine; empty where somebody types.
    pub states: [&'static str; 2],
    /// Octets sent to the server, and to the client.
    pub octets: [u64; 2],
    /// Whether somebody types at the client's end, and at the server's.
    pub typed: [bool; 2],
    /// Octets of both directions that travelled in the clear before TLS; none: there is no TLS.
    pub tls_from: [Option<u64>; 2],
    /// Whether somebody listens on its link.
    pub tapped: bool,
}
