//! Addresses as a person types them (RFC 5322 §3.4), read strictly: a guess about an address sends mail to a stranger.
//! Lists, names, quoted strings, comments and groups are understood; obsolete forms are refused.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::values::{Refused, Text, shown};
use crate::limits::COMPOSED_PEOPLE_MAX;
use crate::smtp::Mailbox;
use crate::smtp::grammar::{parse_mailbox, print_mailbox};
use crate::text::words;

/// Somebody with an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The name that readers see.
    pub name: Option<Text>,
    /// The address.
    pub mailbox: Mailbox,
}

impl Person {
    /// The address as RFC 5322 §3.4.1 writes it.
    #[must_use]
    pub fn address(&self) -> Vec<u8> {
        print_mailbox(&self.mailbox)
    }

    /// Whether the address needs SMTPUTF8.
    #[must_use]
    pub fn needs_utf8(&self) -> bool {
        !self.mailbox.local_part.is_ascii() || !self.mailbox.domain.is_ascii()
    }
}

/// Reads an unfolded `address-list`; a group gives its members, an empty list none.
///
/// An address without a domain gets `domain`, as `sendmail` does it; without one it is refused.
///
/// # Errors
/// [`Refused`], with the part that is no address.
pub fn parse_people(list: &str, domain: Option<&str>) -> Result<Vec<Person>, Refused> {
    read(list, domain, true)
}

/// The addresses of a list, whatever the names in it are; otherwise as [`parse_people`].
///
/// # Errors
/// [`Refused`], with the part that is no address.
pub fn parse_mailboxes(list: &str, domain: Option<&str>) -> Result<Vec<Mailbox>, Refused> {
    let people = read(list, domain, false)?;
    Ok(people.into_iter().map(|person| person.mailbox).collect())
}

fn read(list: &str, domain: Option<&str>, names: bool) -> Result<Vec<Person>, Refused> {
    // A folded field's tabs are white space like any other.
    let list = list.replace('\t', " ");
    Text::new_of_any_length(&list)?;
    let (out, item) = (Vec::new(), Item::default());
    let mut reader = Reader { domain, names, out, item, in_group: false };
    let mut at = 0;
    while at < list.len() {
        at = reader.step(&list, at)?;
        if reader.out.len() > COMPOSED_PEOPLE_MAX {
            return Err(Refused::TooMany(COMPOSED_PEOPLE_MAX));
        }
    }
    reader.end_item()?;
    if reader.in_group {
        return Err(Refused::NotAnAddress(shown(&list)));
    }
    Ok(reader.out)
}

/// Reads one address, with or without a name.
///
/// # Errors
/// [`Refused`]: none, or more than one.
pub fn parse_person(text: &str, domain: Option<&str>) -> Result<Person, Refused> {
    let mut people = parse_people(text, domain)?;
    match (people.pop(), people.is_empty()) {
        (Some(person), true) => Ok(person),
        (None, _) => Err(Refused::Empty),
        (Some(_), false) => Err(Refused::NotAnAddress(shown(text))),
    }
}

struct Reader<'a> {
    domain: Option<&'a str>,
    /// Whether names are wanted too.
    names: bool,
    out: Vec<Person>,
    item: Item,
    in_group: bool,
}

/// What was read since the last comma.
#[derive(Default)]
struct Item {
    /// As it stands, quoted strings included, comments not.
    plain: String,
    /// The same by its meaning, as a name.
    name: String,
    angle: Option<String>,
    /// The first comment: the old place of the name.
    comment: Option<String>,
}

impl Reader<'_> {
    /// Reads the token at `at`, and says where the next begins.
    fn step(&mut self, list: &str, at: usize) -> Result<usize, Refused> {
        let rest = &list[at..];
        let wrong = || Refused::NotAnAddress(shown(rest.trim()));
        match rest.as_bytes()[0] {
            b',' => self.end_item().map(|()| at + 1),
            b'"' => {
                let (meaning, length) = delimited(rest, '"', '"').ok_or_else(wrong)?;
                self.item.plain.push_str(&rest[..length]);
                self.item.name.push_str(&meaning);
                self.no_more_after_angle(rest).map(|()| at + length)
            }
            b'(' => {
                let (meaning, length) = delimited(rest, '(', ')').ok_or_else(wrong)?;
                self.item.comment.get_or_insert(meaning);
                Ok(at + length)
            }
            b'<' => {
                let length = angle(rest).ok_or_else(wrong)?;
                if self.item.angle.is_some() {
                    return Err(wrong());
                }
                self.item.angle = Some(rest[1..length - 1].to_owned());
                Ok(at + length)
            }
            b':' if !self.in_group && self.item.angle.is_none() => {
                if self.item.name.trim().is_empty() {
                    return Err(wrong());
                }
                self.item = Item::default();
                self.in_group = true;
                Ok(at + 1)
            }
            b';' if self.in_group => {
                self.end_item()?;
                self.in_group = false;
                Ok(at + 1)
            }
            b':' | b';' | b'>' | b')' => Err(wrong()),
            b'[' => {
                // An address literal may hold colons.
                let length = rest.find(']').ok_or_else(wrong)? + 1;
                self.item.plain.push_str(&rest[..length]);
                self.no_more_after_angle(rest).map(|()| at + length)
            }
            b' ' => {
                self.item.plain.push(' ');
                self.item.name.push(' ');
                Ok(at + 1)
            }
            _ => {
                let length = rest.find([',', '"', '(', ')', '<', '>', ':', ';', '[', ' ']);
                let run = &rest[..length.unwrap_or(rest.len())];
                self.item.plain.push_str(run);
                self.item.name.push_str(run);
                self.no_more_after_angle(rest).map(|()| at + run.len())
            }
        }
    }

    fn no_more_after_angle(&self, rest: &str) -> Result<(), Refused> {
        let more = self.item.angle.is_some();
        if more { Err(Refused::NotAnAddress(shown(rest.trim()))) } else { Ok(()) }
    }

    /// A comma, a group's end or the list's: what stands before it is an address or nothing.
    fn end_item(&mut self) -> Result<(), Refused> {
        let Item { plain, name, angle, comment } = core::mem::take(&mut self.item);
        if angle.is_none() && plain.trim().is_empty() && comment.is_none() {
            return Ok(());
        }
        let (address, name) = match angle {
            Some(address) => (address, Some(name)),
            None => (plain, comment),
        };
        let address = address.trim();
        let mailbox = self.mailbox(address)?;
        // What was encoded for the way is a name again; what it decodes to is looked at as if it had been typed.
        let name = name.filter(|_| self.names);
        let name = name.map(|name| words::decode(name.trim().as_bytes()));
        let name = name.filter(|name| !name.trim().is_empty());
        let name = name.map(|name| Text::new(&name)).transpose()?;
        self.out.push(Person { name, mailbox });
        Ok(())
    }

    fn mailbox(&self, address: &str) -> Result<Mailbox, Refused> {
        let whole = match self.domain {
            Some(domain) if !address.is_empty() && !has_domain(address) => {
                format!("{address}@{domain}")
            }
            _ => address.to_string(),
        };
        // What was no UTF-8 is not known any more.
        if whole.contains('\u{FFFD}') {
            return Err(Refused::NotAnAddress(shown(address)));
        }
        parse_mailbox(whole.as_bytes(), true).map_err(|_| Refused::NotAnAddress(shown(address)))
    }
}

/// Whether an at sign stands outside of quotes.
fn has_domain(address: &str) -> bool {
    let after_quotes = match address.strip_prefix('"') {
        Some(_) => delimited(address, '"', '"').map_or("", |(_, length)| &address[length..]),
        None => address,
    };
    after_quotes.contains('@')
}

/// The length of `"<" … ">"`, quoted strings in it taken as they are.
fn angle(text: &str) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, octet) in text.bytes().enumerate().skip(1) {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(at + 1),
            b'<' if !quoted => return None,
            _ => {}
        }
    }
    None
}

/// A quoted string or a comment at the beginning of the text: its meaning and its length. Comments may hold comments;
/// their depth is a number, so that it costs nothing.
fn delimited(text: &str, open: char, close: char) -> Option<(String, usize)> {
    let mut meaning = String::new();
    let mut depth = 1u32;
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => meaning.push(chars.next()?.1),
            _ if c == close => {
                depth -= 1;
                if depth == 0 {
                    return Some((meaning, at + c.len_utf8()));
                }
                meaning.push(c);
            }
            _ => {
                depth += u32::from(c == open);
                meaning.push(c);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(list: &str) -> Result<Vec<(String, String)>, Refused> {
        let people = parse_people(list, Some("crepes.fr"))?;
        let both = |person: &Person| {
            let name = person.name.as_ref().map_or(String::new(), |name| name.as_str().to_owned());
            (name, String::from_utf8(person.address()).expect("it was read from a str"))
        };
        Ok(people.iter().map(both).collect())
    }

    #[test]
    fn lists_are_read() {
        let right: [(&str, &[(&str, &str)]); 16] = [
            ("", &[]),
            (" , ,", &[]),
            ("a@b.c", &[("", "a@b.c")]),
            ("<a@b.c>", &[("", "a@b.c")]),
            ("Ann B. <a@b.c>, d@e.f", &[("Ann B.", "a@b.c"), ("", "d@e.f")]),
            ("\"B, Ann\" <a@b.c>", &[("B, Ann", "a@b.c")]),
            ("\"q\\\"q\"<a@b.c>", &[("q\"q", "a@b.c")]),
            ("a@b.c (Ann (B) C)", &[("Ann (B) C", "a@b.c")]),
            ("root", &[("", "root@crepes.fr")]),
            ("Root <root>", &[("Root", "root@crepes.fr")]),
            ("\"a@b\"", &[("", "\"a@b\"@crepes.fr")]),
            ("\"a>b\"@c.d", &[("", "\"a>b\"@c.d")]),
            ("x <\"a>, b\"@c.d>", &[("x", "\"a>, b\"@c.d")]),
            ("friends: a@b.c, D <d@e.f>; , g@h.i", &[("", "a@b.c"), ("D", "d@e.f"), ("", "g@h.i")]),
            ("undisclosed-recipients:;", &[]),
            ("=?utf-8?q?J=C3=B6rg?= <j@[IPv6:::1]>", &[("Jörg", "j@[IPv6:::1]")]),
        ];
        for (list, people) in right {
            let people: Vec<_> =
                people.iter().map(|(name, to)| ((*name).to_owned(), (*to).to_owned())).collect();
            assert_eq!(told(list), Ok(people), "{list}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let wrong = [
            "Bob bob@x.y",
            "a@b@c",
            "a b",
            "<a@b.c",
            "a@b.c>",
            "<>",
            "Ann <>",
            "<a@b.c> d",
            "<a@b.c> <d@e.f>",
            "a@b.c; d@e.f",
            "g: a@b.c",
            ":;",
            "\"a@b.c",
            "(a@b.c",
            "a@b.c\r\nBcc: d@e.f",
            "a@b.c\n",
            "a@b\0.c",
            "a@b.c>\u{2028}",
            "=?utf-8?q?a=0D=0Ab?= <a@b.c>",
            "\"\"@b.c",
            "a..b@c.d",
            "a@b.c> SIZE=1",
            "<a@b.c> SIZE=1",
            "<a@b.c> BODY=8BITMIME",
            "a@b_c.d",
            "a@-b.c",
        ];
        for list in wrong {
            assert!(told(list).is_err(), "{list:?} gives {:?}", told(list));
        }
        assert!(parse_person("root", None).is_err());
        assert!(parse_person("a@b.c, d@e.f", None).is_err());
        assert_eq!(parse_person("", None), Err(Refused::Empty));
    }

    #[test]
    fn utf8_is_noticed() {
        let needs = |text| parse_person(text, None).map(|person| person.needs_utf8());
        assert_eq!(needs("jörg@x.de"), Ok(true));
        assert_eq!(needs("j@bücher.de"), Ok(true));
        assert_eq!(needs("Jörg <j@x.de>"), Ok(false));
    }

    #[test]
    fn many_are_bounded_and_depth_costs_nothing() {
        assert!(matches!(
            told(&"a@b.c,".repeat(COMPOSED_PEOPLE_MAX + 1)),
            Err(Refused::TooMany(_))
        ));
        assert!(told(&"(".repeat(100_000)).is_err());
    }
}
