//! Whole messages: their index and what is read by it, the index as octets, seven bits for servers that take no more, ASCII
//! for readers that take no more, and messages that come on standard input.

use pillarbox_engine::imap::grammar::print;
use pillarbox_engine::message::compose::{Origin, Person, Reader};
use pillarbox_engine::message::seven_bit::{Encoder, LineMeter, Surveyor};
use pillarbox_engine::message::surrogate::Surrogate;
use pillarbox_engine::message::{Head, Index, PartKind, SectionText, section, texts};

use super::{USUAL, same};
use crate::corpus::messages;
use crate::{Seen, Target};

const WORDS: &[&str] = &[
    "\r\n",
    "\r\n\r\n",
    "--b\r\n",
    "--b--\r\n",
    "\r\n--",
    "--",
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n",
    "Content-Type: message/rfc822\r\n\r\n",
    "Content-Type: multipart/digest; boundary=\"b\"\r\n",
    "MIME-Version: 1.0\r\n",
    "Content-Transfer-Encoding: base64\r\n",
    "Content-Transfer-Encoding: quoted-printable\r\n",
    "Content-Disposition: attachment; filename*=utf-8''%E2%82%AC\r\n",
    "Content-Type: text/html; charset=utf-7\r\n",
    "Content-Type: multipart/alternative; boundary=c\r\n",
    "Content-ID: <a@b>\r\n",
    "Content-Language: en, de\r\n",
    "Subject: =?utf-8?q?=E2=82=AC?=\r\n",
    "From: a@b, \"c\" <d@e>\r\n",
    "To: g: a@b;\r\n",
    "References: <a@b> <c@d>\r\n",
    "begin 644 x\r\n",
    "Content-Type: text/plain; charset=iso-2022-jp\r\n",
    ".\r\n",
    "\0",
    "\x1b$B",
    "é",
    "Content-Type: multipart/signed; boundary=b; protocol=\"application/pkcs7-signature\"\r\n",
];

pub(super) const MESSAGE: Target = Target {
    name: "message",
    run: message,
    seeds: messages,
    words: WORDS,
    lines: true,
    size_max: 16 << 10,
    memory_max: 8 << 20,
    rounds: 2500,
};

fn message(input: &[u8], seen: &mut Seen) {
    let size = input.len() as u64;
    let index = pillarbox_mime::index(input, size);
    is_within(&index, size);
    if let Some(small) = pillarbox_mime::index_small(input) {
        assert_eq!(small, index, "a small message has one index");
    }
    let encoded = index.encode();
    assert_eq!(Index::decode(&encoded).as_ref(), Ok(&index), "what is written is read");
    use_index(&index, &encoded, seen);
    // Of the beginning of a larger message the header section alone is read.
    let beginning = pillarbox_mime::index(input, size + 1);
    assert_eq!(beginning.envelope, index.envelope);
    if let Some(view) = pillarbox_mime::view(input) {
        let text = view.text.as_deref().unwrap_or_default();
        assert!(text.len() <= 8 * input.len() + 64, "{} of {}", text.len(), input.len());
        seen.note((view.text.is_some(), view.html.is_some(), view.attachments.len().min(20)));
    }
    let mut at = 0;
    for span in pillarbox_mime::spans(input) {
        assert!(span.start >= at && span.end >= span.start && span.end <= input.len(), "{span:?}");
        at = span.start;
    }
    let spans = texts::spans(&index, size);
    let octets = spans.iter().map(|span| &input[span.start as usize..span.end as usize]);
    let octets: Vec<u8> = octets.collect::<Vec<_>>().concat();
    let text = texts::searchable(&index, size, &octets);
    seen.note(("texts", spans.len().min(30), text.is_ascii()));
}

/// Parts are within the message and within what holds them, and sections are where parts say.
fn is_within(index: &Index, size: u64) {
    for (at, part) in index.parts.iter().enumerate() {
        assert!(part.header.start <= part.header.end && part.header.end <= size, "{part:?}");
        assert!(part.body.start <= part.body.end && part.body.end <= size, "{part:?}");
        if at > 0 {
            let outer = &index.parts[part.parent as usize];
            assert!((part.parent as usize) < at, "what holds a part comes before it");
            // The line end before a delimiter may be the blank line of a part that has nothing else.
            let inside = part.body.start >= outer.body.start && part.body.end <= outer.body.end;
            assert!(inside || part.body.length() == 0, "{part:?} in {outer:?}");
        }
    }
}

/// What FETCH makes of an index.
fn use_index(index: &Index, encoded: &[u8], seen: &mut Seen) {
    for utf8 in [false, true] {
        let mut out = Vec::new();
        print::envelope(&mut out, &index.envelope, utf8);
        for extended in [false, true] {
            print::body(&mut out, index, extended, utf8);
        }
        // Each octet of an index is printed a few times at most, with a few more around it.
        assert!(out.len() <= 64 * encoded.len() + 4096, "{} of {}", out.len(), encoded.len());
    }
    let head = Head::read(encoded).expect("an index has a head");
    assert_eq!(head.subject, index.envelope.subject.as_deref());
    assert_eq!(head.sent, index.sent);
    for part in &index.parts {
        let kind = match part.kind {
            PartKind::Leaf => 0,
            PartKind::Multipart => 1,
            PartKind::Message => 2,
        };
        seen.note((kind, part.parent.min(9), part.parameters.len().min(9), &part.encoding));
    }
    seen.note(("parts", index.parts.len().min(30), index.truncated));
    seen.note(format!("{:?}", index.ambiguities));
    for path in [&[][..], &[1], &[2], &[1, 1], &[1, 2, 1], &[u32::MAX], &[0]] {
        for text in [SectionText::Whole, SectionText::Mime, SectionText::Header, SectionText::Text]
        {
            if let Some(span) = section(index, path, text) {
                assert!(span.start <= span.end);
                seen.note((path, span.start == span.end));
            }
        }
    }
}

pub(super) const INDEX: Target = Target {
    name: "index",
    run: index,
    seeds: || {
        messages()
            .iter()
            .map(|message| pillarbox_mime::index(message, message.len() as u64).encode())
            .collect()
    },
    words: &["\0", "\x01", "\x02", "\x7f", "\u{80}", "text", "plain", "multipart", "mixed"],
    rounds: 6000,
    ..USUAL
};

/// An index comes from a disk, and nothing of it is trusted.
fn index(input: &[u8], seen: &mut Seen) {
    let whole = Index::decode(input);
    let head = Index::decode_head(input);
    seen.note((whole.is_ok(), head.is_ok(), Head::read(input).is_ok()));
    let Ok(index) = whole else { return };
    let encoded = index.encode();
    assert_eq!(Index::decode(&encoded).as_ref(), Ok(&index), "what is written is read");
    use_index(&index, &encoded, seen);
    let spans = texts::spans(&index, index.size);
    let octets = spans.iter().map(|span| span.length()).sum::<u64>().min(1 << 16);
    let text = texts::searchable(&index, index.size, &vec![b'x'; octets as usize]);
    seen.note(("texts", spans.len().min(30), text.len().min(100)));
    for part in 0..index.parts.len() {
        assert!(index.children(part).all(|child| child < index.parts.len()));
    }
}

pub(super) const SEVEN_BIT: Target = Target {
    name: "seven-bit",
    run: seven_bit,
    seeds: messages,
    words: WORDS,
    lines: true,
    size_max: 8 << 10,
    rounds: 2500,
    ..USUAL
};

fn seven_bit(input: &[u8], seen: &mut Seen) {
    let findings = same(input, |pieces| {
        let mut surveyor = Surveyor::new();
        pieces.iter().for_each(|piece| surveyor.take(piece));
        surveyor.finish()
    });
    let is_too_long = same(input, |pieces| {
        let mut meter = LineMeter::default();
        pieces.iter().for_each(|piece| meter.take(piece));
        meter.is_too_long()
    });
    seen.note(is_too_long);
    let findings = match findings {
        Ok(findings) if findings.is_clean() => return seen.note("clean"),
        Ok(findings) => findings,
        Err(obstacle) => return seen.note(format!("{obstacle:?}")),
    };
    let out = same(input, |pieces| {
        let (mut encoder, mut out) = (Encoder::new(findings.clone()), Vec::new());
        pieces.iter().for_each(|piece| encoder.take(piece, &mut out));
        encoder.finish(&mut out);
        out
    });
    seen.note(out.len() as isize - input.len() as isize);
    let mut again = Surveyor::new();
    again.take(&out);
    assert!(again.finish().is_ok_and(|findings| findings.is_clean()), "what was made fit fits");
}

pub(super) const SURROGATE: Target = Target {
    name: "surrogate",
    run: surrogate,
    seeds: messages,
    words: FIELDS,
    lines: true,
    size_max: 8 << 10,
    rounds: 2500,
    ..USUAL
};

/// Fields that ASCII cannot hold as they are.
const FIELDS: &[&str] = &[
    "\r\n",
    "\r\n\r\n",
    "--b\r\n",
    "--b--\r\n",
    "ä",
    "From: Jörg <ü@exämple.org>, Büro: a@b, ö@c;\r\n",
    "Subject: ä =?utf-8?q?=C3=A4?=\r\n",
    "Message-ID: <ö@b>\r\n",
    "Content-Type: multipart/mixed; boundary=b; n=ö\r\n\r\n",
    "Content-Type: multipart/mixed; boundary=ö\r\n\r\n",
    "Content-Type: message/rfc822\r\n\r\n",
    "Content-Disposition: attachment; filename=\"ö;\"\r\n",
    "Content-Description: ö\r\n",
    "ö: x\r\n",
];

fn surrogate(input: &[u8], seen: &mut Seen) {
    let made = |input: &[u8]| {
        same(input, |pieces| {
            let (mut maker, mut out) = (Surrogate::new(), Vec::new());
            pieces.iter().for_each(|piece| maker.take(piece, &mut out));
            maker.finish(&mut out);
            (maker.is_changed(), out)
        })
    };
    let (is_changed, out) = made(input);
    assert_eq!(is_changed, out != input, "it says whether it differs");
    // Twice as long for a value in base64 or by RFC 2231 that was half ASCII, and a new address.
    assert!(out.len() <= input.len() * 8 + 200, "no more than in proportion");
    seen.note((is_changed, (out.len() as isize - input.len() as isize) / 16));
    assert!(!made(&out).0, "a surrogate needs none");
}

pub(super) const READY: Target = Target {
    name: "ready",
    run: ready,
    seeds: messages,
    words: WORDS,
    lines: true,
    size_max: 8 << 10,
    rounds: 2500,
    ..USUAL
};

fn ready(input: &[u8], seen: &mut Seen) {
    for dot_ends in [false, true] {
        let read = same(input, |pieces| {
            let (mut reader, mut body) = (Reader::new(dot_ends), Vec::new());
            for piece in pieces {
                match reader.take(piece, &mut body) {
                    Ok(true) => break,
                    Ok(false) => {}
                    // How far it came before depends on the pieces.
                    Err(why) => return Err(why),
                }
            }
            let (head, facts) = reader.finish(&mut body)?;
            let author = Person { name: None, mailbox: pillarbox_engine::smtp::Mailbox::default() };
            let origin = Origin { unix_ms: 1_767_603_600_000, seed: [7; 16] };
            let whole = head.complete(&author, Some("hamburger.edu"), origin);
            let people = (head.recipients(None), head.author(Some("hamburger.edu")));
            Ok((facts, body, whole, people))
        });
        match read {
            Ok((facts, body, whole, (recipients, author))) => {
                assert_eq!(facts.body_size, body.len() as u64);
                assert_eq!(facts.eight_bit, body.iter().any(|octet| !octet.is_ascii()));
                assert_eq!(facts.plain, !body.starts_with(b".") && !contains(&body, b"\n."));
                // RFC 5321 §2.3.8: no CR or LF stands alone.
                let lone =
                    |text: &[u8]| text.windows(2).any(|two| (two[0] == b'\r') != (two[1] == b'\n'));
                assert!(!lone(&body) && !lone(&whole), "a line end is CRLF");
                seen.note((recipients.is_ok(), author.is_ok(), facts.plain, facts.eight_bit));
            }
            Err(why) => seen.note(format!("{why:?}")),
        }
    }
}

fn contains(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|piece| piece == what)
}
