//! FETCH (RFC 9051 §9 fetch): data items and sections.

use alloc::vec::Vec;

use super::command::{Fetch, FetchItem, Header, Section};
use super::cursor::{Piecewise, Read};
use super::search::partial_range;
use super::set::sequence_set;
use crate::limits::DEPTH_MAX;

/// Items of one FETCH: no honest client comes near.
const ITEMS_MAX: usize = 1000;

/// `"(" fetch-att *(SP fetch-att) ")"` of what is told unasked (RFC 5465 §8): no macro stands for them.
pub(super) fn attributes(cursor: &mut Piecewise<'_>) -> Read<Vec<FetchItem>> {
    let mut items: Vec<FetchItem> = Vec::new();
    cursor.labelled("fetch-att", false, |cursor| {
        cursor.list("( and data items", |cursor| {
            let item = item(cursor)?;
            if items.len() >= ITEMS_MAX {
                return cursor.expected("fewer data items");
            }
            if !items.contains(&item) {
                items.push(item);
            }
            Ok(())
        })
    })?;
    if items.is_empty() { cursor.expected("at least one data item") } else { Ok(items) }
}

/// `SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")")`
pub(super) fn fetch(cursor: &mut Piecewise<'_>, uid: bool) -> Read<Fetch> {
    cursor.space()?;
    let set = sequence_set(cursor)?;
    cursor.space()?;
    let mut items = Vec::new();
    let mut add = |item: FetchItem, cursor: &Piecewise<'_>| {
        if items.len() >= ITEMS_MAX {
            return cursor.expected("fewer data items");
        }
        // RFC 9051 §6.4.5 says nothing of an item that stands twice; one answer is enough.
        if !items.contains(&item) {
            items.push(item);
        }
        Ok(())
    };
    cursor.labelled("fetch-att", false, |cursor| {
        if let Some(spelt_out) = macro_items(cursor) {
            for item in spelt_out {
                add(item, cursor)?;
            }
        } else if cursor.peek() == Some(b'(') {
            let count = cursor.list("(", |cursor| {
                let item = item(cursor)?;
                add(item, cursor)
            })?;
            if count.is_empty() {
                return cursor.expected("at least one data item");
            }
        } else {
            let item = item(cursor)?;
            add(item, cursor)?;
        }
        Ok(())
    })?;
    let fetch = Fetch { uid, set, items, changed_since: None, partial: None, vanished: false };
    modifiers(cursor, fetch)
}

/// `[SP "(" fetch-modifier *(SP fetch-modifier) ")"]` (RFC 7162 §7)
fn modifiers(cursor: &mut Piecewise<'_>, mut fetch: Fetch) -> Read<Fetch> {
    if !cursor.take(b' ') {
        return Ok(fetch);
    }
    let Fetch { uid, changed_since, partial, vanished, .. } = &mut fetch;
    cursor.labelled("fetch-modifier", false, |cursor| {
        cursor.list("(", |cursor| {
            if changed_since.is_none() && cursor.take_word(b"CHANGEDSINCE") {
                cursor.space()?;
                *changed_since = Some(cursor.modseq()?);
            } else if *uid && partial.is_none() && cursor.take_word(b"PARTIAL") {
                cursor.space()?;
                *partial = Some(partial_range(cursor)?);
            } else if *uid && !*vanished && cursor.take_word(b"VANISHED") {
                *vanished = true;
            } else {
                return cursor.expected("CHANGEDSINCE, or with UID FETCH PARTIAL or VANISHED");
            }
            Ok(())
        })
    })?;
    if changed_since.is_none() && (*vanished || partial.is_none()) {
        return cursor.expected("CHANGEDSINCE");
    }
    Ok(fetch)
}

fn macro_items(cursor: &mut Piecewise<'_>) -> Option<Vec<FetchItem>> {
    let fast = [FetchItem::Flags, FetchItem::InternalDate, FetchItem::Size];
    let mut items = fast.to_vec();
    if cursor.take_word(b"FAST") {
    } else if cursor.take_word(b"ALL") {
        items.push(FetchItem::Envelope);
    } else if cursor.take_word(b"FULL") {
        items.extend([FetchItem::Envelope, FetchItem::Body]);
    } else {
        return None;
    }
    Some(items)
}

/// `fetch-att`
fn item(cursor: &mut Piecewise<'_>) -> Read<FetchItem> {
    let name = cursor
        .take_while(|octet| octet.is_ascii_alphanumeric() || octet == b'.')
        .to_ascii_uppercase();
    Ok(match &name[..] {
        b"UID" => FetchItem::Uid,
        b"FLAGS" => FetchItem::Flags,
        b"INTERNALDATE" => FetchItem::InternalDate,
        b"RFC822.SIZE" => FetchItem::Size,
        b"ENVELOPE" => FetchItem::Envelope,
        b"BODYSTRUCTURE" => FetchItem::BodyStructure,
        b"RFC822" => FetchItem::Rfc822,
        b"RFC822.HEADER" => FetchItem::Rfc822Header,
        b"RFC822.TEXT" => FetchItem::Rfc822Text,
        b"MODSEQ" => FetchItem::Modseq,
        b"SAVEDATE" => FetchItem::SaveDate,
        b"EMAILID" => FetchItem::EmailId,
        b"THREADID" => FetchItem::ThreadId,
        b"PREVIEW" => preview(cursor)?,
        b"BODY" if cursor.peek() != Some(b'[') => FetchItem::Body,
        b"BODY" | b"BODY.PEEK" => {
            let section = section(cursor)?;
            FetchItem::Section(name == b"BODY.PEEK", section, partial(cursor)?)
        }
        b"BINARY" | b"BINARY.PEEK" => {
            let path = binary_path(cursor)?;
            FetchItem::Binary(name == b"BINARY.PEEK", path, partial(cursor)?)
        }
        b"BINARY.SIZE" => FetchItem::BinarySize(binary_path(cursor)?),
        _ => return cursor.expected("a data item"),
    })
}

/// What follows PREVIEW (RFC 8970 §4): with or without LAZY a preview is at hand, or there is none.
fn preview(cursor: &mut Piecewise<'_>) -> Read<FetchItem> {
    // What stands in parentheses may also modify the whole FETCH.
    const LAZY: &[u8] = b" (LAZY)";
    if cursor.text().get(..LAZY.len()).is_some_and(|text| text.eq_ignore_ascii_case(LAZY)) {
        cursor.advance(LAZY.len());
    }
    Ok(FetchItem::Preview)
}

/// `section = "[" [section-spec] "]"`
pub(super) fn section(cursor: &mut Piecewise<'_>) -> Read<Section> {
    cursor.must(b'[', "[")?;
    let mut path = Vec::new();
    let mut named = !cursor.peek().is_some_and(|octet| octet.is_ascii_digit());
    while !named {
        path.push(part_number(cursor, path.len())?);
        if !cursor.take(b'.') {
            break;
        }
        named = !cursor.peek().is_some_and(|octet| octet.is_ascii_digit());
    }
    let header = if named && cursor.peek() != Some(b']') {
        Some(section_text(cursor, !path.is_empty())?)
    } else if named && !path.is_empty() {
        return cursor.expected("a part number, HEADER, TEXT or MIME");
    } else {
        None
    };
    cursor.must(b']', "]")?;
    Ok(Section { path, header })
}

fn part_number(cursor: &mut Piecewise<'_>, depth: usize) -> Read<u32> {
    if depth >= DEPTH_MAX * 2 {
        return cursor.expected("a part that is not nested so deep");
    }
    cursor.nz_number("a part number")
}

/// `section-msgtext / "MIME"`
fn section_text(cursor: &mut Piecewise<'_>, in_part: bool) -> Read<Header> {
    let name = cursor.take_while(|octet| octet.is_ascii_alphabetic() || octet == b'.');
    Ok(match &name.to_ascii_uppercase()[..] {
        b"HEADER" => Header::All,
        b"TEXT" => Header::Text,
        b"MIME" if in_part => Header::Mime,
        b"HEADER.FIELDS" => Header::Fields(field_names(cursor)?),
        b"HEADER.FIELDS.NOT" => Header::FieldsNot(field_names(cursor)?),
        _ => return cursor.expected("HEADER, HEADER.FIELDS, TEXT or, in a part, MIME"),
    })
}

/// `SP "(" header-fld-name *(SP header-fld-name) ")"`
fn field_names(cursor: &mut Piecewise<'_>) -> Read<Vec<Vec<u8>>> {
    cursor.space()?;
    let names = cursor.list("(", |cursor| {
        let name = cursor.astring("a field name")?;
        let right = |octet: &u8| octet.is_ascii_graphic() && *octet != b':';
        if name.is_empty() || !name.iter().all(right) {
            return cursor.expected("a field name");
        }
        Ok(name)
    })?;
    if names.is_empty() || names.len() > ITEMS_MAX {
        return cursor.expected("at least one field name, and not so many");
    }
    Ok(names)
}

/// `section-binary = "[" [section-part] "]"`
fn binary_path(cursor: &mut Piecewise<'_>) -> Read<Vec<u32>> {
    let section = section(cursor)?;
    if section.header.is_some() { cursor.expected("part numbers alone") } else { Ok(section.path) }
}

/// `partial = "<" number64 "." nz-number64 ">"`
fn partial(cursor: &mut Piecewise<'_>) -> Read<Option<(u64, u64)>> {
    if !cursor.take(b'<') {
        return Ok(None);
    }
    let offset = cursor.number64("an offset")?;
    cursor.must(b'.', ".")?;
    let length = cursor.number64("a length")?;
    if length == 0 {
        return cursor.expected("a length above 0");
    }
    cursor.must(b'>', ">")?;
    Ok(Some((offset, length)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::grammar::Piece;

    fn items(text: &str) -> Option<Vec<FetchItem>> {
        let pieces = [Piece::Text(alloc::format!(" 1 {text}").into_bytes(), 0)];
        let mut cursor = Piecewise::new(&pieces);
        let fetch = fetch(&mut cursor, false).ok()?;
        cursor.end().ok()?;
        Some(fetch.items)
    }

    #[test]
    fn items_are_parsed() {
        let body = |path: &[u32], header| {
            FetchItem::Section(false, Section { path: path.to_vec(), header }, None)
        };
        assert_eq!(items("BODY[]"), Some(alloc::vec![body(&[], None)]));
        assert_eq!(items("BODY"), Some(alloc::vec![FetchItem::Body]));
        assert_eq!(items("body[1.2]"), Some(alloc::vec![body(&[1, 2], None)]));
        assert_eq!(items("BODY[1.MIME]"), Some(alloc::vec![body(&[1], Some(Header::Mime))]));
        assert_eq!(items("(UID UID FLAGS)").map(|items| items.len()), Some(2));
        assert_eq!(items("FULL").map(|items| items.len()), Some(5));
        assert_eq!(items("preview (lazy)"), Some(alloc::vec![FetchItem::Preview]));
        assert_eq!(items("(PREVIEW (LAZY) UID PREVIEW)").map(|items| items.len()), Some(2));
        assert_eq!(items("PREVIEW (CHANGEDSINCE 5)"), Some(alloc::vec![FetchItem::Preview]));
        let fields = Header::FieldsNot(alloc::vec![b"To".to_vec(), b"Cc".to_vec()]);
        let partial = FetchItem::Section(
            true,
            Section { path: Vec::new(), header: Some(fields) },
            Some((1, 2)),
        );
        assert_eq!(
            items("BODY.PEEK[HEADER.FIELDS.NOT (To \"Cc\")]<1.2>"),
            Some(alloc::vec![partial])
        );
        for wrong in [
            "BODY[",
            "BODY[0]",
            "BODY[1.]",
            "BODY[MIME]",
            "BODY[]<0.0>",
            "BODY[]<1>",
            "()",
            "BODY[HEADER.FIELDS]",
            "BODY[HEADER.FIELDS ()]",
            "BINARY[1.MIME]",
            "FOO",
            "ENVELOPE x",
        ] {
            assert_eq!(items(wrong), None, "{wrong}");
        }
    }
}
