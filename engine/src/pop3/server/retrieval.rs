//! RETR and TOP: a message's octets to the peer, by reference where they can go as stored, else byte-stuffed.

use alloc::boxed::Box;
use alloc::vec::Vec;

use memchr::memchr;

use super::transaction::Maildrop;
use super::{Server, State};
use crate::limits::CHUNK_MAX;
use crate::message::surrogate::Surrogate;
use crate::pop3::types::{Answer, Ask, Entry};
use crate::role::Cx;
use crate::trace::Rule;
use crate::types::{BlobId, BlobRange, Misuse};

/// RFC 1939 §3.
pub(super) const STUFFING: Rule = Rule {
    rfc: 1939,
    section: "3",
    gist: "A line that begins with a dot gets another one, since a lone dot ends the response.",
};

/// RFC 6856 §2.1.
pub(super) const SURROGATE: Rule = Rule {
    rfc: 6856,
    section: "2.1",
    gist: "Who has not said UTF8 gets header fields in ASCII: a surrogate of the message.",
};

/// A message being sent.
pub(super) struct Retrieval {
    blob: BlobId,
    size: u64,
    plain: bool,
    /// The next octet to ask for.
    offset: u64,
    asking: bool,
    /// TOP: lines of the body that are still wanted; `None` wants all.
    lines: Option<u32>,
    body: bool,
    /// Octets of the current line that were sent; 0 at its start.
    column: u64,
    /// The last octet that came was a CR.
    cr: bool,
    done: bool,
    /// For a client that has not said UTF8.
    surrogate: Option<Surrogate>,
}

impl Retrieval {
    pub(super) fn new(entry: &Entry, lines: Option<u32>, utf8: bool) -> Self {
        let Entry { blob, size, plain, .. } = *entry;
        Self {
            blob,
            size,
            plain,
            offset: 0,
            asking: false,
            lines,
            body: false,
            column: 0,
            cr: false,
            done: false,
            surrogate: (!utf8).then(Surrogate::new),
        }
    }

    /// What the next octets become on the wire; `last`: no more come.
    fn wire(&mut self, octets: &[u8], last: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(octets.len() + 64);
        let Some(mut surrogate) = self.surrogate.take() else {
            self.stuff(octets, &mut out);
            return out;
        };
        let mut made = Vec::with_capacity(octets.len());
        surrogate.take(octets, &mut made);
        if last {
            surrogate.finish(&mut made);
        }
        self.surrogate = Some(surrogate);
        self.stuff(&made, &mut out);
        out
    }

    pub(super) fn is_asking(&self) -> bool {
        self.asking
    }

    /// Stuffs octets line by line, and stops after the last line that TOP wants.
    ///
    /// RFC 1939 §3: lines end with CRLF. One client takes an LF alone for the end of a line, another does not; so none is
    /// sent, and both see the same lines, and the end of the response.
    fn stuff(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let mut rest = octets;
        while !rest.is_empty() && !self.done {
            let end = memchr(b'\n', rest).map_or(rest.len(), |lf| lf + 1);
            let (piece, more) = rest.split_at(end);
            if self.column == 0 {
                if self.body && self.lines == Some(0) {
                    self.done = true;
                    return;
                }
                if piece.starts_with(b".") {
                    out.push(b'.');
                }
            }
            match piece.strip_suffix(b"\n") {
                Some(line) => {
                    let has_cr = if line.is_empty() { self.cr } else { line.ends_with(b"\r") };
                    out.extend_from_slice(line);
                    out.extend_from_slice(if has_cr { b"\n" } else { b"\r\n" });
                    self.column += line.len() as u64 + if has_cr { 1 } else { 2 };
                    self.line_ended();
                }
                None => {
                    out.extend_from_slice(piece);
                    self.column += piece.len() as u64;
                }
            }
            self.cr = piece.ends_with(b"\r");
            rest = more;
        }
    }

    fn line_ended(&mut self) {
        if self.body {
            self.lines = self.lines.map(|lines| lines.saturating_sub(1));
        } else {
            // RFC 1939 §7: TOP sends the header section, the blank line, and then lines of the body.
            self.body = self.column <= 2;
        }
        self.column = 0;
    }
}

impl Server {
    pub(super) fn retrieve_more(
        self,
        cx: &mut Cx<Self>,
        maildrop: Box<Maildrop>,
        mut retrieval: Retrieval,
    ) -> Self {
        let Retrieval { blob, size, offset, .. } = retrieval;
        if retrieval.plain && retrieval.lines.is_none() {
            cx.send_blob(BlobRange { blob, offset: 0, length: size }, "message");
            retrieval.done = true;
        }
        if !retrieval.done && offset < size {
            let length = (CHUNK_MAX as u64).min(size - offset);
            cx.ask(Ask::Octets(BlobRange { blob, offset, length }));
            retrieval.asking = true;
            return self.go(cx, State::Retrieving(maildrop, Box::new(retrieval)));
        }
        if retrieval.column > 0 {
            cx.send(b"\r\n", "CRLF", Some(&STUFFING));
        }
        cx.send(b".\r\n", "end of response", Some(&STUFFING));
        self.go(cx, State::Transaction(maildrop))
    }

    pub(super) fn retrieval_answered(
        self,
        cx: &mut Cx<Self>,
        maildrop: Box<Maildrop>,
        mut retrieval: Retrieval,
        answer: Answer,
    ) -> Result<Self, (Self, Misuse)> {
        let due = (CHUNK_MAX as u64).min(retrieval.size - retrieval.offset);
        match answer {
            Answer::Octets(octets) if octets.len() as u64 == due => {
                retrieval.offset += due;
                let out = retrieval.wire(&octets, retrieval.offset == retrieval.size);
                let is_changed = retrieval.surrogate.as_ref().is_some_and(Surrogate::is_changed);
                let rule = is_changed.then_some(&SURROGATE);
                cx.send(&out, "message", rule);
                retrieval.asking = false;
                Ok(self.go(cx, State::Retrieving(maildrop, Box::new(retrieval))))
            }
            // The response has begun: it cannot be taken back, only cut, and nothing is removed.
            Answer::Refused(_) => Ok(self.close(cx)),
            Answer::Octets(_) => {
                let (server, _) =
                    self.wrong_answer(State::Retrieving(maildrop, Box::new(retrieval)));
                Err((server, Misuse::BadValue))
            }
            _ => Err(self.wrong_answer(State::Retrieving(maildrop, Box::new(retrieval)))),
        }
    }
}
