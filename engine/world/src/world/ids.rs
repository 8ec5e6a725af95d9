//! Names of what a world is made of, and its time. All are small numbers, given in order and never reused.

use std::fmt;

/// Milliseconds since a world began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

impl Time {
    /// So many milliseconds later.
    #[must_use]
    pub const fn after(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// A simulated host: a server, a device, or DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u16);

/// One connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WireId(pub u32);

/// A line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub u32);

/// One direction of a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dir {
    /// From the client, which opened the connection, to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

impl Dir {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::ToServer, Self::ToClient];

    /// The direction in which this end sends.
    #[must_use]
    pub const fn sent_by(end: End) -> Self {
        match end {
            End::Client => Self::ToServer,
            End::Server => Self::ToClient,
        }
    }

    /// The end that sends in this direction.
    #[must_use]
    pub const fn sender(self) -> End {
        match self {
            Self::ToServer => End::Client,
            Self::ToClient => End::Server,
        }
    }

    /// The end that receives in this direction.
    #[must_use]
    pub const fn receiver(self) -> End {
        self.sender().other()
    }

    /// `C` or `S`, as transcripts mark who speaks.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::ToServer => 'C',
            Self::ToClient => 'S',
        }
    }

    pub(crate) const fn index(self) -> usize {
        match self {
            Self::ToServer => 0,
            Self::ToClient => 1,
        }
    }
}

/// One end of a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// Who opened the connection.
    Client,
    /// Who took it.
    Server,
}

impl End {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Client => 0,
            Self::Server => 1,
        }
    }
}

/// What is spoken on a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// SMTP between servers (port 25).
    Smtp,
    /// SMTP from a person's device to their own server (port 587 or 465).
    Submission,
    /// POP3 (port 110 or 995).
    Pop3,
    /// IMAP (port 143 or 993).
    Imap,
    /// HTTP (port 80), for comparison.
    Http,
}

impl Protocol {
    /// The protocol of a port, and whether TLS begins with the first octet.
    #[must_use]
    pub const fn of_port(port: u16) -> Option<(Self, bool)> {
        Some(match port {
            25 => (Self::Smtp, false),
            587 => (Self::Submission, false),
            465 => (Self::Submission, true),
            110 => (Self::Pop3, false),
            995 => (Self::Pop3, true),
            143 => (Self::Imap, false),
            993 => (Self::Imap, true),
            80 => (Self::Http, false),
            _ => return None,
        })
    }

    /// As faults name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Submission => "submission",
            Self::Pop3 => "pop3",
            Self::Imap => "imap",
            Self::Http => "http",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Numbers drawn from a seed (splitmix64): they vary what has to vary, and keep no secret.
#[derive(Clone, Debug)]
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator of its own for what has this number, so that a new one does not shift the others' draws.
    pub(crate) fn of(seed: u64, number: u64) -> Self {
        let mut own = Self(seed ^ number.wrapping_mul(0xd1b5_4a32_d192_ed03));
        own.next();
        own
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// One from 0 up to, not including, `end`; 0 of none.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or(0)
    }

    /// Sixteen octets.
    pub(crate) fn octets(&mut self) -> [u8; 16] {
        let (one, other) = (self.next(), self.next());
        (u128::from(one) << 64 | u128::from(other)).to_be_bytes()
    }
}
