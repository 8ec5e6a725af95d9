//! Encoded words (RFC 2047) in a header field's unfolded text, as what they mean in UTF-8.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::{base64, charset};

/// Decodes what can be decoded; everything else stands for itself.
///
/// RFC 2047 §6.2: white space between two encoded words is not part of the text. Neighbours of one
/// charset are decoded together, since many writers cut within a character, though §5 forbids it.
#[must_use]
pub fn decode(text: &[u8]) -> String {
    decode_cow(text).into_owned()
}

/// The same, where nothing need be kept: nearly all texts stand for themselves, and each message of a mailbox that is
/// searched has some.
#[must_use]
pub fn decode_cow(text: &[u8]) -> Cow<'_, str> {
    if memchr::memmem::find(text, b"=?").is_none() {
        let plain = charset::as_it_stands(b"", text);
        return plain.map_or_else(|| charset::decode(b"", text).into(), Cow::Borrowed);
    }
    decode_words(text).into()
}

fn decode_words(text: &[u8]) -> String {
    let mut out = String::new();
    // Octets of neighbouring words of one charset, not decoded yet.
    let mut held: Option<(&[u8], Vec<u8>)> = None;
    let mut rest = text;
    while !rest.is_empty() {
        let Some(at) = memchr::memmem::find(rest, b"=?") else { break };
        let (before, from) = rest.split_at(at);
        let Some(word) = word(from) else {
            flush(&mut held, &mut out);
            out.push_str(&charset::decode(b"", &rest[..at + 2]));
            rest = &rest[at + 2..];
            continue;
        };
        let joins = held.is_some() && before.iter().all(u8::is_ascii_whitespace);
        if !joins {
            flush(&mut held, &mut out);
            out.push_str(&charset::decode(b"", before));
        }
        match &mut held {
            Some((charset, octets)) if charset.eq_ignore_ascii_case(word.charset) => {
                octets.extend_from_slice(&word.octets);
            }
            _ => {
                flush(&mut held, &mut out);
                held = Some((word.charset, word.octets));
            }
        }
        rest = &from[word.length..];
    }
    flush(&mut held, &mut out);
    out.push_str(&charset::decode(b"", rest));
    out
}

fn flush(held: &mut Option<(&[u8], Vec<u8>)>, out: &mut String) {
    if let Some((name, octets)) = held.take() {
        out.push_str(&charset::decode(name, &octets));
    }
}

struct Word<'a> {
    charset: &'a [u8],
    octets: Vec<u8>,
    length: usize,
}

/// `encoded-word = "=?" charset "?" encoding "?" encoded-text "?="`, at the beginning of the text.
fn word(text: &[u8]) -> Option<Word<'_>> {
    let inside = text.strip_prefix(b"=?")?;
    let first = memchr::memchr(b'?', inside)?;
    let second = first + 1 + memchr::memchr(b'?', inside.get(first + 1..)?)?;
    let end = second + 1 + memchr::memmem::find(inside.get(second + 1..)?, b"?=")?;
    let (name, encoding) = (&inside[..first], &inside[first + 1..second]);
    let encoded = &inside[second + 1..end];
    if name.is_empty() || name.iter().any(u8::is_ascii_whitespace) {
        return None;
    }
    // RFC 2231 §5: a language may follow the charset.
    let name = name.split(|&octet| octet == b'*').next().unwrap_or(name);
    let octets = match encoding {
        b"B" | b"b" => base64::bits(encoded),
        b"Q" | b"q" => quoted(encoded),
        _ => return None,
    };
    Some(Word { charset: name, octets, length: end + 4 })
}

/// RFC 2047 §4.2.
fn quoted(encoded: &[u8]) -> Vec<u8> {
    let hex = |octet: &u8| char::from(*octet).to_digit(16).map(|digit| digit as u8);
    let mut out = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((&octet, more)) = rest.split_first() {
        rest = more;
        let pair = (more.first().and_then(hex), more.get(1).and_then(hex));
        match (octet, pair) {
            (b'=', (Some(high), Some(low))) => {
                out.push(high << 4 | low);
                rest = &more[2..];
            }
            (b'_', _) => out.push(b' '),
            _ => out.push(octet),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_what_they_mean() {
        let cases = [
            ("plain", "plain"),
            ("=?utf-8?Q?a_b=C3=A9?=", "a bé"),
            ("x =?ISO-8859-1?B?6Q==?= y", "x é y"),
            // RFC 2047 §8
            ("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"),
            ("=?utf-8?Q?=C3?= =?UTF-8?Q?=A9?=", "é"),
            ("=?utf-8*en?Q?a?=", "a"),
            ("=?utf-8?X?a?= =?", "=?utf-8?X?a?= =?"),
            ("=?utf-8?Q?open", "=?utf-8?Q?open"),
            ("=?a?=", "=?a?="),
        ];
        for (text, meant) in cases {
            assert_eq!(decode(text.as_bytes()), meant);
        }
    }
}
