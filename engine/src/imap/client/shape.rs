//! What a message looks like from outside: ENVELOPE and BODYSTRUCTURE as a server tells them, in the shapes of
//! `wit/imap.wit`. The engine's own index of a message is another thing, and made by other code.

use alloc::vec::Vec;

/// RFC 9051 §7.5.2 ENVELOPE, as it came: encoded words are not decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Envelope {
    /// Date field.
    pub date: Option<Vec<u8>>,
    /// Subject field.
    pub subject: Option<Vec<u8>>,
    /// From field.
    pub from: Vec<Address>,
    /// Sender field, or From.
    pub sender: Vec<Address>,
    /// Reply-To field, or From.
    pub reply_to: Vec<Address>,
    /// To field.
    pub to: Vec<Address>,
    /// Cc field.
    pub cc: Vec<Address>,
    /// Bcc field.
    pub bcc: Vec<Address>,
    /// In-Reply-To field.
    pub in_reply_to: Option<Vec<u8>>,
    /// Message-ID field.
    pub message_id: Option<Vec<u8>>,
}

/// RFC 9051 §7.5.2: one address, or the beginning or end of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Address {
    /// Display name.
    pub name: Option<Vec<u8>>,
    /// Local part; with no `host` the name of a group that begins here, and none at its end.
    pub mailbox: Option<Vec<u8>>,
    /// Domain.
    pub host: Option<Vec<u8>>,
}

/// One part of BODYSTRUCTURE. A message's parts come in order, each before those inside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct BodyPart {
    /// How deep it lies: 0 for the message's own body.
    pub depth: u32,
    /// RFC 9051 §6.4.5.1 part number, such as `1.2`, by which it is fetched; empty for a multipart
    /// that is the whole body, and with `TEXT` for one that is the body of a message inside.
    pub section: Vec<u8>,
    /// Type and subtype in lower case, such as `text/plain`.
    pub media_type: Vec<u8>,
    /// Parameters in their order.
    pub parameters: Vec<Parameter>,
    /// Content-ID field.
    pub content_id: Option<Vec<u8>>,
    /// Content-Description field.
    pub description: Option<Vec<u8>>,
    /// Content-Transfer-Encoding, in lower case.
    pub encoding: Vec<u8>,
    /// Octets, as encoded; 0 for a multipart.
    pub size: u64,
    /// Lines, of text and of messages.
    pub lines: Option<u64>,
    /// Envelope, of messages.
    pub envelope: Option<Envelope>,
    /// Content-MD5 field.
    pub md5: Option<Vec<u8>>,
    /// Content-Disposition, in lower case.
    pub disposition: Option<Vec<u8>>,
    /// Its parameters.
    pub disposition_parameters: Vec<Parameter>,
    /// Content-Language, in order.
    pub language: Vec<Vec<u8>>,
    /// Content-Location field.
    pub location: Option<Vec<u8>>,
}

/// A MIME parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Parameter {
    /// Its name, in lower case.
    pub name: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
}
