//! ANONYMOUS (RFC 4505): anyone may come in, and may leave a word that says who it is.

use alloc::vec::Vec;

use super::is_name;
use crate::sasl::Credentials;
use crate::trace::Rule;

/// RFC 4505 §2.
pub(in crate::sasl) const ANONYMOUS_MESSAGE: Rule = Rule {
    rfc: 4505,
    section: "2",
    gist: "ANONYMOUS is one message: an address, a word of at most 255 characters, or nothing.",
};

/// Characters of the trace text.
const TRACE_MAX: usize = 255;

/// `message = [ email / token ]`, looser: whether what has an `@` is an address is not looked at, since nobody relies on
/// it.
pub(super) fn read(message: Vec<u8>) -> Option<Credentials> {
    let characters = core::str::from_utf8(&message).map(|text| text.chars().count());
    let right = is_name(&message) && characters.is_ok_and(|count| count <= TRACE_MAX);
    right.then_some(Credentials::Anonymous(message))
}
