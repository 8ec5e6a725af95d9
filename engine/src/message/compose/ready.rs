//! A message that another program has written, as it comes on standard input: its lines are made right, its header
//! section is taken apart from its body, its recipients are read, and what it lacks is added.
//! The body is not looked into.

use alloc::string::String;
use alloc::vec::Vec;

use super::people::{Person, parse_mailboxes, parse_people};
use super::values::Refused;
use super::{Origin, header, id_domain, unique};
use crate::limits::Limits;
use crate::smtp::Mailbox;
use crate::smtp::client::lines::Lines;
use crate::text::date::date_time;
use crate::text::header::{Field, fields};

/// Octets of a header section. No honest one comes near, and it is held in memory.
const HEADER_MAX: usize = Limits::SMTP.header_max as usize;

/// Reads a message piece by piece; the result does not depend on where it is cut.
#[derive(Debug)]
pub struct Reader {
    lines: Lines,
    /// A line that is a single dot ends the message, as `sendmail` without `-i` has it.
    dot_ends: bool,
    ended: bool,
    /// The header section so far; whole lines.
    head: Vec<u8>,
    in_head: bool,
    /// The line so far, while it is not known what it is.
    line: Vec<u8>,
    at_line_start: bool,
    facts: Ready,
}

/// What is known of the body once it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Octets of the body.
    pub body_size: u64,
    /// Whether any octet of the body is above ASCII.
    pub eight_bit: bool,
    /// Whether no line of the body begins with a dot.
    pub plain: bool,
}

impl Reader {
    /// Before the first octet.
    #[must_use]
    pub fn new(dot_ends: bool) -> Self {
        Self {
            lines: Lines::new(false),
            dot_ends,
            ended: false,
            head: Vec::new(),
            in_head: true,
            line: Vec::new(),
            at_line_start: true,
            facts: Ready { body_size: 0, eight_bit: false, plain: true },
        }
    }

    /// Takes the next octets, and adds to `body` what they are of it. True when the message has ended and the rest of
    /// the input is to be ignored.
    ///
    /// # Errors
    /// [`Refused`]: the header section is too long, or there is a NUL, which no server takes.
    pub fn take(&mut self, octets: &[u8], body: &mut Vec<u8>) -> Result<bool, Refused> {
        let mut lines = Vec::with_capacity(octets.len() + octets.len() / 32);
        self.lines.take(octets, &mut lines);
        self.pass(&lines, body)?;
        Ok(self.ended)
    }

    /// The input is over.
    ///
    /// # Errors
    /// As `take`.
    pub fn finish(mut self, body: &mut Vec<u8>) -> Result<(Head, Ready), Refused> {
        let mut lines = Vec::new();
        self.lines.finish(&mut lines);
        self.pass(&lines, body)?;
        Ok((Head { section: self.head }, self.facts))
    }

    fn pass(&mut self, octets: &[u8], body: &mut Vec<u8>) -> Result<(), Refused> {
        for line in octets.split_inclusive(|octet| *octet == b'\n') {
            if self.ended {
                return Ok(());
            }
            if line.contains(&0) {
                return Err(Refused::Control('\0'));
            }
            let undecided = self.in_head || self.dot_ends && self.may_be_dot(line);
            if !undecided {
                self.body(line, body);
                continue;
            }
            self.line.extend_from_slice(line);
            if self.line.len() + self.head.len() > HEADER_MAX {
                return Err(Refused::TooLong(HEADER_MAX));
            }
            if line.ends_with(b"\n") {
                let line = core::mem::take(&mut self.line);
                self.whole_line(&line, body);
            } else if !self.in_head && !b".\r\n".starts_with(&self.line[..]) {
                let line = core::mem::take(&mut self.line);
                self.body(&line, body);
            }
        }
        Ok(())
    }

    /// Whether the line that this is the next piece of may be a single dot.
    fn may_be_dot(&self, piece: &[u8]) -> bool {
        !self.line.is_empty() || self.at_line_start && piece.starts_with(b".")
    }

    fn whole_line(&mut self, line: &[u8], body: &mut Vec<u8>) {
        if self.dot_ends && line == b".\r\n" {
            self.ended = true;
        } else if !self.in_head {
            self.body(line, body);
        } else if line == b"\r\n" {
            self.in_head = false;
        } else if is_field(line) || !self.head.is_empty() && matches!(line[0], b' ' | b'\t') {
            self.head.extend_from_slice(line);
        } else if !(self.head.is_empty() && line.starts_with(b"From ")) {
            // No field and no blank line: the body has begun without one. (A mailbox file's `From ` line is neither.)
            self.in_head = false;
            self.body(line, body);
        }
    }

    fn body(&mut self, octets: &[u8], body: &mut Vec<u8>) {
        self.facts.body_size += octets.len() as u64;
        self.facts.eight_bit |= !octets.is_ascii();
        self.facts.plain &= !(self.at_line_start && octets.starts_with(b"."));
        self.at_line_start = octets.ends_with(b"\n");
        body.extend_from_slice(octets);
    }
}

/// `field = field-name ":" unstructured` (RFC 5322 §2.2), with the white space before the colon that §4.5 calls obsolete.
fn is_field(line: &[u8]) -> bool {
    let Some(colon) = line.iter().position(|octet| *octet == b':') else { return false };
    let name = line[..colon].trim_ascii_end();
    !name.is_empty() && name.iter().all(|octet| (b'!'..=b'~').contains(octet))
}

/// A header section that was read; whole fields with CRLF, without the blank line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    section: Vec<u8>,
}

impl Head {
    /// Whether there is a field of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        fields(&self.section).any(|field| field.is(name.as_bytes()))
    }

    /// Whether there is no field at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.section.is_empty()
    }

    /// Whether any octet is above ASCII, which needs SMTPUTF8.
    #[must_use]
    pub fn is_eight_bit(&self) -> bool {
        !self.section.is_ascii()
    }

    /// Whom To, Cc and Bcc name; a message that is sent on goes to those of the Resent fields alone (RFC 5322 §3.6.6).
    ///
    /// # Errors
    /// [`Refused`], with the part that is no address.
    pub fn recipients(&self, domain: Option<&str>) -> Result<Vec<Mailbox>, Refused> {
        const RESENT: [&str; 3] = ["Resent-To", "Resent-Cc", "Resent-Bcc"];
        let resent = RESENT.iter().any(|name| self.has(name));
        self.mailboxes(if resent { &RESENT } else { &["To", "Cc", "Bcc"] }, domain)
    }

    /// The first address of From.
    ///
    /// # Errors
    /// [`Refused`], with the part that is no address.
    pub fn author(&self, domain: Option<&str>) -> Result<Option<Mailbox>, Refused> {
        Ok(self.mailboxes(&["From"], domain)?.into_iter().next())
    }

    fn mailboxes(&self, names: &[&str], domain: Option<&str>) -> Result<Vec<Mailbox>, Refused> {
        let mut out = Vec::new();
        for field in fields(&self.section) {
            if names.iter().any(|name| field.is(name.as_bytes())) {
                let body = field.unfolded();
                let body = String::from_utf8_lossy(&body);
                for mailbox in parse_mailboxes(&body, domain)? {
                    if !out.contains(&mailbox) {
                        out.push(mailbox);
                    }
                }
            }
        }
        Ok(out)
    }

    /// The section as it is sent, with its blank line: Bcc taken out, From, Date and Message-ID added where they lack, and
    /// `domain` where an address has none (RFC 5321 §2.3.5: only whole names mean something to others).
    #[must_use]
    pub fn complete(&self, author: &Person, domain: Option<&str>, origin: Origin) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.section.len() + 256);
        if !self.has("Date") {
            header::plain(&mut out, "Date", &date_time(origin.unix_ms));
        }
        if !self.has("From") {
            header::addresses(&mut out, "From", core::slice::from_ref(author));
        }
        if !self.has("Message-ID") {
            let (time, unique) = (origin.unix_ms, unique(origin));
            let id = alloc::format!("<{time}.{unique}@{}>", id_domain(author));
            header::plain(&mut out, "Message-ID", &id);
        }
        let mut kept = 0;
        for field in fields(&self.section) {
            let blind = field.is(b"Bcc") || field.is(b"Resent-Bcc");
            let qualified = domain.and_then(|domain| qualified(&field, domain));
            if blind || qualified.is_some() {
                out.extend_from_slice(&self.section[kept..field.start]);
                kept = field.end;
            }
            if let Some((name, people)) = qualified.filter(|_| !blind) {
                header::addresses(&mut out, name, &people);
            }
        }
        out.extend_from_slice(&self.section[kept..]);
        out.extend_from_slice(b"\r\n");
        out
    }
}

/// The people of a field in which somebody has no domain, with one; none if it can stay, or cannot be read.
fn qualified(field: &Field<'_>, domain: &str) -> Option<(&'static str, Vec<Person>)> {
    const NAMES: [&str; 9] = [
        "From",
        "Sender",
        "Reply-To",
        "To",
        "Cc",
        "Resent-From",
        "Resent-Sender",
        "Resent-To",
        "Resent-Cc",
    ];
    let name = NAMES.into_iter().find(|name| field.is(name.as_bytes()))?;
    let body = field.unfolded();
    let body = core::str::from_utf8(&body).ok()?;
    match parse_people(body, None) {
        Ok(_) => None,
        Err(_) => Some((name, parse_people(body, Some(domain)).ok()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::compose::parse_person;
    use crate::smtp::grammar::print_mailbox;

    fn read(input: &[u8], size: usize, dot_ends: bool) -> Result<(Head, Ready, Vec<u8>), Refused> {
        let mut reader = Reader::new(dot_ends);
        let mut body = Vec::new();
        for piece in input.chunks(size) {
            if reader.take(piece, &mut body)? {
                break;
            }
        }
        let (head, ready) = reader.finish(&mut body)?;
        assert_eq!(ready.body_size, body.len() as u64);
        Ok((head, ready, body))
    }

    /// What is given, whether a lone dot ends it, and the head and the body that it has.
    type Case = (&'static [u8], bool, &'static [u8], &'static [u8]);

    #[test]
    fn head_and_body_are_told_apart_wherever_the_input_is_cut() {
        let cases: [Case; 11] = [
            (b"A: b\n\nc\n", false, b"A: b\r\n", b"c\r\n"),
            (b"A: b\r\n c\r\n\r\n.\r\nd", false, b"A: b\r\n c\r\n", b".\r\nd\r\n"),
            (b"A: b\r\n c\r\n\r\n.\r\nd", true, b"A: b\r\n c\r\n", b""),
            (b"A: b\n\nx\n.y\n..\n.\nQUIT\n", true, b"A: b\r\n", b"x\r\n.y\r\n..\r\n"),
            (b"hello\nA: b\n", false, b"", b"hello\r\nA: b\r\n"),
            (b"A: b\nhello\n", false, b"A: b\r\n", b"hello\r\n"),
            (b"From x Mon\nA: b\n\n", false, b"A: b\r\n", b""),
            (b" a\nA: b\n", false, b"", b" a\r\nA: b\r\n"),
            (b"", false, b"", b""),
            (b"A: b", true, b"A: b\r\n", b""),
            (b"A: b\rC: d\n\ne\rf", true, b"A: b C: d\r\n", b"e f\r\n"),
        ];
        for (input, dot_ends, section, text) in cases {
            for size in 1..=input.len().max(1) {
                let (head, ready, body) = read(input, size, dot_ends).expect("it is a message");
                let shown = input.escape_ascii();
                assert_eq!(head.section, section, "{shown} in pieces of {size}");
                assert_eq!(body, text, "{shown} in pieces of {size}");
                let dot = text.starts_with(b".") || text.windows(2).any(|two| two == b"\n.");
                assert_eq!(ready.plain, !dot, "{shown} in pieces of {size}");
            }
        }
        assert!(read(b"A: b\0\n\n", 3, false).is_err());
        assert!(read(&[b'a'; HEADER_MAX + 10], 1000, false).is_err());
        assert!(read(b"A: b\n\n\xff", 3, false).expect("it is a message").1.eight_bit);
    }

    /// As cron writes it.
    #[test]
    fn who_has_no_domain_gets_one() {
        let input = b"From: root (Cron Daemon)\nTo: root, Bob <bob@x.y>\nCc: friends: ann;\nBcc: hidden\nReply-To: a b\n\
            Sender: bob@x.y\nSubject: root\nDate: x\nMessage-Id: <1@x>\n\n";
        let (head, ..) = read(input, 9, false).expect("it is a message");
        let author = parse_person("Ann <ann@crepes.fr>", None).expect("it is one");
        let origin = Origin { unix_ms: 0, seed: [1; 16] };
        let sent = head.complete(&author, Some("crepes.fr"), origin);
        assert_eq!(
            String::from_utf8_lossy(&sent).replace("\r\n", "\n"),
            "From: Cron Daemon <root@crepes.fr>\nTo: root@crepes.fr, Bob <bob@x.y>\nCc: ann@crepes.fr\nReply-To: a b\n\
            Sender: bob@x.y\nSubject: root\nDate: x\nMessage-Id: <1@x>\n\n"
        );
        let sent = head.complete(&author, None, origin);
        assert!(
            String::from_utf8_lossy(&sent).starts_with("From: root (Cron Daemon)\r\nTo: root, Bob")
        );
    }

    #[test]
    fn recipients_are_read_and_blind_ones_taken_out() {
        let input = b"To: root, Bob <bob@x.y>\nBCC: secret@x.y,\n\tbob@x.y\nCc: \"J\xf6rg\" <j@x.y>\nSubject: hi\n\n";
        let (head, ..) = read(input, 7, false).expect("it is a message");
        let names =
            |list: Vec<Mailbox>| -> Vec<Vec<u8>> { list.iter().map(print_mailbox).collect() };
        let found = names(head.recipients(Some("crepes.fr")).expect("they are addresses"));
        let meant: [&[u8]; 4] = [b"root@crepes.fr", b"bob@x.y", b"secret@x.y", b"j@x.y"];
        assert_eq!(found, meant);
        assert!(head.recipients(None).is_err(), "root has no domain");
        let author = parse_person("Ann <ann@crepes.fr>", None).expect("it is one");
        let sent = head.complete(&author, Some("crepes.fr"), Origin { unix_ms: 0, seed: [1; 16] });
        let text = String::from_utf8_lossy(&sent);
        assert!(text.starts_with(
            "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\nFrom: Ann <ann@crepes.fr>\r\nMessage-ID: <0."
        ));
        assert!(
            !text.to_lowercase().contains("secret") && !text.to_lowercase().contains("bcc"),
            "{text}"
        );
        assert!(text.ends_with("Subject: hi\r\n\r\n"), "{text}");
        let input = b"Resent-To: c@x.y\nTo: a@x.y\nFrom: b@x.y\nDate: x\nMessage-Id: <1@x>\n\n";
        let (head, ..) = read(input, 100, false).expect("it is a message");
        assert_eq!(names(head.recipients(None).expect("they are addresses")), [b"c@x.y"]);
        let sent = head.complete(&author, Some("crepes.fr"), Origin { unix_ms: 0, seed: [1; 16] });
        assert_eq!(String::from_utf8_lossy(&sent).replace("\r\n", "\n").as_bytes(), input);
        let (head, ..) = read(b"To: \xffx@y.z\n\n", 100, false).expect("it is a message");
        assert!(head.recipients(None).is_err());
        let (head, ..) =
            read(b"To: =?utf-8?q?a=0D=0A?= <x@y.z>\n\n", 100, false).expect("it is a message");
        assert_eq!(names(head.recipients(None).expect("the name does not matter")), [b"x@y.z"]);
    }
}
