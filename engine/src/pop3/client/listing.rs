//! Replies of many lines that are lists: LIST, UIDL, CAPA and LANG, line by line.
//! Rows leave in batches, so a maildrop of any size takes the memory of one batch.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::offer::{number, number64};
use super::reply::STATUS;
use super::types::{
    Capabilities, Cause, Event, Failure, LanguageRow, SizeRow, Sizes, UniqueIdRow, UniqueIds,
};
use super::{Client, Flow, State};
use crate::limits::PAGE_ROWS_MAX;
use crate::role::{Cx, Line, Role};

/// Lines of a list of capabilities or languages: no honest server comes near.
const LINES_MAX: u32 = 1000;
/// Octets of a unique-id that are kept. RFC 1939 §7 allows 70, and some servers go beyond.
const UNIQUE_ID_MAX: usize = 512;

/// A list being read.
pub(super) struct Listing {
    pub(super) rows: Rows,
    /// Lines so far.
    lines: u32,
    /// Lines that it may have.
    lines_max: u32,
    /// A line was no row, and the host was told.
    strange: bool,
}

/// Rows that were read and not told yet.
pub(super) enum Rows {
    Sizes(Sizes),
    UniqueIds(UniqueIds),
    Capabilities(Box<Capabilities>),
    Languages(Vec<LanguageRow>),
}

impl Listing {
    /// A list of the call's rows; `count` is how many messages there are.
    pub(super) fn new(rows: Rows, count: u32) -> Self {
        // RFC 1939 §4: the maildrop is locked, so no list of it can grow.
        let of_maildrop = matches!(rows, Rows::Sizes(_) | Rows::UniqueIds(_));
        let lines_max = if of_maildrop { count } else { LINES_MAX };
        Self { rows, lines: 0, lines_max, strange: false }
    }

    pub(super) fn capabilities() -> Self {
        Self::new(Rows::Capabilities(Box::default()), 0)
    }

    /// Takes a line and says whether it was the last.
    pub(super) fn take(&mut self, cx: &mut Cx<Client>, line: &Line) -> Result<bool, Failure> {
        let last = line.octets == b".";
        // A line with a fault was noted as one.
        if line.fault.is_none() {
            if last {
                cx.note_received(line.start, line.end, "end of response", Some(&STATUS));
            } else {
                self.note(cx, line);
            }
        }
        if last {
            return Ok(true);
        }
        self.lines += 1;
        if self.lines > self.lines_max {
            return Err(Failure::ours(Cause::TooLarge, "The server's list does not end"));
        }
        // RFC 1939 §3: a line that begins with a dot has one more.
        let row = line.octets.strip_prefix(b".").unwrap_or(&line.octets);
        if !self.rows.take(row) && !core::mem::replace(&mut self.strange, true) {
            cx.event(Event::Defect(b"A line of a list is none of its rows.".to_vec()));
        }
        if self.rows.length() >= PAGE_ROWS_MAX as usize {
            self.rows.tell(cx);
        }
        Ok(false)
    }
}

impl Listing {
    /// Notes what a row is made of: words, of which the last may hold spaces.
    fn note(&self, cx: &mut Cx<Client>, line: &Line) {
        let labels = match self.rows {
            Rows::Sizes(_) => SIZES,
            Rows::UniqueIds(_) => UNIQUE_IDS,
            Rows::Capabilities(_) => CAPABILITIES,
            Rows::Languages(_) => LANGUAGES,
        };
        note_row(cx, line, labels);
    }
}

/// What the first word of a row is, and what stands behind it.
pub(in crate::pop3) type Labels = [&'static str; 2];
/// Rows of LIST.
pub(in crate::pop3) const SIZES: Labels = ["message number", "size"];
/// Rows of UIDL.
pub(in crate::pop3) const UNIQUE_IDS: Labels = ["message number", "unique-id"];
/// Rows of CAPA, which are of one piece.
pub(in crate::pop3) const CAPABILITIES: Labels = ["capability", "capability"];
/// Rows of LANG.
pub(in crate::pop3) const LANGUAGES: Labels = ["language", "text"];

/// Notes what a row is made of.
pub(in crate::pop3) fn note_row<R: Role>(cx: &mut Cx<R>, line: &Line, labels: Labels) {
    if !cx.tracing() {
        return;
    }
    let end = line.end.saturating_sub(2);
    let dot = usize::from(line.octets.first() == Some(&b'.'));
    let row = &line.octets[dot..];
    let start = line.start + dot as u64;
    cx.note_received(line.start, start, "stuffed dot", Some(&STATUS));
    let whole = labels[0] == labels[1];
    let word = row.iter().position(|octet| *octet == b' ').filter(|_| !whole);
    let word = word.map_or(end, |word| start + word as u64);
    let rest = (word + 1).min(end);
    cx.note_received(start, word, labels[0], None);
    cx.note_received(word, rest, "SP", None);
    cx.note_received(rest, end, labels[1], None);
    cx.note_received(end, line.end, "CRLF", None);
}

impl Rows {
    /// Takes a row; false for what is none.
    fn take(&mut self, row: &[u8]) -> bool {
        match self {
            Self::Sizes(sizes) => size_row(row).map(|row| sizes.rows.push(row)).is_some(),
            Self::UniqueIds(ids) => unique_id_row(row).map(|row| ids.rows.push(row)).is_some(),
            Self::Capabilities(capabilities) => {
                capabilities.line(row);
                true
            }
            Self::Languages(rows) => language_row(row).map(|row| rows.push(row)).is_some(),
        }
    }

    fn length(&self) -> usize {
        match self {
            Self::Sizes(sizes) => sizes.rows.len(),
            Self::UniqueIds(ids) => ids.rows.len(),
            Self::Capabilities(_) => 0,
            Self::Languages(rows) => rows.len(),
        }
    }

    /// Tells the host the rows that it was not told yet.
    pub(super) fn tell(&mut self, cx: &mut Cx<Client>) {
        match self {
            Self::Sizes(Sizes { call, rows }) if !rows.is_empty() => {
                let (call, rows) = (*call, core::mem::take(rows));
                cx.event(Event::Sizes(Sizes { call, rows }));
            }
            Self::UniqueIds(UniqueIds { call, rows }) if !rows.is_empty() => {
                let (call, rows) = (*call, core::mem::take(rows));
                cx.event(Event::UniqueIds(UniqueIds { call, rows }));
            }
            Self::Languages(rows) if !rows.is_empty() => {
                cx.event(Event::Languages(core::mem::take(rows)));
            }
            Self::Capabilities(capabilities) => {
                cx.event(Event::Capabilities(core::mem::take(&mut **capabilities)));
            }
            _ => {}
        }
    }
}

impl Client {
    /// A line of a list that a call wanted.
    pub(super) fn listing_line(
        mut self,
        cx: &mut Cx<Self>,
        mut listing: Box<Listing>,
        line: &Line,
    ) -> Self {
        match listing.take(cx, line) {
            Err(failure) => self.lost(cx, failure),
            Ok(false) => self.go(cx, State::Open(Flow::Listing(listing))),
            Ok(true) => {
                if let Rows::Capabilities(capabilities) = &listing.rows {
                    self.common.capabilities = (**capabilities).clone();
                }
                listing.rows.tell(cx);
                self.complete(cx)
            }
        }
    }
}

/// `scan-listing = msg SP size`; more may follow (RFC 1939 §5).
pub(super) fn size_row(row: &[u8]) -> Option<SizeRow> {
    let mut words = words(row);
    let number = message_number(words.next()?)?;
    Some(SizeRow { number, size: number64(words.next()?)? })
}

/// `unique-id-listing = msg SP unique-id`
pub(super) fn unique_id_row(row: &[u8]) -> Option<UniqueIdRow> {
    let mut words = words(row);
    let number = message_number(words.next()?)?;
    let id = words.next()?;
    let right = id.len() <= UNIQUE_ID_MAX;
    right.then(|| UniqueIdRow { number, unique_id: id.to_vec() })
}

/// RFC 6856 §3.3: a tag, a space, and its description.
fn language_row(row: &[u8]) -> Option<LanguageRow> {
    let end = row.iter().position(|octet| *octet == b' ').unwrap_or(row.len());
    let (tag, description) = row.split_at(end);
    let description = description.trim_ascii();
    super::opening::is_tag(tag).then(|| LanguageRow {
        tag: tag.to_vec(),
        description: description[..description.len().min(UNIQUE_ID_MAX)].to_vec(),
    })
}

fn message_number(word: &[u8]) -> Option<u32> {
    number(word).filter(|number| (1..u32::MAX).contains(number))
}

fn words(row: &[u8]) -> impl Iterator<Item = &[u8]> {
    row.split(|octet| matches!(octet, b' ' | b'\t')).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_servers_write_them() {
        assert_eq!(size_row(b"1 120"), Some(SizeRow { number: 1, size: 120 }));
        assert_eq!(size_row(b" 2  200 octets"), Some(SizeRow { number: 2, size: 200 }));
        for wrong in [&b""[..], b"1", b"0 5", b"x 5", b"1 x", b"99999999999 1"] {
            assert_eq!(size_row(wrong), None, "{}", wrong.escape_ascii());
        }
        let unique_id = b"whqtswO00WBw418f9t5JxYwZ".to_vec();
        let row = [b"1 ", &unique_id[..]].concat();
        assert_eq!(unique_id_row(&row), Some(UniqueIdRow { number: 1, unique_id }));
        assert_eq!(unique_id_row(&[b"1 ", &[b'x'; 513][..]].concat()), None);
        assert_eq!(unique_id_row(b"1"), None);
        assert_eq!(language_row(b"fr Fran\xc3\xa7ais").expect("a row").tag, b"fr");
        assert_eq!(language_row(b"f r").expect("a row").description, b"r");
        assert_eq!(language_row(b"\xc3 x"), None);
    }
}
