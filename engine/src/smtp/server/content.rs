//! What the octets of a message tell while they pass: sizes, Received fields, and what makes it unacceptable.

use alloc::vec::Vec;

use memchr::{memchr, memchr2};

use super::Transaction;
use super::authors::Authors;
use super::reply::Reply;
use super::submission::Completion;
use crate::limits::Limits;
use crate::message::Surveyed;
use crate::smtp::types::Mailbox;
use crate::text::find::has_high_bit;
use crate::trace::Rule;

/// RFC 5321 §6.3.
pub(super) const LOOP: Rule = Rule {
    rfc: 5321,
    section: "6.3",
    gist: "A message with a great many Received fields is going in a circle.",
};
/// RFC 5321 §2.3.8.
pub(super) const BARE: Rule = Rule {
    rfc: 5321,
    section: "2.3.8",
    gist: "CR and LF go together or not at all; a server that repairs one alone lets mail be smuggled in.",
};

/// A message that is coming.
#[derive(Clone, Debug)]
pub(super) struct Content {
    pub(super) tx: Transaction,
    /// Octets received, without this hop's trace fields.
    size: u64,
    /// Octets given to the host, with them.
    pub(super) stored: u64,
    /// All of it is one text in which no line begins with a dot.
    pub(super) undotted: bool,
    /// Octets that the host gets next.
    pub(super) next: Vec<u8>,
    pub(super) eight_bit: bool,
    /// Trace fields that go before the first chunk.
    pub(super) trace: Vec<u8>,
    trace_eight_bit: bool,
    /// How many octets of them are for final delivery alone.
    pub(super) return_path_octets: u64,
    /// Why the message is not taken; what still comes is read and thrown away.
    pub(super) refused: Option<Reply>,
    scan: Scan,
    /// What is done to it on the way, with submission.
    completion: Option<Completion>,
    /// Who it says it is from, where its client sends as somebody.
    authors: Option<Authors>,
    /// Whether bare CR, LF and NUL are looked for here: BDAT has no tokenizer that did.
    lines_due: bool,
}

#[derive(Clone, Debug, Default)]
struct Scan {
    /// Octets of the line so far, up to what tells a Received field.
    line: Vec<u8>,
    line_length: u64,
    body: bool,
    received: u32,
    /// `TLS-Required: No` was seen.
    tls_optional: bool,
    /// An octet of the header section has its high bit set.
    wide: bool,
    after_cr: bool,
    bare: bool,
}

const RECEIVED: &[u8] = b"received:";
/// RFC 8689 §3.
const TLS_REQUIRED: &[u8] = b"tls-required:";
/// Octets of a line that are kept: `TLS-Required: No` with as much white space as anybody writes.
const LINE_KEPT: usize = 40;

impl Content {
    pub(super) fn new(
        tx: Transaction,
        trace: Vec<u8>,
        completion: Option<Completion>,
        authors: Option<Authors>,
        lines_due: bool,
    ) -> Self {
        Self {
            tx,
            size: 0,
            stored: 0,
            undotted: false,
            next: Vec::new(),
            eight_bit: false,
            trace_eight_bit: has_high_bit(&trace),
            trace,
            return_path_octets: 0,
            refused: None,
            scan: Scan::default(),
            completion,
            authors,
            lines_due,
        }
    }

    /// RFC 8689 §4.1: whether the sender wants mail rather than TLS.
    pub(super) fn is_tls_optional(&self) -> bool {
        self.scan.tls_optional && !self.tx.from.require_tls
    }

    /// RFC 6532 §3: whether the header section needs SMTPUTF8, of which MAIL said nothing.
    pub(super) fn is_utf8_undeclared(&self) -> bool {
        self.scan.wide && !self.tx.from.smtputf8
    }

    /// Has ready what the host gets next: these octets as they are to be stored, this hop's trace fields before the first;
    /// `end` says that they are the last.
    pub(super) fn complete(&mut self, octets: Vec<u8>, end: bool) {
        let mut octets = match &mut self.completion {
            Some(completion) => completion.pass(&octets, end),
            None => octets,
        };
        if let Some(authors) = &mut self.authors {
            authors.look(&octets);
        }
        if !octets.is_empty() && !self.trace.is_empty() {
            put_before(&mut octets, &core::mem::take(&mut self.trace));
        }
        self.next = octets;
    }

    /// What an indexer need not look for again. A text that was taken has its CRs and LFs in pairs, and one at its end;
    /// what was completed has become another.
    pub(super) fn surveyed(&self) -> Surveyed {
        let plain = (self.undotted && self.completion.is_none()).then_some(true);
        let eight_bit = Some(self.eight_bit || self.trace_eight_bit);
        Surveyed { plain, eight_bit: eight_bit.filter(|_| self.completion.is_none()) }
    }

    /// Takes the octets that are ready.
    pub(super) fn next(&mut self) -> Vec<u8> {
        let next = core::mem::take(&mut self.next);
        self.stored += next.len() as u64;
        next
    }

    /// The addresses that the message is from, as far as they matter; it is refused if there is no telling.
    pub(super) fn authors(&self) -> Result<Vec<Mailbox>, Reply> {
        match &self.authors {
            Some(authors) => authors.read(self.completion.is_some()),
            None => Ok(Vec::new()),
        }
    }

    /// Looks at the next octets, and whether they are the last; true if they made the message unacceptable just now.
    pub(super) fn look(&mut self, octets: &[u8], end: bool, limits: &Limits) -> bool {
        self.size += octets.len() as u64;
        self.eight_bit = self.eight_bit || has_high_bit(octets);
        let was_refused = self.refused.is_some();
        if self.lines_due {
            self.scan.look_for_bare(octets);
            // A CR at the end stands alone.
            self.scan.bare |= end && self.scan.after_cr;
        }
        if !self.scan.body {
            self.scan.header(octets);
        }
        if self.refused.is_none() {
            self.refused = self.judge(end, limits);
        }
        self.refused.is_some() && !was_refused
    }

    fn judge(&self, end: bool, limits: &Limits) -> Option<Reply> {
        if end && self.size == 0 {
            // RFC 5322 §3.6: Date and From are required, so an empty message is none.
            return Some(Reply::new(554, "5.6.0", "A message needs a header section"));
        }
        if self.size > limits.message_max {
            return Some(Reply::new(552, "5.3.4", "Message too big"));
        }
        if !self.scan.body && self.size > u64::from(limits.header_max) {
            return Some(Reply::new(552, "5.3.4", "Header section too big"));
        }
        if self.scan.received > limits.received_max {
            return Some(Reply::new(554, "5.4.6", "Too many hops, the message is looping"));
        }
        (self.scan.bare).then(bare)
    }
}

/// Moves octets up where they are, since a second place for a whole message would be one more to fetch from memory.
fn put_before(octets: &mut Vec<u8>, first: &[u8]) {
    let length = octets.len();
    octets.reserve_exact(first.len());
    octets.resize(length + first.len(), 0);
    octets.copy_within(..length, first.len());
    octets[..first.len()].copy_from_slice(first);
}

/// The refusal of a message with bare CR, LF or NUL.
pub(super) fn bare() -> Reply {
    Reply::new(550, "5.6.0", "Message contains bare CR, bare LF or NUL")
}

impl Scan {
    fn look_for_bare(&mut self, octets: &[u8]) {
        self.bare |= memchr(0, octets).is_some();
        let mut rest = octets;
        if self.after_cr && !rest.is_empty() {
            self.bare |= rest[0] != b'\n';
            rest = &rest[1..];
            self.after_cr = false;
        }
        while let Some(at) = memchr2(b'\r', b'\n', rest) {
            if rest[at] == b'\n' {
                self.bare = true;
                rest = &rest[at + 1..];
            } else if let Some(&next) = rest.get(at + 1) {
                self.bare |= next != b'\n';
                rest = &rest[at + 1 + usize::from(next == b'\n')..];
            } else {
                self.after_cr = true;
                return;
            }
        }
    }

    /// What follows a field's name, if the line that has just ended begins with it.
    fn body_of(&self, name: &[u8]) -> Option<&[u8]> {
        let (head, body) = self.line.split_at_checked(name.len())?;
        head.eq_ignore_ascii_case(name).then_some(body)
    }

    /// Follows the header section line by line, to count Received fields and to find its end.
    fn header(&mut self, octets: &[u8]) {
        let mut rest = octets;
        while !rest.is_empty() && !self.body {
            let end = memchr(b'\n', rest).map_or(rest.len(), |lf| lf + 1);
            let (piece, more) = rest.split_at(end);
            self.wide = self.wide || has_high_bit(piece);
            let wanted = LINE_KEPT.saturating_sub(self.line.len()).min(piece.len());
            self.line.extend_from_slice(&piece[..wanted]);
            self.line_length += piece.len() as u64;
            if piece.ends_with(b"\n") {
                self.body = self.line_length <= 2;
                self.received += u32::from(self.body_of(RECEIVED).is_some());
                let no = |body: &[u8]| body.trim_ascii().eq_ignore_ascii_case(b"No");
                self.tls_optional |= self.body_of(TLS_REQUIRED).is_some_and(no);
                self.line.clear();
                self.line_length = 0;
            }
            rest = more;
        }
    }
}
