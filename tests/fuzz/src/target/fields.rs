//! Header fields: sections, folding, encoded words, dates, parameters, message identifiers, base subjects.

use pillarbox_engine::message::{ids, subject};
use pillarbox_engine::text::{address, date, header, params, words};

use super::USUAL;
use crate::corpus::messages;
use crate::{Seen, Target};

pub(super) const FIELDS: Target = Target {
    name: "fields",
    run: fields,
    seeds: || {
        let section = |message: Vec<u8>| message[..header::section_length(&message)].to_vec();
        messages().into_iter().map(section).collect()
    },
    words: &[
        "\r\n",
        "\r\n ",
        "\r\n\r\n",
        ":",
        ";",
        "=",
        "*0*=",
        "*1=",
        "*=utf-8''",
        "%E9",
        "\"",
        "\\",
        "(",
        ")",
        "<",
        ">",
        "@",
        ",",
        "=?utf-8?q?",
        "=?iso-2022-jp?b?",
        "=?utf-7?q?+AGE-",
        "?=",
        "=?",
        "_",
        "=20",
        "Re: ",
        "Fwd: [x] ",
        "(fwd)",
        "[fwd: ",
        "Subject: ",
        "References: <a@b>",
        "Date: Mon, 5 Jan 2026 09:00:00 +0000",
        " 32 Feb 99 25:61:61 +9999",
        "Content-Type: a/b",
        "boundary=",
        "charset=",
        "\u{2028}",
        "é",
    ],
    lines: true,
    rounds: 6000,
    ..USUAL
};

fn fields(input: &[u8], seen: &mut Seen) {
    let length = header::section_length(input);
    assert!(length <= input.len());
    let (mut count, mut end) = (0, 0);
    for field in header::fields(&input[..length]) {
        count += 1;
        assert!(field.start >= end && field.end > field.start && field.end <= length, "in order");
        end = field.end;
        body(&field.unfolded(), seen);
    }
    seen.note(("fields", count.min(40)));
    body(input, seen);
    for line in input.split(|octet| *octet == b'\n') {
        body(line, seen);
    }
}

fn body(body: &[u8], seen: &mut Seen) {
    let unfolded = header::unfold(body);
    assert!(unfolded.len() <= body.len());
    let decoded = words::decode(body);
    // A charset of one octet a character becomes three of UTF-8 at most.
    assert!(decoded.len() <= 3 * body.len() + 3, "{} of {}", decoded.len(), body.len());
    seen.note(("decoded", decoded.len() as isize - body.len() as isize));
    let list = address::parse_list(body);
    let known: usize = list.iter().map(octets).sum();
    assert!(known <= 2 * body.len() + 16, "no more comes out than went in");
    seen.note(("addresses", list.len().min(20)));
    if let Some(sent) = date::parse(body) {
        seen.note(("date", sent.zone / 60, sent.unix_ms.is_negative()));
        let _ = sent.local_days();
        if let Ok(unix_ms) = u64::try_from(sent.unix_ms) {
            let again = date::parse(date::date_time(unix_ms).as_bytes());
            assert_eq!(again.map(|date| date.unix_ms / 1000), Some(sent.unix_ms / 1000));
        }
    }
    if let Some(unix_ms) = date::parse_timestamp(body) {
        assert_eq!(
            date::parse_timestamp(date::timestamp(unix_ms).as_bytes()),
            Some(unix_ms / 1000 * 1000)
        );
    }
    let given = params::parse(body);
    seen.note((given.ambiguous, given.parameters.len().min(20)));
    let all: usize = given.parameters.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!(all <= 3 * body.len() + 3, "{all} of {}", body.len());
    seen.note(("ids", ids::message_ids(body).count().min(20)));
    let base = subject::base_subject(body);
    seen.note((base.is_reply, base.text.is_empty()));
}

fn octets(address: &address::Address) -> usize {
    let length = |part: &Option<Vec<u8>>| part.as_ref().map_or(0, Vec::len);
    length(&address.name) + length(&address.mailbox) + length(&address.host)
}
