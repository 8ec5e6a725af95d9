//! FETCH data (RFC 9051 §7.5.2) from a response to values; bodies that came within a line go the way of the others.
//! What is not known is passed over.

use alloc::vec::Vec;

use super::scan::{Piece, Scan, Token, number};
use super::structure::{envelope, structure};
use super::types::{BodyChunk, Event, Fetched, UrlFetched};
use crate::imap::grammar::moment;
use crate::imap::types::Flags;
use crate::limits::URLS_MAX;

/// Keywords of one message that are told.
const KEYWORDS_MAX: usize = 100;
/// Octets of an object's identifier: RFC 8474 §4.1 allows 255.
const IDENTIFIER_MAX: usize = 255;
/// Bodies of one message that may stand in its line: who asks for more gets literals.
const BODIES_MAX: usize = 1000;
const SYSTEM_FLAGS: [(&[u8], u8); 5] =
    [(b"\\Answered", 1), (b"\\Flagged", 2), (b"\\Deleted", 4), (b"\\Seen", 8), (b"\\Draft", 16)];

/// What a FETCH response told.
#[derive(Default)]
pub(super) struct Read {
    pub(super) fetched: Fetched,
    /// Bodies that stood in the line, each as one chunk of any size.
    pub(super) bodies: Vec<BodyChunk>,
    /// Something could not be read and was left out.
    pub(super) defect: bool,
}

/// `"FETCH" SP msg-att`, from its list on, of the message with this number or this UID; one of the two is 0.
pub(super) fn read(scan: &mut Scan<'_>, message: u32, by_uid: u32) -> Read {
    let mut out = Read::default();
    let fetched = &mut out.fetched;
    (fetched.number, fetched.uid) = (message, by_uid);
    if !scan.open() {
        out.defect = true;
        return out;
    }
    while !scan.at_end() {
        let item = match scan.next() {
            Token::Atom(item) => item,
            // The value of something unknown that has more than one.
            Token::Open => {
                scan.leave();
                continue;
            }
            _ => continue,
        };
        let name = item.to_ascii_uppercase();
        match &name[..] {
            b"UID" => {
                let uid = scan.string().and_then(|word| number(&word)).unwrap_or(0);
                fetched.uid = if by_uid > 0 { by_uid } else { uid };
            }
            b"FLAGS" => fetched.flags = Some(flags(&scan.words(KEYWORDS_MAX + 10))),
            b"MODSEQ" => {
                fetched.modseq = scan.words(1).first().and_then(|w| super::scan::number64(w));
            }
            b"INTERNALDATE" => {
                if let Some((ms, zone)) = scan.nstring().and_then(|text| moment(&text)) {
                    (fetched.internal_date_ms, fetched.internal_date_zone) = (Some(ms), zone);
                }
            }
            b"SAVEDATE" => {
                let moment = scan.nstring().and_then(|text| moment(&text));
                fetched.save_date_ms = moment.map(|(ms, _)| ms);
            }
            b"RFC822.SIZE" => fetched.size = scan.number(),
            b"ENVELOPE" => fetched.envelope = Some(envelope(scan)),
            b"BODYSTRUCTURE" | b"BODY" => match structure(scan) {
                Some(parts) => fetched.structure = parts,
                None => out.defect = true,
            },
            b"PREVIEW" => fetched.preview = scan.nstring(),
            b"EMAILID" => fetched.email_id = identifier(scan),
            b"THREADID" => fetched.thread_id = identifier(scan),
            _ => match Section::read(&name) {
                Some(section) if scan.peek() != Token::Body => {
                    let octets = scan.nstring().unwrap_or_default();
                    if out.bodies.len() < BODIES_MAX {
                        out.bodies.push(section.chunk(message, fetched.uid, octets));
                    } else {
                        out.defect = true;
                    }
                }
                _ => scan.skip(),
            },
        }
    }
    out.bodies.iter_mut().for_each(|body| body.uid = out.fetched.uid);
    out
}

/// `BODY[section]<origin>` or `BINARY[section]<origin>`, in upper case.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Section<'a> {
    section: &'a [u8],
    binary: bool,
    origin: Option<u64>,
}

impl<'a> Section<'a> {
    /// Reads the name of an item; `None` for another item.
    pub(super) fn read(name: &'a [u8]) -> Option<Self> {
        let end = name.iter().rposition(|octet| *octet == b']')?;
        let (head, tail) = name.split_at(end);
        let start = head.iter().position(|octet| *octet == b'[')?;
        let binary = match &head[..start] {
            b"BODY" | b"BODY.PEEK" => false,
            b"BINARY" | b"BINARY.PEEK" => true,
            _ => return None,
        };
        let origin = match tail[1..].strip_prefix(b"<") {
            Some(origin) => Some(super::scan::number64(origin.strip_suffix(b">")?)?),
            None if tail.len() == 1 => None,
            None => return None,
        };
        Some(Self { section: &head[start + 1..], binary, origin })
    }

    /// The section whose literal follows this text, if it is one.
    pub(super) fn at_end(text: &'a [u8]) -> Option<Self> {
        let text = text.trim_ascii_end();
        // The bracket that closes last closes the section; before the one that opens it stands the item's name.
        let end = text.iter().rposition(|octet| *octet == b']')?;
        let start = text[..end].iter().rposition(|octet| *octet == b'[')?;
        let name = text[..start]
            .iter()
            .rposition(|octet| matches!(octet, b' ' | b'(' | b'\t' | b')' | b'"'));
        Self::read(&text[name.map_or(0, |at| at + 1)..])
    }

    pub(super) fn chunk(&self, number: u32, uid: u32, octets: Vec<u8>) -> BodyChunk {
        let Self { section, binary, origin } = *self;
        let (section, size) = (section.to_vec(), octets.len() as u64);
        let url = None;
        BodyChunk { number, uid, section, url, binary, origin, size, octets, last: true }
    }
}

/// Octets to which a URL leads.
fn url_chunk(url: Vec<u8>, octets: Vec<u8>) -> BodyChunk {
    BodyChunk {
        number: 0,
        uid: 0,
        section: Vec::new(),
        url: Some(url),
        binary: false,
        origin: None,
        size: octets.len() as u64,
        octets,
        last: true,
    }
}

/// The octets whose literal comes next, if a URL stands before it that has none yet.
pub(super) fn url_body(pieces: &[Piece]) -> Option<BodyChunk> {
    if pieces.len() > 2 * URLS_MAX {
        return None;
    }
    let mut scan = Scan::new(pieces);
    scan.next();
    scan.next();
    loop {
        let url = match scan.next() {
            Token::Atom(url) => url.to_vec(),
            Token::Text(url) => url.into_owned(),
            _ => return None,
        };
        if scan.peek() == Token::End {
            return Some(url_chunk(url, Vec::new()));
        }
        scan.next();
    }
}

/// `"URLFETCH" 1*(SP url-full SP nstring)` (RFC 4467 §9): octets that stood in the line, and what became of each URL.
pub(super) fn urls(scan: &mut Scan<'_>) -> (Vec<BodyChunk>, Vec<Event>) {
    let (mut bodies, mut events) = (Vec::new(), Vec::new());
    while let Some(url) = scan.string().filter(|_| events.len() < BODIES_MAX) {
        let found = match scan.peek() {
            Token::Body => {
                scan.next();
                true
            }
            _ => match scan.nstring() {
                Some(octets) => {
                    bodies.push(url_chunk(url.clone(), octets));
                    true
                }
                None => false,
            },
        };
        events.push(Event::UrlFetched(UrlFetched { url, found }));
    }
    (bodies, events)
}

/// Flags as they came. \Recent is no flag of the message but of the session.
fn flags(words: &[Vec<u8>]) -> Flags {
    let mut flags = Flags::default();
    for word in words {
        let system = SYSTEM_FLAGS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name));
        match system {
            Some((_, bit)) => flags.system |= bit,
            None if word.starts_with(b"\\") => {}
            None if flags.keywords.len() < KEYWORDS_MAX => flags.keywords.push(word.clone()),
            None => {}
        }
    }
    flags
}

/// `"(" objectid ")"`, or NIL.
fn identifier(scan: &mut Scan<'_>) -> Vec<u8> {
    let mut words = scan.words(1);
    let word = words.pop().unwrap_or_default();
    if word.len() <= IDENTIFIER_MAX { word } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetched(text: &str) -> Read {
        let pieces = [Piece::Text(text.as_bytes().to_vec())];
        read(&mut Scan::new(&pieces), 7, 0)
    }

    #[test]
    fn items_come_in_any_order_and_unknown_ones_are_passed_over() {
        let read = fetched(
            "(X-NEW (a (b)) MODSEQ (624140003) FLAGS (\\Seen $Forwarded \\Recent \\X) RFC822.SIZE 44827 \
             internaldate \"17-Jul-1996 02:44:25 -0700\" X 5 UID 117 EMAILID (M6d9) THREADID NIL \
             ENVELOPE (NIL \"s\" ((\"A\" NIL \"a\" \"b\")) NIL NIL NIL NIL NIL NIL \"<m>\"))",
        );
        let Fetched { number, uid, flags, modseq, internal_date_ms, size, envelope, .. } =
            read.fetched;
        assert_eq!((number, uid, modseq, size), (7, 117, Some(624_140_003), Some(44_827)));
        let flags = flags.expect("told");
        assert_eq!((flags.system, &flags.keywords[..]), (8, &[b"$Forwarded".to_vec()][..]));
        assert_eq!(internal_date_ms, Some(837_596_665_000));
        let envelope = envelope.expect("told");
        assert_eq!(envelope.from[0].host.as_deref(), Some(&b"b"[..]));
        assert_eq!(envelope.message_id.as_deref(), Some(&b"<m>"[..]));
        assert!(!read.defect);
    }

    #[test]
    fn bodies_in_the_line_are_told_too() {
        let read = fetched("(BODY[1.HEADER]<5> \"abc\" BINARY[2] NIL BODY[] \"\" UID 3)");
        let seen: Vec<_> = read
            .bodies
            .iter()
            .map(|b| (&b.section[..], b.binary, b.origin, &b.octets[..], b.uid))
            .collect();
        assert_eq!(
            seen,
            [
                (&b"1.HEADER"[..], false, Some(5), &b"abc"[..], 3),
                (b"2", true, None, b"", 3),
                (b"", false, None, b"", 3),
            ]
        );
    }

    #[test]
    fn a_literal_is_a_body_only_behind_a_section() {
        let section = |text: &'static [u8]| Section::at_end(text).map(|s| (s.section, s.binary));
        assert_eq!(section(b"* 1 FETCH (BODY[] "), Some((&b""[..], false)));
        assert_eq!(
            section(b" BODY[HEADER.FIELDS (A B)]<0> "),
            Some((&b"HEADER.FIELDS (A B)"[..], false))
        );
        assert_eq!(section(b"(BINARY[1]"), Some((&b"1"[..], true)));
        for wrong in [&b"* 1 FETCH (ENVELOPE ("[..], b"X[1] ", b"BODY[1]<x> ", b"BODY[1]x ", b"]"] {
            assert_eq!(Section::at_end(wrong), None, "{}", wrong.escape_ascii());
        }
    }
}
