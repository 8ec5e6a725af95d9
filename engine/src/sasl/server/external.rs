//! EXTERNAL (RFC 4422 §A): TLS has said who it is, and one message says whom to act as.

use alloc::vec::Vec;

use super::is_name;
use crate::sasl::Credentials;
use crate::trace::Rule;

/// RFC 4422 §A.1.
pub(in crate::sasl) const EXTERNAL_MESSAGE: Rule = Rule {
    rfc: 4422,
    section: "A.1",
    gist: "EXTERNAL is one message, whom to act as; an empty one means who the channel says it is.",
};

/// UTF-8 without NUL, or nothing.
pub(super) fn read(message: Vec<u8>) -> Option<Credentials> {
    is_name(&message).then_some(Credentials::External(message))
}
