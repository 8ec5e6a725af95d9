//! GENURLAUTH and RESETKEY (RFC 4467 §7): URLs are made good for others, and are so no more. The keys for that are the
//! host's, and it makes the tokens; here is what is asked of a URL, and what is told.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::vec::Vec;

use super::job::{Answered, Job, Next, Work, wrong};
use super::reply::Reply;
use crate::imap::grammar::AuthUrl;
use crate::imap::types::{Answer, Ask, UrlRump};
use crate::role::Cx;
use crate::trace::Rule;
use crate::types::{Misuse, Reason};

use super::Server;

/// RFC 4467 §7.
pub(crate) const GENERATE: Rule = Rule {
    rfc: 4467,
    section: "7",
    gist: "GENURLAUTH gives a token to each URL of a mailbox that is there, and to all or none.",
};
/// RFC 4467 §2.2.
pub(crate) const RESET: Rule = Rule {
    rfc: 4467,
    section: "2.2",
    gist: "Each account has a key for each mailbox; with a new one, URLs made before are good no more.",
};
/// RFC 4467 §8.
pub(crate) const MECHANISM: Rule = Rule {
    rfc: 4467,
    section: "8",
    gist: "URLMECH tells by which mechanisms URLs of a mailbox can be authorized.",
};

/// The mechanism that every server has, and the only one of this.
pub(crate) const INTERNAL: &[u8] = b"INTERNAL";
/// URLMECH as a response code.
pub(crate) const CODE: &[u8] = b"URLMECH INTERNAL";

const OTHER_MECHANISM: Reply =
    Reply::no("CANNOT", "INTERNAL is the only mechanism here").because(&MECHANISM);
const NOT_YOURS: Reply = Reply::bad("A URL is of no mailbox that you have here").because(&GENERATE);

/// Octets of a token that a host may give.
const TOKEN_OCTETS: core::ops::RangeInclusive<usize> = 16..=64;

/// What the host does.
pub(crate) enum UrlAuth {
    /// Gives tokens: the first of these URLs is due, those before it have theirs.
    Generate { due: VecDeque<AuthUrl>, done: Vec<(Vec<u8>, Vec<u8>)> },
    /// Makes a new key, or forgets all.
    Reset { all: bool },
}

/// What the host is told of a URL.
pub(crate) fn rump(url: &AuthUrl) -> UrlRump {
    UrlRump {
        rump: url.rump.clone(),
        owner: url.owner.clone(),
        mailbox: url.mailbox.clone(),
        uid_validity: url.message.uid_validity,
        access: url.access.clone(),
    }
}

pub(crate) fn generate(work: &mut Work<'_>, urls: Vec<(AuthUrl, Vec<u8>)>) -> Next {
    if urls.iter().any(|(_, mechanism)| mechanism != INTERNAL) {
        return Next::done(OTHER_MECHANISM);
    }
    let due: VecDeque<AuthUrl> = urls.into_iter().map(|(url, _)| url).collect();
    // RFC 4467 §5: it is this server that is to find the message later.
    if due.iter().any(|url| !is_here(work, url)) {
        return Next::done(NOT_YOURS);
    }
    next(work, due, Vec::new())
}

/// Whether a URL is of this server. Its name is compared, as the greeting has it.
pub(crate) fn is_here(work: &Work<'_>, url: &AuthUrl) -> bool {
    url.host.eq_ignore_ascii_case(&work.base.config.host_name)
}

pub(crate) fn reset(name: Option<Vec<u8>>, mechanisms: &[Vec<u8>]) -> Next {
    if mechanisms.iter().any(|mechanism| mechanism != INTERNAL) {
        return Next::done(OTHER_MECHANISM);
    }
    let job = UrlAuth::Reset { all: name.is_none() };
    Next::Ask(Ask::ResetKey(name), Job::UrlAuth(job))
}

/// Has the host authorize the first URL that is due; once there is none, tells those that are done.
fn next(work: &mut Work<'_>, due: VecDeque<AuthUrl>, done: Vec<(Vec<u8>, Vec<u8>)>) -> Next {
    match due.front().map(rump) {
        Some(url) => {
            Next::Ask(Ask::AuthorizeUrl(url), Job::UrlAuth(UrlAuth::Generate { due, done }))
        }
        None => {
            tell(work.cx, &done);
            Next::done(Reply::ok("URLs authorized"))
        }
    }
}

impl UrlAuth {
    pub(crate) fn answer(self, work: &mut Work<'_>, answer: Answer) -> Answered {
        match (self, answer) {
            (Self::Generate { mut due, mut done }, Answer::UrlToken(token)) => {
                if !TOKEN_OCTETS.contains(&token.len()) {
                    let job = Self::Generate { due, done };
                    return Err((Job::UrlAuth(job), Misuse::BadValue));
                }
                done.extend(due.pop_front().map(|url| (url.rump, token)));
                Ok(next(work, due, done))
            }
            // RFC 4467 §5: BAD, and whether there is such an account or such a mailbox is not told.
            (Self::Generate { .. }, Answer::Refused(refusal))
                if matches!(refusal.reason, Reason::NotFound | Reason::NotPermitted) =>
            {
                Ok(Next::done(NOT_YOURS))
            }
            (Self::Reset { all: true }, Answer::Done) => {
                Ok(Next::done(Reply::ok("All keys removed").because(&RESET)))
            }
            (Self::Reset { all: false }, Answer::Done) => {
                Ok(Next::done(Reply::ok("The key is a new one").with_code(CODE).because(&RESET)))
            }
            (_, Answer::Refused(refusal)) => Ok(Next::done(Reply::refused(refusal))),
            (job, _) => wrong(Job::UrlAuth(job)),
        }
    }
}

/// `"*" SP "GENURLAUTH" 1*(SP url-full)`. URLs that were parsed can stand in quotes as they are.
fn tell(cx: &mut Cx<Server>, urls: &[(Vec<u8>, Vec<u8>)]) {
    cx.send(b"*", "untagged", None);
    cx.send(b" ", "SP", None);
    cx.send(b"GENURLAUTH", "response name", Some(&GENERATE));
    for (rump, token) in urls {
        cx.send(b" ", "SP", None);
        cx.send(&[b"\"", &rump[..]].concat(), "url", None);
        let mut secret = b":internal:".to_vec();
        for octet in token {
            secret.extend_from_slice(format!("{octet:02x}").as_bytes());
        }
        cx.send_secret(&secret, "url", None);
        cx.send(b"\"", "url", None);
    }
    cx.send(b"\r\n", "CRLF", None);
}
