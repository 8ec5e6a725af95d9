//! Text that comes in pieces: transfer encodings and charsets. The first octet of an input says which.

use pillarbox_engine::text::{base64, charset, transfer};

use super::{USUAL, same};
use crate::{Seen, Target};

pub(super) const TRANSFER: Target = Target {
    name: "transfer",
    run: transfer,
    seeds: || {
        ["0S2V0Y2h1cA==", "1caf=C3=A9=\r\n x =\r\n", "0S2V0 Y2h\r\n1cA", "1=\n=4", "2as it is"]
            .map(Vec::from)
            .to_vec()
    },
    words: &["=", "==", "=\r\n", "=3D", "=4", " \r\n", "\t", "AAAA", "-", "_", "\r", "\n"],
    rounds: 10_000,
    ..USUAL
};

fn transfer(input: &[u8], seen: &mut Seen) {
    let Some((kind, text)) = input.split_first() else { return };
    let name = ["base64", "Quoted-Printable", "8bit", "x-uuencode"][usize::from(*kind) % 4];
    seen.note(name);
    let Some(decoder) = transfer::Decoder::new(name.as_bytes()) else { return };
    let out = same(text, |pieces| {
        let (mut decoder, mut out) = (decoder.clone(), Vec::new());
        pieces.iter().for_each(|piece| decoder.decode(piece, &mut out));
        decoder.finish(&mut out);
        out
    });
    assert!(out.len() <= text.len(), "decoded text is no longer than what it was made of");
    seen.note((name, text.len() as isize - out.len() as isize));
    if let Some(octets) = base64::decode(text) {
        assert_eq!(base64::decode(&base64::encode(&octets)), Some(octets));
    }
}

pub(super) const CHARSET: Target = Target {
    name: "charset",
    run: charset,
    seeds: || {
        (0..CHARSETS.len())
            .map(|at| {
                [
                    &[at as u8],
                    &b"caf\xe9 \x1b$B\x46\x7c\x1b(B +AGE- \xe6\x97\xa5 \x81\x30\x84\x36"[..],
                ]
                .concat()
            })
            .collect()
    },
    words: &[
        "\x1b$B", "\x1b(J", "\x1b(B", "+", "+-", "+AGE-", "+2D3cAA-", "\u{FEFF}", "\0", "~{", "~}",
        "\x0e", "\x0f",
    ],
    rounds: 6000,
    ..USUAL
};

const CHARSETS: [&str; 20] = [
    "utf-8",
    "us-ascii",
    "utf-7",
    "utf-16",
    "utf-16le",
    "utf-16be",
    "iso-8859-1",
    "iso-8859-8",
    "windows-1252",
    "koi8-r",
    "iso-2022-jp",
    "shift_jis",
    "euc-jp",
    "gb18030",
    "gbk",
    "big5",
    "euc-kr",
    "macintosh",
    "iso-2022-kr",
    "x-none",
];

fn charset(input: &[u8], seen: &mut Seen) {
    let Some((kind, text)) = input.split_first() else { return };
    let name = CHARSETS[usize::from(*kind) % CHARSETS.len()].as_bytes();
    let whole = charset::decode(name, text);
    assert!(whole.len() <= 3 * text.len() + 8, "{} of {}", whole.len(), text.len());
    seen.note((name, text.len() as isize - whole.len() as isize));
    seen.note((name, whole.matches('\u{FFFD}').count().min(20)));
    if let Some(own) = charset::as_it_stands(name, text) {
        assert_eq!(own, whole.trim_start_matches('\u{FEFF}'));
    }
    same(text, |pieces| {
        // An unknown charset is judged by what comes first: the same octets for all.
        let (mut decoder, mut out) = (charset::Decoder::new(name), String::new());
        pieces.iter().for_each(|piece| decoder.decode(piece, false, &mut out));
        decoder.decode(b"", true, &mut out);
        out
    });
}
