//! PLAIN (RFC 4616): one message.

use super::{is_name, is_part};
use crate::sasl::{Credentials, PasswordCredentials};
use crate::trace::Rule;

/// RFC 4616 §2.
pub(in crate::sasl) const PLAIN_MESSAGE: Rule = Rule {
    rfc: 4616,
    section: "2",
    gist: "PLAIN is one message: whom to act as, NUL, who, NUL, password.",
};

/// `message = [authzid] UTF8NUL authcid UTF8NUL passwd`
pub(super) fn read(message: &[u8]) -> Option<Credentials> {
    let mut parts = message.split(|&octet| octet == 0);
    let (authorization, user, password) = (parts.next()?, parts.next()?, parts.next()?);
    let right =
        parts.next().is_none() && is_name(authorization) && is_part(user) && is_part(password);
    right.then(|| {
        Credentials::Password(PasswordCredentials {
            authorization: authorization.to_vec(),
            user: user.to_vec(),
            password: password.to_vec(),
        })
    })
}
