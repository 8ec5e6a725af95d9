//! What a reader is shown: every octet that was sent has a label, and no password is in the open.

mod imap_host;

use imap_host::*;
use pillarbox_engine::imap::types::Config;
use pillarbox_engine::trace::{Note, Side};
use pillarbox_engine::types::Now;
use pillarbox_engine::{Output, Session};

/// All notes of a session that is sent these octets, and how many octets it sent.
fn notes(input: &[u8]) -> (Vec<Note>, u64) {
    let (notes, sent, _) = held(input);
    (notes, sent)
}

/// The same, with the octets that passed through the session itself, up to the first that did not.
fn held(input: &[u8]) -> (Vec<Note>, u64, Vec<u8>) {
    let mut host = Host::new();
    host.put("INBOX", "Subject: x\n\nbody\n", 0);
    let now = Now::default();
    let config = Config { trace: true, ..config() };
    let mut session: Session<pillarbox_engine::imap::Server> = Session::new(config, now);
    let (mut notes, mut sent, mut said) = (vec![], 0, vec![]);
    let mut rest = input;
    loop {
        rest = &rest[session.receive(now, rest)..];
        match session.poll() {
            Output::Transmit(octets) => {
                if sent == said.len() as u64 {
                    said.extend_from_slice(&octets);
                }
                sent += octets.len() as u64;
            }
            Output::TransmitBlob(range) => sent += range.length,
            Output::Ask(id, ask) => {
                let answer = host.answer(ask);
                session.answer(now, id, answer).expect("a right answer");
            }
            Output::Note(note) => notes.push(note),
            Output::Wait { .. } | Output::Close if rest.is_empty() => {
                return (notes, sent, said);
            }
            _ => {}
        }
    }
}

#[test]
fn everything_sent_is_labelled_once() {
    let input = b"a LOGIN ann s3cret\r\nb SELECT INBOX\r\nc FETCH 1 (FLAGS BODY[] BODY[HEADER.FIELDS (A)])\r\n\
                  d SEARCH TEXT x\r\ne LIST \"\" *\r\nf STORE 1 +FLAGS \\Deleted\r\ng EXPUNGE\r\nh LOGOUT\r\n";
    let (notes, sent) = notes(input);
    let mut end = 0;
    for note in &notes {
        if let Note::Span(span) = note
            && span.side == Side::Sent
        {
            assert_eq!(span.start, end, "{span:?}");
            end = span.end;
        }
    }
    assert_eq!(end, sent);
    let states: Vec<_> = notes
        .iter()
        .filter_map(|note| match note {
            Note::State { from, to } => Some((*from, *to)),
            _ => None,
        })
        .collect();
    let expected = ["not authenticated", "authenticated", "selected", "logout"];
    let pairs: Vec<_> = expected.windows(2).map(|pair| (pair[0], pair[1])).collect();
    assert_eq!(states, pairs);
}

#[test]
fn passwords_are_secret_however_they_come() {
    let inputs: [&[u8]; 6] = [
        b"a LOGIN ann s3cret\r\n",
        b"a LOGIN \"ann\" \"s3cret\"\r\n",
        b"a LOGIN ann {6+}\r\ns3cret\r\n",
        b"a LOGIN ann s3cret too much\r\n",
        b"a LOGIN ann(s3cret\r\n",
        b"a AUTHENTICATE PLAIN s3cret\r\n",
    ];
    for input in inputs {
        let (notes, _) = notes(input);
        let at = input.windows(6).position(|six| six == b"s3cret").expect("a password") as u64;
        let open = |note: &&Note| {
            matches!(note, Note::Span(span) if span.side == Side::Received && !span.secret
                && span.start < at + 6 && span.end > at)
        };
        let text = input.escape_ascii();
        assert_eq!(notes.iter().filter(open).count(), 0, "{text}");
        let hidden = |note: &Note| {
            matches!(note, Note::Span(span) if span.side == Side::Received && span.secret
                && span.start <= at && span.end >= at + 6)
        };
        assert!(notes.iter().any(hidden), "{text}");
    }
}

#[test]
fn tokens_of_urls_are_secret_both_ways() {
    let rump = "imap://ann@mail.example/INBOX/;UID=1;URLAUTH=anonymous";
    let token: String = KEY.token(rump.as_bytes()).iter().map(|o| format!("{o:02x}")).collect();
    let url = format!("{rump}:internal:{token}");
    let commands = [
        format!("b GENURLAUTH \"{rump}\" INTERNAL"),
        format!("b URLFETCH {url}"),
        format!("b URLFETCH \"{url}\" \"{url}\""),
        format!("b URLFETCH {{{}+}}\r\n{url}", url.len()),
        format!("b URLFETCH \"\\\"{url}\""),
        format!("b URLFETCH {url} "),
        format!("b URLFETCH {url}(\""),
        format!("b APPEND INBOX CATENATE (URL \"{url}\")"),
        format!("b APPEND INBOX CATENATE (URL {{{}+}}\r\n{url})", url.len()),
    ];
    for command in commands {
        let input = format!("a LOGIN ann s3cret\r\n{command}\r\n");
        let (notes, _, said) = held(input.as_bytes());
        for (side, octets) in [(Side::Received, input.as_bytes()), (Side::Sent, &said[..])] {
            for at in 0..octets.len().saturating_sub(token.len()) {
                if !octets[at..].starts_with(token.as_bytes()) {
                    continue;
                }
                let (start, end) = (at as u64, (at + token.len()) as u64);
                let of = |note: &Note, secret: bool| match note {
                    Note::Span(span) => {
                        span.side == side
                            && span.secret == secret
                            && span.start < end
                            && span.end > start
                    }
                    _ => false,
                };
                assert!(!notes.iter().any(|note| of(note, false)), "{side:?}: {command}");
                assert!(notes.iter().any(|note| of(note, true)), "{side:?}: {command}");
            }
        }
    }
}
