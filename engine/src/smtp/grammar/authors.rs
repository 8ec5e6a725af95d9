//! The body of a From or Sender field (RFC 5322 §3.6.2), read strictly: who signs for a message must mean the address that
//! every reader shows. What ENVELOPE makes of fields that are wrong is left to `text::address`.

use alloc::vec::Vec;

use crate::limits::{DOMAIN_MAX, LOCAL_PART_MAX};
use crate::smtp::types::Mailbox;
use crate::text::domain;

/// What is no white space and no comment.
#[derive(Debug, PartialEq, Eq)]
enum Token {
    Atom(Vec<u8>),
    Quoted(Vec<u8>),
    Literal(Vec<u8>),
    /// One of `< > @ , ; : .`
    Special(u8),
}

/// `mailbox-list / address-list` (RFC 5322 §3.4, with groups as RFC 6854 §2.1 has them in From), unfolded: its addresses,
/// at least one; none if it is anything else.
///
/// Of the obsolete forms (RFC 5322 §4.4) those are read that have one meaning: dots in names, white space around dots,
/// empty members, routes.
pub(crate) fn authors(body: &[u8]) -> Option<Vec<Mailbox>> {
    let tokens = tokens(body)?;
    let mut out = Vec::new();
    let (mut at, mut in_group) = (0, false);
    loop {
        let words = words(&tokens[at..]);
        let (given, rest) = tokens[at..].split_at(words);
        match rest {
            [Token::Special(b'@'), rest @ ..] => {
                let (mailbox, taken) = address(given, rest)?;
                out.push(mailbox);
                at += words + 1 + taken;
            }
            [Token::Special(b'<'), rest @ ..] => {
                let (mailbox, taken) = angle(rest)?;
                out.push(mailbox);
                at += words + 1 + taken;
            }
            [Token::Special(b':'), ..] if !given.is_empty() && !in_group => {
                in_group = true;
                at += words + 1;
                continue;
            }
            _ if given.is_empty() => {}
            _ => return None,
        }
        if let (Some(Token::Special(b';')), true) = (tokens.get(at), in_group) {
            in_group = false;
            at += 1;
        }
        match tokens.get(at) {
            None => break,
            Some(Token::Special(b',')) => at += 1,
            Some(_) => return None,
        }
    }
    (!in_group && !out.is_empty()).then_some(out)
}

/// How many of the tokens at the beginning are a name or a local part.
fn words(tokens: &[Token]) -> usize {
    let is_word =
        |token: &Token| matches!(token, Token::Atom(_) | Token::Quoted(_) | Token::Special(b'.'));
    tokens.iter().position(|token| !is_word(token)).unwrap_or(tokens.len())
}

/// What stands behind `<`: the address, and how many tokens it takes with its `>`.
fn angle(tokens: &[Token]) -> Option<(Mailbox, usize)> {
    let mut at = 0;
    // RFC 5322 §4.4 obs-route, which says nothing about who it is.
    if matches!(tokens.first(), Some(Token::Special(b'@' | b','))) {
        at = tokens.iter().position(|token| *token == Token::Special(b':'))? + 1;
        let fits = |token: &Token| {
            matches!(token, Token::Atom(_) | Token::Literal(_) | Token::Special(b'@' | b',' | b'.'))
        };
        if !tokens[..at - 1].iter().all(fits) {
            return None;
        }
    }
    let words = words(&tokens[at..]);
    let local = &tokens[at..at + words];
    at += words;
    let [Token::Special(b'@'), rest @ ..] = &tokens[at..] else { return None };
    let (mailbox, taken) = address(local, rest)?;
    at += 1 + taken;
    (tokens.get(at) == Some(&Token::Special(b'>'))).then_some((mailbox, at + 1))
}

/// `addr-spec` of a local part and what stands behind its `@`; also how many tokens its domain takes.
fn address(local: &[Token], behind: &[Token]) -> Option<(Mailbox, usize)> {
    let local_part = dotted(local)?;
    let taken = match behind.first()? {
        Token::Literal(_) => 1,
        _ => words(behind),
    };
    let domain = match &behind[..taken] {
        [Token::Literal(literal)] => literal.clone(),
        tokens if tokens.iter().any(|token| matches!(token, Token::Quoted(_))) => return None,
        tokens => {
            let name = dotted(tokens)?;
            let fits = name.len() <= DOMAIN_MAX && domain::is_name(&domain::to_ascii(&name));
            fits.then_some(name)?
        }
    };
    let fits = !local_part.is_empty() && local_part.len() <= LOCAL_PART_MAX;
    fits.then_some((Mailbox { local_part, domain }, taken))
}

/// `word *("." word)`, as what it means.
fn dotted(tokens: &[Token]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for (place, token) in tokens.iter().enumerate() {
        match (place % 2, token) {
            (0, Token::Atom(text) | Token::Quoted(text)) => out.extend_from_slice(text),
            (1, Token::Special(b'.')) => out.push(b'.'),
            _ => return None,
        }
    }
    (tokens.len() % 2 == 1).then_some(out)
}

/// All of a body; none if an octet has no place in one.
fn tokens(body: &[u8]) -> Option<Vec<Token>> {
    let mut out: Vec<Token> = Vec::new();
    let mut at = 0;
    while let Some(&octet) = body.get(at) {
        match octet {
            b' ' | b'\t' | b'\r' | b'\n' => at += 1,
            b'(' => at = comment_end(body, at)?,
            b'"' => {
                let (text, end) = quoted(body, at + 1, b'"')?;
                out.push(Token::Quoted(text));
                at = end;
            }
            b'[' => {
                let (text, end) = quoted(body, at + 1, b']')?;
                out.push(Token::Literal([b"[", &text[..], b"]"].concat()));
                at = end;
            }
            b'<' | b'>' | b'@' | b',' | b';' | b':' | b'.' => {
                out.push(Token::Special(octet));
                at += 1;
            }
            _ => {
                let run = body[at..].iter().position(|octet| !is_atext(*octet));
                let end = run.map_or(body.len(), |run| at + run);
                if end == at {
                    return None;
                }
                out.push(Token::Atom(body[at..end].to_vec()));
                at = end;
            }
        }
    }
    Some(out)
}

/// `atext` (RFC 5322 §3.2.3, RFC 6532 §3.2).
fn is_atext(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet >= 0x80 || b"!#$%&'*+-/=?^_`{|}~".contains(&octet)
}

/// One past the end of a comment; depth is a number, so that nesting costs nothing.
fn comment_end(body: &[u8], start: usize) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, start);
    loop {
        match body.get(at)? {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b'\\' => at += 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

/// What stands before the next `close`, without the backslashes of quoted pairs, and one past it.
fn quoted(body: &[u8], start: usize, close: u8) -> Option<(Vec<u8>, usize)> {
    let (mut text, mut at) = (Vec::new(), start);
    loop {
        match body.get(at)? {
            b'\\' => {
                at += 1;
                text.push(*body.get(at)?);
            }
            octet if *octet == close => return Some((text, at + 1)),
            octet => text.push(*octet),
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;

    fn shown(body: &str) -> Option<String> {
        let one = |mailbox: &Mailbox| {
            let text = String::from_utf8_lossy;
            format!("{}|{}", text(&mailbox.local_part), text(&mailbox.domain))
        };
        authors(body.as_bytes()).map(|all| all.iter().map(one).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn an_author_is_who_every_reader_takes_for_it() {
        for (body, expected) in [
            ("a@b.c", "a|b.c"),
            ("Ann Other <a.b@c.d>", "a.b|c.d"),
            ("J. R. Doe <j@d.e>", "j|d.e"),
            ("\"Other, Ann <x@y.z>\" <a@b.c>", "a|b.c"),
            ("a@b.c (Ann (x@y.z) \\) Other)", "a|b.c"),
            ("(x) a (y) @ (z) b.c (q)", "a|b.c"),
            ("=?utf-8?q?=C3=A4?= <a@b.c>", "a|b.c"),
            ("Jürgen <j@bücher.example>", "j|bücher.example"),
            ("\"a b\"@c.d", "a b|c.d"),
            ("a@[192.0.2.1]", "a|[192.0.2.1]"),
            ("a@b.c, Bob <d@e.f>,", "a|b.c d|e.f"),
            ("The team: a@b.c, d@e.f;", "a|b.c d|e.f"),
            ("<@x.y,@z.w:a@b.c>", "a|b.c"),
            ("root@localhost", "root|localhost"),
        ] {
            assert_eq!(shown(body).as_deref(), Some(expected), "{body}");
        }
        for wrong in [
            "",
            ",",
            "root",
            "Ann",
            "<>",
            "<a>",
            "a@",
            "@b.c",
            "a@b..c",
            "a..b@c.d",
            ".a@b.c",
            "a@b.c d@e.f",
            "a@b.c <d@e.f>",
            "<a@b.c> d@e.f",
            "<a@b.c> <d@e.f>",
            "<<a@b.c>>",
            "Ann <a@b.c",
            "a@b.c>",
            "a b@c.d",
            "a@b.c@d.e",
            "\"a@b.c",
            "(a@b.c",
            "a@b.c)",
            "undisclosed-recipients:;",
            "G: a@b.c",
            "G: H: a@b.c;;",
            "a@\"b\".c",
            "a@b_c!.d",
            "a\0@b.c",
            "a\\@b.c",
        ] {
            assert_eq!(shown(wrong), None, "{wrong}");
        }
    }
}
