//! Printers of what a server sends: strings, flags, dates, sets, envelopes and structures.

use alloc::borrow::Cow;
use alloc::format;
use alloc::vec::Vec;

use super::cursor::is_astring_char;
use super::mailbox::encode_utf7;
use super::parse::SYSTEM_FLAGS;
use crate::imap::types::{Flags, SpecialUse, UidRun};
use crate::message::{Address, Envelope, Index, Parameters, Part, PartKind, surrogate};
use crate::text::date::{civil, month_name};

/// `string`: quoted where it can be, else a literal; UTF-8 is quoted only if the peer said that it takes it.
pub fn string(out: &mut Vec<u8>, octets: &[u8], utf8: bool) {
    let quotable = |octet: &u8| (b' '..=b'~').contains(octet) || (utf8 && *octet >= 0x80);
    if octets.len() <= 1000
        && octets.iter().all(quotable)
        && (octets.is_ascii() || core::str::from_utf8(octets).is_ok())
    {
        quoted(out, octets);
    } else {
        out.extend_from_slice(format!("{{{}}}\r\n", octets.len()).as_bytes());
        out.extend_from_slice(octets);
    }
}

fn quoted(out: &mut Vec<u8>, octets: &[u8]) {
    out.push(b'"');
    for &octet in octets {
        if matches!(octet, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(octet);
    }
    out.push(b'"');
}

/// `nstring`
pub fn nstring(out: &mut Vec<u8>, octets: Option<&[u8]>, utf8: bool) {
    match octets {
        Some(octets) => string(out, octets, utf8),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// `astring`
pub fn astring(out: &mut Vec<u8>, octets: &[u8], utf8: bool) {
    let plain = !octets.is_empty()
        && octets.iter().all(|octet| is_astring_char(*octet))
        && !octets.eq_ignore_ascii_case(b"NIL");
    if plain { out.extend_from_slice(octets) } else { string(out, octets, utf8) }
}

/// `mailbox`: UTF-8 for IMAP4rev2, modified UTF-7 before (RFC 9051 appendix A.1).
pub fn mailbox(out: &mut Vec<u8>, name: &[u8], utf8: bool) {
    if utf8 { astring(out, name, true) } else { astring(out, &encode_utf7(name), false) }
}

/// Flags in parentheses.
pub fn flags(out: &mut Vec<u8>, flags: &Flags, recent: bool) {
    out.push(b'(');
    let start = out.len();
    let mut put = |parts: [&[u8]; 2]| {
        if out.len() > start {
            out.push(b' ');
        }
        parts.iter().for_each(|part| out.extend_from_slice(part));
    };
    for (name, bit) in SYSTEM_FLAGS {
        if flags.system & bit != 0 {
            put([b"\\", name.as_bytes()]);
        }
    }
    if recent {
        put([b"\\", b"Recent"]);
    }
    flags.keywords.iter().for_each(|keyword| put([b"", keyword]));
    out.push(b')');
}

/// A use, with its backslash.
#[must_use]
pub const fn special_use(special_use: SpecialUse) -> &'static str {
    match special_use {
        SpecialUse::All => "\\All",
        SpecialUse::Archive => "\\Archive",
        SpecialUse::Drafts => "\\Drafts",
        SpecialUse::Flagged => "\\Flagged",
        SpecialUse::Important => "\\Important",
        SpecialUse::Junk => "\\Junk",
        SpecialUse::Sent => "\\Sent",
        SpecialUse::Trash => "\\Trash",
    }
}

/// `date-time` with its quotes.
pub fn date_time(out: &mut Vec<u8>, unix_ms: u64, zone: i16) {
    let seconds = i64::try_from(unix_ms / 1000).unwrap_or(i64::MAX / 1000) + i64::from(zone) * 60;
    let date = civil(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let sign = if zone < 0 { '-' } else { '+' };
    let (zone_hour, zone_minute) = (zone.unsigned_abs() / 60, zone.unsigned_abs() % 60);
    let (day, month, year) = (date.day, month_name(date.month), date.year);
    let text = format!(
        "\"{day:2}-{month}-{year:04} {hour:02}:{minute:02}:{second:02} {sign}{zone_hour:02}{zone_minute:02}\""
    );
    out.extend_from_slice(text.as_bytes());
}

/// `uid-set`; nothing for no runs.
pub fn runs(out: &mut Vec<u8>, runs: &[UidRun]) {
    for (at, run) in runs.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let text = if run.first == run.last {
            format!("{}", run.first)
        } else {
            format!("{}:{}", run.first, run.last)
        };
        out.extend_from_slice(text.as_bytes());
    }
}

/// What stands in a message, in a form for this reader: who has not said that it takes UTF-8 gets ASCII (RFC 6855 §7).
#[derive(Clone, Copy)]
enum Form {
    /// Text without structure.
    Text,
    /// What names something.
    Identifier,
    /// Any other word.
    Token,
}

/// `nstring` of a message's field.
fn value(out: &mut Vec<u8>, octets: Option<&[u8]>, form: Form, utf8: bool) {
    match (octets, form) {
        (None, _) => out.extend_from_slice(b"NIL"),
        (Some(octets), _) if utf8 || octets.is_ascii() => string(out, octets, utf8),
        (Some(octets), Form::Text) => string(out, &surrogate::text(octets), false),
        (Some(octets), Form::Token) => string(out, &surrogate::token(octets), false),
        // In another form it would be another one, so it is missing.
        (Some(_), Form::Identifier) => out.extend_from_slice(b"NIL"),
    }
}

/// `envelope`; a missing Sender or Reply-To is From (RFC 9051 §7.5.2).
pub fn envelope(out: &mut Vec<u8>, envelope: &Envelope, utf8: bool) {
    let Envelope { date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id } =
        envelope;
    let or_from =
        |list: &'_ Vec<Address>| if list.is_empty() { from.clone() } else { list.clone() };
    out.push(b'(');
    value(out, date.as_deref(), Form::Token, utf8);
    out.push(b' ');
    value(out, subject.as_deref(), Form::Text, utf8);
    for list in [from, &or_from(sender), &or_from(reply_to), to, cc, bcc] {
        out.push(b' ');
        addresses(out, list, utf8);
    }
    for id in [in_reply_to, message_id] {
        out.push(b' ');
        value(out, id.as_deref(), Form::Identifier, utf8);
    }
    out.push(b')');
}

fn addresses(out: &mut Vec<u8>, list: &[Address], utf8: bool) {
    if list.is_empty() {
        out.extend_from_slice(b"NIL");
        return;
    }
    out.push(b'(');
    for address in list {
        let address = if utf8 { Cow::Borrowed(address) } else { surrogate::address(address) };
        out.push(b'(');
        nstring(out, address.name.as_deref(), utf8);
        // RFC 9051 §7.5.2: the at-domain-list is obsolete.
        out.extend_from_slice(b" NIL ");
        nstring(out, address.mailbox.as_deref(), utf8);
        out.push(b' ');
        nstring(out, address.host.as_deref(), utf8);
        out.push(b')');
    }
    out.push(b')');
}

/// What is still to be printed of a structure.
enum Due {
    Part(usize),
    /// The end of a multipart: its subtype and extension data.
    MultipartEnd(usize),
    /// The end of a message part: lines and extension data.
    MessageEnd(usize),
}

/// `body`: BODYSTRUCTURE with `extended`, BODY without. The stack is ours, so depth costs no machine stack.
pub fn body(out: &mut Vec<u8>, index: &Index, extended: bool, utf8: bool) {
    let mut due = alloc::vec![Due::Part(0)];
    while let Some(next) = due.pop() {
        match next {
            Due::Part(at) => {
                let Some(part) = index.parts.get(at) else { continue };
                begin_part(out, index, at, part, extended, utf8, &mut due);
            }
            Due::MultipartEnd(at) => {
                let part = &index.parts[at];
                out.push(b' ');
                value(out, Some(&part.subtype), Form::Token, utf8);
                if extended {
                    out.push(b' ');
                    parameters(out, &part.parameters, utf8);
                    extension(out, part, utf8);
                }
                out.push(b')');
            }
            Due::MessageEnd(at) => {
                let part = &index.parts[at];
                out.extend_from_slice(format!(" {}", part.lines).as_bytes());
                if extended {
                    out.push(b' ');
                    value(out, part.md5.as_deref(), Form::Identifier, utf8);
                    extension(out, part, utf8);
                }
                out.push(b')');
            }
        }
    }
}

fn begin_part(
    out: &mut Vec<u8>,
    index: &Index,
    at: usize,
    part: &Part,
    extended: bool,
    utf8: bool,
    due: &mut Vec<Due>,
) {
    out.push(b'(');
    if part.kind == PartKind::Multipart {
        due.push(Due::MultipartEnd(at));
        let children: Vec<usize> = index.children(at).collect();
        due.extend(children.into_iter().rev().map(Due::Part));
        return;
    }
    let (media_type, subtype) = told_type(part);
    value(out, Some(media_type), Form::Token, utf8);
    out.push(b' ');
    value(out, Some(subtype), Form::Token, utf8);
    out.push(b' ');
    parameters(out, &part.parameters, utf8);
    out.push(b' ');
    value(out, part.id.as_deref(), Form::Identifier, utf8);
    out.push(b' ');
    value(out, part.description.as_deref(), Form::Text, utf8);
    out.push(b' ');
    value(out, Some(&part.encoding), Form::Token, utf8);
    out.extend_from_slice(format!(" {}", part.body.length()).as_bytes());
    if part.kind == PartKind::Message {
        out.push(b' ');
        match &part.envelope {
            Some(inner) => envelope(out, inner, utf8),
            None => envelope(out, &Envelope::default(), utf8),
        }
        out.push(b' ');
        due.push(Due::MessageEnd(at));
        due.extend(index.children(at).next().map(Due::Part));
        return;
    }
    if part.media_type.eq_ignore_ascii_case(b"text") {
        out.extend_from_slice(format!(" {}", part.lines).as_bytes());
    }
    if extended {
        out.push(b' ');
        value(out, part.md5.as_deref(), Form::Identifier, utf8);
        extension(out, part, utf8);
    }
    out.push(b')');
}

/// The type of a part that has none inside it. RFC 9051 §9 (`media-basic`, `body-type-msg`): one of a message must tell
/// what that consists of, which nobody reads through an encoding that RFC 2045 §6.4 does not allow there.
fn told_type(part: &Part) -> (&[u8], &[u8]) {
    let is = |subtype: &[u8]| part.subtype.eq_ignore_ascii_case(subtype);
    let is_message = part.media_type.eq_ignore_ascii_case(b"message");
    if part.kind == PartKind::Leaf && is_message && (is(b"rfc822") || is(b"global")) {
        (b"application", b"octet-stream")
    } else {
        (&part.media_type, &part.subtype)
    }
}

/// `SP body-fld-dsp SP body-fld-lang SP body-fld-loc`
fn extension(out: &mut Vec<u8>, part: &Part, utf8: bool) {
    out.push(b' ');
    match &part.disposition {
        None => out.extend_from_slice(b"NIL"),
        Some((disposition, values)) => {
            out.push(b'(');
            value(out, Some(disposition), Form::Token, utf8);
            out.push(b' ');
            parameters(out, values, utf8);
            out.push(b')');
        }
    }
    out.push(b' ');
    match &part.language[..] {
        [] => out.extend_from_slice(b"NIL"),
        [one] => value(out, Some(one), Form::Token, utf8),
        several => {
            out.push(b'(');
            for (at, language) in several.iter().enumerate() {
                if at > 0 {
                    out.push(b' ');
                }
                value(out, Some(language), Form::Token, utf8);
            }
            out.push(b')');
        }
    }
    out.push(b' ');
    value(out, part.location.as_deref(), Form::Identifier, utf8);
}

fn parameters(out: &mut Vec<u8>, parameters: &Parameters, utf8: bool) {
    if parameters.is_empty() {
        out.extend_from_slice(b"NIL");
        return;
    }
    let parameters =
        if utf8 { Cow::Borrowed(parameters) } else { surrogate::parameters(parameters) };
    out.push(b'(');
    for (at, (name, value)) in parameters.iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        string(out, name, utf8);
        out.push(b' ');
        string(out, value, utf8);
    }
    out.push(b')');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_nobody_looks_into_is_no_message() {
        let mut part = Part { encoding: b"base64".to_vec(), ..Part::default() };
        for (media_type, subtype, told) in [
            ("Message", "RFC822", "application\" \"octet-stream"),
            ("message", "global", "application\" \"octet-stream"),
            ("message", "delivery-status", "message\" \"delivery-status"),
        ] {
            (part.media_type, part.subtype) = (media_type.into(), subtype.into());
            let index = Index { parts: alloc::vec![part.clone()], ..Index::default() };
            let whole = printed(|out| body(out, &index, false, false));
            assert_eq!(whole, alloc::format!("(\"{told}\" NIL NIL NIL \"base64\" 0)"));
        }
    }

    fn printed(print: impl FnOnce(&mut Vec<u8>)) -> alloc::string::String {
        let mut out = Vec::new();
        print(&mut out);
        alloc::string::String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn strings_choose_their_form() {
        assert_eq!(printed(|out| string(out, b"a\"b", false)), "\"a\\\"b\"");
        assert_eq!(printed(|out| string(out, "ä".as_bytes(), false)), "{2}\r\nä");
        assert_eq!(printed(|out| string(out, "ä".as_bytes(), true)), "\"ä\"");
        assert_eq!(printed(|out| string(out, b"a\r\nb", true)), "{4}\r\na\r\nb");
        assert_eq!(printed(|out| astring(out, b"a b", false)), "\"a b\"");
        assert_eq!(printed(|out| astring(out, b"nil", false)), "\"nil\"");
        assert_eq!(printed(|out| mailbox(out, "ä".as_bytes(), false)), "&AOQ-");
    }

    #[test]
    fn dates_flags_and_sets_are_printed() {
        assert_eq!(
            printed(|out| date_time(out, 1_767_603_600_000, -90)),
            "\" 5-Jan-2026 07:30:00 -0130\""
        );
        let all = Flags { system: 12, keywords: alloc::vec![b"$x".to_vec()] };
        assert_eq!(printed(|out| flags(out, &all, true)), "(\\Deleted \\Seen \\Recent $x)");
        let run = |first, last| UidRun { first, last };
        assert_eq!(printed(|out| runs(out, &[run(1, 3), run(5, 5)])), "1:3,5");
    }
}
