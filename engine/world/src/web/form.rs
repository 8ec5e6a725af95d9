//! What a form says, as a browser sends it: `application/x-www-form-urlencoded`. Which fields a form has is left to
//! pages.

use super::head::Part;
use super::rules;

/// Its media type.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";
/// Fields of one form; no page of a web mail has half of that.
pub(super) const FIELDS_MAX: usize = 200;

/// Writes fields, in their order.
pub(super) fn encode(fields: &[(String, String)]) -> String {
    let mut out = String::new();
    for (name, value) in fields {
        if !out.is_empty() {
            out.push('&');
        }
        put(name, &mut out);
        out.push('=');
        put(value, &mut out);
    }
    out
}

/// Text as it can stand in any place of a target.
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut out = String::new();
    put(text, &mut out);
    // In a path, a plus means itself; one of the text's own is a code by now.
    out.replace('+', "%20")
}

fn put(text: &str, out: &mut String) {
    for octet in text.bytes() {
        match octet {
            b' ' => out.push('+'),
            b'*' | b'-' | b'.' | b'_' => out.push(char::from(octet)),
            octet if octet.is_ascii_alphanumeric() => out.push(char::from(octet)),
            octet => {
                out.push('%');
                for digit in [octet >> 4, octet & 15] {
                    out.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
                }
            }
        }
    }
}

/// Reads fields. A percent sign without two digits behind it stands for itself.
pub(super) fn decode(octets: &[u8]) -> Vec<(String, String)> {
    let pairs = octets.split(|octet| *octet == b'&').filter(|pair| !pair.is_empty());
    let read = |pair: &[u8]| {
        let at = pair.iter().position(|octet| *octet == b'=').unwrap_or(pair.len());
        (plain(&pair[..at]), plain(pair.get(at + 1..).unwrap_or_default()))
    };
    pairs.take(FIELDS_MAX).map(read).collect()
}

/// The text that was meant by what stands in a target or a form.
#[must_use]
pub fn plain(octets: &[u8]) -> String {
    let digit = |at: usize| {
        let octet = octets.get(at)?;
        char::from(*octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
    };
    let mut out = Vec::with_capacity(octets.len());
    let mut at = 0;
    while let Some(octet) = octets.get(at) {
        match (octet, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                at += 2;
            }
            (b'+', ..) => out.push(b' '),
            _ => out.push(*octet),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// What the octets of a body are: fields of a form, or an object.
pub(super) fn parts(media_type: Option<&str>, body: &[u8]) -> Vec<Part> {
    let essence = media_type.and_then(|text| text.split(';').next()).unwrap_or_default();
    if !essence.trim().eq_ignore_ascii_case(FORM) {
        let why = Some(&rules::BODY_LENGTH);
        let (start, end) = (0, body.len());
        return vec![Part { start, end, label: "message body", secret: false, why }];
    }
    let mut start = 0;
    let field = |pair: &[u8]| {
        let part = Part {
            start,
            end: start + pair.len(),
            label: "form-field",
            secret: pair.trim_ascii_start().starts_with(b"password"),
            why: Some(&rules::FORM),
        };
        start = part.end;
        part
    };
    body.split_inclusive(|octet| *octet == b'&').map(field).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let fields = [("to", "bob@hamburger.edu"), ("text", "Crème & 100 %\r\n+1=2"), ("no", "")];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let text = encode(&fields);
        assert!(text.starts_with("to=bob%40hamburger.edu&text=Cr%C3%A8me+%26+100+%25%0D%0A%2B1"));
        assert_eq!(decode(text.as_bytes()), fields);
        let parts =
            parts(Some("application/x-www-form-urlencoded; charset=utf-8"), text.as_bytes());
        assert_eq!(parts.len(), 3);
        assert_eq!(parts.last().map(|part| part.end), Some(text.len()));
    }

    #[test]
    fn what_is_no_form_does_no_harm() {
        for (octets, fields) in [
            (&b"%"[..], 1),
            (b"%4", 1),
            (b"%zz=%", 1),
            (b"&&=&", 1),
            (b"", 0),
            (b"\xff=\x00", 1),
            (&b"a=&".repeat(1000), FIELDS_MAX),
        ] {
            assert_eq!(decode(octets).len(), fields, "{}", octets.escape_ascii());
        }
        assert_eq!(decode(b"a=%4"), [("a".to_owned(), "%4".to_owned())]);
    }
}
