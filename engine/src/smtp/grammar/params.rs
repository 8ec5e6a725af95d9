//! ESMTP parameters of MAIL and RCPT (RFC 5321 §4.1.2), those that this server knows.

use alloc::vec::Vec;

use super::command::Mail;
use super::parts::{Parts, Word, words};
use super::values;
use crate::smtp::{Body, Extensions, Notify, RcptTo, Ret};

/// Why parameters were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ParamError {
    /// The parameter is not known, or not offered (555).
    Unknown,
    /// Its value is wrong, or it came twice (501).
    Value,
}

/// RFC 3461 §4.4: octets of an envelope id.
pub(in crate::smtp) const ENVID_MAX: usize = 100;
/// Octets of an identity that AUTH names; no honest one comes near.
pub(in crate::smtp) const IDENTITY_MAX: usize = 500;

/// Reads the parameters of MAIL into `mail`.
pub(super) fn mail(
    text: Text<'_>,
    offered: Extensions,
    auth: bool,
    mail: &mut Mail,
) -> Result<(), ParamError> {
    each(text, |keyword, value| {
        let Mail { from: mail, hold, .. } = &mut *mail;
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
                let envid = decode_xtext(value);
                let envid = envid.filter(|id| id.len() <= ENVID_MAX && is_printable(id));
                mail.envid = Some(envid.ok_or(ParamError::Value)?);
            }
            (b"AUTH", Some(value)) if auth => {
                let auth = decode_xtext(value);
                let auth = auth.filter(|name| name.len() <= IDENTITY_MAX && is_identity(name));
                let auth = auth.ok_or(ParamError::Value)?;
                mail.auth = Some(if auth == b"<>" { Vec::new() } else { auth });
            }
            (b"REQUIRETLS", None) if offered.require_tls => mail.require_tls = true,
            (b"BY", Some(value)) if offered.deliver_by => {
                mail.deliver_by = Some(values::deliver_by(value).ok_or(ParamError::Value)?);
            }
            (b"HOLDFOR" | b"HOLDUNTIL", Some(value)) if offered.future_release => {
                let read = match keyword {
                    b"HOLDFOR" => values::hold_for(value),
                    _ => values::hold_until(value),
                };
                // RFC 4865: one of the two, not both.
                if hold.replace(read.ok_or(ParamError::Value)?).is_some() {
                    return Err(ParamError::Value);
                }
            }
            (b"MT-PRIORITY", Some(value)) if offered.mt_priority => {
                mail.priority = Some(values::priority(value).ok_or(ParamError::Value)?);
            }
            _ => return Err(misfit(keyword, value, offered, auth)),
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
                let orcpt = values::orcpt(value, offered.smtputf8);
                rcpt.orcpt = Some(orcpt.ok_or(ParamError::Value)?);
            }
            (b"NOTIFY" | b"ORCPT", None) if offered.dsn => return Err(ParamError::Value),
            _ => return Err(ParamError::Unknown),
        }
        Ok(())
    })
}

/// A keyword without a value that it needs, or with one that it does not take, is a mistake in a parameter that is
/// known; any other is not known.
fn misfit(keyword: &[u8], value: Option<&[u8]>, offered: Extensions, auth: bool) -> ParamError {
    let (known, takes_value) = match keyword {
        b"SIZE" => (offered.size, true),
        b"BODY" => (offered.eight_bit_mime || offered.binary_mime, true),
        b"RET" | b"ENVID" => (offered.dsn, true),
        b"AUTH" => (auth, true),
        b"REQUIRETLS" => (offered.require_tls, false),
        b"BY" => (offered.deliver_by, true),
        b"HOLDFOR" | b"HOLDUNTIL" => (offered.future_release, true),
        b"MT-PRIORITY" => (offered.mt_priority, true),
        _ => (false, true),
    };
    if known && takes_value != value.is_some() { ParamError::Value } else { ParamError::Unknown }
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

/// Graphic and white space characters of ASCII (RFC 3461 §4.2, §4.4).
pub(super) fn is_printable(text: &[u8]) -> bool {
    text.iter().all(|&octet| (b' '..=b'~').contains(&octet) || octet == b'\t')
}

/// An identity may be in UTF-8 (RFC 6531 §3.3 lets an address be).
fn is_identity(text: &[u8]) -> bool {
    let harmless = |&octet: &u8| (b' '..=b'~').contains(&octet) || octet >= 0x80;
    text.iter().all(harmless) && core::str::from_utf8(text).is_ok()
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
