//! Octets that came and were not given out yet, cut into lines, counted octets or dot-terminated text.
//! The one tokenizer of all roles: only CRLF ends a line here, so no role can be made to see another end.

use alloc::vec::Vec;

use memchr::{memchr, memchr_iter, memchr3};

use crate::foreign;
use crate::limits;
use crate::role::{Line, LineFault, TextEnd, Want};

/// Octets after which a line that is too long is not waited for any more: nobody who speaks in lines means that.
const ENDLESS: u64 = 1 << 20;

#[derive(Default)]
pub(crate) struct Inbox {
    buffer: Vec<u8>,
    /// Where the octets not given out begin in `buffer`.
    head: usize,
    /// Octets of `buffer[head..]` known to hold no line end: a line that comes octet by octet is scanned once.
    scanned: usize,
    /// Octets given out since the connection began.
    offset: u64,
    /// The beginning of a line that was too long, and where it began, while its rest is skipped.
    skipping: Option<(Vec<u8>, u64)>,
    text: DotText,
    /// Where the dots stood that were taken out of the text since `take_dots`, if a reader is to be told.
    dots: Option<Vec<u64>>,
    ended: bool,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// An empty one that goes on at this offset.
    pub(crate) fn at(offset: u64) -> Self {
        Self { offset, ..Self::default() }
    }

    /// Whether nothing waits to be given out.
    pub(crate) fn is_empty(&self) -> bool {
        let text = self.text.chunk.is_empty() && !self.text.begun;
        self.rest().is_empty() && self.skipping.is_none() && text && !self.ended
    }

    /// Takes what fits beside the largest unit that is wanted now.
    pub(crate) fn take_in(&mut self, octets: &[u8], want: Want, chunk_max: usize) -> usize {
        if self.ended {
            return octets.len();
        }
        let taken = self.room(want, chunk_max).min(octets.len());
        if self.head > 0 {
            self.buffer.drain(..self.head);
            self.head = 0;
        }
        self.buffer.extend_from_slice(&octets[..taken]);
        taken
    }

    /// As `take_in`, of octets that come in a buffer of their own: where nothing waits they are kept in it, since a copy
    /// would be the largest part of the work.
    pub(crate) fn take_in_whole(&mut self, octets: Vec<u8>, want: Want, chunk_max: usize) -> usize {
        if self.ended || !self.rest().is_empty() || octets.len() > self.room(want, chunk_max) {
            return self.take_in(&octets, want, chunk_max);
        }
        self.head = 0;
        self.buffer = octets;
        self.buffer.len()
    }

    /// How much is taken in beside the largest unit that is wanted now.
    fn room(&self, want: Want, chunk_max: usize) -> usize {
        let unit = match want {
            Want::Line { max } | Want::FirstLine { max } | Want::FirstTagged { max } => max,
            _ => chunk_max,
        };
        (unit + limits::INBOX_SPARE).saturating_sub(self.rest().len())
    }

    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Octets that came since the connection began and were not dropped, given out or not.
    pub(crate) fn arrived(&self) -> u64 {
        self.offset + self.rest().len() as u64
    }

    /// Forgets all that was received and not given out (RFC 3207 §4.2).
    pub(crate) fn clear(&mut self) {
        self.consume(self.rest().len());
        self.skipping = None;
        self.text = DotText::default();
    }

    pub(crate) fn line(&mut self, max: usize) -> Option<Line> {
        loop {
            match self.line_end() {
                Some(end) if self.offset + end as u64 > self.endless_at() => self.skip_line(max),
                Some(end) => return Some(self.cut_line(end, max)),
                None if self.rest().len() >= max => self.skip_line(max),
                None => return None,
            }
            if self.offset >= self.endless_at()
                && let Some((octets, start)) = self.skipping.take()
            {
                return Some(Line {
                    octets,
                    start,
                    end: self.offset,
                    fault: Some(LineFault::Foreign),
                });
            }
            if self.rest().len() <= 1 {
                return None;
            }
        }
    }

    /// Where a line that is being skipped has gone on for too long; it makes no difference how it is cut.
    fn endless_at(&self) -> u64 {
        self.skipping.as_ref().map_or(u64::MAX, |(_, start)| start.saturating_add(ENDLESS))
    }

    /// As `line`; what shows itself as another protocol's is given out without waiting for the line's end.
    pub(crate) fn first_line(&mut self, max: usize, tagged: bool) -> Option<Line> {
        let rest = self.rest();
        // Only the longest line is looked at, so that it makes no difference how much has come.
        let beginning = &rest[..rest.len().min(max)];
        let shown = match tagged {
            true => foreign::shown_before_tag(beginning),
            false => foreign::shown(beginning),
        };
        let Some(end) = shown.filter(|_| self.skipping.is_none()) else { return self.line(max) };
        let octets = rest[..end].to_vec();
        let start = self.offset;
        self.consume(end);
        Some(Line { octets, start, end: self.offset, fault: Some(LineFault::Foreign) })
    }

    /// Where the first CRLF ends, counted from `head`.
    fn line_end(&mut self) -> Option<usize> {
        let mut from = self.scanned;
        loop {
            let rest = self.rest();
            let Some(lf) = memchr(b'\n', &rest[from..]).map(|at| from + at) else {
                self.scanned = rest.len();
                return None;
            };
            if lf > 0 && rest[lf - 1] == b'\r' {
                return Some(lf + 1);
            }
            from = lf + 1;
        }
    }

    fn cut_line(&mut self, end: usize, max: usize) -> Line {
        let start = self.offset;
        let octets = self.rest()[..end - 2].to_vec();
        self.consume(end);
        if let Some((octets, start)) = self.skipping.take() {
            return Line { octets, start, end: self.offset, fault: Some(LineFault::TooLong) };
        }
        let fault = if end > max { Some(LineFault::TooLong) } else { line_fault(&octets) };
        Line { octets, start, end: self.offset, fault }
    }

    /// Keeps the beginning of a line that is too long, and drops all but a CR that may begin its end.
    fn skip_line(&mut self, max: usize) {
        let rest = self.rest();
        let kept = rest.len() - usize::from(rest.last() == Some(&b'\r'));
        if self.skipping.is_none() {
            self.skipping = Some((rest[..max.min(kept)].to_vec(), self.offset));
        }
        let left = usize::try_from(self.endless_at() - self.offset).unwrap_or(usize::MAX);
        self.consume(kept.min(left));
    }

    pub(crate) fn octets(&mut self, left: u64, chunk_max: usize) -> Option<Vec<u8>> {
        let due = usize::try_from(left).map_or(chunk_max, |left| left.min(chunk_max));
        let octets = self.rest().get(..due)?.to_vec();
        self.consume(due);
        Some(octets)
    }

    /// A full chunk of unstuffed text, or the rest of it with its end.
    pub(crate) fn text(&mut self, chunk_max: usize) -> Option<(Vec<u8>, Option<TextEnd>)> {
        if self.head == 0
            && self.dots.is_none()
            && !self.text.begun
            && let Some(text) = self.whole_text(chunk_max)
        {
            return Some(text);
        }
        let dots = self.dots.as_mut().map(|dots| (dots, self.offset));
        let (used, step) = self.text.read(&self.buffer[self.head..], chunk_max, dots);
        self.consume(used);
        match step {
            TextStep::More => None,
            TextStep::Full => Some((core::mem::take(&mut self.text.chunk), None)),
            TextStep::End => {
                let text = core::mem::take(&mut self.text);
                let end = TextEnd { empty: !text.begun, fault: text.fault, undotted: false };
                Some((text.chunk, Some(end)))
            }
        }
    }

    /// A text that is all in the buffer and has no dot to be taken out: it is given out in the buffer itself, since a
    /// copy would be most of the work. Where it is none, what was looked at is not looked at again.
    fn whole_text(&mut self, chunk_max: usize) -> Option<(Vec<u8>, Option<TextEnd>)> {
        if matches!(self.buffer.first(), None | Some(b'.')) {
            return None;
        }
        let piece = &self.buffer[..self.buffer.len().min(chunk_max)];
        let end = self.text.look(piece);
        if !self.text.at_line_start || !self.buffer[end..].starts_with(END_OF_TEXT) {
            self.text.chunk.extend_from_slice(&self.buffer[..end]);
            self.consume(end);
            return None;
        }
        let rest = self.buffer.split_off(end + END_OF_TEXT.len());
        self.buffer.truncate(end);
        self.offset += (end + END_OF_TEXT.len()) as u64;
        self.scanned = 0;
        let text = core::mem::take(&mut self.text);
        let ended = TextEnd { empty: false, fault: text.fault, undotted: true };
        Some((core::mem::replace(&mut self.buffer, rest), Some(ended)))
    }

    /// From now on notes where dots are taken out of text.
    pub(crate) fn mark_dots(&mut self) {
        self.dots.get_or_insert_default();
    }

    /// Where dots were taken out of the text that was given out last.
    pub(crate) fn take_dots(&mut self) -> Vec<u64> {
        self.dots.as_mut().map(core::mem::take).unwrap_or_default()
    }

    fn rest(&self) -> &[u8] {
        &self.buffer[self.head..]
    }

    fn consume(&mut self, octets: usize) {
        self.head += octets;
        self.offset += octets as u64;
        self.scanned = 0;
        if self.head == self.buffer.len() {
            self.buffer.clear();
            self.head = 0;
            // An idle connection should not hold on to what one long line once needed.
            if self.buffer.capacity() > limits::INBOX_SPARE {
                self.buffer.shrink_to(limits::INBOX_SPARE);
            }
        }
    }
}

fn line_fault(octets: &[u8]) -> Option<LineFault> {
    // Nearly all lines have none of the three.
    if memchr3(0, b'\r', b'\n', octets).is_none() {
        None
    } else if memchr(0, octets).is_some() {
        Some(LineFault::Nul)
    } else if memchr(b'\r', octets).is_some() {
        // The CRLF is cut off and no other CRLF can be inside, so any CR here stands alone.
        Some(LineFault::BareCr)
    } else {
        Some(LineFault::BareLf)
    }
}

/// What follows the last line of a text (RFC 5321 §4.1.1.4).
const END_OF_TEXT: &[u8] = b".\r\n";

enum TextStep {
    More,
    Full,
    End,
}

/// Reads dot-terminated text (RFC 5321 §4.5.2).
struct DotText {
    chunk: Vec<u8>,
    at_line_start: bool,
    after_cr: bool,
    begun: bool,
    fault: Option<LineFault>,
}

impl Default for DotText {
    fn default() -> Self {
        Self { chunk: Vec::new(), at_line_start: true, after_cr: false, begun: false, fault: None }
    }
}

impl DotText {
    /// Reads from `input` and says how much it used; `dots` takes where dots were dropped, given where `input` begins.
    fn read(
        &mut self,
        input: &[u8],
        chunk_max: usize,
        mut dots: Option<(&mut Vec<u64>, u64)>,
    ) -> (usize, TextStep) {
        let mut used = 0;
        loop {
            let rest = &input[used..];
            if self.at_line_start && rest.first() == Some(&b'.') {
                match rest.get(1..3) {
                    // RFC 5321 §4.1.1.4: only CRLF "." CRLF ends the text.
                    Some(b"\r\n") => return (used + 3, TextStep::End),
                    None if rest.len() < 2 || rest[1] == b'\r' => return (used, TextStep::More),
                    _ => {
                        if let Some((dots, start)) = &mut dots {
                            dots.push(*start + used as u64);
                        }
                        used += 1;
                    }
                }
                self.at_line_start = false;
                self.begun = true;
                continue;
            }
            if rest.is_empty() {
                return (used, TextStep::More);
            }
            if self.chunk.len() >= chunk_max {
                return (used, TextStep::Full);
            }
            let space = chunk_max - self.chunk.len();
            used += self.take(&rest[..rest.len().min(space)]);
        }
    }

    /// Takes octets up to a line that begins with a dot, at least one, and says how many.
    ///
    /// Most of a message passes here, so it is searched for each octet once, as a whole, and not line by line.
    fn take(&mut self, piece: &[u8]) -> usize {
        let end = self.look(piece);
        self.chunk.extend_from_slice(&piece[..end]);
        end
    }

    /// As `take`, without keeping them.
    fn look(&mut self, piece: &[u8]) -> usize {
        self.begun = true;
        let mut pairs = 0;
        let mut end = piece.len();
        self.at_line_start = false;
        for lf in memchr_iter(b'\n', piece) {
            let crlf = if lf == 0 { self.after_cr } else { piece[lf - 1] == b'\r' };
            if !crlf {
                self.fail(LineFault::BareLf);
                continue;
            }
            pairs += usize::from(lf > 0);
            let next = piece.get(lf + 1);
            self.at_line_start = next.is_none_or(|&next| next == b'.');
            if self.at_line_start {
                end = lf + 1;
                break;
            }
        }
        let piece = &piece[..end];
        if memchr(0, piece).is_some() {
            self.fail(LineFault::Nul);
        }
        let open = piece.last() == Some(&b'\r');
        // Every CR but one at the end, which what comes next decides, has its LF here.
        let paired = memchr_iter(b'\r', piece).count() - usize::from(open) == pairs;
        if !paired || self.after_cr && piece.first() != Some(&b'\n') {
            self.fail(LineFault::BareCr);
        }
        self.after_cr = open;
        end
    }

    fn fail(&mut self, fault: LineFault) {
        self.fault.get_or_insert(fault);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `input` in pieces of `size` and collects what comes out as text.
    fn text(input: &[u8], size: usize, chunk_max: usize) -> (Vec<u8>, Option<TextEnd>, Vec<u8>) {
        let mut inbox = Inbox::new();
        let mut all = Vec::new();
        let mut end = None;
        for piece in input.chunks(size) {
            assert_eq!(inbox.take_in(piece, Want::DotText, 65_536), piece.len());
            while end.is_none() {
                let Some((octets, ended)) = inbox.text(chunk_max) else { break };
                assert!(octets.len() <= chunk_max);
                all.extend_from_slice(&octets);
                end = ended;
            }
        }
        (all, end, inbox.rest().to_vec())
    }

    #[test]
    fn text_is_unstuffed_and_split_makes_no_difference() {
        let input = b"..a\r\n.b\r\n\r\nc\r.\r\nd\r\n.\r\nQUIT\r\n";
        for size in 1..input.len() {
            for chunk_max in [1, 2, 5, 100] {
                let (all, end, rest) = text(input, size, chunk_max);
                assert_eq!(all, b".a\r\nb\r\n\r\nc\r.\r\nd\r\n");
                let fault = Some(LineFault::BareCr);
                assert_eq!(end, Some(TextEnd { empty: false, fault, undotted: false }));
                assert_eq!(rest, b"QUIT\r\n");
            }
        }
    }

    /// reliability: of the 600 smuggling forms exactly those that contain CRLF.CRLF end the text.
    #[test]
    fn only_crlf_dot_crlf_ends_text() {
        let ends: [&[u8]; 10] = [
            b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\0", b"\0\r\n", b"\r\0\n", b"\x85",
            b"\x0b",
        ];
        let middles: [&[u8]; 6] = [b".", b"..", b". ", b".\0", b"\0.", b"\xae"];
        let mut ended = 0;
        for left in ends {
            for middle in middles {
                for right in ends {
                    let input = [b"a", left, middle, right, b"MAIL FROM:<>\r\n"].concat();
                    let contains = input.windows(5).any(|w| w == b"\r\n.\r\n");
                    for size in [1, 2, 3, input.len()] {
                        let (_, end, _) = text(&input, size, 64);
                        assert_eq!(end.is_some(), contains, "{input:?} in pieces of {size}");
                    }
                    ended += usize::from(contains);
                }
            }
        }
        assert_eq!(ended, 6);
    }

    fn lines(input: &[u8], size: usize, max: usize) -> Vec<(Vec<u8>, Option<LineFault>)> {
        let mut inbox = Inbox::new();
        let mut all = Vec::new();
        for piece in input.chunks(size) {
            inbox.take_in(piece, Want::Line { max }, 1);
            while let Some(line) = inbox.line(max) {
                all.push((line.octets, line.fault));
            }
        }
        all
    }

    #[test]
    fn lines_end_with_crlf_alone() {
        let input = b"NOOP\r\na\nb\r\nc\rd\r\n\0\r\n0123456789\r\r\n12345678\r\n\r\n";
        let expected = [
            (b"NOOP".to_vec(), None),
            (b"a\nb".to_vec(), Some(LineFault::BareLf)),
            (b"c\rd".to_vec(), Some(LineFault::BareCr)),
            (b"\0".to_vec(), Some(LineFault::Nul)),
            (b"0123456789".to_vec(), Some(LineFault::TooLong)),
            (b"12345678".to_vec(), None),
            (b"".to_vec(), None),
        ];
        for size in 1..input.len() {
            assert_eq!(lines(input, size, 10).len(), expected.len(), "pieces of {size}");
            for (at, (octets, fault)) in lines(input, size, 10).into_iter().enumerate() {
                assert_eq!(fault, expected[at].1, "line {at} in pieces of {size}");
                if fault != Some(LineFault::TooLong) {
                    assert_eq!(octets, expected[at].0, "line {at} in pieces of {size}");
                }
            }
        }
    }

    #[test]
    fn a_line_without_end_is_given_up_at_the_same_octet_however_it_comes() {
        let endless = usize::try_from(ENDLESS).expect("it is small");
        for (length, fault) in
            [(endless - 2, LineFault::TooLong), (endless - 1, LineFault::Foreign)]
        {
            let input = [&alloc::vec![b'('; length][..], b"\r\nNOOP\r\n"].concat();
            for size in [7, 4096, 65_536, input.len()] {
                let (mut inbox, mut all) = (Inbox::new(), Vec::new());
                for piece in input.chunks(size) {
                    let mut left = piece;
                    while !left.is_empty() {
                        let taken = inbox.take_in(left, Want::Line { max: 100 }, 1);
                        left = &left[taken..];
                        while let Some(line) = inbox.line(100) {
                            all.push(line);
                        }
                    }
                }
                assert_eq!(all[0].fault, Some(fault), "{length} in pieces of {size}");
                assert_eq!((all[0].start, all[0].octets.len()), (0, 100));
                assert_eq!(all[0].end, ENDLESS, "{length} in pieces of {size}");
                assert!(all.last().expect("lines").octets.ends_with(b"NOOP"));
            }
        }
    }
}
