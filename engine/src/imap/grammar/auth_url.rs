//! IMAP URLs that carry authorization (RFC 4467 §3, RFC 5092 §6.1): whose they are, which octets they lead to, for whom, how
//! long, and by which token. Of what stands before that the parser of plain URLs reads the part behind the server.

use alloc::vec::Vec;

use super::command::Command;
use super::cursor::{Piecewise, Read, Token};
use super::date::internet_moment;
use super::parse::{Options, mailbox};
use super::url::{MessageUrl, after, decoded, find, message_url};
use crate::imap::types::UrlAccess;
use crate::limits::{ACL_IDENTIFIER_MAX, URL_OCTETS_MAX, URLS_MAX};

/// RFC 4467 §3: a URL up to its mechanism. Of these very octets its token is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthUrl {
    /// The octets.
    pub rump: Vec<u8>,
    /// By whose key it is authorized.
    pub owner: Vec<u8>,
    /// The server, without a port: by whatever port, it is the same one.
    pub host: Vec<u8>,
    /// The mailbox, as the owner calls it.
    pub mailbox: Vec<u8>,
    /// The message, and which part of it.
    pub message: MessageUrl,
    /// When it ends to be good, in milliseconds since 1970 UTC.
    pub expires_ms: Option<u64>,
    /// For whom it is.
    pub access: UrlAccess,
}

const SCHEME: &[u8] = b"imap://";
const URL_AUTH: &[u8] = b";URLAUTH=";
const EXPIRE: &[u8] = b";EXPIRE=";
/// The only mechanism (RFC 4467 §2.4).
const INTERNAL: &[u8] = b"INTERNAL";
/// Octets of a token that are read; RFC 5092 §11 asks for 16 at least.
const TOKEN_MIN: usize = 16;
const TOKEN_MAX: usize = 64;

/// Where the octets begin that nobody may see: what follows the access identifier. The end, if there are none.
#[must_use]
pub fn secret_of_url(url: &[u8]) -> usize {
    let Some(at) = find(url, URL_AUTH) else { return url.len() };
    let access = at + URL_AUTH.len();
    let colon = url[access..].iter().position(|octet| *octet == b':');
    colon.map_or(url.len(), |colon| access + colon)
}

/// `url-rump`
///
/// # Errors
/// What was expected in its place.
pub fn auth_url_rump(url: &[u8]) -> Result<AuthUrl, &'static str> {
    const WHAT: &str = "an IMAP URL of a message";
    // RFC 3986 §2: what a URL is made of. So it can stand in quotes as it is.
    let plain = |octet: &u8| octet.is_ascii_graphic() && !b"\"\\<>^`{|}".contains(octet);
    let rest = after(url, SCHEME).filter(|_| url.iter().all(plain)).ok_or(WHAT)?;
    let at = rest.iter().position(|octet| *octet == b'/').ok_or(WHAT)?;
    let (server, path) = rest.split_at(at);
    // RFC 4467 §5: the owner must be named.
    let (owner, host) = user_and_host(server).ok_or("a URL that names its owner before an @")?;
    // The token begins behind the first of these, so there is one.
    if find(server, URL_AUTH).is_some() {
        return Err(WHAT);
    }
    let at = find(path, URL_AUTH).ok_or("a URL with an access identifier")?;
    let (path, access) = (&path[..at], &path[at + URL_AUTH.len()..]);
    let access = access_identifier(access).ok_or("a known access identifier at the URL's end")?;
    let (path, expires_ms) = match find(path, EXPIRE) {
        Some(at) => {
            let moment = internet_moment(&path[at + EXPIRE.len()..]);
            (&path[..at], Some(moment.ok_or("a date such as 2026-01-05T09:00:00Z behind EXPIRE")?))
        }
        None => (path, None),
    };
    let mut message = message_url(path).ok_or(WHAT)?;
    let mailbox = message.mailbox.take().ok_or(WHAT)?;
    Ok(AuthUrl { rump: url.to_vec(), owner, host, mailbox, message, expires_ms, access })
}

/// `url-full`: a rump, and its token.
#[must_use]
pub fn auth_url(url: &[u8]) -> Option<(AuthUrl, Vec<u8>)> {
    let (rump, verifier) = url.split_at_checked(secret_of_url(url))?;
    let verifier = verifier.strip_prefix(b":")?;
    let colon = verifier.iter().position(|octet| *octet == b':')?;
    let (mechanism, digits) = (&verifier[..colon], &verifier[colon + 1..]);
    let digits = core::str::from_utf8(digits).ok().filter(|digits| digits.is_ascii())?;
    let octets = digits.len() / 2;
    if !mechanism.eq_ignore_ascii_case(INTERNAL)
        || !(TOKEN_MIN..=TOKEN_MAX).contains(&octets)
        || !digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        || digits.len() % 2 != 0
    {
        return None;
    }
    let octet = |at: usize| u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok();
    let token = (0..octets).map(octet).collect::<Option<Vec<u8>>>()?;
    Some((auth_url_rump(rump).ok()?, token))
}

/// `enc-user [";AUTH=" …] "@" host [":" port]`
fn user_and_host(server: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let at = server.iter().position(|octet| *octet == b'@')?;
    let (user, place) = (&server[..at], &server[at + 1..]);
    let user = find(user, b";AUTH=").map_or(user, |end| &user[..end]);
    let end = match place.first() {
        Some(b'[') => place.iter().position(|octet| *octet == b']')? + 1,
        _ => place.iter().position(|octet| *octet == b':').unwrap_or(place.len()),
    };
    let (host, port) = place.split_at(end);
    let digits = port.strip_prefix(b":").unwrap_or(port);
    let right = digits.iter().all(u8::is_ascii_digit) && !host.is_empty() && !host.contains(&b'@');
    right.then_some((user_of(user)?, host.to_vec()))
}

/// `enc-user`
fn user_of(text: &[u8]) -> Option<Vec<u8>> {
    let plain = |octet: &u8| !b":/@;".contains(octet);
    let user = decoded(text).filter(|_| text.iter().all(plain))?;
    let right =
        (1..=ACL_IDENTIFIER_MAX).contains(&user.len()) && core::str::from_utf8(&user).is_ok();
    right.then_some(user)
}

/// `access = ("submit+" enc-user) / ("user+" enc-user) / "authuser" / "anonymous"`
fn access_identifier(text: &[u8]) -> Option<UrlAccess> {
    if let Some(user) = after(text, b"submit+") {
        return user_of(user).map(UrlAccess::Submit);
    }
    if let Some(user) = after(text, b"user+") {
        return user_of(user).map(UrlAccess::User);
    }
    if text.eq_ignore_ascii_case(b"authuser") {
        return Some(UrlAccess::AuthUser);
    }
    text.eq_ignore_ascii_case(b"anonymous").then_some(UrlAccess::Anonymous)
}

/// `"GENURLAUTH" 1*(SP url-rump SP mechanism)` (RFC 4467 §9)
pub(super) fn generate(cursor: &mut Piecewise<'_>) -> Read<Command> {
    let mut urls = Vec::new();
    loop {
        let url = url(cursor, urls.len())?;
        let url = match auth_url_rump(&url) {
            Ok(url) => url,
            Err(what) => return cursor.expected(what),
        };
        cursor.space()?;
        urls.push((url, cursor.atom("a mechanism")?.to_ascii_uppercase()));
        if cursor.at_end() {
            return Ok(Command::GenUrlAuth(urls));
        }
    }
}

/// `"RESETKEY" [SP mailbox *(SP mechanism)]`
pub(super) fn reset(cursor: &mut Piecewise<'_>, options: Options) -> Read<Command> {
    if cursor.at_end() {
        return Ok(Command::ResetKey(None, Vec::new()));
    }
    let name = mailbox(cursor, options)?;
    let mut mechanisms = Vec::new();
    while cursor.take(b' ') {
        mechanisms.push(cursor.atom("a mechanism")?.to_ascii_uppercase());
    }
    Ok(Command::ResetKey(Some(name), mechanisms))
}

/// `"URLFETCH" 1*(SP url-full)`. What is no such URL leads nowhere, as one that is not good any more: nobody is told which.
pub(super) fn fetch(cursor: &mut Piecewise<'_>) -> Read<Command> {
    let mut urls = Vec::new();
    loop {
        urls.push(url(cursor, urls.len())?);
        if cursor.at_end() {
            return Ok(Command::UrlFetch(urls));
        }
    }
}

/// `SP astring`, within bounds; its token is noted as a secret.
fn url(cursor: &mut Piecewise<'_>, before: usize) -> Read<Vec<u8>> {
    cursor.space()?;
    if before >= URLS_MAX {
        return cursor.expected("at most 32 URLs");
    }
    let url = masked(cursor)?;
    if url.len() > URL_OCTETS_MAX {
        cursor.expected("a URL of at most 4,096 octets")
    } else {
        Ok(url)
    }
}

/// `astring`: a URL, whose token is noted as a secret if it has one.
pub(super) fn masked(cursor: &mut Piecewise<'_>) -> Read<Vec<u8>> {
    let first = cursor.tokens.len();
    let url = cursor.labelled("url", false, |cursor| cursor.astring("a URL"))?;
    if let Some(Token { start, end, .. }) = cursor.tokens.get(first).copied() {
        cursor.tokens.truncate(first);
        put_tokens(&mut cursor.tokens, &url, start, end);
    }
    Ok(url)
}

fn put_tokens(tokens: &mut Vec<Token>, url: &[u8], start: u64, end: u64) {
    let secret = (url.len() - secret_of_url(url)) as u64;
    let quotes = (end - start).saturating_sub(url.len() as u64);
    let token = |start, end, secret| Token { start, end, label: "url", secret };
    match quotes {
        _ if secret == 0 => tokens.push(token(start, end, false)),
        // As an atom, and in quotes without anything that is escaped, each octet is its own.
        0 | 2 => {
            let closing = quotes / 2;
            tokens.push(token(start, end - closing - secret, false));
            tokens.push(token(end - closing - secret, end - closing, true));
        }
        _ => tokens.push(token(start, end, true)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUMP: &str = "imap://bob@hamburger.edu/INBOX;UIDVALIDITY=1/;UID=20/;section=1.2;\
                        expire=2026-01-05T10:00:00+01:00;urlauth=submit+fred";

    #[test]
    fn urls_with_authorization_are_read() {
        let url = auth_url_rump(RUMP.as_bytes()).expect("one");
        assert_eq!((&url.owner[..], &url.host[..]), (&b"bob"[..], &b"hamburger.edu"[..]));
        assert_eq!((&url.mailbox[..], url.message.uid), (&b"INBOX"[..], 20));
        assert_eq!(url.message.uid_validity, Some(1));
        assert_eq!(url.message.section.path, [1, 2]);
        assert_eq!(url.expires_ms, Some(1_767_603_600_000));
        assert_eq!(url.access, UrlAccess::Submit(b"fred".to_vec()));
        assert_eq!(secret_of_url(RUMP.as_bytes()), RUMP.len());
        let full = alloc::format!("{RUMP}:internal:91354a473744909de610943775f92038");
        assert_eq!(secret_of_url(full.as_bytes()), RUMP.len());
        let (read, token) = auth_url(full.as_bytes()).expect("one");
        assert_eq!((read, token.len(), token[0]), (url, 16, 0x91));
        let more =
            "IMAP://b%40x;AUTH=*@[::1]:143/Other%20Users/x/;uid=1/;partial=5.7;URLAUTH=AuthUser";
        let url = auth_url_rump(more.as_bytes()).expect("one");
        assert_eq!((&url.owner[..], &url.host[..]), (&b"b@x"[..], &b"[::1]"[..]));
        assert_eq!((url.message.partial, url.access), (Some((5, 7)), UrlAccess::AuthUser));
        let user = "imap://b@h/x/;UID=1;URLAUTH=user+b%C3%B6b";
        let access = auth_url_rump(user.as_bytes()).map(|url| url.access);
        assert_eq!(access, Ok(UrlAccess::User("böb".as_bytes().to_vec())));
    }

    #[test]
    fn what_is_wrong_with_a_url_is_named() {
        let wrong = |url: &str| auth_url_rump(url.as_bytes()).expect_err(url);
        let message = "an IMAP URL of a message";
        for url in [
            "",
            "http://b@h/x/;UID=1;URLAUTH=anonymous",
            "imap://b@h",
            "imap://b@h/x;URLAUTH=anonymous",
            "imap://b@h/;UID=1;URLAUTH=anonymous",
            "imap://b@h/x/;UID=1/;SECTION=FOO;URLAUTH=anonymous",
            "imap://b@h/x y/;UID=1;URLAUTH=anonymous",
            "imap://b@h/x\"/;UID=1;URLAUTH=anonymous",
        ] {
            assert_eq!(wrong(url), message, "{url}");
        }
        for url in
            ["imap://h/x/;UID=1;URLAUTH=anonymous", "imap://;AUTH=*@h/x/;UID=1;URLAUTH=anonymous"]
        {
            assert!(wrong(url).contains("owner"), "{url}");
        }
        assert!(wrong("imap://b@h/x/;UID=1").contains("access identifier"));
        for access in
            ["", "user", "user+", "submit+", "stream", "anonymous;x", "anonymous:internal"]
        {
            let url = alloc::format!("imap://b@h/x/;UID=1;URLAUTH={access}");
            assert!(wrong(&url).contains("known access"), "{url}");
        }
        for date in [
            "",
            "2026-01-05",
            "2026-02-30T00:00:00Z",
            "2026-01-05T24:00:00Z",
            "2026-01-05T09:00:00",
        ] {
            let url = alloc::format!("imap://b@h/x/;UID=1;EXPIRE={date};URLAUTH=anonymous");
            assert!(wrong(&url).contains("EXPIRE"), "{url}");
        }
    }

    #[test]
    fn tokens_that_are_none_lead_nowhere() {
        let rump = "imap://b@h/x/;UID=1;URLAUTH=anonymous";
        for verifier in [
            "",
            ":",
            ":internal",
            ":internal:",
            ":internal:00112233445566778899aabbccddee",
            ":internal:00112233445566778899aabbccddeef",
            ":internal:00112233445566778899aabbccddeexx",
            ":other:00112233445566778899aabbccddeeff",
            ":internal:00112233445566778899aabbccddeeff:1",
        ] {
            assert_eq!(auth_url(alloc::format!("{rump}{verifier}").as_bytes()), None, "{verifier}");
        }
        let url = alloc::format!("{rump}:INTERNAL:00112233445566778899AABBccddeeff");
        assert!(auth_url(url.as_bytes()).is_some());
    }
}
