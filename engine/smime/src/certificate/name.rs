//! Distinguished names (RFC 5280 §4.1.2.4) as people read them, and the mail addresses in them.

use crate::der::{Malformed, Reader, Tlv, oid, tag};

/// Attributes of one name that are shown.
const ATTRIBUTES_MAX: usize = 32;

/// Such as `CN=Alice, O=Crepes`.
pub(super) fn words(name: &[u8]) -> String {
    let attributes = attributes(name);
    let shown = attributes.iter().filter_map(|(kind, value)| {
        let kind = match *kind {
            oid::COMMON_NAME => "CN",
            oid::COUNTRY => "C",
            oid::LOCALITY => "L",
            oid::STATE => "ST",
            oid::ORGANIZATION => "O",
            oid::UNIT => "OU",
            oid::EMAIL_ADDRESS => "E",
            _ => return None,
        };
        Some(format!("{kind}={value}"))
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// RFC 8550 §3: addresses may stand in the name.
pub(super) fn addresses(name: &[u8]) -> impl Iterator<Item = String> {
    let all = attributes(name).into_iter();
    all.filter(|(kind, _)| *kind == oid::EMAIL_ADDRESS).map(|(_, value)| value)
}

fn attributes(name: &[u8]) -> Vec<(&[u8], String)> {
    let mut out = Vec::new();
    // What of a name cannot be read is not shown.
    let _ = collect(name, &mut out);
    out
}

fn collect<'a>(name: &'a [u8], out: &mut Vec<(&'a [u8], String)>) -> Result<(), Malformed> {
    let mut sets = Reader::new(name).sequence()?;
    while !sets.is_empty() {
        let mut set = sets.inside(tag::SET)?;
        while !set.is_empty() && out.len() < ATTRIBUTES_MAX {
            let mut attribute = set.sequence()?;
            let kind = attribute.take(tag::OID)?;
            out.push((kind, text(attribute.any()?)));
        }
    }
    Ok(())
}

/// A string's text; what a terminal would act on is shown as a question mark.
fn text(value: Tlv<'_>) -> String {
    let text = if value.tag == tag::BMP_STRING {
        let units: Vec<u16> =
            value.body.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    } else {
        String::from_utf8_lossy(value.body).into_owned()
    };
    text.chars().map(|sign| if sign.is_control() { '?' } else { sign }).collect()
}

/// RFC 8550 §3: domains, and local parts too, are compared without regard to case.
pub(crate) fn same_address(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}
