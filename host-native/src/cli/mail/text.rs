//! What others wrote, as it may be shown at a terminal: decoded, and nothing in it that a terminal would obey.

use pillarbox_engine::imap::client::types::{Address, BodyPart};
use pillarbox_engine::imap::types::Flags;
use pillarbox_engine::text::date::{Civil, civil};
use pillarbox_engine::text::transfer::Decoder;
use pillarbox_engine::text::{charset, words};

/// A field's text on one line.
pub(super) fn field(octets: &[u8]) -> String {
    one_line(&words::decode(octets))
}

/// Without line ends, and without what a terminal would obey.
pub(in crate::cli) fn one_line(text: &str) -> String {
    text.chars().map(|c| if is_harmless(c) { c } else { ' ' }).collect()
}

/// With its line ends.
pub(in crate::cli) fn lines(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let keep = |c: char| matches!(c, '\n' | '\t') || is_harmless(c);
    text.chars().map(|c| if keep(c) { c } else { '\u{fffd}' }).collect()
}

/// Controls move the cursor and more; the others turn the direction of what comes after.
fn is_harmless(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// An address for people: its name if it has one.
pub(super) fn name(address: &Address) -> String {
    match &address.name {
        Some(name) if !name.is_empty() => field(name),
        _ => mailbox(address),
    }
}

/// `Name <local@domain>`; groups are named.
pub(super) fn full(addresses: &[Address]) -> String {
    let one = |address: &Address| match &address.name {
        Some(name) if !name.is_empty() => format!("{} <{}>", field(name), mailbox(address)),
        _ => mailbox(address),
    };
    addresses.iter().map(one).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ")
}

/// `local@domain`.
pub(super) fn mailbox(address: &Address) -> String {
    let part = |part: &Option<Vec<u8>>| {
        one_line(&String::from_utf8_lossy(part.as_deref().unwrap_or_default()))
    };
    match (&address.mailbox, &address.host) {
        (Some(_), Some(_)) => format!("{}@{}", part(&address.mailbox), part(&address.host)),
        // RFC 9051 §7.5.2: a group begins, and its name stands here.
        (Some(_), None) => format!("{}:", part(&address.mailbox)),
        _ => String::new(),
    }
}

/// Cut to so many characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// A letter for each flag, in places of their own.
pub(super) fn letters(flags: &Flags) -> String {
    let letters = [(8, ' ', 'N'), (1, 'A', ' '), (2, 'F', ' '), (16, 'T', ' '), (4, 'D', ' ')];
    letters.iter().map(|(bit, on, off)| if flags.system & bit != 0 { *on } else { *off }).collect()
}

/// Names of flags, for programs.
pub(super) fn names(flags: &Flags) -> Vec<String> {
    let names = [(1, "answered"), (2, "flagged"), (4, "deleted"), (8, "seen"), (16, "draft")];
    let system = names.iter().filter(|(bit, _)| flags.system & bit != 0);
    let system = system.map(|(_, name)| (*name).to_owned());
    let keywords = flags.keywords.iter().map(|word| String::from_utf8_lossy(word).into_owned());
    system.chain(keywords).collect()
}

/// `2026-07-17 12:34`, in the zone in which it was told.
pub(super) fn date(unix_ms: u64, zone: i16) -> String {
    let seconds = i64::try_from(unix_ms / 1000).unwrap_or(i64::MAX / 2) + i64::from(zone) * 60;
    let Civil { year, month, day } = civil(seconds.div_euclid(86_400));
    let minutes = seconds.rem_euclid(86_400) / 60;
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", minutes / 60, minutes % 60)
}

/// A part's text: its transfer encoding and its charset undone, and of HTML what a person reads in it.
pub(super) fn of_part(part: &BodyPart, octets: &[u8]) -> String {
    let mut out = Vec::new();
    match Decoder::new(&part.encoding) {
        Some(mut decoder) => {
            decoder.decode(octets, &mut out);
            decoder.finish(&mut out);
        }
        None => out.extend_from_slice(octets),
    }
    let charset = part.parameters.iter().find(|parameter| parameter.name == b"charset");
    let charset = charset.map_or(&b""[..], |charset| &charset.value);
    let text = charset::decode(charset, &out);
    let is_html = part.media_type == b"text/html";
    lines(&if is_html { pillarbox_mime::html_text(&text) } else { text })
}

/// A part's file name, if it has one.
pub(super) fn file_name(part: &BodyPart) -> Option<String> {
    let named = |name: &[u8], all: &[pillarbox_engine::imap::client::types::Parameter]| {
        all.iter().find(|parameter| parameter.name == name).map(|found| field(&found.value))
    };
    named(b"filename", &part.disposition_parameters).or_else(|| named(b"name", &part.parameters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_nothing_that_was_sent() {
        assert_eq!(field(b"a\x1b[2Jb\r\n c\x07"), "a [2Jb   c ");
        assert_eq!(field(b"=?utf-8?q?=1B=5B2J?="), " [2J");
        assert_eq!(lines("a\r\nb\x1bc\td\u{202e}"), "a\nb\u{fffd}c\td\u{fffd}");
    }

    #[test]
    fn short_forms() {
        assert_eq!(cut("Grüße aus Köln", 6), "Grüße…");
        assert_eq!(cut("kurz", 6), "kurz");
        assert_eq!(letters(&Flags { system: 0, keywords: vec![] }), "N    ");
        assert_eq!(letters(&Flags { system: 8 | 2, keywords: vec![] }), "  F  ");
        assert_eq!(date(1_784_291_696_000, 120), "2026-07-17 14:34");
        let part = BodyPart { encoding: b"quoted-printable".to_vec(), ..BodyPart::default() };
        assert_eq!(of_part(&part, b"a=\r\nb=3D"), "ab=");
        let part = BodyPart { media_type: b"text/html".to_vec(), ..BodyPart::default() };
        let html = b"<style>p {}</style><p>Gr&uuml;&szlig;e\r\n &amp; more</p><p>&#27;[2J</p>";
        assert_eq!(of_part(&part, html), "Gr\u{fc}\u{df}e & more\n\u{fffd}[2J\n");
    }
}
