//! What a header section becomes.

use alloc::string::String;
use alloc::vec::Vec;

use super::{put_ascii, value};
use crate::message::Address;
use crate::message::compose::header::{self, FieldWriter};
use crate::smtp::Mailbox;
use crate::smtp::grammar::print_mailbox;
use crate::text::address;
use crate::text::header::{Field, fields};
use crate::text::{params, words};

/// Fields of words of their own, where an encoded word would be another word: identifiers, traces, signatures, verdicts.
const STRUCTURED: [&[u8]; 15] = [
    b"Message-ID",
    b"Resent-Message-ID",
    b"In-Reply-To",
    b"References",
    b"Content-ID",
    b"Content-Location",
    b"Content-Language",
    b"Received",
    b"Return-Path",
    b"DKIM-Signature",
    b"Authentication-Results",
    b"Received-SPF",
    b"Delivered-To",
    b"X-Original-To",
    b"Autocrypt",
];

/// Fields of signatures by their first octets (RFC 8617 §4.1), and of URIs (RFC 2369 §2).
const STRUCTURED_PREFIXES: [&[u8]; 2] = [b"ARC-", b"List-"];

/// Fields whose every octet has a meaning to a program.
const READ_BY_PROGRAMS: [&[u8]; 4] =
    [b"Content-Transfer-Encoding", b"MIME-Version", b"Date", b"Resent-Date"];

/// Adds a header section with its blank line.
pub(super) fn write(section: &[u8], out: &mut Vec<u8>) {
    let mut end = 0;
    for field in fields(section) {
        // Lines that are no fields.
        put_ascii(&section[end..field.start], out);
        end = field.end;
        let whole = &section[field.start..end];
        // Of one that is too long, what is ASCII stays; so does all of most fields.
        if whole.is_ascii() || whole.len() > value::VALUE_MAX {
            put_ascii(whole, out);
        } else {
            write_field(&field, whole, out);
        }
    }
    put_ascii(&section[end..], out);
}

fn write_field(field: &Field<'_>, whole: &[u8], out: &mut Vec<u8>) {
    let is_one_of = |names: &[&[u8]]| names.iter().any(|name| field.is(name));
    let begins = |prefix: &&[u8]| {
        field.name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    // A field's name is printable ASCII.
    let name = String::from_utf8_lossy(field.name);
    let addresses = is_one_of(&address::FIELDS).then(|| addresses(&field.unfolded())).flatten();
    if let Some(list) = addresses {
        write_addresses(&name, &list, out);
    } else if is_one_of(&[b"Content-Type", b"Content-Disposition"]) {
        write_parameters(&name, &params::parse(&field.unfolded()), out);
    } else if is_one_of(&READ_BY_PROGRAMS) {
        // Wrong as it is, and read by programs: it stays wrong.
        put_ascii(whole, out);
    } else if !is_one_of(&STRUCTURED) && !STRUCTURED_PREFIXES.iter().any(begins) {
        header::unstructured(out, &name, &words::decode(&field.unfolded()));
    }
}

/// The addresses of a field, without those that say nothing; none if it is no list of addresses but only words.
fn addresses(body: &[u8]) -> Option<Vec<Address>> {
    let has = |part: &Option<Vec<u8>>| part.as_ref().is_some_and(|part| !part.is_empty());
    let mut list = address::parse_list(body);
    // What stands for a group's end has neither, and for its beginning no host.
    list.retain(|one| has(&one.mailbox) || has(&one.host) || one.host.is_none());
    let is_list = |one: &Address| has(&one.host) || (one.mailbox.is_some() && one.host.is_none());
    list.iter().any(is_list).then_some(list)
}

fn write_addresses(name: &str, list: &[Address], out: &mut Vec<u8>) {
    let mut field = FieldWriter::new(out, name);
    let mut put = |text: &[u8], encoded| field.word(&String::from_utf8_lossy(text), encoded);
    let mut in_group = false;
    for (at, address) in list.iter().enumerate() {
        let surrogate = value::address(address);
        let next = list.get(at + 1);
        let ends = next.is_some_and(|next| next.mailbox.is_none());
        let comma: &[u8] = if next.is_some() && !ends { b"," } else { b"" };
        match (&surrogate.mailbox, &surrogate.host) {
            (Some(local_part), Some(host)) => {
                let mailbox = Mailbox { local_part: local_part.clone(), domain: host.clone() };
                let mailbox = print_mailbox(&mailbox);
                match &surrogate.name {
                    Some(name) => {
                        put_phrase(name, address.name.as_deref(), &mut put);
                        put(&[b"<", &mailbox[..], b">", comma].concat(), false);
                    }
                    None => put(&[&mailbox[..], comma].concat(), false),
                }
            }
            (Some(name), None) => {
                put_phrase(name, address.mailbox.as_deref(), &mut put);
                put(b":", false);
                in_group = true;
            }
            (None, _) => {
                if core::mem::take(&mut in_group) {
                    put(&[&b";"[..], comma].concat(), false);
                }
            }
        }
    }
    field.end();
}

/// A name: as the encoded words that it became, or in whatever form what it was has.
fn put_phrase(name: &[u8], was: Option<&[u8]>, put: &mut impl FnMut(&[u8], bool)) {
    if was == Some(name) {
        header::phrase_tokens(&words::decode(name), put);
    } else {
        name.split(|octet| *octet == b' ').for_each(|word| put(word, true));
    }
}

fn write_parameters(name: &str, read: &params::Parameterised, out: &mut Vec<u8>) {
    let parameters = value::parameters(&read.parameters);
    let mut field = FieldWriter::new(out, name);
    let mut value = Vec::new();
    put_ascii(&read.value, &mut value);
    let end = |last: bool| if last { "" } else { ";" };
    let text = String::from_utf8_lossy(&value);
    field.word(&[&text, end(parameters.is_empty())].concat(), false);
    for (at, (name, value)) in parameters.iter().enumerate() {
        let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        // RFC 2231 §7: what stands in an extended value needs no quotes, and must not have them.
        let value = if name.ends_with('*') { value.into_owned() } else { header::quoted(&value) };
        field.word(&[&name, "=", &value, end(at + 1 == parameters.len())].concat(), false);
    }
    field.end();
}
