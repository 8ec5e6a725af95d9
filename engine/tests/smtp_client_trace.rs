//! What a reader of a client's session is shown: every octet once, no secret in the open, and nothing changed by looking.

mod seeded;
mod smtp_client_host;
mod smtp_host;

use pillarbox_engine::sasl::Mechanism;
use pillarbox_engine::smtp::client::types::{Call, Config, Event};
use pillarbox_engine::smtp::{self, Body, Extensions};
use pillarbox_engine::trace::{Note, Side, Span};
use smtp_client_host::{Drive, config, password};
use smtp_host::Talk;

/// A whole session with deliveries of each kind; also what the server said.
fn session(trace: bool, mechanism: Mechanism, extensions: Extensions) -> (Drive, Vec<u8>) {
    let mut drive = Drive::new(Config { trace, login: true, ..config() });
    drive.secrets = vec![password(mechanism)];
    let message = "Subject: x\r\n\r\n.dot\r\ncaf\u{e9}\n".repeat(2000).into_bytes();
    for (id, (body, plain)) in (1..).zip([
        (Body::SevenBit, true),
        (Body::SevenBit, false),
        (Body::EightBitMime, false),
        (Body::BinaryMime, false),
    ]) {
        let message = if plain { &b"Subject: x\r\n\r\nplain\r\n"[..] } else { &message };
        let mut delivery = drive.delivery(id, &["bob@hamburger.edu", "x@y.example"], message);
        delivery.mail.body = body;
        delivery.plain = plain;
        drive.call(Call::Deliver(delivery));
    }
    drive.call(Call::Quit);
    let mut talk = Talk::new(smtp::Config { extensions, ..smtp_host::config() });
    let (mut said, mut told) = (talk.say(b""), 0);
    let mut heard = Vec::new();
    while !said.is_empty() {
        heard.extend_from_slice(&said);
        drive.hear(&said);
        let octets = drive.sent[told..].to_vec();
        told = drive.sent.len();
        said = talk.say(&octets);
    }
    let last = &drive.sent[drive.sent.len().saturating_sub(200)..];
    assert!(drive.closed, "{}", last.escape_ascii());
    (drive, heard)
}

fn all_extensions() -> [Extensions; 3] {
    let all = Extensions::default();
    [
        all,
        Extensions { chunking: false, binary_mime: false, ..all },
        Extensions { pipelining: false, chunking: false, eight_bit_mime: false, ..all },
    ]
}

fn spans(drive: &Drive, side: Side) -> impl Iterator<Item = &Span> {
    drive.notes.iter().filter_map(move |note| match note {
        Note::Span(span) if span.side == side => Some(span),
        _ => None,
    })
}

#[test]
fn every_octet_is_labelled_once() {
    for extensions in all_extensions() {
        let (drive, heard) = session(true, Mechanism::Login, extensions);
        for (side, total) in [(Side::Sent, drive.sent.len()), (Side::Received, heard.len())] {
            let mut end = 0;
            for span in spans(&drive, side) {
                assert_eq!(span.start, end, "{span:?}");
                assert!(span.end > span.start, "{span:?}");
                end = span.end;
            }
            assert_eq!(end, total as u64, "{side:?}");
        }
        let mut state = "Connected";
        for note in &drive.notes {
            if let Note::State { from, to } = note {
                assert_eq!(*from, state);
                state = to;
            }
        }
        assert_eq!(state, "Closed");
    }
}

#[test]
fn tracing_changes_no_octet() {
    for extensions in all_extensions() {
        let (with, heard_with) = session(true, Mechanism::Plain, extensions);
        let (without, heard) = session(false, Mechanism::Plain, extensions);
        assert!(with.sent == without.sent && heard_with == heard);
        assert!(with.events == without.events);
        assert!(!with.notes.is_empty() && without.notes.is_empty());
    }
}

#[test]
fn secrets_are_masked() {
    for (mechanism, secret) in
        [(Mechanism::Plain, &b"AGFubgBzM2NyZXQ="[..]), (Mechanism::Login, b"czNjcmV0")]
    {
        let (drive, _) = session(true, mechanism, Extensions::default());
        let at = drive.sent.windows(secret.len()).position(|window| window == secret);
        let at = at.expect("the secret was sent") as u64;
        let over = |span: &&Span| span.start < at + secret.len() as u64 && span.end > at;
        assert!(spans(&drive, Side::Sent).filter(over).all(|span| span.secret));
        let events = format!("{:?}", drive.events);
        assert!(!events.contains("s3cret"));
    }
}

/// What the server did wrong is shown where it stands.
#[test]
fn defects_follow_the_span_that_they_are_about() {
    let mut drive = Drive::new(Config { trace: true, ..config() });
    drive.hear(b"220 mx\r\n");
    drive.hear(b"nonsense\r\n");
    let at = drive.notes.iter().position(|note| matches!(note, Note::Defect(_)));
    let Note::Span(span) = drive.notes[at.expect("a defect") - 1] else { panic!() };
    assert_eq!((span.label, span.start, span.end), ("unparsed", 8, 18));
    assert!(drive.events.iter().any(|event| matches!(event, Event::Defect(_))));
}
