//! ESMTP parameters of MAIL and RCPT (RFC 5321 §4.1.2), those that this server knows.

use alloc::vec::Vec;

use super::parts::{Parts, Word, words};
use crate::smtp::{Body, Extensions, MailFrom, Notify, RcptTo, Ret};

/// Why parameters were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ParamError {
    /// The parameter is not known, or not offered (555).
    Unknown,
    /// Its value is wrong, or it came twice (501).
    Value,
}

/// Reads the parameters of MAIL into `mail`.
pub(super) fn mail(
    text: Text<'_>,
    offered: Extensions,
    auth: bool,
    mail: &mut MailFrom,
) -> Result<(), ParamError> {
    each(text, |keyword, value| {
        match (keyword, value) {
            (b"SIZE", Some(value)) if offered.size => {
                mail.size = Some(number(value).ok_or(ParamError::Value)?);
            }
            (b"BODY", Some(value)) => mail.body = body(value, offered)?,
            (b"SMTPUTF8", value) if offered.smtputf8 => {
                mail.smtputf8 = true;
                if value.is_some() {
                    return Err(ParamError::Value);
                }
            }
            (b"RET", Some(value)) if offered.dsn => {
                mail.ret = Some(match &value.to_ascii_uppercase()[..] {
                    b"FULL" => Ret::Full,
                    b"HDRS" => Ret::Headers,
                    _ => return Err(ParamError::Value),
                });
            }
            (b"ENVID", Some(value)) if offered.dsn => {
                // RFC 3461 §4.4: at most 100 octets, printable.
                let envid = decode_xtext(value).filter(|id| id.len() <= 100 && printable(id));
                mail.envid = Some(envid.ok_or(ParamError::Value)?);
            }
            (b"AUTH", Some(value)) if auth => {
                let auth = decode_xtext(value).filter(|name| printable(name));
                let auth = auth.ok_or(ParamError::Value)?;
                mail.auth = Some(if auth == b"<>" { Vec::new() } else { auth });
            }
            (b"SIZE" | b"RET" | b"ENVID" | b"AUTH", None) => return Err(ParamError::Value),
            _ => return Err(ParamError::Unknown),
        }
        Ok(())
    })
}

/// Reads the parameters of RCPT into `rcpt`.
pub(super) fn rcpt(
    text: Text<'_>,
    offered: Extensions,
    rcpt: &mut RcptTo,
) -> Result<(), ParamError> {
    each(text, |keyword, value| {
        match (keyword, value) {
            (b"NOTIFY", Some(value)) if offered.dsn => rcpt.notify = Some(notify(value)?),
            (b"ORCPT", Some(value)) if offered.dsn => {
                // RFC 3461 §4.2: at most 500 octets, `addr-type ";" xtext`.
                let orcpt = decode_xtext(value);
                let orcpt = orcpt.filter(|o| o.len() <= 500 && o.contains(&b';') && printable(o));
                rcpt.orcpt = Some(orcpt.ok_or(ParamError::Value)?);
            }
            _ => return Err(ParamError::Unknown),
        }
        Ok(())
    })
}

/// The rest of a command after its path, and where it begins in its line.
pub(super) struct Text<'a> {
    pub(super) octets: &'a [u8],
    pub(super) base: usize,
    pub(super) parts: &'a mut Parts,
}

/// `esmtp-param = esmtp-keyword ["=" esmtp-value]`, each keyword once.
fn each(
    text: Text<'_>,
    mut param: impl FnMut(&[u8], Option<&[u8]>) -> Result<(), ParamError>,
) -> Result<(), ParamError> {
    let Text { octets, base, parts } = text;
    let mut seen: Vec<Vec<u8>> = Vec::new();
    for Word { start, octets } in words(octets) {
        let equals = octets.iter().position(|&octet| octet == b'=');
        let (keyword, value) = match equals {
            Some(at) => (&octets[..at], Some(&octets[at + 1..])),
            None => (octets, None),
        };
        let start = base + start;
        let after = start + keyword.len();
        parts.note(start, after, "parameter keyword");
        if let Some(value) = value {
            parts.note(after, after + 1, "equals sign");
            parts.note(after + 1, after + 1 + value.len(), "parameter value");
        }
        let keyword = keyword.to_ascii_uppercase();
        let right = |&octet: &u8| octet.is_ascii_alphanumeric() || octet == b'-';
        if keyword.is_empty() || !keyword.iter().all(right) || value.is_some_and(<[u8]>::is_empty) {
            return Err(ParamError::Value);
        }
        if seen.contains(&keyword) {
            return Err(ParamError::Value);
        }
        param(&keyword, value)?;
        seen.push(keyword);
    }
    Ok(())
}

fn body(value: &[u8], offered: Extensions) -> Result<Body, ParamError> {
    match &value.to_ascii_uppercase()[..] {
        b"7BIT" if offered.eight_bit_mime => Ok(Body::SevenBit),
        b"8BITMIME" if offered.eight_bit_mime => Ok(Body::EightBitMime),
        b"BINARYMIME" if offered.chunking && offered.binary_mime => Ok(Body::BinaryMime),
        _ => Err(ParamError::Value),
    }
}

fn notify(value: &[u8]) -> Result<Notify, ParamError> {
    let mut notify = Notify::default();
    let value = value.to_ascii_uppercase();
    if value == b"NEVER" {
        return Ok(notify);
    }
    for word in value.split(|&octet| octet == b',') {
        match word {
            b"SUCCESS" => notify.success = true,
            b"FAILURE" => notify.failure = true,
            b"DELAY" => notify.delay = true,
            _ => return Err(ParamError::Value),
        }
    }
    Ok(notify)
}

/// `1*20DIGIT` (RFC 1870 §4).
pub(in crate::smtp) fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 20 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    text.iter().try_fold(0u64, |number, &digit| {
        number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })
}

fn printable(text: &[u8]) -> bool {
    text.iter().all(|&octet| (b' '..=b'~').contains(&octet) || octet >= 0x80)
}

/// Decodes xtext (RFC 3461 §4); `None` if it is not xtext.
#[must_use]
pub fn decode_xtext(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(&octet) = rest.next() {
        match octet {
            b'+' => {
                let mut digit = || match rest.next() {
                    Some(digit @ b'0'..=b'9') => Some(digit - b'0'),
                    Some(digit @ b'A'..=b'F') => Some(digit - b'A' + 10),
                    _ => None,
                };
                out.push(digit()? << 4 | digit()?);
            }
            b'=' => return None,
            b'!'..=b'~' => out.push(octet),
            _ => return None,
        }
    }
    Some(out)
}

/// Encodes as xtext (RFC 3461 §4).
#[must_use]
pub fn encode_xtext(octets: &[u8]) -> Vec<u8> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = Vec::with_capacity(octets.len());
    for &octet in octets {
        if (b'!'..=b'~').contains(&octet) && octet != b'+' && octet != b'=' {
            out.push(octet);
        } else {
            out.push(b'+');
            out.push(HEX[usize::from(octet >> 4)]);
            out.push(HEX[usize::from(octet & 15)]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xtext_goes_both_ways() {
        let octets: Vec<u8> = (0..=255).collect();
        assert_eq!(decode_xtext(&encode_xtext(&octets)), Some(octets));
        for wrong in [&b"+4"[..], b"+4g", b"+ab", b"a=b", b"a b"] {
            assert_eq!(decode_xtext(wrong), None);
        }
    }

    #[test]
    fn numbers_do_not_wrap() {
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(number(b"18446744073709551616"), None);
        assert_eq!(number(b"-1"), None);
        assert_eq!(number(b""), None);
    }
}
