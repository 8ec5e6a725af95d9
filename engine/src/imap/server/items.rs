//! What FETCH asks of a message, made of the items that the grammar gives. What each then tells stands in `message`.

use alloc::format;
use alloc::vec::Vec;

use super::item::{Fields, Item, Partial, Section, Value};
use crate::imap::grammar::{self, FetchItem, Header};
use crate::message::SectionText;

/// An item as it is told.
pub(super) fn item(item: FetchItem) -> Item {
    let whole = |label: &str, text: SectionText, peek: bool| {
        let (label, path) = (label.as_bytes().to_vec(), Vec::new());
        Item::Section(Section { label, path, text, fields: None, partial: None, peek })
    };
    match item {
        FetchItem::Uid => Item::Value(Value::Uid),
        FetchItem::Flags => Item::Value(Value::Flags),
        FetchItem::InternalDate => Item::Value(Value::InternalDate),
        FetchItem::Size => Item::Value(Value::Size),
        FetchItem::Envelope => Item::Envelope,
        FetchItem::Body => Item::Structure { extended: false },
        FetchItem::BodyStructure => Item::Structure { extended: true },
        FetchItem::Rfc822 => whole("RFC822", SectionText::Whole, false),
        // RFC 3501 §6.4.5: this one leaves \Seen alone.
        FetchItem::Rfc822Header => whole("RFC822.HEADER", SectionText::Header, true),
        FetchItem::Rfc822Text => whole("RFC822.TEXT", SectionText::Text, false),
        FetchItem::Section(peek, section, partial) => {
            Item::Section(body_section(section, partial, peek))
        }
        FetchItem::Binary(peek, path, partial) => {
            Item::Binary(binary_section("BINARY[", path, partial, peek))
        }
        FetchItem::BinarySize(path) => {
            Item::BinarySize(binary_section("BINARY.SIZE[", path, None, true))
        }
        FetchItem::Modseq => Item::Value(Value::Modseq),
        FetchItem::SaveDate => Item::Value(Value::SaveDate),
        FetchItem::EmailId => Item::Value(Value::EmailId),
        FetchItem::ThreadId => Item::Value(Value::ThreadId),
        FetchItem::Preview => Item::Preview,
    }
}

/// The octets that `BODY[…]` names.
pub(super) fn body_section(
    section: grammar::Section,
    partial: Option<(u64, u64)>,
    peek: bool,
) -> Section {
    let grammar::Section { path, header } = section;
    let (name, text, fields) = match header {
        None => ("", SectionText::Whole, None),
        Some(Header::All) => ("HEADER", SectionText::Header, None),
        Some(Header::Text) => ("TEXT", SectionText::Text, None),
        Some(Header::Mime) => ("MIME", SectionText::Mime, None),
        Some(Header::Fields(names)) => {
            ("HEADER.FIELDS", SectionText::Header, Some(Fields { names, not: false }))
        }
        Some(Header::FieldsNot(names)) => {
            ("HEADER.FIELDS.NOT", SectionText::Header, Some(Fields { names, not: true }))
        }
    };
    let mut label = [b"BODY[", &path_text(&path)[..]].concat();
    if !path.is_empty() && !name.is_empty() {
        label.push(b'.');
    }
    label.extend_from_slice(name.as_bytes());
    if let Some(fields) = &fields {
        label.extend_from_slice(b" (");
        for (at, field) in fields.names.iter().enumerate() {
            if at > 0 {
                label.push(b' ');
            }
            grammar::print::astring(&mut label, field, false);
        }
        label.push(b')');
    }
    label.push(b']');
    Section { label, path, text, fields, partial: partial.map(range), peek }
}

fn binary_section(name: &str, path: Vec<u32>, partial: Option<(u64, u64)>, peek: bool) -> Section {
    let label = [name.as_bytes(), &path_text(&path), b"]"].concat();
    let text = SectionText::Whole;
    Section { label, path, text, fields: None, partial: partial.map(range), peek }
}

fn range((origin, count): (u64, u64)) -> Partial {
    Partial { origin, count }
}

fn path_text(path: &[u32]) -> Vec<u8> {
    let mut text = Vec::new();
    for number in path {
        if !text.is_empty() {
            text.push(b'.');
        }
        text.extend_from_slice(format!("{number}").as_bytes());
    }
    text
}
