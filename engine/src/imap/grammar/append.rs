//! APPEND and REPLACE up to their message (RFC 9051 §6.3.12, RFC 8508 §5), which goes to the host and never through the
//! grammar; and what stands between two messages of one APPEND (RFC 3502).

use alloc::vec::Vec;

use super::assembly::Piece;
use super::auth_url;
use super::command::{AppendData, AppendHead, AppendStep, Command};
use super::cursor::{Piecewise, Read};
use super::date::date_time;
use super::parse::{flag_list, tag, verb};
use super::set::{SetNumber, set_number};

/// APPEND or REPLACE whose next thing is its message; `None` for anything else.
#[must_use]
pub fn append_head(pieces: &[Piece]) -> Option<AppendHead> {
    let mut cursor = Piecewise::new(pieces);
    let tag = tag(&mut cursor).ok()?;
    let mut word = verb(&mut cursor).ok()?;
    let by_uid = word == b"UID";
    if by_uid {
        word = verb(&mut cursor).ok()?;
    }
    let mut head = match &word[..] {
        b"APPEND" if !by_uid => arguments(&mut cursor).ok()?,
        b"REPLACE" => replace_arguments(&mut cursor, by_uid).ok()?,
        _ => return None,
    };
    cursor.end().ok()?;
    head.tag = tag;
    is_open(&head).then_some(head)
}

/// Whether a literal is the next thing.
fn is_open(head: &AppendHead) -> bool {
    match head.rest.last() {
        Some(AppendStep::Message(data)) => !data.catenates,
        Some(step) => matches!(step, AppendStep::Text | AppendStep::Utf8Text),
        None => !head.data.catenates,
    }
}

/// An APPEND or REPLACE that is whole, and holds no literal as its message.
pub(super) fn whole(head: AppendHead) -> Command {
    match head.rest.last() {
        Some(AppendStep::End) => Command::Append(head),
        _ => Command::AppendWithoutMessage,
    }
}

/// What stands behind a literal of an APPEND: of another message (RFC 3502), or `inside` of the parts of one (RFC 4469).
#[must_use]
pub fn append_line(text: &[u8], inside: bool) -> Option<Vec<AppendStep>> {
    let pieces = [Piece::Text(text.to_vec(), 0)];
    let mut cursor = Piecewise::new(&pieces);
    let mut found = Vec::new();
    if inside {
        parts(&mut cursor, false, &mut found).ok()?;
    } else {
        cursor.space().ok()?;
        messages(&mut cursor, &mut found).ok()?;
    }
    cursor.end().ok()?;
    Some(found)
}

/// `SP mailbox SP [flag-list SP] [date-time SP]`, the last space included; or more of it, as far as there is no literal.
pub(super) fn arguments(cursor: &mut Piecewise<'_>) -> Read<AppendHead> {
    cursor.space()?;
    let mailbox = cursor.labelled("mailbox", false, |cursor| cursor.astring("a mailbox name"))?;
    cursor.space()?;
    let mut found = Vec::new();
    messages(cursor, &mut found)?;
    let mut steps = found.into_iter();
    let data = match steps.next() {
        Some(AppendStep::Message(data)) => data,
        _ => AppendData::default(),
    };
    Ok(AppendHead { tag: Vec::new(), mailbox, data, rest: steps.collect(), replaces: None })
}

/// Messages up to the next literal, or to the end.
fn messages(cursor: &mut Piecewise<'_>, out: &mut Vec<AppendStep>) -> Read<()> {
    let data = data(cursor)?;
    let catenates = data.catenates;
    out.push(AppendStep::Message(data));
    if catenates { parts(cursor, true, out) } else { Ok(()) }
}

/// `cat-part *(SP cat-part) ")"`, and what follows it; without `fresh` some came before.
fn parts(cursor: &mut Piecewise<'_>, mut fresh: bool, out: &mut Vec<AppendStep>) -> Read<()> {
    loop {
        if !fresh && cursor.take(b')') {
            out.push(AppendStep::End);
            if cursor.peek().is_none() {
                return Ok(());
            }
            cursor.space()?;
            let data = data(cursor)?;
            let catenates = data.catenates;
            out.push(AppendStep::Message(data));
            if !catenates {
                return Ok(());
            }
            fresh = true;
            continue;
        }
        if !fresh {
            cursor.space()?;
        }
        fresh = false;
        if cursor.take_word(b"TEXT") {
            cursor.space()?;
            out.push(AppendStep::Text);
            // A literal that was gathered already is none that a message may have.
            return Ok(());
        }
        if cursor.take_word(b"UTF8") {
            cursor.space()?;
            cursor.must(b'(', "( and a part")?;
            out.push(AppendStep::Utf8Text);
            return Ok(());
        }
        if !cursor.take_word(b"URL") {
            return cursor.expected("TEXT, UTF8 or URL");
        }
        cursor.space()?;
        if cursor.end().is_ok() {
            out.push(AppendStep::UrlLiteral);
            return Ok(());
        }
        let url = auth_url::masked(cursor)?;
        out.push(AppendStep::Url(url));
    }
}

/// `SP seq-number` and then as APPEND.
pub(super) fn replace_arguments(cursor: &mut Piecewise<'_>, by_uid: bool) -> Read<AppendHead> {
    cursor.space()?;
    let number: SetNumber = set_number(cursor)?;
    Ok(AppendHead { replaces: Some((by_uid, number)), ..arguments(cursor)? })
}

/// `[flag-list SP] [date-time SP] ["UTF8" SP "(" / "CATENATE" SP "("]`
fn data(cursor: &mut Piecewise<'_>) -> Read<AppendData> {
    let mut data = AppendData::default();
    if cursor.peek() == Some(b'(') {
        data.flags = cursor.labelled("flag-list", false, flag_list)?;
        cursor.space()?;
    }
    if cursor.peek() == Some(b'"') {
        data.date = Some(cursor.labelled("date-time", false, date_time)?);
        cursor.space()?;
    }
    if cursor.take_word(b"UTF8") {
        cursor.space()?;
        cursor.must(b'(', "( and a message")?;
        data.utf8 = true;
    } else if cursor.take_word(b"CATENATE") {
        cursor.space()?;
        cursor.must(b'(', "( and parts")?;
        data.catenates = true;
    }
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Option<AppendHead> {
        append_head(&[Piece::Text(text.as_bytes().to_vec(), 0)])
    }

    #[test]
    fn append_is_known_by_its_head() {
        let found = head("a APPEND x (\\Seen k) \" 5-Jan-2026 10:00:00 +0100\" ");
        let found = found.expect("it is one");
        assert_eq!(found.data.date, Some((1_767_603_600_000, 60)));
        assert_eq!((found.data.flags.system, found.replaces), (8, None));
        for other in ["a APPEND x", "a LOGIN ", "a UID APPEND x ", "a REPLACE x "] {
            assert_eq!(head(other), None, "{other}");
        }
        assert!(head("a APPEND x UTF8 (").is_some_and(|head| head.data.utf8));
    }

    #[test]
    fn parts_end_where_a_literal_begins() {
        let url = |text: &str| AppendStep::Url(text.as_bytes().to_vec());
        let rest = |text| head(text).map(|head| head.rest);
        let found = rest("a APPEND x (\\Seen) CATENATE (URL \"/y/;UID=1\" URL z TEXT ");
        assert_eq!(found, Some([url("/y/;UID=1"), url("z"), AppendStep::Text].to_vec()));
        assert_eq!(
            rest("a APPEND x CATENATE (URL y) "),
            Some({
                [url("y"), AppendStep::End, AppendStep::Message(AppendData::default())].to_vec()
            })
        );
        for other in
            ["a APPEND x CATENATE (", "a APPEND x CATENATE () ", "a APPEND x CATENATE (URL "]
        {
            assert_eq!(rest(other), None, "{other}");
        }
        let catenates = AppendData { catenates: true, ..AppendData::default() };
        let line = |text: &str, inside| append_line(text.as_bytes(), inside);
        assert_eq!(line(")", true), Some([AppendStep::End].to_vec()));
        assert_eq!(line(" URL ", true), Some([AppendStep::UrlLiteral].to_vec()));
        assert_eq!(
            line(" URL y) CATENATE (TEXT ", true),
            Some(
                [url("y"), AppendStep::End, AppendStep::Message(catenates), AppendStep::Text]
                    .to_vec()
            )
        );
        assert_eq!(line(" UTF8 (", true), Some([AppendStep::Utf8Text].to_vec()));
        assert_eq!(line(" UTF8 ", true), None);
        assert_eq!(line("", true), None);
        assert_eq!(line(" FOO x)", true), None);
        assert_eq!(line(") (\\Seen) ", true).map(|steps| steps.len()), Some(2));
    }

    #[test]
    fn replace_names_a_message() {
        let replaces = |text| head(text).and_then(|head| head.replaces);
        assert_eq!(replaces("a REPLACE 4 x (\\Seen) "), Some((false, SetNumber::Number(4))));
        assert_eq!(replaces("a UID REPLACE * x "), Some((true, SetNumber::Star)));
        assert_eq!(replaces("a REPLACE 0 x "), None);
    }
}
