//! `type/subtype; name=value` bodies (RFC 2045 §5.1, RFC 2183), with the continuations and charsets of RFC 2231.
//! Read here and not by a library, since a value after a fold must not be lost.

use alloc::vec::Vec;

/// Parameters of one field; more are passed over.
const PARAMETERS_MAX: usize = 128;
/// Sections of one continued value (RFC 2231 §3).
const SECTIONS_MAX: usize = 100;

/// A value with parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameterised {
    /// What stands before the first semicolon, comments taken out.
    pub value: Vec<u8>,
    /// Names in lower case as written, values without quotes; the first of a name wins. Values of RFC 2231 are decoded to
    /// UTF-8 if they can be, and stand under the plain name.
    pub parameters: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whether a name came twice, or something could not be read.
    pub ambiguous: bool,
}

impl Parameterised {
    /// The value of a parameter, its name in lower case.
    #[must_use]
    pub fn parameter(&self, name: &[u8]) -> Option<&[u8]> {
        self.parameters.iter().find(|(other, _)| other == name).map(|(_, value)| &value[..])
    }
}

/// Reads an unfolded field body.
#[must_use]
pub fn parse(body: &[u8]) -> Parameterised {
    let mut out = Parameterised::default();
    let mut segments = segments(body);
    out.value = segments.next().map(|segment| plain(&segment)).unwrap_or_default();
    let mut extended: Vec<Section> = Vec::new();
    for segment in segments.take(PARAMETERS_MAX) {
        let Some(equals) = segment.iter().position(|octet| *octet == b'=') else {
            out.ambiguous |= !plain(&segment).is_empty();
            continue;
        };
        let name = plain(&segment[..equals]).to_ascii_lowercase();
        let value = unquoted(segment[equals + 1..].trim_ascii());
        if name.contains(&b'*') {
            match Section::new(&name, value) {
                Some(section) if extended.len() < SECTIONS_MAX => extended.push(section),
                _ => out.ambiguous = true,
            }
        } else if out.parameter(&name).is_some() {
            out.ambiguous = true;
        } else if !name.is_empty() {
            out.parameters.push((name, value));
        }
    }
    join(extended, &mut out);
    out
}

/// One section of an RFC 2231 value: `name*`, `name*0`, `name*0*`.
struct Section {
    name: Vec<u8>,
    number: u32,
    encoded: bool,
    value: Vec<u8>,
}

impl Section {
    fn new(name: &[u8], value: Vec<u8>) -> Option<Self> {
        let mut words = name.split(|octet| *octet == b'*');
        let (base, first, second) = (words.next()?.to_vec(), words.next()?, words.next());
        if base.is_empty() || words.next().is_some() || second.is_some_and(|word| !word.is_empty())
        {
            return None;
        }
        if first.is_empty() {
            return Some(Self { name: base, number: 0, encoded: true, value });
        }
        if first.len() > 3 || !first.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let number = first.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
        Some(Self { name: base, number, encoded: second.is_some(), value })
    }
}

/// RFC 2231 §3 and §4: sections are put in the order of their numbers, up to the first gap.
fn join(mut sections: Vec<Section>, out: &mut Parameterised) {
    crate::order::sort_by(&mut sections, |a, b| a.name.cmp(&b.name).then(a.number.cmp(&b.number)));
    let mut rest = &sections[..];
    while let Some(first) = rest.first() {
        let count = rest.iter().take_while(|section| section.name == first.name).count();
        let (group, more) = rest.split_at(count);
        rest = more;
        if first.number != 0 {
            out.ambiguous = true;
            continue;
        }
        let mut octets = Vec::new();
        let mut charset: &[u8] = b"";
        for (expected, section) in (0..).zip(group) {
            if section.number != expected {
                out.ambiguous = true;
                break;
            }
            if !section.encoded {
                octets.extend_from_slice(&section.value);
                continue;
            }
            let mut value = &section.value[..];
            if section.number == 0 {
                let mut parts = value.splitn(3, |octet| *octet == b'\'');
                if let (Some(name), Some(_language), Some(text)) =
                    (parts.next(), parts.next(), parts.next())
                {
                    charset = name;
                    value = text;
                }
            }
            percent_decode(value, &mut octets);
        }
        let value = super::charset::decode(charset, &octets);
        match out.parameters.iter_mut().find(|(name, _)| *name == first.name) {
            // RFC 2231 is what the writer meant; the plain one is for readers that do not know it.
            Some((_, plain)) => {
                out.ambiguous |= plain[..] != *value.as_bytes();
                *plain = value.into_bytes();
            }
            None => out.parameters.push((first.name.clone(), value.into_bytes())),
        }
    }
}

fn percent_decode(text: &[u8], out: &mut Vec<u8>) {
    let digit = |octet: Option<&u8>| char::from(*octet?).to_digit(16);
    let mut at = 0;
    while let Some(&octet) = text.get(at) {
        match (octet, digit(text.get(at + 1)), digit(text.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push((high << 4 | low) as u8);
                at += 3;
            }
            _ => {
                out.push(octet);
                at += 1;
            }
        }
    }
}

/// Splits at semicolons that stand in no quotes and no comment; comments are left out.
fn segments(body: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let mut at = 0;
    let mut done = false;
    core::iter::from_fn(move || {
        if done {
            return None;
        }
        let mut segment = Vec::new();
        let (mut quoted, mut comments) = (false, 0u32);
        while let Some(&octet) = body.get(at) {
            at += 1;
            match octet {
                b'\\' if quoted || comments > 0 => {
                    if let Some(&next) = body.get(at) {
                        at += 1;
                        if comments == 0 {
                            segment.extend_from_slice(&[octet, next]);
                        }
                    }
                }
                b'"' if comments == 0 => {
                    quoted = !quoted;
                    segment.push(octet);
                }
                b'(' if !quoted => comments += 1,
                b')' if !quoted && comments > 0 => comments -= 1,
                b';' if !quoted && comments == 0 => return Some(segment),
                _ if comments == 0 => segment.push(octet),
                _ => {}
            }
        }
        done = true;
        Some(segment)
    })
}

fn plain(segment: &[u8]) -> Vec<u8> {
    segment.trim_ascii().to_vec()
}

fn unquoted(value: &[u8]) -> Vec<u8> {
    let Some(inner) = value.strip_prefix(b"\"") else { return value.to_vec() };
    let mut out = Vec::with_capacity(inner.len());
    let mut octets = inner.iter();
    while let Some(&octet) = octets.next() {
        match octet {
            b'"' => break,
            b'\\' => out.extend(octets.next()),
            _ => out.push(octet),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(body: &str, name: &str) -> Option<alloc::string::String> {
        let parsed = parse(body.as_bytes());
        parsed
            .parameter(name.as_bytes())
            .map(|v| alloc::string::String::from_utf8_lossy(v).into_owned())
    }

    #[test]
    fn parameters_are_read() {
        let body = "multipart/mixed (a; b); Boundary=\"a;b\\\"c\" ; charset = utf-8; x";
        let parsed = parse(body.as_bytes());
        assert_eq!(parsed.value, b"multipart/mixed");
        assert_eq!(parameter(body, "boundary").as_deref(), Some("a;b\"c"));
        assert_eq!(parameter(body, "charset").as_deref(), Some("utf-8"));
        assert!(parsed.ambiguous);
    }

    #[test]
    fn rfc_2231_values_are_joined_in_order() {
        let body = "a/b; name*1*=%C3%A4; name*0*=utf-8'en'x%20; name*2=\"y z\"";
        assert_eq!(parameter(body, "name").as_deref(), Some("x äy z"));
        assert_eq!(parameter("a/b; n*=iso-8859-1''%E4", "n").as_deref(), Some("ä"));
        assert_eq!(parameter("a/b; n*0=a; n*2=c", "n").as_deref(), Some("a"));
        assert_eq!(parameter("a/b; n*4294967296=a", "n"), None);
    }
}
