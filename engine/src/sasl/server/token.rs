//! OAUTHBEARER (RFC 7628) and its predecessor XOAUTH2: one message with a bearer token. When the
//! token is no good the server says why in a challenge, and refuses after one more response,
//! whatever that is.

use alloc::vec::Vec;

use super::{is_name, shared};
use crate::sasl::TokenCredentials;
use crate::trace::Rule;
use crate::types::{Reason, Refusal};

/// RFC 7628 §3.1.
pub(in crate::sasl) const TOKEN_MESSAGE: Rule = Rule {
    rfc: 7628,
    section: "3.1",
    gist: "A GS2 header, then key=value pairs, each ended by 0x01, then one 0x01 more; auth carries the token.",
};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Oauthbearer,
    Xoauth2,
}

impl Kind {
    /// The token, and whom to act as. An empty token is a question for what would do (RFC 7628
    /// §4.3); so is another kind of token than a bearer's.
    pub(super) fn read(self, message: &[u8]) -> Option<TokenCredentials> {
        match self {
            Self::Oauthbearer => oauthbearer(message),
            Self::Xoauth2 => xoauth2(message),
        }
    }

    /// Whether this refusal is about the token. What else is wrong is told in the protocol's own
    /// words at once, or a client would throw away a good token.
    pub(super) fn tells(self, refusal: &Refusal) -> bool {
        let about_it = [Reason::BadCredentials, Reason::NotPermitted, Reason::Policy];
        about_it.contains(&refusal.reason)
    }

    /// RFC 7628 §3.2.2, §3.2.3: the challenge that says why, since no words may go with the refusal
    /// itself.
    pub(super) fn failure(self, refusal: &Refusal) -> &'static [u8] {
        match (self, refusal.reason) {
            (Self::Oauthbearer, Reason::BadCredentials) => br#"{"status":"invalid_token"}"#,
            (Self::Oauthbearer, _) => br#"{"status":"insufficient_scope"}"#,
            (Self::Xoauth2, Reason::BadCredentials) => br#"{"status":"401","schemes":"bearer"}"#,
            (Self::Xoauth2, _) => br#"{"status":"403","schemes":"bearer"}"#,
        }
    }
}

/// ```text
/// client-resp = (gs2-header kvsep *kvpair kvsep) / kvsep
/// kvpair      = key "=" value kvsep
/// ```
///
/// RFC 7628 §3.2, looser: host and port are passed over, not compared. They protect tokens that
/// sign their request; a server behind another name would refuse good bearer tokens for nothing.
fn oauthbearer(message: &[u8]) -> Option<TokenCredentials> {
    let (header, pairs) = split_once(message, b"\x01")?;
    // No such mechanism binds to the channel, so `p=` cannot be meant.
    let header = header.strip_prefix(b"n,").or_else(|| header.strip_prefix(b"y,"))?;
    let name = header.strip_suffix(b",")?;
    let authorization = match name {
        b"" => Vec::new(),
        _ => shared::decode_name(name.strip_prefix(b"a=")?).filter(|name| is_name(name))?,
    };
    let mut token = None;
    let mut pairs = pairs.strip_suffix(b"\x01")?;
    while !pairs.is_empty() {
        let (pair, rest) = split_once(pairs, b"\x01")?;
        let (key, value) = split_once(pair, b"=")?;
        if key.is_empty() || !key.iter().all(u8::is_ascii_alphabetic) || !is_value(value) {
            return None;
        }
        if key == b"auth" && token.replace(bearer(value)).is_some() {
            return None;
        }
        pairs = rest;
    }
    Some(TokenCredentials { authorization, token: token?.to_vec() })
}

/// `user=` name, 0x01, `auth=Bearer ` token, 0x01, 0x01.
fn xoauth2(message: &[u8]) -> Option<TokenCredentials> {
    let (user, auth) = split_once(message, b"\x01")?;
    let user = user.strip_prefix(b"user=").filter(|user| is_name(user))?;
    let value = auth.strip_prefix(b"auth=")?.strip_suffix(b"\x01\x01")?;
    let right = !user.is_empty() && is_value(value);
    right.then(|| TokenCredentials { authorization: user.to_vec(), token: bearer(value).to_vec() })
}

/// What an HTTP Authorization field of this value carries as a bearer token; empty if it is none.
fn bearer(value: &[u8]) -> &[u8] {
    const SCHEME: &[u8] = b"Bearer ";
    match value.split_at_checked(SCHEME.len()) {
        Some((scheme, token))
            if scheme.eq_ignore_ascii_case(SCHEME) && token.iter().all(u8::is_ascii_graphic) =>
        {
            token
        }
        _ => b"",
    }
}

/// `value = *(VCHAR / SP / HTAB / CR / LF)`
fn is_value(value: &[u8]) -> bool {
    value.iter().all(|octet| matches!(octet, b' '..=b'~' | b'\t' | b'\r' | b'\n'))
}

fn split_once<'a>(octets: &'a [u8], separator: &[u8; 1]) -> Option<(&'a [u8], &'a [u8])> {
    let at = octets.iter().position(|octet| *octet == separator[0])?;
    Some((&octets[..at], &octets[at + 1..]))
}
