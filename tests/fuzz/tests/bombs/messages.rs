//! Messages: nesting, parts, boundaries, fields, addresses, parameters, encoded words, references, encodings.

use pillarbox_engine::imap::grammar::print;
use pillarbox_engine::message::compose::Reader;
use pillarbox_engine::message::seven_bit::Surveyor;
use pillarbox_engine::message::{ids, subject, texts};
use pillarbox_engine::text::{address, date, header, params, words};
use pillarbox_smime::{Known, verify};

use super::{Bomb, MOST, done, numbered, repeated};

type Make = fn(usize) -> Vec<u8>;
type Read = fn(&[u8]);

const HEAD: &str = "From: a@b\r\nMIME-Version: 1.0\r\n";
const MIXED: &str = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";

/// Whole messages.
const MESSAGES: [(&str, Make); 26] = [
    ("nested multiparts, each its boundary", |n| {
        numbered(HEAD, n, |at| {
            format!("Content-Type: multipart/mixed; boundary=b{at}\r\n\r\n--b{at}\r\n")
        })
    }),
    ("nested multiparts, one boundary", |n| repeated(HEAD, &[MIXED, "--b\r\n"].concat(), "", n)),
    ("messages in messages", |n| repeated(HEAD, "Content-Type: message/rfc822\r\n\r\n", "", n)),
    ("empty parts", |n| repeated(&[HEAD, MIXED].concat(), "--b\r\n", "--b--\r\n", n)),
    ("parts with fields", |n| {
        repeated(&[HEAD, MIXED].concat(), "--b\r\nContent-Type: a/b; c=d\r\n\r\nx\r\n", "", n)
    }),
    ("closed multiparts", |n| repeated(&[HEAD, MIXED].concat(), "--b--\r\n", "", n)),
    ("boundaries that begin alike", |n| {
        let mut out = HEAD.as_bytes().to_vec();
        for level in 1..60 {
            let boundary = "b".repeat(level);
            out.extend(
                format!(
                    "Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n--{boundary}\r\n"
                )
                .bytes(),
            );
        }
        out.extend(repeated("\r\n", "--bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbx\r\n", "", n));
        out
    }),
    ("lines that are nearly boundaries", |n| repeated(&[HEAD, MIXED].concat(), "--bx\r\n", "", n)),
    ("dashes", |n| repeated(&[HEAD, MIXED].concat(), "--", "\r\n", n)),
    ("a long boundary", |n| {
        repeated("Content-Type: multipart/mixed; boundary=\"", "b", "\"\r\n\r\n--b\r\n", n)
    }),
    ("fields", |n| repeated(HEAD, "x: y\r\n", "\r\n", n)),
    ("fields of the envelope", |n| repeated(HEAD, "To: a@b\r\n", "\r\n", n)),
    ("fields that say what it is", |n| {
        repeated(HEAD, "Content-Type: text/plain; a=b\r\n", "\r\n", n)
    }),
    ("one long field", |n| repeated("Subject: ", "x", "\r\n\r\n", n)),
    ("one field of many lines", |n| repeated("Subject: x", "\r\n y", "\r\n\r\n", n)),
    ("one field of blank lines", |n| repeated("Subject: x", "\r\n ", "\r\n\r\n", n)),
    ("base64 that is hardly any", |n| {
        repeated(
            &[HEAD, "Content-Transfer-Encoding: base64\r\n\r\n"].concat(),
            "!!!!A!!!!\r\n",
            "",
            n,
        )
    }),
    ("base64 of padding", |n| {
        repeated(&[HEAD, "Content-Transfer-Encoding: base64\r\n\r\n"].concat(), "=", "", n)
    }),
    ("quoted-printable of soft line ends", |n| {
        repeated(
            &[HEAD, "Content-Transfer-Encoding: quoted-printable\r\n\r\n"].concat(),
            "=\r\n",
            "",
            n,
        )
    }),
    ("quoted-printable of blanks", |n| {
        repeated(
            &[HEAD, "Content-Transfer-Encoding: quoted-printable\r\n\r\n"].concat(),
            " \t",
            "",
            n,
        )
    }),
    ("uuencode without end", |n| {
        repeated(&[HEAD, "\r\nbegin 644 x\r\n"].concat(), "M0V%T\r\n", "", n)
    }),
    ("shifts of ISO-2022-JP", |n| {
        repeated(
            &[HEAD, "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n"].concat(),
            "\x1b$B\x1b(B",
            "",
            n,
        )
    }),
    ("shifts of UTF-7", |n| {
        repeated(
            &[HEAD, "Content-Type: text/plain; charset=utf-7\r\n\r\n"].concat(),
            "+AGE-",
            "",
            n,
        )
    }),
    ("HTML of open tags", |n| {
        repeated(&[HEAD, "Content-Type: text/html\r\n\r\n"].concat(), "<b><", "", n)
    }),
    ("HTML of references", |n| {
        repeated(&[HEAD, "Content-Type: text/html\r\n\r\n"].concat(), "&#60&amp", "", n)
    }),
    ("HTML of comments", |n| {
        repeated(&[HEAD, "Content-Type: text/html\r\n\r\n"].concat(), "<!--<script>", "", n)
    }),
];

const READERS: [(&str, Read); 7] = [
    ("index", |message| done(pillarbox_mime::index(message, message.len() as u64).encode())),
    ("structure", |message| {
        let index = pillarbox_mime::index(message, message.len() as u64);
        let mut out = Vec::new();
        print::envelope(&mut out, &index.envelope, false);
        print::body(&mut out, &index, true, false);
    }),
    ("view", |message| done(pillarbox_mime::view(message))),
    ("spans", |message| done(pillarbox_mime::spans(message))),
    ("texts", |message| {
        let size = message.len() as u64;
        let index = pillarbox_mime::index(message, size);
        let spans = texts::spans(&index, size);
        let octets: Vec<&[u8]> =
            spans.iter().map(|span| &message[span.start as usize..span.end as usize]).collect();
        done(texts::searchable(&index, size, &octets.concat()));
    }),
    ("seven bits", |message| {
        let mut surveyor = Surveyor::new();
        message.chunks(16 << 10).for_each(|chunk| surveyor.take(chunk));
        done(surveyor.finish());
    }),
    ("S/MIME", |message| {
        done(verify(message, &Known::default(), &mut |octets: &mut [u8]| octets.fill(7)))
    }),
];

/// Bodies of fields.
const BODIES: [(&str, Make); 22] = [
    ("addresses", |n| repeated("", "a@b,", "", n)),
    ("addresses with names", |n| repeated("", "\"a b\" <c@d>, ", "", n)),
    ("groups", |n| repeated("", "g:a@b;,", "", n)),
    ("open groups", |n| repeated("", "g:", "", n)),
    ("comments in each other", |n| repeated("", "(", "", n)),
    ("comments", |n| repeated("a@b", "(x)", "", n)),
    ("open angles", |n| repeated("", "<", "", n)),
    ("routes", |n| repeated("<", "@a,", ":b@c>", n)),
    ("quotes", |n| repeated("\"", "\\\"", "", n)),
    ("atoms", |n| repeated("", "a ", "", n)),
    ("dots", |n| repeated("a", ".a", "", n)),
    ("parameters", |n| numbered("a/b", n, |at| format!("; p{at}=v"))),
    ("one parameter", |n| repeated("a/b", "; p=v", "", n)),
    ("sections of a parameter", |n| numbered("a/b", n, |at| format!("; p*{at}*=%41"))),
    ("sections of a parameter, from the last", |n| {
        numbered("a/b", n, |at| format!("; p*{}=v", 999_999_999 - at))
    }),
    ("encoded words", |n| repeated("", "=?utf-8?q?=41?= ", "", n)),
    ("encoded words, each its charset", |n| numbered("", n, |at| format!("=?x-{at}?b?QUJD?= "))),
    ("encoded words without end", |n| repeated("", "=?utf-8?q?", "", n)),
    ("beginnings of encoded words", |n| repeated("", "=?", "", n)),
    ("references", |n| numbered("", n, |at| format!("<{at}@b> "))),
    ("replies to replies", |n| repeated("", "Re: ", "x", n)),
    ("forwards of forwards", |n| repeated("", "[fwd: ", "x", n)),
];

const BODY_READERS: [(&str, Read); 7] = [
    ("addresses", |body| done(address::parse_list(body))),
    ("date", |body| done(date::parse(body))),
    ("parameters", |body| done(params::parse(body))),
    ("words", |body| done(words::decode(body))),
    ("identifiers", |body| done(ids::message_ids(body).count())),
    ("base subject", |body| done(subject::base_subject(body))),
    ("as a message", |body| {
        let message =
            [b"Subject: ", body, b"\r\nTo: ", body, b"\r\nReferences: ", body, b"\r\n\r\n"]
                .concat();
        done(pillarbox_mime::index(&message, message.len() as u64));
        let mut reader = Reader::new(false);
        done(reader.take(&message, &mut Vec::new()));
        done(header::fields(&message).count());
    }),
];

pub(super) fn bombs() -> Vec<Bomb> {
    let mut bombs = Vec::new();
    let mut all = |makes: &[(&str, Make)], readers: &[(&'static str, Read)]| {
        for &(input, make) in makes {
            for &(reader, read) in readers {
                bombs.push(Bomb {
                    what: format!("{input}, {reader}"),
                    least: 4 << 10,
                    // Spans of a message made of nothing else need a hundred times its octets: what is touched first counts.
                    most: if reader == "spans" { 256 << 10 } else { MOST },
                    work: Box::new(move |size| {
                        let octets = make(size);
                        Box::new(move || read(&octets))
                    }),
                });
            }
        }
    };
    all(&MESSAGES, &READERS);
    all(&BODIES, &BODY_READERS);
    bombs
}
