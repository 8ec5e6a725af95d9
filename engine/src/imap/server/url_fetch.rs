//! URLFETCH (RFC 4467 §7): octets to which URLs lead that were authorized, one URL after the other. What is wrong with one
//! that leads nowhere is not told. As with FETCH, plain ranges of a message go out as references.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::fetch::page_end;
use super::item::{Item, Partial, Section};
use super::job::{Answered, Job, Next, Work, wrong};
use super::reading::{Reading, Step};
use super::reply::Reply;
use super::runs::Runs;
use super::sieve::Sieve;
use super::url_auth::{is_here, rump};
use super::{Base, Server, items, print};
use crate::imap::grammar::{self, AuthUrl, secret_of_url};
use crate::imap::types::{Answer, Ask, Event, Row, RowsAsk, UidRun, UrlClaim};
use crate::message::Index;
use crate::role::Cx;
use crate::trace::Rule;
use crate::types::{BlobId, BlobRange, Misuse, Reason, Refusal};

/// RFC 4467 §7.
pub(crate) const FETCH: Rule = Rule {
    rfc: 4467,
    section: "7",
    gist: "URLFETCH gives the octets to which each URL leads; of one that is not good, NIL.",
};
/// RFC 4467 §6.
pub(crate) const VALID: Rule = Rule {
    rfc: 4467,
    section: "6",
    gist: "A URL is good for whom it names, until it expires, with a token that was made of it by a key that holds.",
};

/// URLs that are followed.
pub(crate) struct UrlFetch {
    due: VecDeque<Vec<u8>>,
    at: Stage,
    /// Whether the host looks into a mailbox.
    peeks: bool,
}

/// Where the first of them is.
enum Stage {
    /// It is looked at next.
    Due,
    /// The host judges its token.
    Judged { uid: u32, section: Section },
    /// The message is looked up.
    Row { uid: u32, section: Section },
    /// Octets that are changed on their way.
    Reading { blob: BlobId, reading: Reading },
}

pub(crate) fn fetch(work: &mut Work<'_>, urls: Vec<Vec<u8>>) -> Next {
    Box::new(UrlFetch { due: urls.into(), at: Stage::Due, peeks: false }).run(work)
}

impl UrlFetch {
    /// Follows as many as there is room for.
    pub(crate) fn run(mut self: Box<Self>, work: &mut Work<'_>) -> Next {
        loop {
            if work.cx.outbox_full() {
                return Next::Room(Job::UrlFetch(self));
            }
            if let Stage::Reading { blob, reading } = core::mem::replace(&mut self.at, Stage::Due) {
                match reading.step(work.cx) {
                    Step::Octets(span, reading) => {
                        let range = BlobRange { blob, offset: span.start, length: span.length() };
                        self.at = Stage::Reading { blob, reading };
                        return Next::Ask(Ask::Octets(range), Job::UrlFetch(self));
                    }
                    Step::Room(reading) => self.at = Stage::Reading { blob, reading },
                    Step::Done => self.told(work),
                }
                continue;
            }
            let Some(url) = self.due.front() else {
                return self.over(work, Reply::ok("URLs followed"));
            };
            let Some((url, token)) = good(work, url) else {
                self.tell_nothing(work);
                continue;
            };
            let (url, message) = (rump(&url), url.message);
            let section = items::body_section(message.section, message.partial, true);
            self.at = Stage::Judged { uid: message.uid, section };
            self.peeks = true;
            return Next::Ask(Ask::RedeemUrl(UrlClaim { url, token }), Job::UrlFetch(self));
        }
    }

    fn over(self: Box<Self>, work: &mut Work<'_>, reply: Reply) -> Next {
        if self.peeks {
            work.cx.event(Event::Unpeeked);
        }
        Next::done(reply)
    }

    /// The octets of the first URL were told.
    fn told(&mut self, work: &mut Work<'_>) {
        self.due.pop_front();
        work.cx.send(b"\r\n", "CRLF", None);
    }

    /// `"*" SP "URLFETCH" SP url-full SP`
    fn send_head(&self, work: &mut Work<'_>) {
        let Some(url) = self.due.front() else { return };
        let cx = &mut *work.cx;
        cx.send(b"*", "untagged", None);
        cx.send(b" ", "SP", None);
        cx.send(b"URLFETCH", "response name", Some(&FETCH));
        cx.send(b" ", "SP", None);
        send_url(work.base, cx, url);
        cx.send(b" ", "SP", None);
    }

    /// The first URL leads nowhere.
    fn tell_nothing(&mut self, work: &mut Work<'_>) {
        self.send_head(work);
        work.cx.send(b"NIL", "nil", Some(&VALID));
        self.told(work);
    }

    pub(crate) fn answer(mut self: Box<Self>, work: &mut Work<'_>, answer: Answer) -> Answered {
        match (core::mem::replace(&mut self.at, Stage::Due), answer) {
            (Stage::Judged { uid, section }, Answer::Opened(_)) => {
                let uids = [UidRun { first: uid, last: uid }].to_vec();
                let index = Item::Section(section.clone()).needs_index();
                self.at = Stage::Row { uid, section };
                let ask = RowsAsk { uids, max: 1, index, changed_since: None };
                Ok(Next::Ask(Ask::Rows(ask), Job::UrlFetch(self)))
            }
            (Stage::Row { uid, section }, Answer::Rows(page)) => {
                let asked = Runs::from_unsorted([UidRun { first: uid, last: uid }].to_vec());
                if page_end(&asked, &page).is_none() {
                    self.at = Stage::Row { uid, section };
                    return Err((Job::UrlFetch(self), Misuse::BadValue));
                }
                match page.rows.into_iter().find(|row| row.uid == uid) {
                    Some(row) => self.tell(work, &row, &section),
                    None => self.tell_nothing(work),
                }
                Ok(self.run(work))
            }
            (Stage::Judged { .. } | Stage::Row { .. }, Answer::Refused(refusal)) => {
                Ok(self.refused(work, refusal))
            }
            (Stage::Reading { blob, mut reading }, answer) => {
                let taken = match answer {
                    Answer::Octets(octets) => reading.take(&octets),
                    Answer::Refused(_) if reading.is_promised() => {
                        let text = "The store failed within a message";
                        return Ok(Next::Bye(Some("UNAVAILABLE"), text));
                    }
                    Answer::Refused(_) => {
                        reading.give_up();
                        Ok(())
                    }
                    _ => Err(Misuse::WrongAnswer),
                };
                self.at = Stage::Reading { blob, reading };
                match taken {
                    Ok(()) => Ok(self.run(work)),
                    Err(misuse) => Err((Job::UrlFetch(self), misuse)),
                }
            }
            (at, _) => {
                self.at = at;
                wrong(Job::UrlFetch(self))
            }
        }
    }

    /// A mailbox that may not be read is as one that is not there; that the store failed is no word about the URL.
    fn refused(mut self: Box<Self>, work: &mut Work<'_>, refusal: Refusal) -> Next {
        match refusal.reason {
            Reason::NotFound | Reason::NotPermitted => {
                self.tell_nothing(work);
                self.run(work)
            }
            _ => self.over(work, Reply::refused(refusal)),
        }
    }

    fn tell(&mut self, work: &mut Work<'_>, row: &Row, section: &Section) {
        let index = row.index.as_deref().and_then(|index| Index::decode(index).ok());
        let Some(span) = section.span(index.as_ref(), row.size) else {
            return self.tell_nothing(work);
        };
        self.send_head(work);
        if let Some(fields) = &section.fields {
            let reading = Reading::new(span, Sieve::fields(fields.clone()), section.partial, false);
            self.at = Stage::Reading { blob: row.blob, reading };
            return;
        }
        let (skipped, length) = Partial::within(section.partial, span.length());
        if length == 0 {
            work.cx.send(b"\"\"", "quoted", None);
        } else {
            work.cx.send(&print::literal(length, false), "literal head", None);
            let range = BlobRange { blob: row.blob, offset: span.start + skipped, length };
            work.cx.send_blob(range, "literal");
        }
        self.told(work);
    }
}

/// A URL with its token, if it is of this server and not expired.
fn good(work: &Work<'_>, url: &[u8]) -> Option<(AuthUrl, Vec<u8>)> {
    let now_ms = work.cx.now.unix_ms;
    let read = grammar::auth_url(url)?;
    let good = is_here(work, &read.0) && read.0.expires_ms.is_none_or(|until| now_ms < until);
    good.then_some(read)
}

/// A URL as it was given, its token masked.
fn send_url(base: &Base, cx: &mut Cx<Server>, url: &[u8]) {
    let quotable = |octet: &u8| (b' '..=b'~').contains(octet) && !b"\"\\".contains(octet);
    let secret = secret_of_url(url);
    if !url.iter().all(quotable) {
        let printed = print::string(base, url);
        return if secret < url.len() {
            cx.send_secret(&printed, "url", None);
        } else {
            cx.send(&printed, "url", None);
        };
    }
    cx.send(&[b"\"", &url[..secret]].concat(), "url", None);
    if secret < url.len() {
        cx.send_secret(&url[secret..], "url", None);
    }
    cx.send(b"\"", "url", None);
}
