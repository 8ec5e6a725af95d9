//! What single values become: those of ENVELOPE and BODYSTRUCTURE, and of header fields.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use crate::message::compose::header;
use crate::message::{Address, Parameters};
use crate::smtp::Mailbox;
use crate::smtp::grammar::print_mailbox;
use crate::text::{domain, words};

/// RFC 2606 §2: a domain that nobody will ever have.
const NOWHERE: (&[u8], &[u8]) = (b"invalid", b"internationalized-address.invalid");

/// Octets of a value that gets another form: none that a person wrote is longer. Above that, what is not ASCII becomes
/// question marks, since a form of many pieces costs many times the memory.
pub(super) const VALUE_MAX: usize = 32 << 10;

/// A text without structure (RFC 5322 §2.2.1), on one line.
pub(crate) fn text(value: &[u8]) -> Cow<'_, [u8]> {
    if value.len() > VALUE_MAX {
        token(value)
    } else if value.is_ascii() {
        Cow::Borrowed(value)
    } else {
        header::words(&words::decode(value)).into()
    }
}

/// A word of which ASCII has no other form.
pub(crate) fn token(value: &[u8]) -> Cow<'_, [u8]> {
    if value.is_ascii() {
        return Cow::Borrowed(value);
    }
    let mut out = Vec::with_capacity(value.len());
    super::put_ascii(value, &mut out);
    out.into()
}

/// The same in place of a phrase: a display name.
fn phrase(name: &[u8]) -> Cow<'_, [u8]> {
    if name.is_ascii() {
        Cow::Borrowed(name)
    } else {
        header::phrase_words(&words::decode(name)).into()
    }
}

/// An address, or a mark of a group.
pub(crate) fn address(address: &Address) -> Cow<'_, Address> {
    let Address { name, mailbox, host } = address;
    let is_ascii = |value: &Option<Vec<u8>>| value.as_ref().is_none_or(|value| value.is_ascii());
    if is_ascii(name) && is_ascii(mailbox) && is_ascii(host) {
        return Cow::Borrowed(address);
    }
    let in_words = |name: &Vec<u8>| phrase(name).into_owned();
    let (Some(local_part), Some(host)) = (mailbox, host) else {
        // A group's name is a phrase too.
        let mailbox = mailbox.as_ref().map(in_words);
        return Cow::Owned(Address { name: None, mailbox, host: None });
    };
    let (domain, name) = (domain::to_ascii(host), name.as_ref());
    if local_part.is_ascii() && !local_part.is_empty() && domain.is_ascii() {
        let mailbox = Some(local_part.clone());
        return Cow::Owned(Address { name: name.map(in_words), mailbox, host: Some(domain) });
    }
    let shown = print_mailbox(&Mailbox { local_part: local_part.clone(), domain: host.clone() });
    let shown = match name {
        Some(name) => [&words::decode(name).into_bytes()[..], b" <", &shown, b">"].concat(),
        None => shown,
    };
    let [mailbox, host] = [NOWHERE.0, NOWHERE.1].map(|part| Some(part.to_vec()));
    Cow::Owned(Address { name: Some(in_words(&shown)), mailbox, host })
}

/// Parameters as names and values; of a value above ASCII there may be several pieces (RFC 2231 §3, §4).
pub(crate) fn parameters(parameters: &Parameters) -> Cow<'_, Parameters> {
    let is_ascii = |(name, value): &(Vec<u8>, Vec<u8>)| name.is_ascii() && value.is_ascii();
    if parameters.iter().all(is_ascii) {
        return Cow::Borrowed(parameters);
    }
    let mut out = Parameters::new();
    for (name, value) in parameters {
        // A name is a token (RFC 2045 §5.1): there is no other form of one that is not.
        let Some(text) = core::str::from_utf8(name).ok().filter(|name| name.is_ascii()) else {
            continue;
        };
        if value.is_ascii() || value.len() > VALUE_MAX {
            out.push((name.clone(), token(value).into_owned()));
        } else {
            let value = words::decode(value);
            out.extend(
                header::encoded_parameter(text, &value)
                    .map(|(name, value)| (name.into_bytes(), value.into_bytes())),
            );
        }
    }
    Cow::Owned(out)
}
