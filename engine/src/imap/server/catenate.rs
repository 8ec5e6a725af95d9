//! The URL parts of CATENATE (RFC 4469): octets of another message on their way into one that is appended, a chunk at a
//! time. What is appended, and what becomes of the command, is left to `append`.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::item::{Item, Partial, Section};
use super::items;
use super::job::Work;
use super::reply::Reply;
use super::sieve::Sieve;
use crate::imap::grammar::{self, MessageUrl, secret_of_url};
use crate::imap::types::{Answer, Ask, RowsAsk, UidRun};
use crate::limits::CHUNK_MAX;
use crate::message::Index;
use crate::trace::Rule;
use crate::types::{BlobId, BlobRange, Misuse, Reason, Refusal};

/// RFC 4469 §3.
pub(crate) const CATENATE: Rule = Rule {
    rfc: 4469,
    section: "3",
    gist: "A message may be put together of literals and of parts of messages that are here.",
};
/// RFC 4469 §4.1.
pub(crate) const BAD_URL: Rule = Rule {
    rfc: 4469,
    section: "4.1",
    gist: "BADURL names the first URL of which there are no octets to be had.",
};

/// Octets of a URL that are said again in BADURL.
const URL_TOLD_MAX: usize = 1000;

/// A part of a message that is being copied.
pub(crate) struct Source {
    url: Vec<u8>,
    uid: u32,
    uid_validity: Option<u32>,
    section: Section,
    stage: Stage,
    /// Whether the host looks into its mailbox.
    pub(crate) peeks: bool,
}

enum Stage {
    Mailbox,
    Row,
    /// Octets of the message from `at` to `end`.
    Octets {
        blob: BlobId,
        at: u64,
        end: u64,
        sieve: Option<Sieve>,
    },
    Over,
}

/// What a source needs, or gives.
pub(crate) enum Step {
    Ask(Ask),
    /// Octets of the part.
    Chunk(Vec<u8>),
    /// So many octets are going to come.
    Length(u64),
    Over,
    /// There are none, or no more.
    Failed(Reply),
}

/// A URL of which there are no octets.
fn bad_url(url: &[u8]) -> Reply {
    let text_char = |&o: &u8| if (0x21..0x7f).contains(&o) && o != b']' { o } else { b'?' };
    let (url, _) = url.split_at(secret_of_url(url));
    let url: Vec<u8> = url.iter().take(URL_TOLD_MAX).map(text_char).collect();
    let reply = Reply::no("", "There is no such message, or no such part").because(&BAD_URL);
    reply.with_code([b"BADURL ", &url[..]].concat())
}

impl Source {
    /// Begins with this URL.
    pub(crate) fn new(work: &mut Work<'_>, url: Vec<u8>) -> Result<(Box<Self>, Ask), Reply> {
        let Some(parsed) = grammar::message_url(&url) else { return Err(bad_url(&url)) };
        let MessageUrl { mailbox, uid_validity, uid, section, partial } = parsed;
        let section = items::body_section(section, partial, true);
        let source = |stage, peeks| {
            Box::new(Self { url: url.clone(), uid, uid_validity, section, stage, peeks })
        };
        if let Some(name) = mailbox {
            return Ok((source(Stage::Mailbox, false), Ask::Peek(name)));
        }
        // RFC 4469 §3: what names no mailbox is about the open one.
        let Some((_, open, _)) = work.selected() else { return Err(bad_url(&url)) };
        if uid_validity.is_some_and(|validity| validity != open.uid_validity) {
            return Err(bad_url(&url));
        }
        let source = source(Stage::Row, false);
        let ask = source.row();
        Ok((source, ask))
    }

    fn row(&self) -> Ask {
        let uids = [UidRun { first: self.uid, last: self.uid }].to_vec();
        let index = Item::Section(self.section.clone()).needs_index();
        Ask::Rows(RowsAsk { uids, max: 1, index, changed_since: None })
    }

    fn refused(&self, refusal: Refusal) -> Step {
        Step::Failed(match refusal.reason {
            Reason::NotFound | Reason::NotPermitted => bad_url(&self.url),
            _ => Reply::refused(refusal),
        })
    }

    /// The host answered what was asked.
    pub(crate) fn answer(&mut self, answer: Answer) -> Result<Step, Misuse> {
        match (&mut self.stage, answer) {
            (_, Answer::Refused(refusal)) => Ok(self.refused(refusal)),
            (Stage::Mailbox, Answer::Opened(opened)) => {
                self.peeks = true;
                let valid = opened.status.uid_validity;
                if self.uid_validity.is_some_and(|wanted| wanted != valid) {
                    return Ok(Step::Failed(bad_url(&self.url)));
                }
                self.stage = Stage::Row;
                Ok(Step::Ask(self.row()))
            }
            (Stage::Row, Answer::Rows(page)) => {
                let row = page.rows.into_iter().find(|row| row.uid == self.uid);
                let Some(row) = row else { return Ok(Step::Failed(bad_url(&self.url))) };
                let index = row.index.as_deref().and_then(|index| Index::decode(index).ok());
                let Some(span) = self.section.span(index.as_ref(), row.size) else {
                    return Ok(Step::Failed(bad_url(&self.url)));
                };
                let sieve = self.section.fields.clone().map(Sieve::fields);
                if sieve.is_some() && self.section.partial.is_some() {
                    return Ok(Step::Failed(bad_url(&self.url)));
                }
                let (skipped, length) = Partial::within(self.section.partial, span.length());
                let at = span.start + skipped;
                self.stage = Stage::Octets { blob: row.blob, at, end: at + length, sieve };
                Ok(Step::Length(length))
            }
            (Stage::Octets { at, end, sieve, .. }, Answer::Octets(octets)) => {
                let due = (*end - *at).min(CHUNK_MAX as u64);
                if octets.len() as u64 != due {
                    return Err(Misuse::BadValue);
                }
                *at += due;
                let Some(sieve) = sieve else { return Ok(Step::Chunk(octets)) };
                let mut passed = Vec::new();
                sieve.pass(&octets, &mut passed);
                Ok(if passed.is_empty() { self.next() } else { Step::Chunk(passed) })
            }
            _ => Err(Misuse::WrongAnswer),
        }
    }

    /// What comes next, once what came before is stored.
    pub(crate) fn next(&mut self) -> Step {
        let Stage::Octets { blob, at, end, sieve } = &mut self.stage else { return Step::Over };
        if at < end {
            let length = (*end - *at).min(CHUNK_MAX as u64);
            return Step::Ask(Ask::Octets(BlobRange { blob: *blob, offset: *at, length }));
        }
        let mut rest = Vec::new();
        if let Some(sieve) = sieve {
            sieve.finish(&mut rest);
        }
        self.stage = Stage::Over;
        if rest.is_empty() { Step::Over } else { Step::Chunk(rest) }
    }
}
