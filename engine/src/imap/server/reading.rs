//! Octets that are changed on their way out, so that their number is known only at the end: small
//! ones are kept, larger ones are read twice, first to count and then to send, since a literal
//! begins with its length.

use alloc::vec::Vec;

use super::item::Partial;
use super::sieve::Sieve;
use super::{Server, print};
use crate::limits::CHUNK_MAX;
use crate::message::Span;
use crate::role::Cx;
use crate::types::Misuse;

/// A range of a message on its way through a sieve.
pub(crate) struct Reading {
    span: Span,
    /// As it was before the first octet, to begin again.
    fresh: Sieve,
    sieve: Sieve,
    partial: Option<Partial>,
    /// Whether NUL may come out: then the literal is a literal8.
    binary: bool,
    size_only: bool,
    /// Where the next chunk begins.
    at: u64,
    /// Octets that came out and were not sent.
    out: Vec<u8>,
    pass: Pass,
}

/// What is done with what comes out.
#[derive(Clone, Copy, Debug)]
enum Pass {
    /// Counted, and kept if it is little.
    Counting { length: u64, nul: bool },
    /// Sent, but for what is to be skipped, as long as some is left.
    Sending { skip: u64, left: u64 },
    /// It cannot be read.
    GivenUp,
}

/// What reading needs next.
pub(crate) enum Step {
    Octets(Span, Reading),
    Room(Reading),
    Done,
}

impl Reading {
    pub(crate) fn new(span: Span, sieve: Sieve, partial: Option<Partial>, binary: bool) -> Self {
        Self {
            span,
            fresh: sieve.clone(),
            sieve,
            partial,
            binary,
            size_only: false,
            at: span.start,
            out: Vec::new(),
            pass: Pass::Counting { length: 0, nul: false },
        }
    }

    /// BINARY.SIZE: the length itself is what is wanted.
    pub(crate) fn size_only(self) -> Self {
        Self { size_only: true, ..self }
    }

    /// Whether the literal's length was sent already.
    pub(crate) fn is_promised(&self) -> bool {
        matches!(self.pass, Pass::Sending { .. })
    }

    pub(crate) fn give_up(&mut self) {
        self.pass = Pass::GivenUp;
    }

    /// Whether all octets are read at once and kept.
    fn is_small(&self) -> bool {
        self.span.length() <= CHUNK_MAX as u64
    }

    fn next_chunk(&self) -> Span {
        let end = self.at.saturating_add(CHUNK_MAX as u64).min(self.span.end);
        Span { start: self.at, end }
    }

    /// The octets that it asked for.
    pub(crate) fn take(&mut self, octets: &[u8]) -> Result<(), Misuse> {
        let chunk = self.next_chunk();
        if octets.len() as u64 != chunk.length() {
            return Err(Misuse::BadValue);
        }
        self.at = chunk.end;
        let before = self.out.len();
        self.sieve.pass(octets, &mut self.out);
        if self.at == self.span.end {
            self.sieve.finish(&mut self.out);
        }
        if let Pass::Counting { length, nul } = &mut self.pass {
            *length += (self.out.len() - before) as u64;
            *nul |= self.out[before..].contains(&0);
            if self.span.length() > CHUNK_MAX as u64 || self.size_only {
                self.out.clear();
            }
        }
        Ok(())
    }

    pub(crate) fn step(mut self, cx: &mut Cx<Server>) -> Step {
        match self.pass {
            Pass::GivenUp => {
                cx.send(if self.size_only { b"0" } else { b"NIL" }, "nil", None);
                Step::Done
            }
            Pass::Counting { length, nul } => {
                if self.at < self.span.end {
                    return Step::Octets(self.next_chunk(), self);
                }
                let mut length = length;
                if self.span.length() == 0 {
                    self.sieve.finish(&mut self.out);
                    length = self.out.len() as u64;
                }
                self.counted(cx, length, nul)
            }
            Pass::Sending { skip, left } => self.send(cx, skip, left),
        }
    }

    fn counted(mut self, cx: &mut Cx<Server>, length: u64, nul: bool) -> Step {
        if self.size_only {
            cx.send(&print::decimal(length), "number", None);
            return Step::Done;
        }
        let (skip, left) = Partial::within(self.partial, length);
        if left == 0 {
            cx.send(b"\"\"", "quoted", None);
            return Step::Done;
        }
        cx.send(&print::literal(left, nul && self.binary), "literal head", None);
        self.pass = Pass::Sending { skip, left };
        if !self.is_small() {
            self.sieve = self.fresh.clone();
            self.at = self.span.start;
        }
        Step::Room(self)
    }

    fn send(mut self, cx: &mut Cx<Server>, mut skip: u64, mut left: u64) -> Step {
        let skipped = usize::try_from(skip).unwrap_or(usize::MAX).min(self.out.len());
        skip -= skipped as u64;
        let rest = &self.out[skipped..];
        let sent = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
        cx.send(&rest[..sent], "literal", None);
        left -= sent as u64;
        self.out.clear();
        self.pass = Pass::Sending { skip, left };
        if left == 0 || self.at >= self.span.end {
            return Step::Done;
        }
        if cx.outbox_full() { Step::Room(self) } else { Step::Octets(self.next_chunk(), self) }
    }
}
