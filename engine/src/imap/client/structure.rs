//! ENVELOPE and BODYSTRUCTURE (RFC 9051 §7.5.2) from a response to values.
//! The stack is ours, and bounded, so no nesting costs machine stack or lasting memory.

use alloc::format;
use alloc::vec::Vec;

use super::scan::{Scan, Token};
use super::shape::{Address, BodyPart, Envelope, Parameter};
use crate::limits::DEPTH_MAX;

/// Parts of one message that are told. Our own index knows no more of a message either.
const PARTS_MAX: usize = 1000;
/// Addresses of one field that are told.
const ADDRESSES_MAX: usize = 1000;
/// Parameters of one field, and languages, that are told.
const PARAMETERS_MAX: usize = 100;

/// `envelope`; NIL, or what is no list, is an empty one.
pub(super) fn envelope(scan: &mut Scan<'_>) -> Envelope {
    if !scan.open() {
        scan.skip();
        return Envelope::default();
    }
    let envelope = Envelope {
        date: scan.nstring(),
        subject: scan.nstring(),
        from: addresses(scan),
        sender: addresses(scan),
        reply_to: addresses(scan),
        to: addresses(scan),
        cc: addresses(scan),
        bcc: addresses(scan),
        in_reply_to: scan.nstring(),
        message_id: scan.nstring(),
    };
    scan.leave();
    envelope
}

fn addresses(scan: &mut Scan<'_>) -> Vec<Address> {
    let mut out = Vec::new();
    if !scan.open() {
        scan.skip();
        return out;
    }
    while !scan.at_end() {
        if !scan.open() {
            scan.skip();
            continue;
        }
        let name = scan.nstring();
        // The route is obsolete.
        scan.skip();
        let (mailbox, host) = (scan.nstring(), scan.nstring());
        scan.leave();
        if out.len() < ADDRESSES_MAX {
            out.push(Address { name, mailbox, host });
        }
    }
    scan.close();
    out
}

/// What surrounds the part being read.
enum Around {
    /// A multipart: its place in the list, and how many of its parts were read.
    Multipart(usize, u32),
    /// A message, by its place in the list.
    Message(usize),
}

/// `body`, extended or not; `None` for what is none, or goes too deep. All of it is taken from the scan either way.
pub(super) fn structure(scan: &mut Scan<'_>) -> Option<Vec<BodyPart>> {
    let mut after = *scan;
    after.skip();
    let mut reader = Reader { parts: Vec::new(), around: Vec::new() };
    let read = reader.read(scan);
    *scan = after;
    read.map(|()| reader.parts)
}

struct Reader {
    parts: Vec<BodyPart>,
    around: Vec<Around>,
}

impl Reader {
    fn read(&mut self, scan: &mut Scan<'_>) -> Option<()> {
        loop {
            if self.parts.len() >= PARTS_MAX || self.around.len() > DEPTH_MAX || !scan.open() {
                return None;
            }
            if self.begin(scan) {
                continue;
            }
            // A part is whole: so may be what surrounds it.
            if !self.end(scan) {
                return Some(());
            }
        }
    }

    /// Reads a part up to one inside it, and says whether there is one.
    fn begin(&mut self, scan: &mut Scan<'_>) -> bool {
        let multipart = scan.peek() == Token::Open;
        let depth = self.around.len() as u32;
        let section = self.section(multipart);
        let mut part = BodyPart { depth, section, ..BodyPart::default() };
        let at = self.parts.len();
        if multipart {
            self.parts.push(part);
            self.around.push(Around::Multipart(at, 0));
            return true;
        }
        let (kind, subtype) = (lower(scan), lower(scan));
        part.parameters = parameters(scan);
        (part.content_id, part.description) = (scan.nstring(), scan.nstring());
        part.encoding = lower(scan);
        part.size = scan.number().unwrap_or(0);
        let message = kind == b"message" && scan.peek() == Token::Open;
        if message {
            part.envelope = Some(envelope(scan));
        } else if kind == b"text" {
            part.lines = scan.number();
        }
        part.media_type = [&kind[..], b"/", &subtype].concat();
        self.parts.push(part);
        if message && scan.peek() == Token::Open {
            self.around.push(Around::Message(at));
            return true;
        }
        if message {
            self.parts[at].lines = scan.number();
        }
        self.finish(scan, at, false);
        false
    }

    /// Ends what surrounds a part that has ended, and says whether another part follows.
    fn end(&mut self, scan: &mut Scan<'_>) -> bool {
        loop {
            match self.around.pop() {
                None => return false,
                Some(around @ Around::Multipart(..)) if scan.peek() == Token::Open => {
                    self.around.push(around);
                    return true;
                }
                Some(Around::Multipart(at, _)) => {
                    self.parts[at].media_type = [b"multipart/", &lower(scan)[..]].concat();
                    if !scan.at_end() {
                        self.parts[at].parameters = parameters(scan);
                    }
                    self.finish(scan, at, true);
                }
                Some(Around::Message(at)) => {
                    self.parts[at].lines = scan.number();
                    self.finish(scan, at, false);
                }
            }
        }
    }

    /// Extension data, and the part's end.
    fn finish(&mut self, scan: &mut Scan<'_>, at: usize, multipart: bool) {
        let part = &mut self.parts[at];
        if !multipart {
            part.md5 = scan.nstring();
        }
        if scan.open() {
            part.disposition = Some(lower(scan));
            part.disposition_parameters = parameters(scan);
            scan.leave();
        } else {
            // NIL, or from some servers a word alone.
            part.disposition = scan.nstring().map(|word| word.to_ascii_lowercase());
        }
        part.language = scan.words(PARAMETERS_MAX);
        part.location = scan.nstring();
        scan.leave();
    }

    /// The part number of the part that begins now (RFC 9051 §6.4.5.1).
    fn section(&mut self, multipart: bool) -> Vec<u8> {
        match self.around.last_mut() {
            None if multipart => Vec::new(),
            None => b"1".to_vec(),
            Some(Around::Multipart(at, count)) => {
                *count += 1;
                let outer = &self.parts[*at].section;
                // The parts of a message's own multipart are numbered as the message's.
                let outer = outer
                    .strip_suffix(b"TEXT")
                    .map_or(&outer[..], |rest| rest.strip_suffix(b".").unwrap_or(rest));
                if outer.is_empty() {
                    format!("{count}").into_bytes()
                } else {
                    [outer, format!(".{count}").as_bytes()].concat()
                }
            }
            Some(Around::Message(at)) => {
                let outer = &self.parts[*at].section[..];
                [outer, if multipart { b".TEXT" } else { b".1" }].concat()
            }
        }
    }
}

fn lower(scan: &mut Scan<'_>) -> Vec<u8> {
    let mut word = scan.nstring().unwrap_or_default();
    word.make_ascii_lowercase();
    word
}

/// `body-fld-param`
fn parameters(scan: &mut Scan<'_>) -> Vec<Parameter> {
    let mut out = Vec::new();
    if !scan.open() {
        scan.skip();
        return out;
    }
    while !scan.at_end() {
        let name = lower(scan);
        let value = scan.nstring().unwrap_or_default();
        if out.len() < PARAMETERS_MAX {
            out.push(Parameter { name, value });
        }
    }
    scan.close();
    out
}

#[cfg(test)]
mod tests {
    use super::super::scan::Piece;
    use super::*;
    use alloc::string::String;

    fn parsed(text: &str) -> Option<Vec<(u32, String, String)>> {
        let pieces = [Piece::Text(text.as_bytes().to_vec())];
        let mut scan = Scan::new(&pieces);
        let parts = structure(&mut scan)?;
        assert_eq!(scan.next(), Token::Atom(b"END"), "{text}");
        let string = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        Some(parts.iter().map(|p| (p.depth, string(&p.section), string(&p.media_type))).collect())
    }

    #[test]
    fn parts_have_the_numbers_by_which_they_are_fetched() {
        let text = "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"UTF-8\") NIL NIL \"7BIT\" 12 1)";
        let one = |depth, section: &str, kind: &str| (depth, String::from(section), kind.into());
        assert_eq!(parsed(&format!("{text} END")), Some(alloc::vec![one(0, "1", "text/plain")]));
        let message = format!(
            "(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 99 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) \
             ({text}{text} \"MIXED\") 7)"
        );
        let single = format!(
            "(\"message\" \"rfc822\" NIL NIL NIL \"7BIT\" 99 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) {text} 7)"
        );
        let all = format!(
            "({text}({text} {text} \"alternative\" (\"boundary\" \"x\") NIL \"en\" NIL 1 (2)){message}{single} \
             \"Mixed\") END"
        );
        let expected = alloc::vec![
            one(0, "", "multipart/mixed"),
            one(1, "1", "text/plain"),
            one(1, "2", "multipart/alternative"),
            one(2, "2.1", "text/plain"),
            one(2, "2.2", "text/plain"),
            one(1, "3", "message/rfc822"),
            one(2, "3.TEXT", "multipart/mixed"),
            one(3, "3.1", "text/plain"),
            one(3, "3.2", "text/plain"),
            one(1, "4", "message/rfc822"),
            one(2, "4.1", "text/plain"),
        ];
        assert_eq!(parsed(&all), Some(expected));
    }

    #[test]
    fn extension_data_is_read_as_far_as_it_goes() {
        let text = "(\"IMAGE\" \"PNG\" (\"NAME\" \"a\") \"<i>\" \"d\" \"BASE64\" 5 \"md5\" \
            (\"ATTACHMENT\" (\"FILENAME\" \"a.png\")) (\"en\" \"fr\") \"loc\" 7 (8 (9)))";
        let pieces = [Piece::Text(text.as_bytes().to_vec())];
        let parts = structure(&mut Scan::new(&pieces)).expect("it is right");
        let part = &parts[0];
        assert_eq!(part.disposition.as_deref(), Some(&b"attachment"[..]));
        assert_eq!(part.disposition_parameters[0].value, b"a.png");
        assert_eq!(part.language, [b"en".to_vec(), b"fr".to_vec()]);
        assert_eq!(part.location.as_deref(), Some(&b"loc"[..]));
        assert_eq!((part.size, part.lines), (5, None));
    }

    #[test]
    fn what_goes_too_deep_or_is_none_is_left_out() {
        assert_eq!(parsed("NIL END"), None);
        let deep = 100_000;
        assert_eq!(parsed(&format!("{}{} END", "(".repeat(deep), ")".repeat(deep))), None);
        let wide = "(\"A\" \"B\" NIL NIL NIL \"C\" 1)".repeat(2000);
        assert_eq!(parsed(&format!("({wide} \"X\") END")), None);
        assert!(parsed("() END").is_some());
        assert!(parsed("(\"TEXT\" \"PLAIN\") END").is_some());
    }
}
