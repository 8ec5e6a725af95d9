//! Conversations of others, followed from outside: a line that names the protocol, then lines of the client (`C: `) and of the
//! server (`S: `).

use pillarbox_engine::observe::{Heard, Observer, Party, Protocol};

use super::{USUAL, cut};
use crate::corpus::dialogues;
use crate::{Seen, Target};

pub(super) const OBSERVED: Target = Target {
    name: "observed",
    run: observed,
    seeds: dialogues,
    lines: true,
    size_max: 8 << 10,
    words: &[
        "C: EHLO a\n",
        "C: DATA\n",
        "C: .\n",
        "C: BDAT 5 LAST\n",
        "C: AUTH LOGIN\n",
        "C: a AUTHENTICATE PLAIN\n",
        "C: a LOGIN {3}\n",
        "C: a APPEND x {3+}\n",
        "C: a IDLE\n",
        "C: DONE\n",
        "C: a COMPRESS DEFLATE\n",
        "C: LIST\n",
        "C: RETR 1\n",
        "S: 334 \n",
        "S: 354 \n",
        "S: 250-x\n",
        "S: + \n",
        "S: +OK\n",
        "S: .\n",
        "S: a OK\n",
        "S: * 1 FETCH (BODY[] {3}\n",
        "S: * GENURLAUTH {9}\n",
        "\r",
        "\0",
        "{99999999999}\n",
    ],
    ..USUAL
};

fn observed(input: &[u8], seen: &mut Seen) {
    let mut lines = input.split_inclusive(|octet| *octet == b'\n');
    let protocol = match lines.next().unwrap_or_default().trim_ascii() {
        b"pop3" => Protocol::Pop3,
        b"imap" => Protocol::Imap,
        _ => Protocol::Smtp,
    };
    let mut said: Vec<(Party, Vec<u8>)> = Vec::new();
    for line in lines {
        let party = match line.first() {
            Some(b'C') => Party::Client,
            Some(b'S') => Party::Server,
            _ => continue,
        };
        let text = line.get(3..).unwrap_or_default();
        said.push((party, [text.strip_suffix(b"\n").unwrap_or(text), b"\r\n"].concat()));
    }
    let whole = told(protocol, &said, |octets| vec![octets]);
    assert_eq!(told(protocol, &said, cut), whole);
    for party in [Party::Client, Party::Server] {
        let mut at = 0;
        let mut octets = Vec::new();
        for one in whole.iter().filter(|one| one.party == party) {
            for span in &one.spans {
                assert!(span.start == at && span.end > at, "{one:?}");
                at = span.end;
                seen.note(span.label);
            }
            octets.extend_from_slice(&one.octets);
            assert_eq!(at, octets.len() as u64, "{one:?}");
            assert!(
                one.spans.iter().any(|span| span.secret) || one.octets.starts_with(&one.shown(b""))
            );
            seen.note(one.kind as u8);
            seen.note(one.state);
        }
        let all = said.iter().filter(|(who, _)| *who == party).flat_map(|(_, octets)| octets);
        assert!(octets.iter().eq(all), "all of it is told");
    }
}

fn told<'a>(
    protocol: Protocol,
    said: &'a [(Party, Vec<u8>)],
    pieces: impl Fn(&'a [u8]) -> Vec<&'a [u8]>,
) -> Vec<Heard> {
    let (mut observer, mut heard) = (Observer::new(protocol), Vec::new());
    for (party, octets) in said {
        for piece in pieces(octets) {
            heard.extend(observer.hear(*party, piece));
        }
    }
    for party in [Party::Server, Party::Client] {
        heard.extend(observer.end(party));
    }
    heard
}
