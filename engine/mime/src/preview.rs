//! How a message's text begins (RFC 8970), made once at delivery.
//! It takes the first text that a reader would be shown, and no more of it than can matter.

use std::borrow::Cow;

use pillarbox_engine::message::{Index, Part, PartKind};
use pillarbox_engine::text::{charset, transfer};

use crate::html;

/// RFC 8970 §3.2: at most so many characters.
const CHARACTERS_MAX: usize = 200;
/// Octets of a part that are looked at: markup may be long before the first word.
const OCTETS_MAX: usize = 32 * 1024;
/// Octets that hold the whole beginning of most texts: to decode more of each message would be half of indexing it.
const OCTETS_FIRST: usize = 1024;

/// The beginning of the text, in UTF-8, on one line; empty if there is none that can be shown.
pub(crate) fn preview(raw: &[u8], index: &Index) -> Vec<u8> {
    let plain = index.parts.iter().find(|part| is_text(part, b"plain"));
    let html = || index.parts.iter().find(|part| is_text(part, b"html"));
    let text = match (plain, plain.is_none().then(html).flatten()) {
        (Some(part), _) => match shortened(&decoded(raw, part, OCTETS_FIRST)) {
            (first, Enough::Yes) => first,
            (_, Enough::No) => shortened(&decoded(raw, part, OCTETS_MAX)).0,
        },
        (None, Some(part)) => shortened(&html::text(&decoded(raw, part, OCTETS_MAX))).0,
        (None, None) => return Vec::new(),
    };
    text.into_bytes()
}

/// A text that is shown where it stands; a file that happens to be text is not.
fn is_text(part: &Part, subtype: &[u8]) -> bool {
    let attached = part
        .disposition
        .as_ref()
        .is_some_and(|(value, _)| value.eq_ignore_ascii_case(b"attachment"));
    part.kind == PartKind::Leaf
        && part.media_type.eq_ignore_ascii_case(b"text")
        && part.subtype.eq_ignore_ascii_case(subtype)
        && !attached
}

/// What the first octets of a part's body mean.
fn decoded<'a>(raw: &'a [u8], part: &Part, octets_max: usize) -> Cow<'a, str> {
    let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(raw.len());
    let body = &raw[at(part.body.start)..at(part.body.end)];
    let cut = body.len() > octets_max;
    let body = &body[..body.len().min(octets_max)];
    let Some(mut decoder) = transfer::Decoder::new(&part.encoding) else { return "".into() };
    let name = part.parameters.iter().find(|(name, _)| name.eq_ignore_ascii_case(b"charset"));
    let name = name.map(|(_, value)| &value[..]).unwrap_or_default();
    if decoder.is_identity()
        && let Some(text) = charset::as_it_stands(name, body)
    {
        return text.into();
    }
    let mut octets = Vec::new();
    decoder.decode(body, &mut octets);
    if !cut {
        decoder.finish(&mut octets);
    }
    let mut text = String::new();
    charset::Decoder::new(name).decode(&octets, !cut, &mut text);
    text.into()
}

/// Whether a text had as many characters as there is room for, so that what follows it changes nothing.
enum Enough {
    Yes,
    No,
}

/// Words with one space between them, as many as there is room for.
fn shortened(text: &str) -> (String, Enough) {
    // Characters have at most four octets.
    let mut out = String::with_capacity(text.len().min(4 * CHARACTERS_MAX));
    let mut left = CHARACTERS_MAX;
    let mut space_due = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        // Most texts are words of ASCII, which are taken whole.
        let word = rest.bytes().take(CHARACTERS_MAX + 1).take_while(u8::is_ascii_graphic).count();
        let (octets, characters) = if word > 0 { (word, word) } else { (c.len_utf8(), 1) };
        let (shown, after) = rest.split_at(octets);
        rest = after;
        if word == 0 && c.is_whitespace() {
            space_due = !out.is_empty();
            continue;
        }
        if word == 0 && !is_shown(c) {
            continue;
        }
        if left <= usize::from(space_due) {
            return (out, Enough::Yes);
        }
        if core::mem::take(&mut space_due) {
            out.push(' ');
            left -= 1;
        }
        if characters > left {
            out.push_str(&shown[..left]);
            return (out, Enough::Yes);
        }
        out.push_str(shown);
        left -= characters;
    }
    (out, Enough::No)
}

fn is_shown(c: char) -> bool {
    !c.is_control() && c != '\u{feff}' && c != '\u{200b}' && c != '\u{34f}'
}

#[cfg(test)]
mod tests {
    use crate::index;

    fn preview(message: &str) -> String {
        let raw = message.replace('\n', "\r\n").into_bytes();
        let index = index(&raw, raw.len() as u64);
        String::from_utf8(index.preview).expect("UTF-8")
    }

    #[test]
    fn the_first_text_is_shown_on_one_line() {
        assert_eq!(preview("Subject: x\n\nHello  Bob,\n\tsee you.\n"), "Hello Bob, see you.");
        assert_eq!(preview("Subject: x\n\n"), "");
        assert_eq!(
            preview(
                "Content-Type: text/plain; charset=iso-8859-1\n\
                 Content-Transfer-Encoding: quoted-printable\n\nGr=FC=DFe=\nn\n"
            ),
            "Grüßen"
        );
        assert_eq!(preview("Content-Type: image/png\n\nxxxx\n"), "");
        let long = preview(&format!("Subject: x\n\n{}\n", "word ".repeat(100)));
        assert_eq!(long.chars().count(), 199, "{long}");
        assert_eq!(preview(&format!("Subject: x\n\n{}\n", "ä".repeat(900))).chars().count(), 200);
    }

    /// As it is said, character by character.
    fn slowly_shortened(text: &str) -> String {
        let words = text.split_whitespace();
        let shown = words.map(|word| word.chars().filter(|c| super::is_shown(*c)).collect());
        let shown: Vec<String> = shown.filter(|word: &String| !word.is_empty()).collect();
        let whole = shown.join(" ");
        let mut short: String = whole.chars().take(super::CHARACTERS_MAX).collect();
        // A space at the end would say that a word follows.
        short.truncate(short.trim_end_matches(' ').len());
        short
    }

    #[test]
    fn words_are_taken_whole_or_character_by_character_alike() {
        let pieces =
            ["a", "word", " ", "  ", "\u{200b}", "\t", "ä", "\u{2003}", "€x", "\u{7}", "x."];
        let mut state = 1_u64;
        for _ in 0..3000 {
            let mut text = String::new();
            for _ in 0..state % 190 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                text.push_str(pieces[(state >> 33) as usize % pieces.len()]);
            }
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            assert_eq!(super::shortened(&text).0, slowly_shortened(&text), "{text:?}");
        }
    }

    /// The first octets are looked at alone at first; what is shown may not depend on that.
    #[test]
    fn a_text_that_begins_late_is_shown_all_the_same() {
        for blanks in [0, 900, 1000, 1020, 1023, 1024, 1025, 5000] {
            let blank = " ".repeat(blanks);
            let (few, many) = ("wörter ".repeat(20), "wörter ".repeat(300));
            let shown =
                preview(&format!("Content-Type: text/plain; charset=utf-8\n\n{blank}{few}\n"));
            assert_eq!(shown, few.trim_end(), "{blanks}");
            let shown =
                preview(&format!("Content-Type: text/plain; charset=utf-8\n\n{blank}{many}\n"));
            assert_eq!(shown, many.chars().take(200).collect::<String>(), "{blanks}");
        }
    }

    #[test]
    fn of_html_only_what_is_read() {
        assert_eq!(
            preview(
                "Content-Type: text/html\n\n<html><head><title>T</title></head><style>p {}</style>\n\
                 <p>Fish &amp; chips<br>for&nbsp;you &unknown; &#228;<!-- no --></p>\n"
            ),
            "Fish & chips for you &unknown; ä"
        );
        assert_eq!(preview("Content-Type: text/html\n\n<script>x < y\n"), "");
    }

    #[test]
    fn a_plain_text_is_preferred_and_an_attachment_is_none() {
        assert_eq!(
            preview(
                "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/html\n\n\
                 <p>rich</p>\n--b\n\nplain\n--b--\n"
            ),
            "plain"
        );
        assert_eq!(
            preview("Content-Type: text/plain\nContent-Disposition: attachment\n\nfile\n"),
            ""
        );
    }
}
