//! What octets mean where they are written in a way that people do not read: base64, dates, encoded words, reply codes.
//! Computed from the octets by the engine's own text functions, when somebody looks.

use pillarbox_engine::text::{base64, date, transfer::Decoder, words};

/// Octets that are decoded for show.
const SHOWN_MAX: usize = 64 * 1024;

/// The meaning of these octets under their label, as text; `None` if they say it themselves. Of a secret it is one too:
/// whoever shows it has to ask whether that is wanted.
#[must_use]
pub fn value(label: &str, octets: &[u8]) -> Option<String> {
    let octets = &octets[..octets.len().min(SHOWN_MAX)];
    match label {
        "initial response" | "initial-resp" | "response" | "base64" | "challenge" => {
            decoded(octets)
        }
        "header body" | "encoded word" if octets.windows(2).any(|two| two == b"=?") => {
            Some(words::decode(octets)).filter(|text| text.as_bytes() != octets)
        }
        "QP escape" => {
            let mut decoder = Decoder::new(b"quoted-printable")?;
            let mut out = Vec::new();
            decoder.decode(octets, &mut out);
            decoder.finish(&mut out);
            Some(shown(&out))
        }
        _ => None,
    }
}

/// A date field's value as a time in UTC.
#[must_use]
pub fn dated(octets: &[u8]) -> Option<String> {
    let parsed = date::parse(octets)?;
    Some(date::timestamp(u64::try_from(parsed.unix_ms).ok()?))
}

fn decoded(octets: &[u8]) -> Option<String> {
    let text = octets.trim_ascii();
    if text.is_empty() || text == b"=" {
        return None;
    }
    base64::decode(text).map(|octets| shown(&octets))
}

/// Octets as text; what is no character has its number.
#[must_use]
pub fn shown(octets: &[u8]) -> String {
    let mut out = String::new();
    for chunk in octets.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '\0' => out.push('␀'),
                letter if letter.is_control() => out.push_str(&format!("\\x{:02X}", letter as u32)),
                letter => out.push(letter),
            }
        }
        for octet in chunk.invalid() {
            out.push_str(&format!("\\x{octet:02X}"));
        }
    }
    out
}
