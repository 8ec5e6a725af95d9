//! A conversation as lines: which octets each direction said, in the order in which they were said.
//! A line ends with LF; what came without one so far is a line too. Where bodies have no line end, an answer ends them.

use pillarbox_world::world::{Dir, Entry, Time, What, WireId};

use super::work;

/// One line of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Who says it.
    pub dir: Dir,
    /// First octet, counted in its direction.
    pub start: u64,
    /// One past the last.
    pub end: u64,
    /// When its first octet left.
    pub at: Time,
    /// The index of the entry that completed it.
    pub entry: usize,
}

/// The lines of a conversation, read on as it grows.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// The lines so far.
    pub all: Vec<Line>,
    /// The line of each side that has no end yet.
    open: [Option<usize>; 2],
    /// How many entries were read.
    taken: usize,
}

impl Lines {
    /// How many entries were read.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// Reads on: `entries` are the same as before and more, as are `both`, the octets to the server, and to the client.
    /// `answers_end`: what one side says is over when the other answers, as with HTTP.
    pub fn read(&mut self, entries: &[Entry], wire: WireId, both: [&[u8]; 2], answers_end: bool) {
        let (lines, open) = (&mut self.all, &mut self.open);
        for (index, entry) in entries.iter().enumerate().skip(self.taken) {
            work::done(1);
            let What::Octets { dir, start, end, .. } = entry.what else { continue };
            if entry.wire != Some(wire) {
                continue;
            }
            let side = usize::from(dir == Dir::ToClient);
            let said = both[side];
            if answers_end {
                open[1 - side] = None;
            }
            let (mut from, end) = (start as usize, (end as usize).min(said.len()));
            while from < end {
                let line_end = said[from..end].iter().position(|octet| *octet == b'\n');
                let to = line_end.map_or(end, |at| from + at + 1);
                work::done(to - from);
                let at = match open[side].take() {
                    Some(at) => {
                        lines[at].end = to as u64;
                        lines[at].entry = index;
                        at
                    }
                    None => {
                        let (start, end) = (from as u64, to as u64);
                        lines.push(Line { dir, start, end, at: entry.at, entry: index });
                        lines.len() - 1
                    }
                };
                if line_end.is_none() {
                    open[side] = Some(at);
                }
                from = to;
            }
        }
        self.taken = entries.len();
    }
}

/// How an octet is shown beside hex: itself, or a dot for what has no picture.
#[must_use]
pub fn shown(octet: u8) -> char {
    if matches!(octet, b' '..=b'~') { char::from(octet) } else { '·' }
}

/// The end of a line, where it is one.
pub const LINE_END: &str = "↵";

/// Text of octets: UTF-8 where it is, pictures for controls.
#[must_use]
pub fn text(octets: &[u8]) -> String {
    let mut out = String::with_capacity(octets.len());
    let (octets, ended) = match octets.strip_suffix(b"\r\n") {
        Some(rest) => (rest, true),
        None => (octets, false),
    };
    for chunk in octets.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\r' => out.push_str("⟨CR⟩"),
                '\n' => out.push_str("⟨LF⟩"),
                '\t' => out.push('→'),
                '\0'..='\x1f' | '\x7f' => out.push_str(&format!("⟨{:02X}⟩", c as u8)),
                // What turns text around, or cannot be seen, is shown by its number.
                '\u{80}'..='\u{9f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}' => {
                    out.push_str(&format!("⟨U+{:04X}⟩", u32::from(c)));
                }
                c => out.push(c),
            }
        }
        for octet in chunk.invalid() {
            out.push_str(&format!("⟨{octet:02X}⟩"));
        }
    }
    if ended {
        out.push_str(LINE_END);
    }
    out
}

/// A name or a sentence that came with a world: on one line, and what turns text around or cannot be seen by its number.
#[must_use]
pub fn visible(words: &str) -> String {
    text(words.replace(['\r', '\n', '\t'], " ").as_bytes())
}

/// Octets as text where nothing stands beside it: spaces alone would look like nothing.
#[must_use]
pub fn text_alone(octets: &[u8]) -> String {
    if !octets.is_empty() && octets.iter().all(|octet| *octet == b' ') {
        return "␣".repeat(octets.len());
    }
    text(octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pillarbox_world::world::EntryId;

    fn said(id: u32, dir: Dir, start: u64, end: u64) -> Entry {
        let what = What::Octets { dir, start, end, arrives: Time(20) };
        let (id, at) = (EntryId(id), Time(u64::from(id)));
        Entry { id, at, node: None, wire: Some(WireId(1)), what, causes: Vec::new() }
    }

    #[test]
    fn lines_are_cut_at_their_ends_however_octets_travel() {
        let (client, server) = (b"HELO a\r\nQUIT\r\n".as_slice(), b"220 x\r\n".as_slice());
        let entries = [
            said(0, Dir::ToServer, 0, 3),
            said(1, Dir::ToClient, 0, 7),
            said(2, Dir::ToServer, 3, 14),
        ];
        let mut lines = Lines::default();
        for told in 0..=entries.len() {
            lines.read(&entries[..told], WireId(1), [client, server], false);
        }
        let seen: Vec<_> =
            lines.all.iter().map(|l| (l.dir.letter(), l.start, l.end, l.entry)).collect();
        assert_eq!(seen, [('C', 0, 8, 2), ('S', 0, 7, 1), ('C', 8, 14, 2)]);
    }

    #[test]
    fn an_answer_ends_a_body_without_a_line_end() {
        let entries = [
            said(0, Dir::ToServer, 0, 3),
            said(1, Dir::ToClient, 0, 4),
            said(2, Dir::ToServer, 3, 7),
        ];
        let both: [&[u8]; 2] = [b"a=bGET\n", b"200\n"];
        let ends = |answers_end| {
            let mut lines = Lines::default();
            lines.read(&entries, WireId(1), both, answers_end);
            lines.all.iter().map(|line| line.end).collect::<Vec<_>>()
        };
        assert_eq!((ends(true), ends(false)), (vec![3, 4, 7], vec![7, 4]));
    }

    #[test]
    fn text_hides_nothing() {
        assert_eq!(text("Crème\r\n".as_bytes()), "Crème↵");
        assert_eq!(text(b"a\xff\x00"), "a⟨FF⟩⟨00⟩");
        assert_eq!(text("a\u{202e}b".as_bytes()), "a⟨U+202E⟩b");
        assert_eq!(visible("a\u{202e}b\r\nc"), "a⟨U+202E⟩b  c");
        assert_eq!(
            (text(b" "), text_alone(b"  "), text_alone(b" a")),
            (" ".into(), "␣␣".into(), " a".into())
        );
    }
}
