//! A part that is added to a message: made by the engine, as it makes those of every message that is written, and put where
//! the engine found the place for it.

use pillarbox_engine::message::PartKind;
use pillarbox_engine::message::compose::{
    Draft, File, FileName, MediaType, Origin, Piece, compose, parse_person,
};
use pillarbox_mime::{index, spans};

use super::message::OCTETS_MAX;

/// A part that somebody adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Added {
    /// Text.
    Text(String),
    /// HTML: of a plain text it is another form.
    Html(String),
    /// A file, by its name.
    File(String, Vec<u8>),
}

/// What a boundary of this page's own begins with; in quoted-printable and base64 no line does.
const BOUNDARY: &str = "=_part-";

/// The message with one more part.
///
/// # Errors
/// Why there is none: it would be too large, or a name is none.
pub fn add(raw: &[u8], added: &Added) -> Result<Vec<u8>, String> {
    let part = part(added)?;
    let all = index(raw, raw.len() as u64);
    let top = all.parts.first().ok_or("there is no message")?;
    let place = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(raw.len());
    let (header, body) = (place(top.header.start)..place(top.header.end), place(top.body.start));
    let is = |octets: &[u8], word: &str| octets.eq_ignore_ascii_case(word.as_bytes());
    let is_plain = is(&top.media_type, "text") && is(&top.subtype, "plain");
    let other_form = matches!(added, Added::Html(_));
    let takes = if other_form {
        is(&top.subtype, "alternative") || is(&top.subtype, "mixed")
    } else {
        is(&top.subtype, "mixed")
    };
    let boundary = top.parameters.iter().find(|(name, _)| is(name, "boundary"));
    let out = match boundary {
        Some((_, boundary)) if top.kind == PartKind::Multipart && takes => {
            inside(raw, boundary, &part)?
        }
        _ => {
            let kind = if other_form && is_plain { "alternative" } else { "mixed" };
            around(raw, header, body, kind, &part)
        }
    };
    if out.len() > OCTETS_MAX {
        return Err(format!("the message would have more than {OCTETS_MAX} octets"));
    }
    Ok(out)
}

/// Before the last delimiter of a multipart; one that has none gets it.
fn inside(raw: &[u8], boundary: &[u8], part: &[u8]) -> Result<Vec<u8>, String> {
    let delimiter = [b"--", boundary].concat();
    if part.split(|octet| *octet == b'\n').any(|line| line.starts_with(&delimiter)) {
        let shown = String::from_utf8_lossy(&delimiter).into_owned();
        return Err(format!("a line of it begins with {shown}, which ends a part here"));
    }
    let closing = [&delimiter[..], b"--"].concat();
    let closes = |octets: &[u8]| octets.trim_ascii() == closing;
    let all = spans(raw);
    let last = all
        .iter()
        .rev()
        .find(|span| span.label == "boundary" && raw.get(span.start..span.end).is_some_and(closes));
    let (before, behind) = match last {
        Some(span) => (&raw[..span.start], &raw[span.start..]),
        None => (raw, &[][..]),
    };
    let mut out = before.to_vec();
    if !out.ends_with(b"\r\n") || last.is_some() {
        out.extend_from_slice(b"\r\n");
    }
    out.extend([&delimiter[..], b"\r\n", part].concat());
    if behind.is_empty() {
        out.extend([b"\r\n", &closing[..], b"\r\n"].concat());
    }
    out.extend_from_slice(behind);
    Ok(out)
}

/// What was the message's body becomes the first part, with the fields that say what it is.
fn around(
    raw: &[u8],
    header: std::ops::Range<usize>,
    body: usize,
    kind: &str,
    part: &[u8],
) -> Vec<u8> {
    let holds = |boundary: &str| {
        let boundary = boundary.as_bytes();
        [raw, part].iter().any(|octets| octets.windows(boundary.len()).any(|at| at == boundary))
    };
    let boundary = (1..).map(|number| format!("{BOUNDARY}{number}")).find(|name| !holds(name));
    let boundary = boundary.expect("a message holds less than all numbers");
    let (mut kept, mut moved, mut has_version) = (Vec::new(), Vec::new(), false);
    let all = spans(raw);
    let fields = all.iter().filter(|span| {
        span.label == "header field" && header.contains(&span.start) && span.end <= header.end
    });
    for field in fields {
        let octets = &raw[field.start..field.end];
        let begins = |name: &str| {
            octets.get(..name.len()).is_some_and(|own| own.eq_ignore_ascii_case(name.as_bytes()))
        };
        has_version |= begins("MIME-Version:");
        let list = if begins("Content-") { &mut moved } else { &mut kept };
        list.extend_from_slice(octets);
        if !octets.ends_with(b"\n") {
            list.extend_from_slice(b"\r\n");
        }
    }
    if !has_version {
        kept.extend_from_slice(b"MIME-Version: 1.0\r\n");
    }
    let begin =
        format!("Content-Type: multipart/{kind}; boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\n");
    let between = format!("\r\n--{boundary}\r\n");
    let end = format!("\r\n--{boundary}--\r\n");
    let body = raw.get(body..).unwrap_or_default();
    [&kept[..], begin.as_bytes(), &moved, b"\r\n", body, between.as_bytes(), part, end.as_bytes()]
        .concat()
}

/// Header and body of the part, as the engine writes them; the message around it is left.
fn part(added: &Added) -> Result<Vec<u8>, String> {
    let from = vec![parse_person("somebody@example.org", None).map_err(|why| why.to_string())?];
    let mut draft = Draft { from, ..Draft::default() };
    let mut file = &[][..];
    match added {
        Added::Text(text) => draft.text = Some(text.clone()),
        Added::Html(html) => draft.html = Some(html.clone()),
        Added::File(name, octets) => {
            file = octets;
            let name = FileName::new(name).map_err(|why| format!("the file’s name: {why}"))?;
            let media_type = MediaType::of_name(name.as_str());
            draft.attachments.push(File { name, media_type, size: octets.len() as u64 });
        }
    }
    let composed = compose(&draft, Origin { unix_ms: 0, seed: [0; 16] });
    let composed = composed.map_err(|why| why.to_string())?;
    let mut whole = Vec::new();
    for piece in composed.pieces(0, composed.size()) {
        match piece {
            Piece::Octets(octets) => whole.extend_from_slice(octets),
            Piece::File(piece) => {
                let (start, length) = (piece.start as usize, piece.length as usize);
                whole.extend(piece.encode(&file[start..start + length]));
            }
        }
    }
    let all = index(&whole, whole.len() as u64);
    let leaf = all.parts.iter().rfind(|part| part.kind == PartKind::Leaf);
    let leaf = leaf.ok_or("the engine made no part of it")?;
    let place = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(whole.len());
    let header = place(leaf.header.start)..place(leaf.header.end);
    let mut out = Vec::new();
    for field in spans(&whole).iter().filter(|span| span.label == "header field") {
        let octets = &whole[field.start..field.end];
        let is_own = octets.get(..8).is_some_and(|own| own.eq_ignore_ascii_case(b"Content-"));
        if header.contains(&field.start) && is_own {
            out.extend_from_slice(octets);
        }
    }
    out.extend_from_slice(b"\r\n");
    let body = &whole[place(leaf.body.start)..place(leaf.body.end)];
    // The line end before a delimiter is the delimiter's.
    out.extend_from_slice(body.strip_suffix(b"\r\n").unwrap_or(body));
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::message::{octets, samples, shown};

    /// Types of all parts, from the message down.
    fn types(raw: &[u8]) -> Vec<String> {
        let all = index(raw, raw.len() as u64);
        let word = |octets: &[u8]| String::from_utf8_lossy(octets).to_lowercase();
        let types = all.parts.iter();
        types.map(|part| format!("{}/{}", word(&part.media_type), word(&part.subtype))).collect()
    }

    #[test]
    fn a_text_becomes_one_of_two_forms_and_then_has_a_file() {
        let raw =
            octets("From: a@b\nSubject: Hi\nContent-Type: text/plain; charset=utf-8\n\nCrème\n");
        let html = Added::Html("<p>Crème <b>brûlée</b>".to_owned());
        let both = add(&raw, &html).expect("it is small");
        assert_eq!(types(&both), ["multipart/alternative", "text/plain", "text/html"]);
        let seen = shown(&both);
        assert!(seen.html.is_some_and(|html| html.contains("<b>brûlée</b>")));
        assert_eq!((&seen.subject[..], seen.text.trim()), ("Hi", "Crème"));
        let file = Added::File("böse\"name.bin".to_owned(), (0..=255).collect());
        let all = add(&both, &file).expect("it is small");
        assert_eq!(
            types(&all),
            [
                "multipart/mixed",
                "multipart/alternative",
                "text/plain",
                "text/html",
                "application/octet-stream"
            ]
        );
        // Into what is mixed already it is put at the end.
        let more = add(&all, &Added::Text("And ketchup?".to_owned())).expect("it is small");
        assert_eq!(types(&more).last().map(String::as_str), Some("text/plain"));
        assert_eq!(types(&more).len(), 6);
        assert!(
            more.starts_with(b"From: a@b\r\nSubject: Hi\r\nMIME-Version: 1.0\r\nContent-Type: ")
        );
        // The engine writes no line that ends a part, but where the boundary is a word.
        let raw =
            octets("Content-Type: multipart/mixed; boundary=menu\n\n--menu\n\nHi\n--menu--\n");
        let why = add(&raw, &Added::Text("--menu".to_owned())).expect_err("it would end a part");
        assert!(why.contains("begins with --menu"), "{why}");
    }

    #[test]
    fn every_sample_takes_every_part() {
        let added = [
            Added::Text("More.".to_owned()),
            Added::Html("<p>More".to_owned()),
            Added::File("menu.csv".to_owned(), b"crepe,3\r\n".to_vec()),
        ];
        for (name, sample) in samples() {
            let mut raw = octets(sample);
            let leaves = |raw: &[u8]| {
                let all = index(raw, raw.len() as u64);
                all.parts.iter().filter(|part| part.kind == PartKind::Leaf).count()
            };
            for part in &added {
                let before = leaves(&raw);
                raw = add(&raw, part).expect("it is small");
                assert_eq!(
                    leaves(&raw),
                    before + 1,
                    "{name}: {part:?}\n{}",
                    String::from_utf8_lossy(&raw)
                );
            }
        }
        // One that was cut before its end gets it.
        let cut = octets("Content-Type: multipart/mixed; boundary=x\n\n--x\n\nHi\n");
        let whole = add(&cut, &added[0]).expect("it is small");
        assert_eq!(types(&whole).len(), 3);
        assert!(whole.ends_with(b"\r\n--x--\r\n"));
        let large = Added::File("a".to_owned(), vec![0; OCTETS_MAX]);
        assert!(add(&cut, &large).is_err_and(|why| why.contains("more than")));
        assert!(add(&cut, &Added::File("a\nb".to_owned(), Vec::new())).is_err());
    }
}
