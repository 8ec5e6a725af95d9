//! The states of a session, each with what is true in it alone, and what an open ask is for.
//! How they follow one another is the flow's business, in the other files.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::content::Content;
use super::phase::Held;
use super::reply::Reply;
use crate::role::TextEnd;
use crate::sasl::server::Exchange;
use crate::smtp::types::{MailFrom, Mailbox};

/// A mail transaction (RFC 5321 §3.3).
#[derive(Clone, Debug)]
pub(super) struct Transaction {
    pub(super) from: MailFrom,
    /// Accepted ones, in order.
    pub(super) recipients: Vec<Mailbox>,
    /// This transaction's name in the Received field.
    pub(super) id: Vec<u8>,
    /// It wanted a higher priority than it may have (RFC 6710 §4.1).
    pub(super) lowered: bool,
}

pub(super) enum State {
    /// Before EHLO or HELO.
    Connected,
    /// No transaction.
    Greeted,
    /// After MAIL.
    MailGiven(Box<Transaction>),
    /// After the first RCPT.
    RcptGiven(Box<Transaction>),
    /// After 354.
    Data(Box<Content>),
    /// Between two chunks of BDAT.
    Chunking(Box<Content>),
    /// Inside a chunk of BDAT: octets that are due, and whether it is the last chunk.
    Chunk(Box<Content>, u64, bool),
    /// Inside a chunk of BDAT that is refused: octets to throw away, then this reply, then the state before.
    Discard(u64, Reply, Box<State>),
    /// Inside a last chunk that nobody is to get, with LMTP: octets to throw away, and no reply (RFC 2033 §4.3).
    DiscardUnheard(u64),
    /// After too many mistakes: the reply, and the state after it.
    Slowed(Reply, Box<State>),
    /// In a SASL exchange.
    Authenticating(Exchange),
    /// An ask is open.
    Asking(Box<Pending>),
    /// STARTTLS was accepted.
    Securing,
    /// Over.
    Closed,
}

/// What an open ask is for, and where to go on.
pub(super) enum Pending {
    Login(Exchange),
    Sender(Box<Transaction>),
    Recipient(Box<Transaction>, Mailbox),
    /// A chunk of DATA; whether it was the last one, and its end.
    Text(Box<Content>, Option<TextEnd>),
    /// A chunk of BDAT.
    Chunk(Box<Content>, u64, bool),
    Commit(Box<Content>),
    /// VRFY or EXPN, and the state before.
    Names(State),
    /// The host's say at a phase.
    Phase(Held),
    /// ETRN, and the domain.
    Flush(Vec<u8>),
}

impl State {
    /// Whether a line comes next.
    pub(super) fn takes_line(&self) -> bool {
        matches!(
            self,
            Self::Connected
                | Self::Greeted
                | Self::MailGiven(_)
                | Self::RcptGiven(_)
                | Self::Chunking(_)
                | Self::Authenticating(_)
        )
    }

    /// Whether octets of a message come next.
    pub(super) fn takes_content(&self) -> bool {
        matches!(
            self,
            Self::Data(_) | Self::Chunk(..) | Self::Discard(..) | Self::DiscardUnheard(_)
        )
    }

    /// Whether the host knows of a transaction that is not over.
    pub(super) fn has_transaction(&self) -> bool {
        match self {
            Self::MailGiven(_) | Self::RcptGiven(_) => true,
            Self::Data(content) | Self::Chunking(content) | Self::Chunk(content, ..) => {
                content.refused.is_none()
            }
            Self::Discard(_, _, before) | Self::Slowed(_, before) => before.has_transaction(),
            _ => false,
        }
    }

    /// Its name for a reader.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Connected => "Connected",
            Self::Greeted => "Greeted",
            Self::MailGiven(_) => "MailGiven",
            Self::RcptGiven(_) => "RcptGiven",
            Self::Data(_) => "Data",
            Self::Chunking(_) | Self::Chunk(..) | Self::Discard(..) | Self::DiscardUnheard(_) => {
                "Chunking"
            }
            Self::Slowed(_, after) => after.name(),
            Self::Authenticating(_) => "Authenticating",
            Self::Asking(pending) => match **pending {
                Pending::Login(_) => "Authenticating",
                Pending::Sender(_) => "Greeted",
                Pending::Recipient(ref tx, _) if tx.recipients.is_empty() => "MailGiven",
                Pending::Recipient(..) => "RcptGiven",
                Pending::Text(..) | Pending::Commit(_) => "Data",
                Pending::Chunk(..) => "Chunking",
                Pending::Names(ref before) => before.name(),
                Pending::Phase(ref held) => held.state_name(),
                Pending::Flush(_) => "Greeted",
            },
            Self::Securing => "Securing",
            Self::Closed => "Closed",
        }
    }
}
