//! What a person or a script does to a world. Everything that changes a world is one of these, with its time.

use super::setup::{LinkSetup, Record};

/// Something done to a world. Nodes are named, so that an action means the same in another run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Somebody writes a message on their device and sends it.
    Send(Letter),
    /// Somebody reads their mail on a device.
    Check(Check),
    /// Somebody does something in the mailbox that a device has open by IMAP. The words are those of
    /// [`crate::world::ImapOrder`].
    Imap {
        /// On which device.
        device: String,
        /// What.
        order: String,
    },
    /// Somebody does something with their browser at their web mail: `read 1`, `delete 1`, `sign out`.
    Browse {
        /// On which device.
        device: String,
        /// What. Numbers are those in the addresses of messages.
        order: String,
    },
    /// Somebody at a node connects to a port by hand.
    Connect {
        /// At which node.
        from: String,
        /// The host to connect to.
        host: String,
        /// The port.
        port: u16,
        /// Lines of a script: `C: ` says one, `S: ` waits for one that begins so, `.` hangs up; empty: typed by hand.
        script: Vec<String>,
    },
    /// A program at a node connects to a port and says what it was recorded to say, whatever it is answered.
    Play {
        /// At which node.
        from: String,
        /// The host to connect to.
        host: String,
        /// The port.
        port: u16,
        /// What it says, in order; then it hangs up.
        parts: Vec<Played>,
    },
    /// Somebody types on a wire; the octets go as they are.
    Type {
        /// The wire's number.
        wire: u32,
        /// At the server's end rather than the client's.
        server: bool,
        /// What is typed.
        octets: Vec<u8>,
    },
    /// Somebody ends a connection that they typed on.
    HangUp {
        /// The wire's number.
        wire: u32,
        /// At the server's end rather than the client's.
        server: bool,
    },
    /// A wire is cut.
    Cut {
        /// Its number.
        wire: u32,
    },
    /// A fault is added, in the text form of [`crate::fault`].
    AddFault(String),
    /// The fault of this number is removed.
    RemoveFault(u64),
    /// A server crashes or a device is switched off, and loses what it had not made durable; or it comes back.
    Power {
        /// Which.
        node: String,
        /// Whether it comes back.
        on: bool,
    },
    /// Somebody at a server has its queue tried now.
    TryNow {
        /// Which server.
        node: String,
    },
    /// A link becomes another.
    Link(LinkSetup),
    /// A name in DNS has something else than before; with nothing, it is gone.
    Record(Record),
    /// A server has another account.
    User {
        /// Which server.
        node: String,
        /// The address.
        address: String,
        /// The password.
        password: String,
    },
    /// A device uses TLS wherever it is offered, or no longer.
    Secure {
        /// Which device.
        device: String,
        /// Whether it does.
        on: bool,
    },
    /// From now on, connections to this port of a server are answered by hand.
    Answer {
        /// Which server.
        node: String,
        /// Which port.
        port: u16,
    },
}

/// A part of what a program was recorded to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// Whether it was said after the server had said something since the part before.
    pub answered: bool,
    /// How long after the part before, in milliseconds.
    pub after_ms: u64,
    /// The octets; none: nothing is said, and only time passes.
    pub octets: Vec<u8>,
}

/// A message as somebody writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letter {
    /// On which device.
    pub device: String,
    /// To whom, as people write it: addresses, separated by commas.
    pub to: String,
    /// What it is about.
    pub subject: String,
    /// What it says.
    pub text: String,
    /// The same as HTML, if it is not empty.
    pub html: String,
    /// Pictures that the world makes up: name and octets.
    pub pictures: Vec<(String, u32)>,
    /// Files: name and octets.
    pub files: Vec<(String, Vec<u8>)>,
}

/// How somebody reads their mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// On which device.
    pub device: String,
    /// By which way.
    pub way: Way,
}

/// A way to a mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// POP3, and what was fetched stays on the server.
    #[default]
    PopKeep,
    /// POP3, and what was fetched is deleted on the server.
    PopDelete,
    /// IMAP.
    Imap,
    /// HTTP, from a browser.
    Web,
}

impl Action {
    /// What was done, in a line for the log.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Send(letter) => format!("{}: send to {}", letter.device, letter.to),
            Self::Check(check) => format!("{}: check mail", check.device),
            Self::Imap { device, order } | Self::Browse { device, order } => {
                format!("{device}: {order}")
            }
            Self::Connect { from, host, port, .. } => format!("{from}: connect to {host}:{port}"),
            Self::Play { from, host, port, .. } => {
                format!("{from}: say to {host}:{port} what was recorded")
            }
            Self::Type { wire, octets, .. } => format!("type {} octets on {wire}", octets.len()),
            Self::HangUp { wire, .. } => format!("hang up {wire}"),
            Self::Cut { wire } => format!("cut {wire}"),
            Self::AddFault(rule) => format!("fault {rule}"),
            Self::RemoveFault(number) => format!("no fault {number}"),
            Self::Power { node, on: true } => format!("{node}: on"),
            Self::Power { node, on: false } => format!("{node}: off"),
            Self::TryNow { node } => format!("{node}: try the queue now"),
            Self::Link(link) => format!("link {} to {}", link.a, link.b),
            Self::Record(record) => format!("DNS: {}", record.name),
            Self::User { node, address, .. } => format!("{node}: account {address}"),
            Self::Secure { device, on: true } => format!("{device}: TLS on"),
            Self::Secure { device, on: false } => format!("{device}: TLS off"),
            Self::Answer { node, port } => format!("{node}: answer port {port} by hand"),
        }
    }
}
