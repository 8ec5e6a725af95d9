//! What each charset makes of octets, as one number: the page, where the browser decodes, must come to the same
//! (`tests/browser/labs.test.mjs`).

use std::fmt::Write as _;

use pillarbox_engine::text::charset;
use sha2::{Digest, Sha256};

/// All pairs of octets whose first has the eighth bit, then octets in which those that mean something special are frequent.
/// The browser's test makes the same ones.
fn octets() -> Vec<u8> {
    const SPECIAL: &[u8] = b"\x1b\x1b\x1b$(@BIJ09A\n\x80\x81\x8e\x8f\xa0\xa1\xfe\xff\xd8\xdc";
    let pairs = (0x80..=0xff).flat_map(|first| (0..=0xff).flat_map(move |next| [first, next]));
    let mut state = 1_u32;
    let random = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        let octet = (state >> 16) as u8;
        if state >> 30 & 1 == 0 { octet } else { SPECIAL[usize::from(octet) % SPECIAL.len()] }
    });
    pairs.chain(random.take(40_000)).collect()
}

#[test]
fn each_charset_makes_of_octets_what_the_page_makes_of_them() {
    let octets = octets();
    let mut found = String::new();
    let names = charset::NAMES.replace("UTF-7", "UTF-7 UTF-16BE UTF-16LE");
    for name in names.split(' ') {
        let text = charset::decode(name.as_bytes(), &octets);
        let mut pieces = String::new();
        let mut decoder = charset::Decoder::new(name.as_bytes());
        octets.chunks(1000).for_each(|piece| decoder.decode(piece, false, &mut pieces));
        decoder.decode(b"", true, &mut pieces);
        // Of UTF-7 in pieces only the beginning is kept.
        assert!(pieces == text || name == "UTF-7", "{name}");
        let hash = Sha256::digest(&text).iter().fold(String::new(), |mut hash, octet| {
            write!(hash, "{octet:02x}").expect("writing to a string does not fail");
            hash
        });
        writeln!(found, "{name} {hash}").expect("writing to a string does not fail");
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/browser/charsets.txt");
    if std::env::var_os("GOLDEN").is_some_and(|value| value == "update") {
        std::fs::write(path, &found).expect("it can be written");
    }
    let known = std::fs::read_to_string(path).expect("it is there");
    assert_eq!(found, known, "GOLDEN=update writes it anew");
}
