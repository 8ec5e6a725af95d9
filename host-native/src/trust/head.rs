//! The header section of a message that is judged or signed: where it ends, whether it is well formed, who its author
//! is, and which of its Authentication-Results fields claim to be ours.

use std::ops::Range;

use mail_auth::AuthenticatedMessage;
use pillarbox_engine::text::header::{Field, fields};
use pillarbox_engine::types::Reason;
use pillarbox_world::service::trust::Octets;

/// Octets read at once.
pub(super) const PIECE: u64 = 256 * 1024;
/// Octets of a header section that are looked at; the engine takes none as long as that.
const HEAD_MAX: usize = 4 << 20;

/// Fields of a section that is believed. Each signature looks for each of its names among all of them.
const FIELDS_MAX: usize = 5000;

/// A header section.
pub(super) struct Head {
    /// The section with its blank line, without what this hop put before it.
    pub(super) octets: Vec<u8>,
    /// Where it begins in the message.
    pub(super) at: u64,
    /// Where the body begins in the message.
    pub(super) body_at: u64,
}

impl Head {
    /// Reads it; `skip` octets of a Return-Path and then, if `own` says so, our own Received field are no part of it.
    pub(super) fn read(content: &dyn Octets, skip: u64, own: bool) -> Result<Self, Reason> {
        let (size, mut octets, mut seen) = (content.size(), Vec::new(), 0);
        let end = loop {
            if let Some(end) = end_of(&octets, seen) {
                break end;
            }
            let at = skip + octets.len() as u64;
            if at >= size || octets.len() > HEAD_MAX {
                break octets.len();
            }
            seen = octets.len();
            octets.extend(content.octets(at, PIECE.min(size - at))?);
        };
        octets.truncate(end);
        let received = match own {
            true => fields(&octets).next().map_or(0, |field| field.end),
            false => 0,
        };
        octets.drain(..received);
        Ok(Self { octets, at: skip + received as u64, body_at: skip + end as u64 })
    }

    /// Whether each line belongs to a field, and there are not too many. What one reader takes for a field and another for the body can make a good
    /// signature cover what is not shown.
    pub(super) fn is_well_formed(&self) -> bool {
        let mut at = 0;
        for (count, field) in fields(&self.octets).enumerate() {
            if field.start != at || count >= FIELDS_MAX {
                return false;
            }
            at = field.end;
        }
        matches!(&self.octets[at..], b"" | b"\r\n")
    }

    /// The author's domain: that of the one From field, if all its addresses are of one domain.
    pub(super) fn author(&self, message: &AuthenticatedMessage<'_>) -> Option<String> {
        if fields(&self.octets).filter(|field| field.is(b"From")).count() != 1 {
            return None;
        }
        let domain = |from: &String| ascii(from.rsplit_once('@')?.1);
        let mut domains = message.from.iter().map(domain);
        let first = domains.next()??;
        domains.all(|other| other.as_deref() == Some(&first[..])).then_some(first)
    }

    /// Fields that say results under this host's name, which nobody but this host may write (RFC 8601 §5): as ranges of
    /// the message.
    pub(super) fn forged(&self, host_name: &str) -> Vec<Range<u64>> {
        let is_ours = |field: &Field<'_>| {
            field.is(b"Authentication-Results") && {
                let id = authserv_id(field.raw);
                // A dot at the end makes it no other name.
                let is_host = |id: &[u8]| {
                    let id = id.strip_suffix(b".").unwrap_or(id);
                    id.eq_ignore_ascii_case(host_name.as_bytes())
                };
                id.is_none_or(|id| is_host(&id))
            }
        };
        let forged = fields(&self.octets).filter(is_ours);
        forged.map(|field| self.at + field.start as u64..self.at + field.end as u64).collect()
    }
}

/// A domain as DNS has it, in lower case; none if it can be none.
pub(super) fn ascii(domain: &str) -> Option<String> {
    use hickory_resolver::proto::rr::Name;
    let domain = domain.trim_end_matches('.');
    let name = Name::from_utf8(domain).ok().filter(|_| !domain.is_empty())?;
    let name = name.to_lowercase().to_ascii();
    Some(name.trim_end_matches('.').to_owned())
}

/// Where the section ends, its blank line included; `seen` octets were looked at before.
fn end_of(octets: &[u8], seen: usize) -> Option<usize> {
    if octets.starts_with(b"\r\n") {
        return Some(2);
    }
    let from = seen.saturating_sub(3);
    let found = octets[from..].windows(4).position(|four| four == b"\r\n\r\n");
    found.map(|at| from + at + 4)
}

/// RFC 8601 §2.2 authserv-id, a value behind comments; none if there is no telling what it is.
fn authserv_id(raw: &[u8]) -> Option<Vec<u8>> {
    let rest = without_comments(raw)?;
    match rest.split_first() {
        Some((b'"', quoted)) => {
            let mut id = Vec::new();
            let mut octets = quoted.iter();
            loop {
                match octets.next()? {
                    b'"' => return Some(id),
                    b'\\' => id.push(*octets.next()?),
                    octet => id.push(*octet),
                }
            }
        }
        _ => {
            // RFC 2045 §5.1: what no token holds.
            let is_end =
                |octet: &u8| octet.is_ascii_whitespace() || b"()<>@,;:\\\"/[]?=".contains(octet);
            let end = rest.iter().position(is_end).unwrap_or(rest.len());
            (end > 0).then(|| rest[..end].to_vec())
        }
    }
}

/// What follows white space and comments, which may nest; none if one does not end.
fn without_comments(raw: &[u8]) -> Option<&[u8]> {
    let (mut depth, mut quoted) = (0_u32, false);
    for (at, octet) in raw.iter().enumerate() {
        match octet {
            _ if quoted => quoted = false,
            b'\\' if depth > 0 => quoted = true,
            b'(' => depth = depth.saturating_add(1),
            b')' if depth > 0 => depth -= 1,
            octet if depth > 0 || octet.is_ascii_whitespace() => {}
            _ => return Some(&raw[at..]),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(octets: &str) -> Head {
        Head::read(&octets.as_bytes().to_vec(), 0, false).expect("it is all there")
    }

    #[test]
    fn the_section_ends_at_its_blank_line_wherever_pieces_are_cut() {
        let fields = format!("A: {}\r\nReceived: x\r\n", "b".repeat(PIECE as usize - 7));
        for body in ["", "\r\n", "\r\nbody\r\n\r\nmore"] {
            let whole = format!("Return-Path: <>\r\nReceived: ours\r\n{fields}{body}");
            let read = Head::read(&whole.clone().into_bytes(), 17, true).expect("it is all there");
            let blank = if body.is_empty() { "" } else { "\r\n" };
            assert_eq!(read.octets, format!("{fields}{blank}").as_bytes());
            assert_eq!(&whole[read.at as usize..][..3], "A: ");
            assert_eq!(&whole[read.body_at as usize..], body.get(2..).unwrap_or_default());
            assert!(read.is_well_formed());
        }
        assert_eq!(head("\r\nbody").body_at, 2);
        for odd in ["A: b\r\nno field\r\nC: d\r\n\r\n", " folded\r\nA: b\r\n\r\n", "no\r\n\r\n"] {
            assert!(!head(odd).is_well_formed(), "{odd}");
        }
    }

    #[test]
    fn results_under_our_name_are_found_however_they_are_written() {
        let name = "Authentication-Results";
        let ours = [
            "mx.b.example; spf=pass",
            "MX.B.Example 1; spf=pass",
            "mx.b.example.; spf=pass",
            "mx.b.example:25; spf=pass",
            "mx.b.example, x; spf=pass",
            "\r\n\t(a (nested \\) one)) mx.b.example (x); none",
            "\"mx.b.example\"; dkim=pass",
            "\"mx\\.b.example\";dkim=pass",
            "mx.b.example",
            "mx.b.example/1; none",
            "(never ends; mx.b.example",
            "\"never ends; mx.b.example",
            "",
        ];
        for value in ours {
            let message = format!("{name}:{value}\r\nFrom: a@b\r\n\r\n");
            let found = head(&message).forged("mx.b.example");
            let whole = 0..message.find("From").expect("it is there") as u64;
            assert_eq!(found, vec![whole], "{value}");
        }
        for value in ["mx.c.example; spf=pass mx.b.example", "x (mx.b.example); none"] {
            let message = format!("{name}: {value}\r\n\r\n");
            assert_eq!(head(&message).forged("mx.b.example"), [], "{value}");
        }
        let spaced = head("authentication-results : mx.b.example\r\n\r\n");
        assert_eq!(spaced.forged("mx.b.example").len(), 1);
    }

    #[test]
    fn the_author_is_one_domain_or_nobody() {
        let author = |message: &str| {
            let parsed = AuthenticatedMessage::parse(message.as_bytes());
            head(message).author(&parsed.expect("it has fields"))
        };
        let one = Some("a.example".to_owned());
        assert_eq!(author("From: X <x@A.Example>\r\n\r\n"), one);
        assert_eq!(author("From: x@a.example, y@a.example.\r\n\r\n"), one);
        assert_eq!(
            author("From: x@bücher.example\r\n\r\n").as_deref(),
            Some("xn--bcher-kva.example")
        );
        for nobody in [
            "From: x@a.example, y@b.example\r\n\r\n",
            "From: x@a.example\r\nFrom: x@a.example\r\n\r\n",
            "To: x@a.example\r\n\r\n",
            "From: nobody\r\n\r\n",
        ] {
            assert_eq!(author(nobody), None, "{nobody}");
        }
    }
}
