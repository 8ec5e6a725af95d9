//! LOGIN, which no RFC describes: two questions, two answers. Old clients have nothing else.

use alloc::vec::Vec;

use crate::sasl::{Credentials, PasswordCredentials};

/// Clients look at these words, so they are the ones that everybody says.
pub(super) const USER_PROMPT: &[u8] = b"Username:";
/// See `USER_PROMPT`.
pub(super) const PASSWORD_PROMPT: &[u8] = b"Password:";

pub(super) fn credentials(user: Vec<u8>, password: Vec<u8>) -> Credentials {
    Credentials::Password(PasswordCredentials { authorization: Vec::new(), user, password })
}
