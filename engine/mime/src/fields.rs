//! Header fields of a message and of a part, as the index keeps them.

use pillarbox_engine::message::{Ambiguity, Envelope, Part};
use pillarbox_engine::text::header::{Field, fields};
use pillarbox_engine::text::{address, date, params};

/// Fields of one section that are looked at; the rest says nothing to an index.
const FIELDS_MAX: usize = 1000;
/// Octets of one field body that an index keeps: no reader shows more.
const BODY_MAX: usize = 64 * 1024;

/// What a message's own header section says.
pub(crate) struct MessageFields {
    pub(crate) envelope: Envelope,
    pub(crate) sent: Option<(i64, i16)>,
    /// The References field, empty if there is none.
    pub(crate) references: Vec<u8>,
}

fn body(field: &Field<'_>) -> Vec<u8> {
    let mut body = field.unfolded();
    body.truncate(BODY_MAX);
    // No string of IMAP can hold NUL, and no field may.
    body.retain(|octet| *octet != 0);
    body
}

/// Reads the envelope of a header section; of a field that stands more than once, the first.
pub(crate) fn message_fields(section: &[u8], ambiguities: &mut Vec<Ambiguity>) -> MessageFields {
    let mut envelope = Envelope::default();
    let (mut seen, mut authors, mut references) = (Vec::new(), 0, Vec::new());
    for field in fields(section).take(FIELDS_MAX) {
        let known: [&[u8]; 11] = [
            b"date",
            b"subject",
            b"from",
            b"sender",
            b"reply-to",
            b"to",
            b"cc",
            b"bcc",
            b"in-reply-to",
            b"message-id",
            b"references",
        ];
        let Some(name) = known.into_iter().find(|name| field.is(name)) else { continue };
        if seen.contains(&name) {
            note(ambiguities, Ambiguity::RepeatedField);
            continue;
        }
        let body = body(&field);
        let list = || address::parse_list(&body);
        match name {
            b"date" => envelope.date = Some(body),
            b"subject" => envelope.subject = Some(body),
            b"in-reply-to" => envelope.in_reply_to = Some(body),
            b"message-id" => envelope.message_id = Some(body),
            b"references" => references = body,
            b"from" => {
                envelope.from = list();
                authors = envelope.from.iter().filter(|one| one.host.is_some()).count();
            }
            b"sender" => envelope.sender = list(),
            b"reply-to" => envelope.reply_to = list(),
            b"to" => envelope.to = list(),
            b"cc" => envelope.cc = list(),
            _ => envelope.bcc = list(),
        }
        seen.push(name);
    }
    if authors != 1 {
        note(ambiguities, Ambiguity::Author);
    }
    let sent = envelope.date.as_ref().and_then(|body| date::parse(body));
    MessageFields { envelope, sent: sent.map(|sent| (sent.unix_ms, sent.zone)), references }
}

/// Reads what a part's header section says of it.
pub(crate) fn part_fields(section: &[u8], digest: bool, ambiguities: &mut Vec<Ambiguity>) -> Part {
    let mut part = Part::default();
    let (mut typed, mut encoded) = (false, false);
    for field in fields(section).take(FIELDS_MAX) {
        if field.name.len() < 8 || !field.name[..8].eq_ignore_ascii_case(b"content-") {
            continue;
        }
        let mut repeated = false;
        let mut once = |slot: &mut Option<Vec<u8>>| match slot {
            None => *slot = Some(body(&field)),
            Some(_) => repeated = true,
        };
        match &field.name[8..].to_ascii_lowercase()[..] {
            b"type" if typed => repeated = true,
            b"type" => {
                typed = true;
                content_type(&body(&field), &mut part, ambiguities);
            }
            b"transfer-encoding" if encoded => repeated = true,
            b"transfer-encoding" => {
                encoded = true;
                part.encoding = first_word(&body(&field));
            }
            b"id" => once(&mut part.id),
            b"description" => once(&mut part.description),
            b"md5" => once(&mut part.md5),
            b"location" => once(&mut part.location),
            b"disposition" if part.disposition.is_some() => repeated = true,
            b"disposition" => {
                let parsed = params::parse(&body(&field));
                if parsed.ambiguous {
                    note(ambiguities, Ambiguity::RepeatedParameter);
                }
                part.disposition = Some((parsed.value, parsed.parameters));
            }
            b"language" => {
                let body = body(&field);
                let words =
                    body.split(|octet| *octet == b',').map(|word| word.trim_ascii().to_vec());
                part.language.extend(words.filter(|word| !word.is_empty()).take(20));
            }
            _ => {}
        }
        if repeated {
            note(ambiguities, Ambiguity::RepeatedField);
        }
    }
    if part.media_type.is_empty() {
        // RFC 2045 §5.2; RFC 2046 §5.1.5: inside a digest the default is a message.
        let default: (&[u8], &[u8]) =
            if digest { (b"message", b"rfc822") } else { (b"text", b"plain") };
        (part.media_type, part.subtype) = (default.0.to_vec(), default.1.to_vec());
        if !digest && part.parameters.is_empty() {
            part.parameters.push((b"charset".to_vec(), b"us-ascii".to_vec()));
        }
    }
    if part.encoding.is_empty() {
        part.encoding = b"7bit".to_vec();
    }
    part
}

fn content_type(body: &[u8], part: &mut Part, ambiguities: &mut Vec<Ambiguity>) {
    let parsed = params::parse(body);
    if parsed.ambiguous {
        note(ambiguities, Ambiguity::RepeatedParameter);
    }
    let mut words = parsed.value.splitn(2, |octet| *octet == b'/').map(<[u8]>::trim_ascii);
    let token = |word: Option<&[u8]>| {
        let right = |octet: &u8| octet.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(octet);
        word.filter(|word| !word.is_empty() && word.iter().all(right)).map(<[u8]>::to_vec)
    };
    // RFC 2045 §5.2: a type that cannot be read is plain text, and its parameters say nothing.
    if let (Some(media_type), Some(subtype)) = (token(words.next()), token(words.next())) {
        part.media_type = media_type;
        part.subtype = subtype;
        part.parameters = parsed.parameters;
    }
}

fn first_word(body: &[u8]) -> Vec<u8> {
    let end = body.iter().position(|octet| matches!(octet, b' ' | b'\t' | b';' | b'('));
    body[..end.unwrap_or(body.len())].trim_ascii().to_vec()
}

pub(crate) fn note(ambiguities: &mut Vec<Ambiguity>, ambiguity: Ambiguity) {
    if !ambiguities.contains(&ambiguity) {
        ambiguities.push(ambiguity);
    }
}
