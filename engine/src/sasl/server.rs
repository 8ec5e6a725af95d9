//! The server's side of SASL exchanges: from base64 lines to credentials for the host.

use alloc::vec::Vec;

use super::{Credentials, Mechanism, PasswordCredentials};
use crate::text::base64;
use crate::trace::Rule;

/// RFC 4616 §2.
pub(super) const PLAIN_MESSAGE: Rule = Rule {
    rfc: 4616,
    section: "2",
    gist: "PLAIN is one message: whom to act as, NUL, who, NUL, password.",
};

/// Octets of a name or a password (RFC 4616 §2 asks for at least 255).
const PART_MAX: usize = 1000;

/// A running exchange: what the next response will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// PLAIN's only message.
    Plain,
    /// LOGIN's user name.
    LoginUser,
    /// LOGIN's password, for this user.
    LoginPassword(Vec<u8>),
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this challenge, base64 already, and give the response to `respond`.
    Challenge(Exchange, Vec<u8>),
    /// The exchange is over: let the host judge.
    Ask(Credentials),
    /// The peer gave up with `*`.
    Cancelled,
    /// The response is not base64, or not what the mechanism says.
    Malformed,
}

/// Mechanisms whose exchange this module can hold.
#[must_use]
pub const fn is_implemented(mechanism: Mechanism) -> bool {
    matches!(mechanism, Mechanism::Plain | Mechanism::Login)
}

impl Exchange {
    /// Begins an exchange; `initial` is the initial response in base64, `=` for an empty one (RFC 4954 §4).
    #[must_use]
    pub fn start(mechanism: Mechanism, initial: Option<&[u8]>) -> Step {
        let first = match mechanism {
            Mechanism::Plain => Self::Plain,
            Mechanism::Login => Self::LoginUser,
            _ => return Step::Malformed,
        };
        match initial {
            Some(b"=") => first.message(Vec::new()),
            Some(response) => first.respond(response),
            None => {
                let challenge = first.challenge();
                Step::Challenge(first, challenge)
            }
        }
    }

    /// Goes on with the peer's response, a line without its CRLF.
    #[must_use]
    pub fn respond(self, line: &[u8]) -> Step {
        if line == b"*" {
            return Step::Cancelled;
        }
        match base64::decode(line) {
            Some(message) => self.message(message),
            None => Step::Malformed,
        }
    }

    fn message(self, message: Vec<u8>) -> Step {
        match self {
            Self::Plain => plain(&message).map_or(Step::Malformed, Step::Ask),
            Self::LoginUser if is_part(&message) => {
                let next = Self::LoginPassword(message);
                let challenge = next.challenge();
                Step::Challenge(next, challenge)
            }
            Self::LoginPassword(user) if is_part(&message) => {
                let authorization = Vec::new();
                let given = PasswordCredentials { authorization, user, password: message };
                Step::Ask(Credentials::Password(given))
            }
            Self::LoginUser | Self::LoginPassword(_) => Step::Malformed,
        }
    }

    fn challenge(&self) -> Vec<u8> {
        match self {
            Self::Plain => Vec::new(),
            Self::LoginUser => base64::encode(b"Username:"),
            Self::LoginPassword(_) => base64::encode(b"Password:"),
        }
    }
}

fn is_part(part: &[u8]) -> bool {
    !part.is_empty() && part.len() <= PART_MAX && !part.contains(&0)
}

/// `message = [authzid] UTF8NUL authcid UTF8NUL passwd`
fn plain(message: &[u8]) -> Option<Credentials> {
    core::str::from_utf8(message).ok()?;
    let mut parts = message.split(|&octet| octet == 0);
    let (authorization, user, password) = (parts.next()?, parts.next()?, parts.next()?);
    let right = parts.next().is_none()
        && authorization.len() <= PART_MAX
        && is_part(user)
        && is_part(password);
    right.then(|| {
        Credentials::Password(PasswordCredentials {
            authorization: authorization.to_vec(),
            user: user.to_vec(),
            password: password.to_vec(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_has_exactly_two_nuls() {
        let start =
            |message: &[u8]| Exchange::start(Mechanism::Plain, Some(&base64::encode(message)));
        let Step::Ask(Credentials::Password(given)) = start(b"\0ann\0s3cret") else { panic!() };
        assert_eq!((&given.user[..], &given.password[..]), (&b"ann"[..], &b"s3cret"[..]));
        let wrong: [&[u8]; 8] =
            [b"", b"ann", b"\0ann", b"\0\0x", b"\0ann\0", b"\0a\0b\0c", b"\0\xff\0b", b"a\0b\0c\0"];
        for message in wrong {
            assert_eq!(start(message), Step::Malformed, "{}", message.escape_ascii());
        }
        assert!(matches!(
            start(&[&[0][..], &[b'u'; 255], &[0], &[b'p'; 255]].concat()),
            Step::Ask(_)
        ));
    }

    #[test]
    fn login_asks_twice() {
        let Step::Challenge(user, first) = Exchange::start(Mechanism::Login, None) else {
            panic!()
        };
        assert_eq!(first, b"VXNlcm5hbWU6");
        let Step::Challenge(password, second) = user.respond(b"YW5u") else { panic!() };
        assert_eq!(second, b"UGFzc3dvcmQ6");
        assert!(matches!(password.clone().respond(b"czNjcmV0"), Step::Ask(_)));
        assert_eq!(password.clone().respond(b"*"), Step::Cancelled);
        assert_eq!(password.respond(b"not base64"), Step::Malformed);
    }
}
