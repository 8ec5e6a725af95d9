//! Who a message says it is from: the From and Sender fields, gathered while the message passes and read at its end.
//! Whether an account may write as one of them is its host's to say.

use alloc::vec::Vec;

use memchr::memchr;

use super::reply::Reply;
use crate::limits::AUTHOR_FIELD_MAX;
use crate::smtp::grammar::authors;
use crate::smtp::types::Mailbox;
use crate::text::header::unfold;
use crate::trace::Rule;

/// RFC 6409 §6.3.
pub(super) const AUTHORS: Rule = Rule {
    rfc: 6409,
    section: "6.3",
    gist: "A submission server may refuse a message whose syntax is wrong, or that its user may not send.",
};

/// The two fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    From,
    Sender,
}

/// Where the octets stand.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// At the beginning of a line, or within the name of a field: what there is of it, and whether white space followed.
    Name(Vec<u8>, bool),
    /// In the body of a field that is kept.
    Kept(Which),
    /// In a line that is not.
    Passed,
    /// Behind the header section.
    Body,
}

/// The two fields of a message, fed piece by piece; the result does not depend on where it is cut.
#[derive(Clone, Debug)]
pub(super) struct Authors {
    place: Place,
    /// The field that a folded line belongs to.
    last: Option<Which>,
    from: Field,
    sender: Field,
}

/// All fields of one name.
#[derive(Clone, Debug, Default)]
struct Field {
    /// How many there are.
    count: u32,
    /// The body of the first.
    body: Vec<u8>,
    /// It is longer than what is kept.
    long: bool,
}

impl Authors {
    pub(super) fn new() -> Self {
        let (from, sender) = (Field::default(), Field::default());
        Self { place: Place::Name(Vec::new(), false), last: None, from, sender }
    }

    /// Looks at the next octets.
    pub(super) fn look(&mut self, octets: &[u8]) {
        let mut rest = octets;
        while let Some(&octet) = rest.first() {
            match &mut self.place {
                Place::Body => return,
                Place::Name(name, spaced) => {
                    rest = &rest[1..];
                    let space = matches!(octet, b' ' | b'\t');
                    match octet {
                        b'\n' => {
                            let blank = name.is_empty() || name[..] == *b"\r";
                            self.last = None;
                            self.place =
                                if blank { Place::Body } else { Place::Name(Vec::new(), false) };
                        }
                        b':' => self.begin(),
                        // A line that begins so is part of the field before it.
                        _ if space && name.is_empty() => {
                            self.place = self.last.map_or(Place::Passed, Place::Kept);
                        }
                        // RFC 5322 §4.5: white space before the colon is obsolete, and no part of the name.
                        _ if space => *spaced = true,
                        _ if *spaced || name.len() >= b"sender".len() => {
                            self.last = None;
                            self.place = Place::Passed;
                        }
                        octet => name.push(octet),
                    }
                }
                Place::Kept(_) | Place::Passed => {
                    let end = memchr(b'\n', rest).map_or(rest.len(), |lf| lf + 1);
                    let (line, more) = rest.split_at(end);
                    if let Place::Kept(which) = self.place {
                        self.field(which).keep(line);
                    }
                    if line.ends_with(b"\n") {
                        self.place = Place::Name(Vec::new(), false);
                    }
                    rest = more;
                }
            }
        }
    }

    /// The name of a field has ended.
    fn begin(&mut self) {
        let Place::Name(name, _) = &self.place else { return };
        let is = |field: &str| name.eq_ignore_ascii_case(field.as_bytes());
        let which = match () {
            () if is("from") => Some(Which::From),
            () if is("sender") => Some(Which::Sender),
            () => None,
        };
        // Of further ones nothing is kept: there may be one of each.
        self.last = which.filter(|which| {
            let field = self.field(*which);
            field.count += 1;
            field.count == 1
        });
        self.place = self.last.map_or(Place::Passed, Place::Kept);
    }

    fn field(&mut self, which: Which) -> &mut Field {
        match which {
            Which::From => &mut self.from,
            Which::Sender => &mut self.sender,
        }
    }

    /// The addresses of both fields; or why there is no telling.
    ///
    /// A message without From passes where nothing was to be added: that is a relay's.
    pub(super) fn read(&self, needs_from: bool) -> Result<Vec<Mailbox>, Reply> {
        // RFC 5322 §3.6: From once, Sender at most once.
        if needs_from && self.from.count == 0 {
            return Err(wrong("The message has no From field, and MAIL no address to take for it"));
        }
        let mut all = self.from.read("From", 1 << 10)?;
        // RFC 5322 §3.6.2: one mailbox.
        all.extend(self.sender.read("Sender", 1)?);
        Ok(all)
    }
}

impl Field {
    fn keep(&mut self, octets: &[u8]) {
        let room = AUTHOR_FIELD_MAX.saturating_sub(self.body.len());
        self.long |= octets.len() > room;
        self.body.extend_from_slice(&octets[..octets.len().min(room)]);
    }

    fn read(&self, name: &str, most: usize) -> Result<Vec<Mailbox>, Reply> {
        match self.count {
            0 => return Ok(Vec::new()),
            1 => {}
            _ => return Err(wrong(alloc::format!("The message has more than one {name} field"))),
        }
        if self.long {
            return Err(wrong(alloc::format!("The {name} field is too long")));
        }
        let found = authors(&unfold(&self.body)).filter(|found| found.len() <= most);
        found.ok_or_else(|| {
            let what = if most == 1 { "one address" } else { "a list of addresses" };
            wrong(alloc::format!("The {name} field is not {what} as RFC 5322 writes it"))
        })
    }
}

/// RFC 6409 §6.3: 554 is for syntax.
fn wrong(text: impl Into<Vec<u8>>) -> Reply {
    Reply::made(554, "5.6.0", text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    /// What is found in a message, checked to be the same however it is cut.
    fn found(message: &str) -> Result<Vec<String>, String> {
        let read = |size: usize| {
            let mut authors = Authors::new();
            message.as_bytes().chunks(size).for_each(|piece| authors.look(piece));
            let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
            let name = |mailbox: Mailbox| {
                alloc::format!("{}@{}", text(&mailbox.local_part), text(&mailbox.domain))
            };
            let read = authors.read(true);
            read.map(|all| all.into_iter().map(name).collect()).map_err(|reply| text(&reply.text))
        };
        let whole = read(message.len().max(1));
        (1..message.len()).for_each(|size| assert_eq!(read(size), whole, "in pieces of {size}"));
        whole
    }

    #[test]
    fn the_fields_of_the_header_section_are_found() {
        let one = Ok(alloc::vec![String::from("a@b.c")]);
        for message in [
            "From: a@b.c\r\n\r\nFrom: x@y.z\r\n",
            "To: x\r\n From: x@y.z\r\nFROM \t : Ann\r\n\t<a@b.c>\r\nX-From: x@y.z\r\n\r\n",
            "Fromm: x@y.z\r\nfrom:a@b.c",
            "no field\r\nFrom : a@b.c\r\n\r\n",
            "Fr om: x@y.z\r\nFrom: a@b.c\r\n\r\n",
        ] {
            assert_eq!(found(message), one, "{message:?}");
        }
        let both = found("Sender: d@e.f\r\nFrom: a@b.c,\r\n x@y.z\r\n\r\n").expect("it is right");
        assert_eq!(both, ["a@b.c", "x@y.z", "d@e.f"]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let long = alloc::format!("From: a@b.c{}\r\n\r\n", " ".repeat(AUTHOR_FIELD_MAX));
        for (message, word) in [
            ("To: a@b.c\r\n\r\nFrom: a@b.c\r\n", "no From field"),
            ("From: a@b.c\r\nTo: x\r\nfrom : a@b.c\r\n\r\n", "more than one From"),
            ("From: a@b.c\r\nSender: a@b.c\r\nSender: a@b.c\r\n\r\n", "more than one Sender"),
            ("From: a@b.c\r\nSender: a@b.c, d@e.f\r\n\r\n", "Sender field is not one address"),
            ("From: root\r\n\r\n", "From field is not a list"),
            ("From: a@b.c <d@e.f>\r\n\r\n", "From field is not a list"),
        ] {
            let why = found(message).expect_err(message);
            assert!(why.contains(word), "{message:?}: {why}");
        }
        let mut authors = Authors::new();
        authors.look(long.as_bytes());
        assert!(authors.read(true).is_err());
    }
}
