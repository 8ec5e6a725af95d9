//! The head of an index as it stands in its octets: for who looks at a little of it, of many messages. Nothing is copied.

use super::Address;
use super::codec::{BadIndex, Reader};

/// Everything of an index but ambiguities and parts; see [`Index`](super::Index) and [`Envelope`](super::Envelope).
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The Date field in milliseconds since 1970 UTC and minutes east of it, if it could be read.
    pub sent: Option<(i64, i16)>,
    /// Date.
    pub date: Option<&'a [u8]>,
    /// Subject.
    pub subject: Option<&'a [u8]>,
    /// In-Reply-To.
    pub in_reply_to: Option<&'a [u8]>,
    /// Message-ID.
    pub message_id: Option<&'a [u8]>,
    /// From.
    pub from: Addresses<'a>,
    /// Sender; empty means as From.
    pub sender: Addresses<'a>,
    /// Reply-To; empty means as From.
    pub reply_to: Addresses<'a>,
    /// To.
    pub to: Addresses<'a>,
    /// Cc.
    pub cc: Addresses<'a>,
    /// Bcc.
    pub bcc: Addresses<'a>,
    /// The References field, unfolded; `None` in an index of the first version.
    pub references: Option<&'a [u8]>,
    /// RFC 8970: how its text begins.
    pub preview: &'a [u8],
}

/// Addresses of one field, read one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Addresses<'a> {
    octets: &'a [u8],
    left: u64,
}

/// One address, or a mark of a group; see [`Address`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddressRef<'a> {
    /// Display name.
    pub name: Option<&'a [u8]>,
    /// Local part.
    pub mailbox: Option<&'a [u8]>,
    /// Domain.
    pub host: Option<&'a [u8]>,
}

impl<'a> From<&'a Address> for AddressRef<'a> {
    fn from(address: &'a Address) -> Self {
        let Address { name, mailbox, host } = address;
        Self { name: name.as_deref(), mailbox: mailbox.as_deref(), host: host.as_deref() }
    }
}

impl<'a> Iterator for Addresses<'a> {
    type Item = AddressRef<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let mut reader = Reader(self.octets);
        // They were read once already, when the list was found.
        let address = address(&mut reader).ok()?;
        self.octets = reader.0;
        Some(address)
    }
}

impl<'a> Head<'a> {
    /// Reads the head; what is behind it is not looked at.
    ///
    /// # Errors
    /// [`BadIndex`].
    pub fn read(octets: &'a [u8]) -> Result<Self, BadIndex> {
        let mut reader = Reader(octets);
        let (version, fixed) = super::codec::fixed(&mut reader)?;
        let (date, subject) = (reader.optional()?, reader.optional()?);
        let (in_reply_to, message_id) = (reader.optional()?, reader.optional()?);
        let (from, sender) = (addresses(&mut reader)?, addresses(&mut reader)?);
        let (reply_to, to) = (addresses(&mut reader)?, addresses(&mut reader)?);
        let (cc, bcc) = (addresses(&mut reader)?, addresses(&mut reader)?);
        let (references, preview) = match version {
            super::codec::VERSION => (Some(reader.text()?), reader.text()?),
            _ => (None, &b""[..]),
        };
        Ok(Self {
            sent: fixed.sent,
            date,
            subject,
            in_reply_to,
            message_id,
            from,
            sender,
            reply_to,
            to,
            cc,
            bcc,
            references,
            preview,
        })
    }
}

fn addresses<'a>(reader: &mut Reader<'a>) -> Result<Addresses<'a>, BadIndex> {
    let left = reader.count()?;
    let list = Addresses { octets: reader.0, left };
    for _ in 0..left {
        address(reader)?;
    }
    Ok(list)
}

fn address<'a>(reader: &mut Reader<'a>) -> Result<AddressRef<'a>, BadIndex> {
    let (name, mailbox, host) = (reader.optional()?, reader.optional()?, reader.optional()?);
    Ok(AddressRef { name, mailbox, host })
}
