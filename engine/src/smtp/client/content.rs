//! The message's octets (RFC 5321 §4.1.1.4, RFC 3030 §2): asked for piece by piece, sent as lines or chunks, and the
//! replies to their end. Half a message never looks whole: whatever breaks it off also breaks the connection.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use super::command::send;
use super::envelope::is_refusal;
use super::fates::{Loss, judge};
use super::lines::{Lines, STUFFING};
use super::reply::Kind;
use super::transaction::{Expected, Form, Transaction};
use super::types::{Ask, Reply, Stage};
use super::{Client, Common, State};
use crate::limits::{BLOB_PIECE, CHUNK_MAX};
use crate::message::seven_bit::Encoder;
use crate::role::Cx;
use crate::smtp::types::{Body, Service};
use crate::trace::Rule;
use crate::types::Misuse;

/// RFC 5321 §4.1.1.4.
pub(super) const END_OF_DATA: Rule = Rule {
    rfc: 5321,
    section: "4.1.1.4",
    gist: "After 354 the message follows, and a line of one dot ends it; only the reply to that hands it over.",
};
/// RFC 3030 §2.
pub(super) const CHUNK: Rule = Rule {
    rfc: 3030,
    section: "2",
    gist: "BDAT says how many octets follow, so nothing in them is a command or an end, and no dot is doubled.",
};

/// Chunks whose replies may be due at once.
const CHUNKS_MAX: usize = 8;

/// How far the octets have come.
pub(super) struct Content {
    offset: u64,
    /// Octets asked for.
    asked: Option<u64>,
    /// The server has refused the message: no more of it is sent.
    stopped: bool,
    /// The server is saying something: no more is sent before that is heard.
    listening: bool,
    /// Makes lines of what is stored, before it is encoded.
    stored: Option<Lines>,
    encoder: Option<Encoder>,
    /// Makes lines of what is sent.
    sent: Lines,
}

impl Content {
    pub(super) fn new(tx: &mut Transaction) -> Self {
        // Kept for a further transaction of the same delivery.
        let encoder = tx.findings.clone().map(Encoder::new);
        let lines_due = encoder.is_some() && tx.delivery.mail.body != Body::BinaryMime;
        Self {
            offset: 0,
            asked: None,
            stopped: false,
            listening: false,
            stored: lines_due.then(|| Lines::new(false)),
            encoder,
            sent: Lines::new(tx.form.is_data()),
        }
    }

    /// Whether the next octets can go out or be asked for now.
    pub(super) fn may_send(&self, tx: &Transaction, common: &Common) -> bool {
        let due = tx.expected.len();
        let free = if common.pipelining() { due < CHUNKS_MAX } else { due == 0 };
        self.asked.is_none() && !self.stopped && !self.listening && free
    }

    /// What the next octets are on the wire, with all that is left if they are the last.
    fn encode(&mut self, octets: &[u8], last: bool) -> Vec<u8> {
        let mut lines = Vec::new();
        let octets = match &mut self.stored {
            Some(stored) => {
                stored.take(octets, &mut lines);
                if last {
                    stored.finish(&mut lines);
                }
                &lines[..]
            }
            None => octets,
        };
        let mut encoded = Vec::new();
        let octets = match &mut self.encoder {
            Some(encoder) => {
                encoder.take(octets, &mut encoded);
                if last {
                    encoder.finish(&mut encoded);
                }
                &encoded[..]
            }
            None => octets,
        };
        let mut out = Vec::with_capacity(octets.len() + octets.len() / 32);
        self.sent.take(octets, &mut out);
        if last {
            self.sent.finish(&mut out);
        }
        out
    }
}

impl Client {
    /// There is room: the next piece by reference, or an ask for it.
    pub(super) fn send_content(
        self,
        cx: &mut Cx<Self>,
        mut tx: Box<Transaction>,
        mut content: Box<Content>,
    ) -> Self {
        if cx.waiting() > 0 {
            content.listening = true;
            return self.go(cx, State::Content(tx, content));
        }
        let size = tx.delivery.size;
        if !tx.form.is_stored() {
            let range = tx.range(content.offset, CHUNK_MAX as u64);
            if range.length == 0 {
                return self.send_piece(cx, tx, content, &[]);
            }
            content.asked = Some(range.length);
            cx.ask(Ask::Octets(range));
            return self.go(cx, State::Content(tx, content));
        }
        if content.offset == 0 && tx.form == Form::ChunkStored {
            send(cx, format!("BDAT {size} LAST\r\n").as_bytes(), Some(&CHUNK));
        }
        let range = tx.range(content.offset, BLOB_PIECE);
        cx.send_blob(range, "message");
        content.offset += range.length;
        if content.offset < size {
            return self.go(cx, State::Content(tx, content));
        }
        if tx.form.is_data() {
            cx.send(b".\r\n", "end of data", Some(&END_OF_DATA));
        }
        self.end(cx, &mut tx);
        self.go(cx, State::Ended(tx))
    }

    /// Octets that were asked for came.
    pub(super) fn content_came(
        mut self,
        cx: &mut Cx<Self>,
        tx: Box<Transaction>,
        mut content: Box<Content>,
        octets: &[u8],
    ) -> Result<Self, (Self, Misuse)> {
        let Some(asked) = content.asked else {
            return Err(self.misused(State::Content(tx, content), Misuse::WrongAnswer));
        };
        if asked != octets.len() as u64 {
            return Err(self.misused(State::Content(tx, content), Misuse::BadValue));
        }
        content.asked = None;
        content.offset += asked;
        if content.stopped {
            self.state = State::Closed;
            return Ok(self.drain(cx, tx));
        }
        Ok(self.send_piece(cx, tx, content, octets))
    }

    fn send_piece(
        self,
        cx: &mut Cx<Self>,
        mut tx: Box<Transaction>,
        mut content: Box<Content>,
        octets: &[u8],
    ) -> Self {
        let last = content.offset >= tx.delivery.size;
        let out = content.encode(octets, last);
        if tx.form.is_data() {
            if !out.is_empty() {
                cx.send(&out, "message", Some(&STUFFING));
            }
            if last {
                cx.send(b".\r\n", "end of data", Some(&END_OF_DATA));
            }
        } else if last || !out.is_empty() {
            let end = if last { " LAST" } else { "" };
            send(cx, format!("BDAT {}{end}\r\n", out.len()).as_bytes(), Some(&CHUNK));
            if !out.is_empty() {
                cx.send(&out, "message", Some(&CHUNK));
            }
            if !last {
                tx.expected.push_back(Expected::Chunk);
            }
        }
        if last {
            self.end(cx, &mut tx);
            return self.go(cx, State::Ended(tx));
        }
        self.go(cx, State::Content(tx, content))
    }

    /// The last octet is sent: one reply follows, or with LMTP one for each recipient that was taken.
    fn end(&self, cx: &mut Cx<Self>, tx: &mut Transaction) {
        cx.sync();
        if self.common.config.service == Service::Lmtp {
            tx.expected.extend(tx.accepted.iter().map(|place| Expected::EndFor(*place)));
        } else {
            tx.expected.push_back(Expected::End);
        }
    }

    /// Waits for what is still due after the message was refused between two chunks.
    fn drain(self, cx: &mut Cx<Self>, tx: Box<Transaction>) -> Self {
        if tx.expected.is_empty() {
            return self.round_over(cx, tx);
        }
        self.go(cx, State::Envelope(tx))
    }

    /// A reply while octets are on their way: to a chunk before, or out of turn.
    pub(super) fn content_replied(
        mut self,
        cx: &mut Cx<Self>,
        mut tx: Box<Transaction>,
        mut content: Box<Content>,
        reply: Reply,
    ) -> Self {
        let chunk = tx.expected.pop_front().is_some();
        content.listening = false;
        match (chunk, is_refusal(&reply)) {
            (true, false) if reply.kind() == Kind::Yes => self.go(cx, State::Content(tx, content)),
            (true, true) => {
                tx.settle(&reply, Stage::Data);
                content.stopped = true;
                if content.asked.is_some() {
                    return self.go(cx, State::Content(tx, content));
                }
                self.drain(cx, tx)
            }
            (false, true) => self.refused_early(cx, tx, reply),
            _ => {
                self.state = State::Content(tx, content);
                self.out_of_step(cx, reply)
            }
        }
    }

    /// The server did not wait for the end. What it would say to that, if it is sent, nobody knows.
    fn refused_early(self, cx: &mut Cx<Self>, mut tx: Box<Transaction>, reply: Reply) -> Self {
        tx.settle(&reply, Stage::Data);
        let loss = Loss::new("4.5.0", "The server refused the message before its end");
        let client = Self { state: State::Envelope(tx), ..self };
        client.lost(cx, loss.because(reply))
    }

    /// A reply after the last octet.
    pub(super) fn end_replied(
        mut self,
        cx: &mut Cx<Self>,
        mut tx: Box<Transaction>,
        reply: &Reply,
    ) -> Self {
        let ends = matches!(tx.expected.front(), Some(Expected::End | Expected::EndFor(_)));
        if ends && self.reader.is_early() && is_refusal(reply) {
            return self.refused_early(cx, tx, reply.clone());
        }
        if reply.kind() == Kind::More || ends && self.reader.is_early() {
            self.state = State::Ended(tx);
            return self.out_of_step(cx, reply.clone());
        }
        let yes = reply.kind() == Kind::Yes;
        match tx.expected.pop_front() {
            Some(Expected::Chunk) if !yes => tx.settle(reply, Stage::Data),
            Some(Expected::End) => {
                tx.delivered = yes && !tx.accepted.is_empty();
                tx.settle(reply, Stage::EndOfData);
                self.common.open_transaction = false;
            }
            Some(Expected::EndFor(place)) => {
                if !tx.fates.has(place) {
                    tx.fates.put(place, judge(reply, Stage::EndOfData));
                    tx.delivered |= yes;
                }
                self.common.open_transaction = false;
            }
            _ => {}
        }
        if tx.expected.is_empty() { self.round_over(cx, tx) } else { self.go(cx, State::Ended(tx)) }
    }
}
