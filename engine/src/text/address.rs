//! Address lists (RFC 5322 §3.4), obsolete forms included, as ENVELOPE wants them (RFC 9051 §7.5.2).

use alloc::vec::Vec;

/// Header fields that hold addresses (RFC 5322 §3.6.2, §3.6.3, §3.6.6; RFC 8098 §2.1); Return-Path holds a path.
pub const FIELDS: [&[u8]; 13] = [
    b"From",
    b"Sender",
    b"Reply-To",
    b"To",
    b"Cc",
    b"Bcc",
    b"Resent-From",
    b"Resent-Sender",
    b"Resent-Reply-To",
    b"Resent-To",
    b"Resent-Cc",
    b"Resent-Bcc",
    b"Disposition-Notification-To",
];

/// Addresses of one field; more are passed over.
pub(crate) const ADDRESSES_MAX: usize = 4000;

/// One address, or a mark of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// Display name without quotes, encoded words as they stand; of an address without one, its comment.
    pub name: Option<Vec<u8>>,
    /// Local part without quotes; at a group's start its name, at its end `None`.
    pub mailbox: Option<Vec<u8>>,
    /// Domain; `None` at a group's start and end.
    pub host: Option<Vec<u8>>,
}

/// What a list is made of.
#[derive(Debug, PartialEq, Eq)]
enum Token {
    /// An atom or a quoted string's meaning; whether white space or a comment came before it.
    Word(Vec<u8>, bool),
    Comment(Vec<u8>),
    /// One of `< > @ , ; : .` or a domain literal's end.
    Special(u8),
    Literal(Vec<u8>),
}

/// Parses an unfolded field body. It takes what it can: a list in mail is seldom quite right.
#[must_use]
pub fn parse_list(body: &[u8]) -> Vec<Address> {
    let mut parser = Parser::default();
    let mut at = 0;
    while at < body.len() && parser.out.len() < ADDRESSES_MAX {
        let (token, end) = token(body, at);
        at = end;
        if let Some(token) = token {
            parser.take(token);
        }
    }
    parser.finish_address();
    if parser.in_group {
        parser.out.push(Address::default());
    }
    parser.out
}

#[derive(Default)]
struct Parser {
    out: Vec<Address>,
    in_group: bool,
    in_angle: bool,
    /// Words before `<`, or the local part of an address without one.
    phrase: Vec<u8>,
    comment: Option<Vec<u8>>,
    local: Vec<u8>,
    host: Option<Vec<u8>>,
    /// An angle-addr was there, maybe empty.
    angle: bool,
}

impl Parser {
    fn take(&mut self, token: Token) {
        match token {
            Token::Comment(text) => {
                if self.comment.is_none() && !text.is_empty() {
                    self.comment = Some(text);
                }
            }
            Token::Special(b'<') => {
                self.in_angle = true;
                self.angle = true;
                self.local.clear();
                self.host = None;
            }
            Token::Special(b'>') => self.in_angle = false,
            // RFC 5322 §4.4: an obsolete route before the address is dropped.
            Token::Special(b':') if self.in_angle => {
                self.local.clear();
                self.host = None;
            }
            Token::Special(b':') if !self.in_group => self.start_group(),
            Token::Special(b',') if self.in_angle => {
                self.local.clear();
                self.host = None;
            }
            Token::Special(b',') => self.finish_address(),
            Token::Special(b';') => {
                self.finish_address();
                if self.in_group {
                    self.in_group = false;
                    self.out.push(Address::default());
                }
            }
            Token::Special(b'@') if self.in_angle || !self.angle => {
                self.host = Some(Vec::new());
            }
            Token::Special(b'.') => self.add(b".", false),
            Token::Special(_) => {}
            Token::Word(text, spaced) => self.add(&text, spaced),
            Token::Literal(text) => self.add(&text, false),
        }
    }

    fn add(&mut self, text: &[u8], spaced: bool) {
        match &mut self.host {
            Some(host) => host.extend_from_slice(text),
            None => {
                if !self.in_angle && !self.angle {
                    if spaced && !self.phrase.is_empty() {
                        self.phrase.push(b' ');
                    }
                    self.phrase.extend_from_slice(text);
                }
                if self.in_angle || !self.angle {
                    self.local.extend_from_slice(text);
                }
            }
        }
    }

    fn start_group(&mut self) {
        let name = core::mem::take(&mut self.phrase);
        self.out.push(Address { name: None, mailbox: Some(name), host: None });
        self.in_group = true;
        self.local.clear();
        self.comment = None;
        self.host = None;
    }

    fn finish_address(&mut self) {
        let phrase = core::mem::take(&mut self.phrase);
        let comment = self.comment.take();
        let local = core::mem::take(&mut self.local);
        let host = self.host.take();
        let angle = core::mem::take(&mut self.angle);
        self.in_angle = false;
        if local.is_empty() && host.is_none() && !angle {
            return;
        }
        let name = if angle && !phrase.is_empty() { Some(phrase) } else { comment };
        // RFC 9051 §7.5.2: a NIL host would mean a group, so an address without one has an empty host.
        let host = Some(host.unwrap_or_default());
        self.out.push(Address { name, mailbox: Some(local), host });
    }
}

/// The token at `at`, and where the next begins.
fn token(body: &[u8], at: usize) -> (Option<Token>, usize) {
    match body[at] {
        b' ' | b'\t' | b'\r' | b'\n' => (None, at + 1),
        b'(' => {
            let (text, end) = comment(body, at);
            (Some(Token::Comment(text)), end)
        }
        b'"' => {
            let (text, end) = quoted(body, at + 1, b'"');
            (Some(Token::Word(text, spaced(body, at))), end)
        }
        b'[' => {
            let (text, end) = quoted(body, at + 1, b']');
            (Some(Token::Literal([b"[", &text[..], b"]"].concat())), end)
        }
        octet if is_special(octet) => (Some(Token::Special(octet)), at + 1),
        _ => {
            let run = body[at..].iter().position(|&octet| is_special(octet) || is_break(octet));
            let end = run.map_or(body.len(), |run| at + run);
            (Some(Token::Word(body[at..end].to_vec(), spaced(body, at))), end)
        }
    }
}

fn spaced(body: &[u8], at: usize) -> bool {
    at > 0 && matches!(body[at - 1], b' ' | b'\t' | b'\r' | b'\n' | b')')
}

fn is_special(octet: u8) -> bool {
    matches!(octet, b'<' | b'>' | b'@' | b',' | b';' | b':' | b'.')
}

fn is_break(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n' | b'(' | b'"' | b'[')
}

/// A comment's text, inner parentheses kept; depth is a number, so that nesting costs nothing.
fn comment(body: &[u8], start: usize) -> (Vec<u8>, usize) {
    let mut text = Vec::new();
    let mut depth = 0u32;
    let mut at = start;
    while let Some(&octet) = body.get(at) {
        at += 1;
        match octet {
            b'(' => {
                depth += 1;
                if depth > 1 {
                    text.push(octet);
                }
            }
            b')' => {
                depth -= 1;
                if depth == 0 {
                    return (text, at);
                }
                text.push(octet);
            }
            b'\\' => {
                text.extend(body.get(at));
                at += 1;
            }
            _ => text.push(octet),
        }
    }
    (text, body.len())
}

fn quoted(body: &[u8], start: usize, close: u8) -> (Vec<u8>, usize) {
    let mut text = Vec::new();
    let mut at = start;
    while let Some(&octet) = body.get(at) {
        at += 1;
        match octet {
            b'\\' => {
                text.extend(body.get(at));
                at += 1;
            }
            octet if octet == close => return (text, at),
            _ => text.push(octet),
        }
    }
    (text, body.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;

    fn shown(body: &str) -> String {
        let part = |part: &Option<Vec<u8>>| {
            part.as_ref().map_or("-".into(), |text| String::from_utf8_lossy(text).into_owned())
        };
        let one = |a: &Address| format!("{}|{}|{}", part(&a.name), part(&a.mailbox), part(&a.host));
        parse_list(body.as_bytes()).iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn lists_are_read() {
        let cases = [
            ("a@b.c", "-|a|b.c"),
            ("Ann Other <a@b>, b@c", "Ann Other|a|b -|b|c"),
            ("\"Other, Ann\" <a.b@c>", "Other, Ann|a.b|c"),
            ("a@b (Ann (the first))", "Ann (the first)|a|b"),
            ("G: a@b, c@d;, e@f", "-|G|- -|a|b -|c|d -|-|- -|e|f"),
            ("undisclosed-recipients:;", "-|undisclosed-recipients|- -|-|-"),
            ("<@x,@y:a@b>", "-|a|b"),
            ("\"a b\"@c", "-|a b|c"),
            ("a@[192.0.2.1]", "-|a|[192.0.2.1]"),
            ("J. Doe <j@d>", "J. Doe|j|d"),
            ("=?utf-8?q?x?= =?utf-8?q?y?= <a@b>", "=?utf-8?q?x?= =?utf-8?q?y?=|a|b"),
            ("root", "-|root|"),
            ("", ""),
            (",,", ""),
            ("<>", "-||"),
        ];
        for (body, expected) in cases {
            assert_eq!(shown(body), expected, "{body}");
        }
    }
}
