//! A message as somebody writes it: its parts, what each is, and what they say once they are decoded.
//! Structure and decoding come from the engine; nothing here reads a header itself.

use pillarbox_engine::message::PartKind;
use pillarbox_engine::text::transfer;
use pillarbox_world::annotate::value;
use pillarbox_world::catalogue;
use pillarbox_world::service::web;

use super::Source;
use super::lines::{text_alone, visible};

/// Octets that are looked at.
pub const OCTETS_MAX: usize = 256 * 1024;
/// Rows of a tree.
const ROWS_MAX: usize = 2_000;
/// The end of a line.
const LINE_END: &str = "line end";
/// Octets of a quote.
const QUOTE_MAX: usize = 240;

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// How deep it lies.
    pub depth: u8,
    /// What it is.
    pub label: &'static str,
    /// What is shown of it.
    pub text: String,
    /// The first octet.
    pub start: usize,
    /// One past the last.
    pub end: usize,
}

/// What a part means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// What it is.
    pub label: &'static str,
    /// The octets.
    pub text: String,
    /// What they say once decoded, where that is something else.
    pub value: Option<String>,
    /// What it is, in plain words.
    pub what: Option<String>,
    /// Why it is there.
    pub why: Option<String>,
    /// Where that stands.
    pub law: Option<(u16, String)>,
}

/// What a reader would be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// From whom.
    pub from: String,
    /// What it is about.
    pub subject: String,
    /// What it says.
    pub text: String,
    /// Its HTML, if it has some, as a page for a frame with [`FRAME`]'s rights and no more.
    pub html: Option<String>,
}

/// What a frame with a letter in it may do.
pub const FRAME: &str = web::SANDBOX;

/// How much of a message needs the eighth bit, and its longest line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Octets.
    pub octets: usize,
    /// Octets above 127.
    pub eight_bit: usize,
    /// Octets of the longest line, without its end.
    pub longest: usize,
}

/// The octets of what was typed: lines end as they do on the wire.
#[must_use]
pub fn octets(typed: &str) -> Vec<u8> {
    let mut octets = typed.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes();
    octets.truncate(OCTETS_MAX);
    octets
}

/// What is typed to have these octets; what is no text is lost in it.
#[must_use]
pub fn typed(raw: &[u8]) -> String {
    String::from_utf8_lossy(raw).replace("\r\n", "\n")
}

/// Messages that arrived in a world, by the name of its scenario or by its link: names and octets. What lies in mailboxes
/// comes first; what devices show follows where it is something else.
///
/// # Errors
/// There is no such world.
pub fn arrived(world: &str) -> Result<Vec<(String, Vec<u8>)>, String> {
    let source = match Source::scenario(world) {
        Some(source) => source,
        None => Source::shared(world)?.0,
    };
    let mut out: Vec<(String, Vec<u8>)> = Vec::new();
    for (name, octets) in source.messages() {
        if out.iter().all(|(_, known)| *known != octets) {
            out.push((name.trim_end_matches(".eml").to_owned(), octets));
        }
    }
    Ok(out)
}

/// The parts of a message, each before what lies in it.
#[must_use]
pub fn parts(raw: &[u8]) -> Vec<Part> {
    let mut ends: Vec<usize> = Vec::new();
    let part = |span: pillarbox_engine::trace::Part| {
        while ends.last().is_some_and(|end| *end <= span.start) {
            ends.pop();
        }
        let depth = u8::try_from(ends.len()).unwrap_or(u8::MAX);
        ends.push(span.end);
        let (start, end) = (span.start, span.end);
        Part { depth, label: span.label, text: quoted(raw, start, end), start, end }
    };
    // Every line has an end; that it has is no news.
    let told = pillarbox_mime::spans(raw).into_iter().filter(|span| span.label != LINE_END);
    told.take(ROWS_MAX).map(part).collect()
}

fn quoted(raw: &[u8], start: usize, end: usize) -> String {
    let shown = raw.get(start..end.min(start + QUOTE_MAX)).unwrap_or_default();
    let more = if end > start + QUOTE_MAX { " …" } else { "" };
    text_alone(shown) + more
}

/// What a part means.
#[must_use]
pub fn meaning(raw: &[u8], part: &Part) -> Meaning {
    let own = raw.get(part.start..part.end).unwrap_or_default();
    let named = (part.label == "header name").then(|| std::str::from_utf8(own).ok()).flatten();
    let gloss = named.and_then(|name| catalogue::field(name.trim()));
    let gloss = gloss.or_else(|| catalogue::message(part.label));
    Meaning {
        label: part.label,
        text: part.text.clone(),
        value: value::value(part.label, own),
        what: gloss.map(|gloss| gloss.what.to_owned()),
        why: gloss.map(|gloss| gloss.why.replace('\n', " ")).filter(|why| !why.is_empty()),
        law: gloss
            .and_then(|gloss| gloss.citation())
            .map(|(rfc, section)| (rfc, section.to_owned())),
    }
}

/// What a reader would be shown.
#[must_use]
pub fn shown(raw: &[u8]) -> Shown {
    let view = pillarbox_mime::view(raw).unwrap_or_default();
    let html = view.html.as_deref().map(web::document);
    let (from, text) = (visible(&view.from.join(", ")), view.text.unwrap_or_default());
    Shown { from, subject: visible(&view.subject), text, html }
}

/// Numbers about a message.
#[must_use]
pub fn facts(raw: &[u8]) -> Facts {
    let lines = raw.split(|octet| *octet == b'\n');
    let longest =
        lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line).len()).max().unwrap_or(0);
    let eight_bit = raw.iter().filter(|octet| **octet > 127).count();
    Facts { octets: raw.len(), eight_bit, longest }
}

/// What is wrong with the labels of a message's texts: the first whose octets are something else than it says.
#[must_use]
pub fn remark(raw: &[u8]) -> Option<String> {
    let index = pillarbox_mime::index(raw, raw.len() as u64);
    let texts = index.parts.iter().filter(|part| part.media_type.eq_ignore_ascii_case(b"text"));
    texts.filter(|part| part.kind == PartKind::Leaf).find_map(|part| {
        let named = part.parameters.iter().find(|(name, _)| name.eq_ignore_ascii_case(b"charset"));
        let label = text_alone(&named?.1).to_ascii_uppercase();
        let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(raw.len());
        let mut octets = Vec::new();
        let mut decoder = transfer::Decoder::new(&part.encoding)?;
        decoder.decode(raw.get(at(part.body.start)..at(part.body.end))?, &mut octets);
        decoder.finish(&mut octets);
        let is_utf8 = std::str::from_utf8(&octets).is_ok();
        if label == "UTF-8" {
            return (!is_utf8)
                .then(|| "These octets are not UTF-8, though the label says so.".to_owned());
        }
        let has_one_octet =
            ["ISO-8859-", "WINDOWS-125", "LATIN1"].iter().any(|of| label.starts_with(of));
        (has_one_octet && is_utf8 && !octets.is_ascii())
            .then(|| format!("These octets are UTF-8; the label says {label}."))
    })
}

/// A sample's text: in the page it comes with the other texts.
#[cfg(target_family = "wasm")]
macro_rules! sample {
    ($name:literal) => {
        pillarbox_world::given::file(concat!("samples/", $name)).unwrap_or_default()
    };
}
#[cfg(not(target_family = "wasm"))]
macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("samples/", $name, ".eml"))
    };
}

/// Messages to begin with: their names and texts.
#[must_use]
pub fn samples() -> [(&'static str, &'static str); 3] {
    [
        ("An ö in three encodings", sample!("encodings")),
        ("Text, HTML and a file", sample!("mixed")),
        ("Two lines, as in the book", sample!("book")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_have_parts_that_mean_something() {
        for (name, sample) in samples() {
            let raw = octets(sample);
            let parts = parts(&raw);
            assert!(parts.len() > 2, "{name}");
            assert!(parts.iter().any(|part| meaning(&raw, part).what.is_some()), "{name}");
            for part in &parts {
                assert!(part.start < part.end && part.end <= raw.len(), "{name}: {part:?}");
            }
        }
        let shown = shown(&octets(samples()[0].1));
        assert_eq!(shown.subject, "Crème brûlée");
        assert!(shown.text.contains("Möchten Sie"), "{shown:?}");
        assert_eq!(shown.html, None);
    }

    #[test]
    fn html_is_shown_as_it_may_be() {
        let raw = "Content-Type: text/html\n\n<p>Hi</p><script>alert(1)</script>\n";
        let html = shown(&octets(raw)).html.expect("it has some");
        assert!(html.contains("default-src 'none'") && html.contains("<p>Hi</p>"), "{html}");
        assert!(!html.contains("alert"), "{html}");
    }

    #[test]
    fn what_arrived_is_listed_once() {
        let all = arrived("smime").expect("it is a scenario");
        let names: Vec<&str> = all.iter().map(|(name, _)| &name[..]).collect();
        assert_eq!(names[0], "bob@hamburger.edu-INBOX-1");
        assert_eq!(all.len(), 3, "the laptop's copies are the same: {names:?}");
        assert!(super::super::covered::is_protected(&parts(&all[0].1)));
        assert!(arrived("nothing").is_err());
    }

    #[test]
    fn a_label_that_lies_gets_a_remark() {
        let of = |label: &str, encoding: &str, text: &str| {
            let typed = format!(
                "Content-Type: text/plain; charset={label}\nContent-Transfer-Encoding: {encoding}\n\n{text}\n"
            );
            remark(&octets(&typed))
        };
        let says = Some("These octets are UTF-8; the label says ISO-8859-1.".to_owned());
        assert_eq!(of("iso-8859-1", "8bit", "ö"), says);
        assert_eq!(of("iso-8859-1", "quoted-printable", "=C3=B6"), says);
        assert_eq!(of("iso-8859-1", "quoted-printable", "=F6"), None);
        assert_eq!(of("iso-8859-1", "7bit", "o"), None);
        assert_eq!(of("utf-8", "8bit", "ö"), None);
        assert!(
            of("utf-8", "quoted-printable", "=F6").is_some_and(|why| why.contains("not UTF-8"))
        );
        for (name, sample) in samples() {
            assert_eq!(remark(&octets(sample)), None, "{name}");
        }
    }

    #[test]
    fn facts_are_counted() {
        let facts = facts(&octets("a\nö\n"));
        assert_eq!((facts.octets, facts.eight_bit, facts.longest), (7, 2, 2));
    }
}
