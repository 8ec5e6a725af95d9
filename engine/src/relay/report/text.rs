//! Text of peers made fit for a report's fields: nothing that ends a line, no line that is too long.
//! Which text stands where is left to the parts.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// RFC 5322 §2.1.1: characters of a line, without its end, as it should be.
const LINE: usize = 78;
/// Octets of a word that stands on one line; RFC 5322 §2.1.1 ends a line at 998, and a name stands before the first.
const WORD_MAX: usize = 900;

/// A header field under way, folded where it would be too long (RFC 5322 §2.2.3).
pub(super) struct Field {
    out: String,
    column: usize,
}

impl Field {
    pub(super) fn new(name: &str) -> Self {
        let out = format!("{name}:");
        Self { column: out.len(), out }
    }

    /// Adds text, of which every space is a place to fold at. It holds no line end.
    pub(super) fn words(mut self, text: &str) -> Self {
        for word in text.split(' ') {
            let width = word.chars().count();
            // A line of white space alone would end the field for some readers.
            if !word.is_empty() && self.column + 1 + width > LINE && self.column > 1 {
                self = self.fold();
            } else {
                self.out.push(' ');
                self.column += 1;
            }
            let mut rest = word;
            while rest.len() > WORD_MAX {
                let at = rest.floor_char_boundary(WORD_MAX);
                self.out.push_str(&rest[..at]);
                self = self.fold();
                rest = &rest[at..];
            }
            self.out.push_str(rest);
            self.column += rest.chars().count();
        }
        self
    }

    /// Adds text on a line of its own.
    pub(super) fn line(mut self, text: &str) -> Self {
        self.out.push_str("\r\n");
        self.column = 0;
        self.words(text)
    }

    fn fold(mut self) -> Self {
        self.out.push_str("\r\n ");
        self.column = 1;
        self
    }

    pub(super) fn end(self, out: &mut Vec<u8>) {
        // Unfolded, the field is the same: blanks at its end are none of it.
        out.extend_from_slice(self.out.trim_ascii_end().as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// Text on one line, at most so many octets of it. With `utf8` off, what is above ASCII becomes a question mark.
pub(super) fn printable(octets: &[u8], utf8: bool, max: usize) -> String {
    let cut = &octets[..octets.len().min(max)];
    let text = String::from_utf8_lossy(cut);
    let mapped = text.chars().map(|c| match c {
        _ if is_control(c) => ' ',
        _ if c.is_ascii() || utf8 => c,
        _ => '?',
    });
    let text: String = mapped.collect();
    let text = text.trim();
    if cut.len() < octets.len() { format!("{text} ...") } else { String::from(text) }
}

/// An address as a field may hold it: what is none of an address's characters is written as RFC 3461 §4 xtext does.
pub(super) fn address(octets: &[u8]) -> String {
    let mut out = String::with_capacity(octets.len());
    for chunk in octets.utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_control(c) {
                let mut octets = [0; 4];
                c.encode_utf8(&mut octets).bytes().for_each(|octet| hex(octet, &mut out));
            } else {
                out.push(c);
            }
        }
        chunk.invalid().iter().for_each(|octet| hex(*octet, &mut out));
    }
    out
}

fn hex(octet: u8, out: &mut String) {
    out.push_str(&format!("+{octet:02X}"));
}

/// What ends lines, moves a cursor, or turns the direction of what follows, so that people read what is not there.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// RFC 6533 §3 `utf-8-addr-xtext`: an address in seven bits.
pub(super) fn embed(address: &str) -> String {
    let mut out = String::with_capacity(address.len());
    for c in address.chars() {
        if c.is_ascii_graphic() && !matches!(c, '\\' | '+' | '=') {
            out.push(c);
        } else {
            out.push_str(&format!("\\x{{{:02X}}}", u32::from(c)));
        }
    }
    out
}

/// The reverse of [`embed`]; `None` if it is not of that form.
pub(super) fn unembed(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once('\\') {
        out.push_str(before);
        let (digits, after) = inside.strip_prefix("x{")?.split_once('}')?;
        if !(2..=6).contains(&digits.len()) || !digits.bytes().all(|o| o.is_ascii_hexdigit()) {
            return None;
        }
        out.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> String {
        let mut out = Vec::new();
        Field::new("Name").words(text).end(&mut out);
        String::from_utf8(out).expect("it was text")
    }

    #[test]
    fn fields_are_folded_at_spaces_and_cut_only_where_nothing_else_helps() {
        assert_eq!(folded("short"), "Name: short\r\n");
        assert_eq!(folded(""), "Name:\r\n");
        for text in ["word ".repeat(60), "é".repeat(3000), format!("a{}b", " ".repeat(200))] {
            let field = folded(&text);
            for line in field.trim_end().split("\r\n") {
                assert!(line.len() <= 998 && !line.trim().is_empty(), "{field}");
            }
            assert_eq!(field.replace("\r\n", "").replace(' ', ""), {
                let text = format!("Name:{text}");
                text.replace(' ', "")
            });
        }
        let field = folded(&"word ".repeat(60));
        assert!(field.lines().all(|line| line.len() <= LINE), "{field}");
        assert_eq!(
            field.replace("\r\n", "").trim_end(),
            format!("Name: {}", "word ".repeat(60)).trim_end()
        );
    }

    #[test]
    fn text_stays_on_its_line() {
        assert_eq!(printable(b" a\r\nBcc: x\0\x1b[2J\t", true, 99), "a  Bcc: x  [2J");
        assert_eq!(printable("é\u{202e}\u{2028}x".as_bytes(), true, 99), "é  x");
        assert_eq!(printable("é x".as_bytes(), false, 99), "? x");
        assert_eq!(printable(b"\xff", false, 99), "?");
        assert_eq!(printable(b"abcdef", true, 3), "abc ...");
        assert_eq!(address(b"a\r\nb\xff@c"), "a+0D+0Ab+FF@c");
        assert_eq!(address("\u{85}é".as_bytes()), "+C2+85é");
    }

    #[test]
    fn addresses_go_into_seven_bits_and_back() {
        for address in ["a@b", "jürgen@bücher.example", "a+b=c\\d@e", "用户@例え.jp", "\u{10ffff}"]
        {
            assert!(embed(address).is_ascii());
            assert_eq!(unembed(&embed(address)).as_deref(), Some(address));
        }
        assert_eq!(embed("é+"), "\\x{E9}\\x{2B}");
        for wrong in ["\\", "\\x", "\\x{}", "\\x{D800}", "\\x{110000}", "\\x{+5}", "\\x{0000041}"] {
            assert_eq!(unembed(wrong), None, "{wrong}");
        }
    }
}
