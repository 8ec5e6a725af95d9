//! What a host is told of a message before it is taken, so that it can judge or sign it, and what it may change.
//! How senders are found out and how signatures are made is left to the host.

use std::ops::Range;

use pillarbox_engine::smtp::MailFrom;
use pillarbox_engine::types::Reason;

/// A message that has come whole and is not stored yet.
pub trait Octets: Sync {
    /// How many octets it has, the fields of this hop included.
    fn size(&self) -> u64;

    /// Those from `offset` on, exactly `length` of them.
    ///
    /// # Errors
    /// [`Reason::StorageFailed`] if they are not there.
    fn octets(&self, offset: u64, length: u64) -> Result<Vec<u8>, Reason>;
}

impl Octets for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn octets(&self, offset: u64, length: u64) -> Result<Vec<u8>, Reason> {
        let end = offset.checked_add(length).and_then(|end| usize::try_from(end).ok());
        let found = usize::try_from(offset).ok().zip(end).and_then(|(at, end)| self.get(at..end));
        found.map(<[u8]>::to_vec).ok_or(Reason::StorageFailed)
    }
}

/// Who brings mail, as far as that decides whether its senders are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bringer {
    /// One of ours: nothing is judged.
    #[default]
    Ours,
    /// One of ours that speaks for others: their mail is judged once it has said who they are (XCLIENT).
    Relay,
    /// Anybody: what it brings is judged.
    Stranger,
}

/// A message that is about to be taken.
#[derive(Clone, Copy)]
pub struct Letter<'a> {
    /// Its octets: Return-Path, the Received field of this hop, and what came.
    pub content: &'a (dyn Octets + 'a),
    /// Octets at the beginning that are for final delivery alone (RFC 5321 §4.4).
    pub skip: u64,
    /// MAIL.
    pub sender: &'a MailFrom,
    /// The address of who brought it.
    pub peer: &'a [u8],
    /// The name that it gave.
    pub helo: &'a [u8],
    /// The account that it logged in to.
    pub account: Option<&'a [u8]>,
    /// Whether all its authors are addresses of that account's own.
    pub is_own: bool,
    /// Whether any octet has its high bit set, or it came as BINARYMIME.
    pub wide: bool,
    /// Whether it leaves this host for somebody.
    pub leaves: bool,
}

/// How a message is changed before it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// Fields that are put before it, behind its Return-Path.
    pub before: Vec<u8>,
    /// What is left out, as ranges of its octets in their order, behind the Return-Path.
    pub without: Vec<Range<u64>>,
}

impl Edit {
    /// Whether nothing is changed.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.before.is_empty() && self.without.is_empty()
    }
}

/// What a host thinks of a message that it takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// What is written into it.
    pub edit: Edit,
    /// Whether it goes where junk goes.
    pub junk: bool,
}

/// What a host answers when it is asked to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signed {
    /// Signed, or there is nothing to sign with.
    With(Edit),
    /// It would be signed, but a server on its way may have to encode it anew, which would break the signature: it is to
    /// be put into seven bits first (RFC 6376 §5.3).
    SevenBitFirst,
}
